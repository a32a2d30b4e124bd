"""News of rooms from other nodes, told to the rooms of this one."""

from dataclasses import dataclass

from veza.persistence.room_rows import RoomEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsAnnounced:
    """Another node stored these events of the room, in ascending `seq`. No reply."""

    events: tuple[RoomEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsAnnounced:
    """Another node told its members volatile news of the room when they had come to `after_seq`. No reply."""

    after_seq: int
    event: object


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadMoved:
    """The room's log goes on up to `seq`. No reply."""

    seq: int
