"""The protocol of reading messages one by one, and of searching in them.

`("messages", "")` reads, `("search", "")` finds, and `("search_index", "")` brings the index up to the rooms'
logs. They do as they are told: whoever asks about a room must know from its actor that they may.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from veza.persistence.message_search import Place
from veza.persistence.room_rows import Reactor, RoomEvent

MESSAGES: Final = ("messages", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class FindRooms:
    """Which rooms have a message with this id? Those of the asker first. Reply: `RoomsFound`.

    Not an answer for clients: whether the asker may read there is for the rooms to say.
    """

    message_id: UUID
    asker: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomsFound:
    room_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMessage:
    """A message as `viewer` sees it now. Reply: `MessageRead`, or `Rejected` (`unknown_message`)."""

    room_id: UUID
    message_id: UUID
    viewer: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRead:
    message: RoomEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEdits:
    """A message as it was posted, and as it was edited each time. Reply: `MessagesRead`."""

    room_id: UUID
    message_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadThread:
    """The first `limit` replies to a message past `after_seq`. Reply: `MessagesRead`."""

    room_id: UUID
    message_id: UUID
    viewer: UUID
    after_seq: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPins:
    """The pinned messages of a room, the newest first, those before `before_seq`. Reply: `MessagesRead`."""

    room_id: UUID
    viewer: UUID
    before_seq: int | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMeasures:
    """What moderators did in a room, the newest first, before `before_seq`. Reply: `MeasuresRead`."""

    room_id: UUID
    before_seq: int | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuresRead:
    measures: tuple[RoomEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesRead:
    messages: tuple[RoomEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadReactors:
    """Who reacted to a message, by emoji and person, those behind `after`. Reply: `ReactorsRead`."""

    room_id: UUID
    message_id: UUID
    after: tuple[str, UUID] | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactorsRead:
    reactors: tuple[Reactor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRoom:
    """The newest messages of a room that fit a query, those before `before_seq`. Reply: `SearchDone`."""

    room_id: UUID
    viewer: UUID
    query: str
    before_seq: int | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRooms:
    """The newest messages that fit a query in all rooms the viewer is a member of. Reply: `SearchDone`."""

    viewer: UUID
    query: str
    before: Place | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMessage:
    """A message and what shows that it fits: a part of its words, and where in it those searched stand."""

    message: RoomEvent
    snippet: str
    marks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDone:
    """`last` is where the search stopped because of its limit; None if there is no more."""

    found: tuple[FoundMessage, ...]
    last: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRooms:
    """There are new events in these rooms. No reply."""

    room_ids: frozenset[UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRested:
    """The index's own timer: it may make another pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookBehind:
    """Find the rooms whose log is ahead of the index, whoever wrote it. No reply.

    `is_first` of those that come by the clock; the others follow one that found many.
    """

    is_first: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFigures:
    """What the last pass of the indexing did. `lag_seconds`: the age of the newest event it read."""

    at: datetime
    messages: int
    rooms_left: int
    lag_seconds: float
