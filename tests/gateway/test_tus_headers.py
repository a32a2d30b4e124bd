"""What tus clients say in headers is read strictly: what is not exactly right is refused, never guessed."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.gateway import tus_headers as tus
from veza.gateway.errors import ProblemCode, ProblemError


def code_of(call, *arguments):
    with pytest.raises(ProblemError) as raised:
        call(*arguments)
    return raised.value.code


def encode(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


KEYS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1
)


@given(st.dictionaries(KEYS, st.text(max_size=20), max_size=8))
def test_metadata_read_back_as_they_were_written(metadata):
    pairs = (f"{key} {encode(value)}" if value else key for key, value in metadata.items())

    assert tus.parse_metadata(",".join(pairs)) == metadata


@given(st.text(max_size=60))
def test_any_other_text_is_refused_or_read_and_nothing_else(text):
    try:
        keys = set(tus.parse_metadata(text))
    except ProblemError:
        keys = set()

    assert all(key.isascii() and key.isprintable() for key in keys)
    assert all(key in text for key in keys)


def test_metadata_beyond_their_size_are_refused():
    assert code_of(tus.parse_metadata, "a " + "A" * 4096) is ProblemCode.BAD_REQUEST


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.0", " 1", "1_000", "0x10", "1e3", "\u0661", "\xb2"]
)
def test_an_offset_is_plain_digits(text):
    assert code_of(tus.told_offset, {"Upload-Offset": text}) is ProblemCode.BAD_REQUEST


def test_numbers_beyond_any_file_are_too_large():
    headers = {"Upload-Offset": "9" * 5000, "Upload-Length": "1" * 19}
    assert code_of(tus.told_offset, headers) is ProblemCode.PAYLOAD_TOO_LARGE
    assert code_of(tus.told_length, headers) is ProblemCode.PAYLOAD_TOO_LARGE
    assert tus.told_offset({"Upload-Offset": "0" * 17 + "7"}) == 7


@pytest.mark.parametrize("algorithm", tus.ALGORITHMS)
def test_a_checksum_has_exactly_the_size_of_its_algorithm(algorithm):
    digest = hashlib.new(algorithm, b"x").digest()

    def read(raw: bytes):
        text = f"{algorithm} {base64.b64encode(raw).decode()}"
        return tus.told_checksum({"Upload-Checksum": text})

    assert read(digest).digest == digest
    for wrong in (digest[:-1], digest + b"x", b""):
        assert code_of(read, wrong) is ProblemCode.BAD_REQUEST


@pytest.mark.parametrize(
    "text", ["", "sha1", "SHA1 AAAA", "sha1  AAAA", "shake_128 AAAA", "sha1 ?"]
)
def test_what_is_no_checksum_is_refused(text):
    assert code_of(tus.told_checksum, {"Upload-Checksum": text}) is ProblemCode.BAD_REQUEST
