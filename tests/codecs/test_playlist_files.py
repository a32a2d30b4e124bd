"""Playlists survive every kind of file; what is none is refused, and no file does harm."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.codecs.playlist_files import (
    MAX_ENTRIES,
    PlaylistEntry,
    PlaylistFile,
    PlaylistFileError,
    PlaylistFormat,
    read_playlist,
    write_playlist,
)

words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs", "Cn", "Co"]),
    min_size=1,
    max_size=20,
)
entries = st.builds(
    PlaylistEntry,
    title=words,
    artist=words,
    duration_ms=st.none() | st.integers(0, 10_000).map(lambda seconds: seconds * 1000),
    location=words.map(lambda word: f"https://veza.example/tracks/{word}"),
)
playlists = st.builds(PlaylistFile, title=words, entries=st.lists(entries, max_size=5).map(tuple))


@pytest.mark.parametrize("form", PlaylistFormat)
@given(playlist=playlists)
def test_what_is_written_is_read_again(form, playlist):
    assert read_playlist(write_playlist(playlist, form), form) == playlist


@pytest.mark.parametrize("form", PlaylistFormat)
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_do_harm(form, data):
    with suppress(PlaylistFileError):
        read_playlist(data, form)


def test_what_others_write_is_read():
    m3u = '\ufeff#EXTM3U\r\n\r\n#EXTINF:123 tvg-id="1",Ada - Étude\r\nC:\\Music\\a.mp3\r\nb.mp3\r\n'
    found = read_playlist(m3u.encode(), PlaylistFormat.M3U8)
    assert found.entries == (
        PlaylistEntry(
            title="Étude", artist="Ada", duration_ms=123_000, location="C:\\Music\\a.mp3"
        ),
        PlaylistEntry(location="b.mp3"),
    )
    xspf = """<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/">
      <title>Mine</title><creator>VLC</creator><trackList><track><title>A &amp; B</title>
      <extension application="x"><title>no</title></extension><duration>5</duration></track>
      <track/></trackList></playlist>"""
    found = read_playlist(xspf.encode(), PlaylistFormat.XSPF)
    assert found == PlaylistFile(
        title="Mine", entries=(PlaylistEntry(title="A & B", duration_ms=5), PlaylistEntry())
    )
    jspf = b'{"playlist": {"track": [{"location": "x", "duration": "7", "title": 5}, {}]}}'
    found = read_playlist(jspf, PlaylistFormat.JSPF)
    assert found.entries == (PlaylistEntry(location="x", duration_ms=7), PlaylistEntry())


LAUGHS = """<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>
<playlist xmlns="http://xspf.org/ns/0/"><title>&b;</title></playlist>"""


@pytest.mark.parametrize(
    ("form", "data"),
    [
        (PlaylistFormat.XSPF, LAUGHS.encode()),
        (PlaylistFormat.XSPF, b"<html></html>"),
        (PlaylistFormat.XSPF, b"<playlist>"),
        (PlaylistFormat.XSPF, LAUGHS.encode("utf-16")),
        (PlaylistFormat.JSPF, b"[]"),
        (PlaylistFormat.JSPF, b'{"playlist": 5}'),
        (PlaylistFormat.JSPF, b'{"playlist": {"track": [7]}}'),
        (PlaylistFormat.M3U8, b"\xff\xfe"),
        (PlaylistFormat.M3U8, b"a.mp3\n" * (MAX_ENTRIES + 1)),
        (PlaylistFormat.JSPF, b'{"playlist": {"track": [%s{}]}}' % (b"{}," * MAX_ENTRIES)),
        (
            PlaylistFormat.XSPF,
            b'<playlist xmlns="http://xspf.org/ns/0/"><trackList>'
            + b"<track/>" * (MAX_ENTRIES + 1)
            + b"</trackList></playlist>",
        ),
    ],
)
def test_what_is_no_playlist_is_refused(form, data):
    with pytest.raises(PlaylistFileError):
        read_playlist(data, form)
