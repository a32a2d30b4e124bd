"""Tags are read from any container and are fit to be shown."""

import io

import pytest

from veza.codecs.decode import open_source
from veza.codecs.source import Limits
from veza.codecs.tags import Tags, clean, tags_from_metadata


@pytest.mark.parametrize("extension", ["mp3", "m4a", "opus", "mka"])
def test_title_and_artist_come_from_the_container(extension, make_file, music):
    rate = 48_000
    data = make_file(extension, music(rate, rate=rate), rate, title="Étude", artist="Ada Voltage")
    source = open_source(io.BytesIO(data), Limits())
    assert (source.info.tags.title, source.info.tags.artist) == ("Étude", "Ada Voltage")
    source.close()


def test_keys_are_read_in_any_case_and_the_first_mapping_wins():
    tags = tags_from_metadata({"TITLE": "One"}, {"title": "Two", "ALBUM_ARTIST": "Various"})
    assert tags == Tags(title="One", artist="Various")


def test_control_characters_direction_marks_and_floods_of_space_are_dropped():
    assert clean("  a\x00\x1b[31mb\u202e\n\tc  ") == "a[31mb c"
    assert clean("\x00 \n") is None
    assert len(clean("x" * 10_000)) == 300


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3),
        (" 03/12 ", 3),
        ("0", 0),
        ("A1", None),
        ("12345", None),
        ("\u0663", None),
        ("", None),
    ],
)
def test_the_number_of_a_track_is_read_if_it_is_one(text: str, number: int | None) -> None:
    assert tags_from_metadata({"track": text}).track_number == number
    assert tags_from_metadata({"TRACKNUMBER": text}).track_number == number
