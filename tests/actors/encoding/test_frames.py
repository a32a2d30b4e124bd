"""Frames read back as written, however the stream is cut; all else is a FrameError."""

import struct
from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.actors.encoding.frames import (
    KINDS,
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    BrokenFrame,
    CreditFrame,
    FrameError,
    FrameReader,
    PeaksFrame,
    ProbedFrame,
    ProgressFrame,
    SegmentFrame,
    encode_frame,
)

# orjson, like JSON at large, ends at 64 bit integers.
INTEGERS = st.integers(-(2**63), 2**63 - 1)
st.register_type_strategy(int, INTEGERS)
st.register_type_strategy(str, st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
FRAMES = st.one_of([st.builds(kind) for kind in KINDS.values()])


@given(st.lists(FRAMES, max_size=6), st.lists(st.integers(1, 60), max_size=60))
def test_frames_read_back_however_the_stream_is_cut(frames, sizes):
    stream = b"".join(encode_frame(frame) for frame in frames)
    reader, got, start = FrameReader(), [], 0
    for size in [*sizes, len(stream)]:
        got += reader.feed(stream[start : start + size])
        start += size
    assert got == frames


@given(st.binary(max_size=300))
def test_junk_is_a_frame_error_or_an_unfinished_frame(junk):
    with suppress(FrameError):
        assert list(FrameReader().feed(junk)) == []


def raw(header, payload=b""):
    return struct.pack(">II", len(header), len(payload)) + header + payload


@pytest.mark.parametrize(
    "stream",
    [
        struct.pack(">II", MAX_HEADER_BYTES + 1, 0),
        struct.pack(">II", 2, MAX_PAYLOAD_BYTES + 1),
        raw(b"{}"),
        raw(b"[]"),
        raw(b"not json"),
        raw(b'{"kind":"nothing"}'),
        raw(b'{"kind":["credit"]}'),
        raw(b'{"kind":"credit"}'),
        raw(b'{"kind":"credit","segments":"1"}'),
        raw(b'{"kind":"credit","segments":true}'),
        raw(b'{"kind":"credit","segments":1.5}'),
        raw(b'{"kind":"credit","segments":1,"more":2}'),
        raw(b'{"kind":"credit","segments":1}', b"payload"),
        raw(b'{"kind":"ready","sandbox_notes":"no list"}'),
        raw(b'{"kind":"ready","sandbox_notes":[1]}'),
        raw(b'{"kind":"segment","rendition":"a","number":0,"first_sample":0}', b"x"),
    ],
)
def test_what_does_not_fit_is_refused(stream):
    with pytest.raises(FrameError):
        list(FrameReader().feed(stream))


@pytest.mark.parametrize(
    "frame",
    [
        BrokenFrame(traceback="x" * MAX_HEADER_BYTES),
        PeaksFrame(sample_rate_hz=1, samples_per_bucket=1, data=bytes(MAX_PAYLOAD_BYTES + 1)),
    ],
    ids=["header", "payload"],
)
def test_too_large_a_frame_is_refused_before_it_is_sent(frame):
    with pytest.raises(FrameError):
        encode_frame(frame)


def test_whole_numbers_arrive_as_floats_where_floats_belong():
    header = orjson.dumps({"kind": "progress", "done_seconds": 6, "share": None})
    (frame,) = FrameReader().feed(raw(header))
    assert frame == ProgressFrame(done_seconds=6.0, share=None)
    assert type(frame.done_seconds) is float


def test_a_frame_byte_by_byte():
    frame = CreditFrame(segments=3)
    assert encode_frame(frame) == b'\0\0\0\x1e\0\0\0\0{"kind":"credit","segments":3}'


def test_both_ends_know_the_same_kinds():
    assert {KINDS["segment"], KINDS["probed"]} == {SegmentFrame, ProbedFrame}
