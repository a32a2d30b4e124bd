"""What the tables of rooms hold, as values: rooms, their members, and the events of their logs."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from veza.persistence.rows import Author


class RoomKind(StrEnum):
    """Who finds a room and may enter it.

    `public`: listed, anybody enters. `password`: listed, whoever knows it enters. `private`: not listed,
    a moderator lets those in who ask. `invite_only`: not listed, by invitation. `group` and `direct`:
    conversations of those in it; a direct one has two, for good.
    """

    PUBLIC = "public"
    PASSWORD = "password"  # noqa: S105  # a kind of room
    PRIVATE = "private"
    INVITE_ONLY = "invite_only"
    GROUP = "group"
    DIRECT = "direct"


class Role(StrEnum):
    """What somebody is in a room; `actors/chat/rights.py` says what each may do."""

    OWNER = "owner"
    ADMIN = "admin"
    MODERATOR = "moderator"
    MEMBER = "member"
    READ_ONLY = "read_only"


class EventKind(StrEnum):
    """What a durable event says; the values are the wire's frame types."""

    MESSAGE_POSTED = "message.posted"
    MESSAGE_EDITED = "message.edited"
    MESSAGE_DELETED = "message.deleted"
    MESSAGE_PINNED = "message.pinned"
    MESSAGE_UNPINNED = "message.unpinned"
    REACTION_ADDED = "reaction.added"
    REACTION_REMOVED = "reaction.removed"
    MEMBER_JOINED = "member.joined"
    MEMBER_LEFT = "member.left"
    MEMBER_MODERATED = "member.moderated"
    ROOM_UPDATED = "room.updated"


class Measure(StrEnum):
    """What a moderator did about a member."""

    WARN = "warn"
    MUTE = "mute"
    UNMUTE = "unmute"
    KICK = "kick"
    BAN = "ban"
    UNBAN = "unban"
    ROLE = "role"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that hangs on a message, as everybody in the room sees it. Sizes in bytes and pixels."""

    id: UUID
    filename: str
    content_type: str
    size_bytes: int
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackCard:
    """A track that a message points at, and the time in it, from the start of the track."""

    track_id: UUID
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a message is beside its text. `mentions` are the members it calls; `mentions_room`, all."""

    attachments: tuple[Attachment, ...] = ()
    tracks: tuple[TrackCard, ...] = ()
    mentions: tuple[UUID, ...] = ()
    mentions_room: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How somebody became a member. `invite` is the code that let them in."""

    role: Role = Role.MEMBER
    invite: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderation:
    """A measure about a member. `until` ends a mute or a ban, None a ban without an end.

    `role` is the new one. With a `rule` no moderator took the measure but the room, by its rule of that
    name.
    """

    measure: Measure
    until: datetime | None = None
    role: Role | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSettings:
    """What may be changed about a room. `rules` is the room's automatic moderation, JSON or empty."""

    name: str
    kind: RoomKind
    topic: str = ""
    slow_mode_seconds: int = 0
    is_archived: bool = False
    rules: str = ""
    password_hash: str | None = field(default=None, repr=False)


Details = Post | Entry | Moderation | RoomSettings
"""What an event says beside its text: of messages a `Post`, of joins an `Entry`, and so on."""


FENCING: Final = frozenset({Measure.MUTE, Measure.KICK, Measure.BAN, Measure.ROLE})
"""Measures that take rights away."""


def takes_rights(kind: EventKind, details: Details | None) -> bool:
    """Tell whether an event takes rights away: what was decided without knowing of it is not stored."""
    if isinstance(details, Moderation):
        return details.measure in FENCING
    return kind in {EventKind.MEMBER_LEFT, EventKind.ROOM_UPDATED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One room as a visitor sees it. `seq` is its newest event's number, 0 when there is none.

    `changed_seq` is the event that changed the room itself the last time: its version.
    """

    id: UUID
    kind: RoomKind
    name: str
    epoch: UUID
    seq: int
    member_count: int
    created_at: datetime
    topic: str = ""
    slow_mode_seconds: int = 0
    is_archived: bool = False
    changed_seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """How many answered a message with one emoji; `mine`: whoever asks is among them."""

    emoji: str
    count: int
    mine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactor:
    """One person's reaction to a message."""

    emoji: str
    user: Author
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageState:
    """What became of a message since it was posted."""

    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    pinned_at: datetime | None = None
    replies: int = 0
    last_reply_at: datetime | None = None
    reactions: tuple[Reaction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEvent:
    """One durable event of a room. `seq` is strictly +1 per room.

    `message_id`: the message posted, edited, deleted, pinned or reacted to. `text`: of the message, the
    emoji of a reaction, or the reason of a measure; empty once the message is deleted. `subject`: whom
    a measure or a join is about, if not the author. `state`: of messages read from the history.
    """

    room_id: UUID
    seq: int
    kind: EventKind
    at: datetime
    author: Author
    message_id: UUID | None = None
    text: str = ""
    reply_to: UUID | None = None
    thread_id: UUID | None = None
    subject: Author | None = None
    details: Details | None = None
    state: MessageState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event that has no place in the log yet; fields as those of `RoomEvent`.

    `message_id` is the client's for a message: the same one again is the same event. `fence`: the newest
    event that takes rights away which whoever decided this one knew; it is not stored if there is a newer
    one. `peer`: the other one of a direct conversation.
    """

    room_id: UUID
    kind: EventKind
    author: Author
    message_id: UUID | None = None
    text: str = ""
    reply_to: UUID | None = None
    thread_id: UUID | None = None
    subject: Author | None = None
    details: Details | None = None
    fence: int = 0
    peer: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """The event is in the log. `is_new` is False if an earlier sending had put it there."""

    event: RoomEvent
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingChanged:
    """All is as the event would have it: no event. `head_seq` is the room's newest."""

    head_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """It was decided without knowing of a newer event that takes rights away.

    Read up to `head_seq`, and decide again.
    """

    head_seq: int


class Unstored(StrEnum):
    """Why an event cannot be stored at all; its neighbours in the batch are."""

    UNKNOWN_ROOM = "unknown_room"
    UNKNOWN_AUTHOR = "unknown_author"
    BANNED_AUTHOR = "banned_author"
    UNKNOWN_MESSAGE = "unknown_message"
    UNKNOWN_ATTACHMENT = "unknown_attachment"
    TOO_MANY_REACTIONS = "too_many_reactions"
    INVALID_INVITE = "invalid_invite"
    BLOCKED = "blocked"
    UNSTORABLE_TEXT = "unstorable_text"


Appended = StoredEvent | NothingChanged | Outdated | Unstored
"""What became of one event of a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One user's place in one room. `unread` counts messages, `mentions` those that call the user."""

    room: Room
    role: Role
    read_seq: int
    unread: int
    mentions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member as the others see them."""

    user: Author
    role: Role
    joined_at: datetime
    muted_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Partners:
    """Who one talks to in a conversation, and when somebody said something last."""

    people: tuple[Author, ...] = ()
    last_message_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomBan:
    """Somebody who is kept out of a room, for good if `until` is None."""

    user: Author
    until: datetime | None
    reason: str
    by: Author | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSnapshot:
    """What a room must know to decide, as of `room.seq`. A ban without an end is until None.

    `last_posts`: who wrote when, of those who may not write again yet because of slow mode.
    """

    room: Room
    settings: RoomSettings
    fence: int
    members: dict[UUID, Role]
    mutes: dict[UUID, datetime]
    bans: dict[UUID, datetime | None]
    last_posts: dict[UUID, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFound:
    """A message about to be changed: what deciding needs to know of it."""

    message_id: UUID
    author_id: UUID
    at: datetime
    is_deleted: bool
    text: str
    details: Post | None
