"""What a batch of events knows of its rooms and does to them: the values of `room_batch.py`."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from veza.persistence.room_rows import Post, Role, RoomEvent

Key = tuple[UUID, UUID]
"""A room and one of its messages or users."""


@dataclass(slots=True)
class Head:
    """The end of a room's log. `at` is when its lock was taken; `joins`, by how many the batch added."""

    seq: int
    at: datetime
    fence: int
    messages: int
    joins: int = 0
    is_moved: bool = False


@dataclass(slots=True)
class MessageFate:
    """What became of a message, a row of `message_states`."""

    text: str | None = None
    details: Post | None = None
    edited_at: datetime | None = None
    edited_by: UUID | None = None
    deleted_at: datetime | None = None
    deleted_by: UUID | None = None
    pinned_at: datetime | None = None
    pinned_by: UUID | None = None
    replies: int = 0
    last_reply_at: datetime | None = None


@dataclass(slots=True)
class Seat:
    """One member's place."""

    role: Role
    muted_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """Who may not come back; `until` None is for good."""

    until: datetime | None
    reason: str = ""
    by_id: UUID | None = None
    at: datetime | None = None


@dataclass(slots=True)
class Uses:
    """An invite, and how often it may be used still; None is without a bound. `used` is the batch's own."""

    room_id: UUID
    left: int | None
    expires_at: datetime | None
    used: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A privileged act for the audit log."""

    event: RoomEvent
    action: str
    target: str


@dataclass(slots=True)
class Changes:
    """What the batch does to everything but heads and events."""

    joined: dict[Key, int] = field(default_factory=dict)
    left: set[Key] = field(default_factory=set)
    seats: set[Key] = field(default_factory=set)
    bans: set[Key] = field(default_factory=set)
    fates: set[Key] = field(default_factory=set)
    settings: dict[UUID, int] = field(default_factory=dict)
    mentions: list[tuple[UUID, int, UUID | None, UUID]] = field(default_factory=list)
    unmentioned: list[tuple[UUID, int]] = field(default_factory=list)
    unreacted: set[Key] = field(default_factory=set)
    acts: list[Act] = field(default_factory=list)
