"""Playlists as files that other players read and write: M3U8, XSPF 1 and JSPF. No file is trusted.

XSPF: xspf.org/spec, JSPF: xspf.org/jspf. Extended M3U has no specification but its use: `#EXTINF` with
seconds, artist and title, in UTF-8.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from xml.parsers import expat
from xml.sax.saxutils import escape

import orjson

MAX_ENTRIES: Final = 5_000
MAX_TEXT: Final = 500
XSPF_NAMESPACE: Final = "http://xspf.org/ns/0/"
_SEPARATOR: Final = " - "


class PlaylistFormat(StrEnum):
    """A kind of file."""

    M3U8 = "m3u8"
    XSPF = "xspf"
    JSPF = "jspf"


CONTENT_TYPES: Final[Mapping[PlaylistFormat, str]] = {
    PlaylistFormat.M3U8: "audio/x-mpegurl",
    PlaylistFormat.XSPF: "application/xspf+xml",
    PlaylistFormat.JSPF: "application/json",
}


class PlaylistFileError(Exception):
    """The file is not one of its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistEntry:
    """One track as a file says it. `location` is an address, or empty."""

    title: str = ""
    artist: str = ""
    duration_ms: int | None = None
    location: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistFile:
    """What a file says: its name, and its tracks in order."""

    title: str
    entries: tuple[PlaylistEntry, ...]


def write_playlist(playlist: PlaylistFile, form: PlaylistFormat) -> bytes:
    """Return a playlist as a file."""
    match form:
        case PlaylistFormat.M3U8:
            return "".join(_m3u8_lines(playlist)).encode()
        case PlaylistFormat.XSPF:
            return "".join(_xspf_lines(playlist)).encode()
        case PlaylistFormat.JSPF:
            return orjson.dumps(_jspf(playlist), option=orjson.OPT_INDENT_2)


def read_playlist(data: bytes, form: PlaylistFormat) -> PlaylistFile:
    """Read a file; raises `PlaylistFileError`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlaylistFileError("It is not UTF-8.") from error
    match form:
        case PlaylistFormat.M3U8:
            found = _read_m3u8(text)
        case PlaylistFormat.XSPF:
            found = _read_xspf(text)
        case PlaylistFormat.JSPF:
            found = _read_jspf(text)
    if len(found.entries) > MAX_ENTRIES:
        raise PlaylistFileError(f"It has more than {MAX_ENTRIES} tracks.")
    return found


# --- M3U8 ---


def _m3u8_lines(playlist: PlaylistFile) -> Iterator[str]:
    yield "#EXTM3U\n"
    yield f"#PLAYLIST:{_one_line(playlist.title)}\n"
    for entry in playlist.entries:
        seconds = -1 if entry.duration_ms is None else round(entry.duration_ms / 1000)
        named = _SEPARATOR.join(filter(None, (entry.artist, entry.title)))
        yield f"#EXTINF:{seconds},{_one_line(named)}\n{_one_line(entry.location)}\n"


def _read_m3u8(text: str) -> PlaylistFile:
    title, entries = "", list[PlaylistEntry]()
    duration_ms, named = None, ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#PLAYLIST:"):
            title = line.removeprefix("#PLAYLIST:").strip()
        elif line.startswith("#EXTINF:"):
            seconds, _, named = line.removeprefix("#EXTINF:").partition(",")
            duration_ms = _milliseconds(seconds.partition(" ")[0], 1000)
        elif line and not line.startswith("#"):
            artist, separator, rest = named.partition(_SEPARATOR)
            entries.append(
                _entry(rest if separator else named, artist if separator else "", duration_ms, line)
            )
            duration_ms, named = None, ""
    return PlaylistFile(title=title[:MAX_TEXT], entries=tuple(entries))


# --- XSPF ---


def _xspf_lines(playlist: PlaylistFile) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<playlist version="1" xmlns="{XSPF_NAMESPACE}">\n'
    yield f"  <title>{_xml(playlist.title)}</title>\n  <trackList>\n"
    for entry in playlist.entries:
        yield "    <track>\n"
        yield f"      <location>{_xml(entry.location)}</location>\n" if entry.location else ""
        yield f"      <title>{_xml(entry.title)}</title>\n"
        yield f"      <creator>{_xml(entry.artist)}</creator>\n" if entry.artist else ""
        if entry.duration_ms is not None:
            yield f"      <duration>{entry.duration_ms}</duration>\n"
        yield "    </track>\n"
    yield "  </trackList>\n</playlist>\n"


class _XspfReader:
    """Collects the texts of the elements that count; a document type is refused, entities with it."""

    def __init__(self) -> None:
        self.title = ""
        self.entries: list[PlaylistEntry] = []
        self._path: list[str] = []
        self._text: list[str] = []
        self._track: dict[str, str] = {}

    def read(self, text: str) -> PlaylistFile:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        try:
            parser.Parse(text.encode(), True)  # expat takes it by place only
        except expat.ExpatError as error:
            raise PlaylistFileError(f"It is no XML: {error}.") from error
        if self._path != ["done"]:
            raise PlaylistFileError("It is no XSPF playlist.")
        return PlaylistFile(title=self.title[:MAX_TEXT], entries=tuple(self.entries))

    def _refuse_doctype(self, *_declared: object) -> None:
        raise PlaylistFileError("A playlist has no document type.")

    def _start(self, name: str, _attributes: object) -> None:
        self._path.append(name.removeprefix(f"{XSPF_NAMESPACE} "))
        self._text.clear()

    def _end(self, _name: str) -> None:
        text = "".join(self._text).strip()
        self._text.clear()
        match self._path:
            case ["playlist", "title"]:
                self.title = text
            case ["playlist", "trackList", "track", field]:
                self._track.setdefault(field, text)
            case ["playlist", "trackList", "track"]:
                self._keep()
        is_root = self._path == ["playlist"]
        self._path = ["done"] if is_root else self._path[:-1]

    def _keep(self) -> None:
        track, self._track = self._track, {}
        if len(self.entries) > MAX_ENTRIES:
            return
        self.entries.append(
            _entry(
                track.get("title", ""),
                track.get("creator", ""),
                _milliseconds(track.get("duration", ""), 1),
                track.get("location", ""),
            )
        )


def _read_xspf(text: str) -> PlaylistFile:
    return _XspfReader().read(text)


def _xml(text: str) -> str:
    """Escape a text, without what XML 1.0 has no place for."""
    return escape("".join(char for char in text if char >= " " or char in "\t\n"))


# --- JSPF ---


def _jspf(playlist: PlaylistFile) -> dict[str, Any]:
    tracks = []
    for entry in playlist.entries:
        track: dict[str, Any] = {"title": entry.title}
        if entry.location:
            track["location"] = [entry.location]
        if entry.artist:
            track["creator"] = entry.artist
        if entry.duration_ms is not None:
            track["duration"] = entry.duration_ms
        tracks.append(track)
    return {"playlist": {"title": playlist.title, "track": tracks}}


def _read_jspf(text: str) -> PlaylistFile:
    try:
        document = orjson.loads(text)
        playlist = document["playlist"]
        tracks = playlist.get("track", [])
        entries = tuple(_jspf_entry(track) for track in tracks[: MAX_ENTRIES + 1])
        title = _said(playlist.get("title"))
    except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
        raise PlaylistFileError("It is no JSPF playlist.") from error
    return PlaylistFile(title=title[:MAX_TEXT], entries=entries)


def _jspf_entry(track: Mapping[str, Any]) -> PlaylistEntry:
    location = track.get("location")
    first = location[0] if isinstance(location, list) and location else location
    duration = track.get("duration")
    return _entry(
        _said(track.get("title")),
        _said(track.get("creator")),
        _milliseconds(str(duration), 1),
        _said(first),
    )


# --- what all share ---


def _entry(title: str, artist: str, duration_ms: int | None, location: str) -> PlaylistEntry:
    return PlaylistEntry(
        title=title.strip()[:MAX_TEXT],
        artist=artist.strip()[:MAX_TEXT],
        duration_ms=duration_ms,
        location=location.strip()[: 4 * MAX_TEXT],
    )


def _milliseconds(text: str, factor: int) -> int | None:
    try:
        found = float(text) * factor
    except ValueError:
        return None
    return round(found) if 0 <= found < 2**31 else None


def _said(value: object) -> str:
    return value if isinstance(value, str) else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
