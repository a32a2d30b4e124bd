"""What rooms ask of those who store: the writer of the log, its readers, and who prepares a post."""

from dataclasses import dataclass
from uuid import UUID

from veza.actors.messages.rooms import Pointer
from veza.persistence.room_rows import (
    Appended,
    MessageFound,
    NewEvent,
    Post,
    RoomSnapshot,
    TrackCard,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePointers:
    """Keep how far members of a room have come. Reply: `PointersStored`.

    Not `is_awaited`, no client hears of it, and a crash of the database may lose it.
    """

    room_id: UUID
    pointers: tuple[Pointer, ...]
    is_awaited: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PointersStored:
    """All of them are stored; those that were further already stay there.

    `moved` are those that came further by it, where they stand now; 0 for the one of the two that did not.
    """

    moved: tuple[Pointer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendEvent:
    """Give the event the next `seq` of its room and commit it. Reply: `EventAppended`."""

    event: NewEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAppended:
    """What became of the event."""

    result: Appended


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRoom:
    """What a room must know to start. Reply: `RoomOpened` or `Rejected` (`not_found`)."""

    room_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomOpened:
    snapshot: RoomSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class FindMessage:
    """What deciding about a message needs to know of it. Reply: `MessageLookedUp`."""

    room_id: UUID
    message_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLookedUp:
    """`found` is None if the room has no such message."""

    found: MessageFound | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparePost:
    """Turn what a message names into what it means: members, files, tracks. Reply: `PostPrepared`.

    Names of nobody in the room are no mentions; a file that is not the author's to send is refused with
    `attachment_unusable`.
    """

    room_id: UUID
    message_id: UUID
    author_id: UUID
    names: frozenset[str] = frozenset()
    attachments: tuple[UUID, ...] = ()
    tracks: tuple[TrackCard, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PostPrepared:
    post: Post
