"""The protocol of finding things by what they are called. Key: `("catalogue_search", "")`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from veza.persistence.catalogue_search import FoundName, FoundTrack, TagUse, TrackFilter
from veza.persistence.rows import Author

CATALOGUE_SEARCH: Final = ("catalogue_search", "")


class Found(StrEnum):
    """What is looked for."""

    TRACK = "track"
    USER = "user"
    PLAYLIST = "playlist"
    ROOM = "room"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page begins: behind what has this score and id. `is_near`: in what is near in spelling."""

    score: float
    id: UUID
    is_near: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FindTracks:
    """Find tracks that the viewer may find, or those near in spelling. Reply: `TracksFound`."""

    text: str
    viewer_id: UUID | None
    only: TrackFilter
    behind: Place | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TracksFound:
    tracks: tuple[FoundTrack, ...]
    is_near: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FindNames:
    """Find people, public playlists or listed rooms by their names. Reply: `NamesFound`."""

    text: str
    kind: Found
    behind: Place | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesFound:
    names: tuple[FoundName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggest:
    """What may somebody be about to type? Reply: `Suggested`."""

    text: str
    viewer_id: UUID | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """Tracks and people by id and name."""

    tracks: tuple[Author, ...]
    people: tuple[Author, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTags:
    """The tags that most public tracks have. Reply: `TagsListed`."""

    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TagsListed:
    tags: tuple[TagUse, ...]
