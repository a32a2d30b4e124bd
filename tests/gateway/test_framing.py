"""A turn's frames in each form say the same, in the same order, and as compactly as was agreed on."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.gateway.inbox import inflated
from veza.gateway.sockets import agreed_form
from veza.gateway.wire.framing import (
    BATCH_BYTES,
    BATCHED,
    DEFLATED,
    DEFLATED_SMALL,
    PLAIN,
    shape,
    text_frame,
)

FORMS = [form | batched for form in (PLAIN, DEFLATED, DEFLATED_SMALL) for batched in (0, BATCHED)]
OBJECTS = st.lists(
    st.text(max_size=600).map(lambda text: json.dumps({"text": text}).encode()),
    min_size=1,
    max_size=6,
)


def read(data: bytes) -> list[tuple[bool, bytes]]:
    """Split frames as a client would: compressed or not, and the payload."""
    frames = []
    while data:
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        frames.append((bool(data[0] & 0x40), data[start : start + size]))
        assert data[0] & 0xBF == 0x81
        data = data[start + size :]
    return frames


def unpacked(is_deflated: bool, payload: bytes, window_bits: int = 15) -> bytes:
    if not is_deflated:
        return payload
    # A new window for each message: nothing of the one before may be needed.
    return zlib.decompressobj(-window_bits).decompress(payload + b"\x00\x00\xff\xff")


@given(OBJECTS, st.sampled_from(FORMS))
def test_every_form_carries_the_same_objects_in_order(objects: list[bytes], form: int) -> None:
    frames = read(shape([text_frame(each) for each in objects], form))
    bits = 9 if form & DEFLATED_SMALL else 15

    payloads = [unpacked(*frame, bits) for frame in frames]

    assert b"\n".join(payloads).split(b"\n") == objects
    assert len(frames) == (1 if form & BATCHED else len(objects))
    assert form & ~BATCHED or not any(deflated for deflated, _ in frames)


def test_a_batch_is_split_before_it_grows_too_long() -> None:
    objects = [b"x" * 20_000 for _ in range(7)]

    frames = read(shape([text_frame(each) for each in objects], BATCHED))

    assert b"\n".join(payload for _, payload in frames).split(b"\n") == objects
    assert all(len(payload) <= BATCH_BYTES for _, payload in frames)
    assert len(frames) == 3


def test_small_messages_are_not_compressed_and_large_ones_shrink() -> None:
    small, large = text_frame(b'{"t":"pong"}'), text_frame(json.dumps(["salut"] * 200).encode())

    assert shape([small], DEFLATED) == small
    assert len(shape([large], DEFLATED)) < len(large) / 10


@pytest.mark.parametrize(
    ("offers", "form"),
    [
        ("permessage-deflate", DEFLATED),
        ("permessage-deflate; client_max_window_bits", DEFLATED),
        ("permessage-deflate; client_max_window_bits=10; server_no_context_takeover", DEFLATED),
        ('permessage-deflate; server_max_window_bits="15"', DEFLATED),
        ("permessage-deflate; server_max_window_bits=9", DEFLATED_SMALL),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", DEFLATED),
        ("x-unknown, permessage-deflate", DEFLATED),
        ("", PLAIN),
        ("x-unknown", PLAIN),
        ("permessage-deflate; server_max_window_bits", PLAIN),
        ("permessage-deflate; server_max_window_bits=16", PLAIN),
        ("permessage-deflate; client_max_window_bits=7", PLAIN),
        ("permessage-deflate; client_max_window_bits=010", PLAIN),
        ("permessage-deflate; server_no_context_takeover=1", PLAIN),
        ("permessage-deflate; client_no_context_takeover; client_no_context_takeover", PLAIN),
        ("permessage-deflate; surprise", PLAIN),
    ],
)
def test_the_first_offer_that_can_be_kept_is_taken(offers: str, form: int) -> None:
    agreed, answer = agreed_form(offers)

    assert agreed == form
    assert bool(answer) == (form != PLAIN)


def test_a_message_that_inflates_past_the_limit_is_refused_before_it_is_large() -> None:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = stream.compress(bytes(100_000_000)) + stream.flush(zlib.Z_SYNC_FLUSH)

    with pytest.raises(Exception, match="too big") as refused:
        inflated(bomb[:-4], 65536)

    assert len(bomb) < 200_000
    assert getattr(refused.value, "code", None) == 1009
