"""Title, artist and the like from container metadata, cleaned for display."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

MAX_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """What the file says about itself; None where it says nothing."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    genre: str | None = None
    track_number: int | None = None


def tags_from_metadata(*metadata: Mapping[str, str]) -> Tags:
    """Pick tags by libav's key names, any case; earlier mappings win (container before stream)."""
    merged: dict[str, str] = {}
    for mapping in metadata:
        for key, value in mapping.items():
            merged.setdefault(key.lower(), value)
    return Tags(
        title=clean(merged.get("title", "")),
        artist=clean(merged.get("artist") or merged.get("album_artist", "")),
        album=clean(merged.get("album", "")),
        genre=clean(merged.get("genre", "")),
        track_number=_number(merged.get("track") or merged.get("tracknumber", "")),
    )


def _number(text: str) -> int | None:
    """Read "3" or "03/12"; a number of more digits is none."""
    found = re.match("[0-9]{1,4}(?![0-9])", text.strip())
    return int(found[0]) if found else None


def clean(text: str) -> str | None:
    """Drop control characters, collapse white space, limit the length; None if empty."""
    visible = "".join(
        " " if character.isspace() else character
        for character in unicodedata.normalize("NFC", text)
        if character.isspace() or not unicodedata.category(character).startswith("C")
    )
    return " ".join(visible.split())[:MAX_CHARACTERS].rstrip() or None
