"""The protocol of sessions: one signed-in connection each, key `("session", <session id>)`.

Commands of a client carry the `frame_id` it chose; the session answers each with exactly one `Ack` or
`Failed` put into the connection's outbox, never with a reply to the sender.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from veza.actors.fanout import Outbox
from veza.actors.messages.accounts import Author
from veza.actors.messages.common import RejectCode
from veza.actors.messages.rooms import EventsRead, JoinRoom, Membership, Room, RoomAct, RoomEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a client's copy of a room's log ends."""

    epoch: UUID
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A client signed in on a connection. Reply: `SessionOpened`.

    `is_staff`: keeps order in all rooms.
    """

    user: Author
    outbox: Outbox
    is_staff: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStaff:
    """Whether the user keeps order in all rooms, from now on. No reply."""

    is_staff: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened:
    session_id: UUID
    memberships: tuple[Membership, ...]
    blocked: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSession:
    """The connection is gone: stop. No reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeRoom:
    """`room.join`: enter the room and receive its events, those missed since `since` first."""

    frame_id: str | None
    room_id: UUID
    since: Position | None
    join: JoinRoom = field(default_factory=JoinRoom)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRooms:
    """`resume`: receive the events of these rooms, those missed first. Joins none."""

    frame_id: str | None
    positions: Mapping[UUID, Position]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsubscribeRoom:
    """`room.leave`: receive no more and stop being a member."""

    frame_id: str | None
    room_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DoInRoom:
    """Any act in a room but joining and leaving: `message.send`, `message.edit`, and so on."""

    frame_id: str | None
    room_id: UUID
    act: RoomAct


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHistory:
    """`room.history`: the last `limit` events before `before_seq`, or the newest."""

    frame_id: str | None
    room_id: UUID
    before_seq: int | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkReceipt:
    """`receipt.read` and `receipt.delivered`: how far the user has come in a room."""

    frame_id: str | None
    room_id: UUID
    read_seq: int = 0
    delivered_seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTyping:
    """`typing.start` and `typing.stop`."""

    frame_id: str | None
    room_id: UUID
    is_typing: bool


# --- what a session puts into the outbox; `gateway/wire/` gives each its frame ---


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEntered:
    """`recovered`: every event missed since the position follows. Else the client reloads."""

    frame_id: str | None
    room: Room
    recovered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumedRoom:
    """Where a room is, and whether every event missed since the position follows."""

    room: Room
    recovered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomsResumed:
    """Comes before the first missed event. What was asked for and is not here is closed to the user."""

    frame_id: str | None
    rooms: tuple[ResumedRoom, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomExited:
    frame_id: str | None
    room_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ActDone:
    """The act is committed under `seq`; without an event all was as it would have it already."""

    frame_id: str | None
    room_id: UUID
    event: RoomEvent | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRead:
    frame_id: str | None
    room_id: UUID
    history: EventsRead


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFailed:
    """A client's command was refused, or the server could not say what became of it."""

    frame_id: str | None
    code: RejectCode | None
    detail: str
    retry_after_seconds: float | None = None
