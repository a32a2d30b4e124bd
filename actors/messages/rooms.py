"""The protocol of chat rooms.

The room itself, key `("room", <room id>)`, decides who may do what and in which order all hear of it:
whatever is done there is an act, told as `ActInRoom`. What a room asks of the services around it, of
`("room_log", "")` and `("room_writer", "")`, is in `room_log`; what makes and lists rooms in `rooms_service`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from veza.persistence.room_rows import (
    Appended,
    Attachment,
    Entry,
    EventKind,
    Measure,
    Member,
    Membership,
    MessageFound,
    MessageState,
    Moderation,
    NewEvent,
    Post,
    Reaction,
    Role,
    Room,
    RoomEvent,
    RoomKind,
    RoomSettings,
    RoomSnapshot,
    TrackCard,
)
from veza.persistence.rows import Author

# --- what is done in a room ---


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRoom:
    """Become a member if one is not, and learn where the log stands. Reply: `RoomJoined`.

    `is_counted`: how often its author does so was looked at already.
    """

    invite: str | None = None
    password: str | None = field(default=None, repr=False)
    is_counted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveRoom:
    """Stop being a member. Reply: `RoomLeft`, also if one was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostMessage:
    """Say something. The same `message_id` again is harmless and gets the first answer.

    `reply_to` and `thread_id` name messages of the same room; a thread's name is its first message.
    """

    message_id: UUID
    text: str
    reply_to: UUID | None = None
    thread_id: UUID | None = None
    attachments: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EditMessage:
    """Change the text of a message: one's own for a while, any as a moderator."""

    message_id: UUID
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteMessage:
    """Take a message back: one's own, or any as a moderator. A tombstone stays in its place."""

    message_id: UUID
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinMessage:
    message_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpinMessage:
    message_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AddReaction:
    message_id: UUID
    emoji: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveReaction:
    message_id: UUID
    emoji: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddMember:
    """Make somebody else a member."""

    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerateMember:
    """Take a measure about somebody. `until` ends a mute, which must end, or a ban, which need not.

    A new `role` is a measure too; whoever makes another the owner stays as an admin.
    """

    user_id: UUID
    measure: Measure
    reason: str = ""
    until: datetime | None = None
    role: Role | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRoom:
    """Change what is not None. `if_version` refuses if the room's `changed_seq` is another by now."""

    name: str | None = None
    topic: str | None = None
    kind: RoomKind | None = None
    slow_mode_seconds: int | None = None
    is_archived: bool | None = None
    rules: str | None = None
    password_hash: str | None = field(default=None, repr=False)
    if_version: int | None = None


RoomAct = (
    JoinRoom
    | LeaveRoom
    | PostMessage
    | EditMessage
    | DeleteMessage
    | PinMessage
    | UnpinMessage
    | AddReaction
    | RemoveReaction
    | AddMember
    | ModerateMember
    | ChangeRoom
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActInRoom:
    """Somebody wants to do something. It is committed before it is answered, and then told to all.

    Reply: `EventStored`, `ActUnchanged`, `RoomJoined`, `RoomLeft` or `Rejected`. `is_staff`: an
    administrator of the instance.
    """

    by: Author
    act: RoomAct
    is_staff: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomJoined:
    """`seq` is the newest event when the join was decided; the join itself is an event of its own."""

    room: Room


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLeft:
    room_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStored:
    """The event is committed. `is_new` is False if it had been stored by an earlier sending."""

    event: RoomEvent
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ActUnchanged:
    """All was as the act would have it already: there is nothing to tell."""

    room_id: UUID


# --- what is asked of a room ---


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEvents:
    """Events of a room in ascending `seq`. Reply: `EventsRead`.

    With `after_seq`: the first `limit` events past it. With `before_seq`: the last `limit` events
    before it. With neither: the newest `limit`. With a `viewer`, messages come as they are by now.
    """

    room_id: UUID
    after_seq: int | None = None
    before_seq: int | None = None
    limit: int
    viewer: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRoom:
    """Read a room as somebody who may. Reply: `EventsRead`, or `Rejected`."""

    by: UUID
    read: ReadEvents
    is_staff: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequireRight:
    """May somebody do this here? Reply: `RightGranted`, or `Rejected` with the reason.

    `action` is the name of a member of `actors.chat.rights.Action`.
    """

    by: UUID
    action: str
    is_staff: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RightGranted:
    """`role` is None for visitors and administrators of the instance, who may be moderators all the same."""

    room: Room
    role: Role | None
    is_moderator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MayAskToJoin:
    """May somebody ask to be let in? Reply: `RightGranted`, or `Rejected` with the reason."""

    by: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRead:
    """A member has come this far. Stored with others', never backwards. Reply: `PointerMoved`.

    `read_seq` or `delivered_seq`, whichever is known; what is read was delivered.
    """

    by: UUID
    read_seq: int = 0
    delivered_seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PointerMoved:
    room_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TellTyping:
    """A member writes something, or does no more. Told to those there, kept nowhere. No reply."""

    by: Author
    is_typing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsRead:
    events: tuple[RoomEvent, ...]


# --- what a room tells and nobody keeps ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """How far one member has come."""

    user_id: UUID
    read_seq: int
    delivered_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptsMoved:
    """Members of a room have come further: how far each has read, or what has reached them."""

    room_id: UUID
    is_read: bool
    seqs: tuple[tuple[UUID, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypingChanged:
    room_id: UUID
    user: Author
    is_typing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomAdded:
    """Told to one user's connections: somebody made them a member of a room, or opened a conversation."""

    room: Room
    by: Author
