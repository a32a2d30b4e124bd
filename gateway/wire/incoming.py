"""Frames of clients: JSON becomes a checked body, and a body the session's command."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import orjson
from pydantic import Field, StrictBool, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from veza.actors.messages.presence import SetPresence, Status
from veza.actors.messages.rooms import (
    AddReaction,
    DeleteMessage,
    EditMessage,
    JoinRoom,
    PinMessage,
    PostMessage,
    RemoveReaction,
    RoomAct,
    UnpinMessage,
)
from veza.actors.messages.sessions import (
    DoInRoom,
    MarkReceipt,
    Position,
    RequestHistory,
    ResumeRooms,
    SetTyping,
    SubscribeRoom,
    UnsubscribeRoom,
)
from veza.gateway.errors import ProblemCode, ProblemError
from veza.gateway.values import (
    Body,
    Emoji,
    InviteCode,
    MessageText,
    OpaqueToken,
    OptionalReason,
    Password,
    Said,
    Seq,
    invalid,
)
from veza.gateway.wire.bodies import DEFAULT_PAGE, MAX_PAGE
from veza.gateway.wire.presence import ListeningBody

MAX_FRAME_ID_CHARS: Final = 64
MAX_RESUMED: Final = 200
"""Rooms of one `resume`; who is in more sends another."""


class FrameBody(Body):
    """The `d` of a client's frame."""


class Auth(FrameBody):
    """`auth`. Without a token: the session cookie that came with the handshake must do.

    `batch` offers to take several objects in one frame, separated by line feeds.
    """

    token: OpaqueToken | None = None
    batch: StrictBool = False


class AuthRefresh(FrameBody):
    """`auth.refresh`: the connection lives on, as long as this token does."""

    token: OpaqueToken


class Ping(FrameBody):
    """`ping`."""


class OpsWatch(FrameBody):
    """`ops.watch`: the whole supervision tree, then its changes."""


class OpsUnwatch(FrameBody):
    """`ops.unwatch`."""


class SessionCommand(FrameBody):
    """A frame that the session actor carries out."""

    def message(self, frame_id: str | None) -> object:
        """Return the session's command."""
        raise NotImplementedError


class Command(SessionCommand):
    """One about a room."""

    room: UUID


class Since(Body):
    epoch: UUID
    seq: Seq

    def position(self) -> Position:
        return Position(epoch=self.epoch, seq=self.seq)


class RoomPosition(Body):
    """Where a client's copy of a room ends."""

    room: UUID
    since: Since


class Resume(SessionCommand):
    """`resume`: go on in many rooms, each from its position; joins none."""

    rooms: Annotated[list[RoomPosition], Field(min_length=1, max_length=MAX_RESUMED)]

    @field_validator("rooms")
    @classmethod
    def _each_once(cls, rooms: list[RoomPosition]) -> list[RoomPosition]:
        if len({each.room for each in rooms}) < len(rooms):
            raise PydanticCustomError("duplicates", "Each room once.")
        return rooms

    def message(self, frame_id: str | None) -> ResumeRooms:
        return ResumeRooms(
            frame_id=frame_id, positions={each.room: each.since.position() for each in self.rooms}
        )


class PresenceSet(SessionCommand):
    """`presence.set`: what this device says of its user, and what they want to be seen as.

    `idle` is of this device alone. `dnd` and `invisible` hold on every device, and over reconnects, until
    `online` is said. Without an `activity` none is told any more.
    """

    status: Literal["online", "idle", "dnd", "invisible"]
    activity: ListeningBody | None = None

    def message(self, frame_id: str | None) -> SetPresence:
        activity = None if self.activity is None else self.activity.listening()
        return SetPresence(frame_id=frame_id, status=Status(self.status), activity=activity)


class RoomJoin(Command):
    """`room.join`."""

    since: Since | None = None
    invite: InviteCode | None = None
    password: Password | None = None

    def message(self, frame_id: str | None) -> SubscribeRoom:
        return SubscribeRoom(
            frame_id=frame_id,
            room_id=self.room,
            since=None if self.since is None else self.since.position(),
            join=JoinRoom(invite=self.invite, password=self.password),
        )


class RoomLeave(Command):
    """`room.leave`."""

    def message(self, frame_id: str | None) -> UnsubscribeRoom:
        return UnsubscribeRoom(frame_id=frame_id, room_id=self.room)


class ActCommand(Command):
    """A frame that does something in a room."""

    def act(self) -> RoomAct:
        """Return what is done."""
        raise NotImplementedError

    def message(self, frame_id: str | None) -> DoInRoom:
        return DoInRoom(frame_id=frame_id, room_id=self.room, act=self.act())


class MessageSend(Said, ActCommand):
    """`message.send`."""

    message_id: UUID
    reply_to: UUID | None = None
    thread_id: UUID | None = None

    def act(self) -> PostMessage:
        return PostMessage(
            message_id=self.message_id,
            text=self.text,
            reply_to=self.reply_to,
            thread_id=self.thread_id,
            attachments=tuple(self.attachments),
        )


class MessageEdit(ActCommand):
    """`message.edit`."""

    message_id: UUID
    text: MessageText

    def act(self) -> EditMessage:
        return EditMessage(message_id=self.message_id, text=self.text)


class MessageDelete(ActCommand):
    """`message.delete`."""

    message_id: UUID
    reason: OptionalReason = ""

    def act(self) -> DeleteMessage:
        return DeleteMessage(message_id=self.message_id, reason=self.reason)


class MessageReact(ActCommand):
    """`message.react`."""

    message_id: UUID
    emoji: Emoji

    def act(self) -> RoomAct:
        return AddReaction(message_id=self.message_id, emoji=self.emoji)


class MessageUnreact(MessageReact):
    """`message.unreact`."""

    def act(self) -> RoomAct:
        return RemoveReaction(message_id=self.message_id, emoji=self.emoji)


class MessagePin(ActCommand):
    """`message.pin`."""

    message_id: UUID

    def act(self) -> RoomAct:
        return PinMessage(message_id=self.message_id)


class MessageUnpin(MessagePin):
    """`message.unpin`."""

    def act(self) -> RoomAct:
        return UnpinMessage(message_id=self.message_id)


class ReceiptRead(Command):
    """`receipt.read`: everything up to `seq` was read."""

    seq: Seq

    def message(self, frame_id: str | None) -> MarkReceipt:
        return MarkReceipt(frame_id=frame_id, room_id=self.room, read_seq=self.seq)


class ReceiptDelivered(Command):
    """`receipt.delivered`: everything up to `seq` has arrived."""

    seq: Seq

    def message(self, frame_id: str | None) -> MarkReceipt:
        return MarkReceipt(frame_id=frame_id, room_id=self.room, delivered_seq=self.seq)


class TypingStart(Command):
    """`typing.start`: say it again every three seconds as long as it lasts."""

    def message(self, frame_id: str | None) -> SetTyping:
        return SetTyping(frame_id=frame_id, room_id=self.room, is_typing=True)


class TypingStop(Command):
    """`typing.stop`."""

    def message(self, frame_id: str | None) -> SetTyping:
        return SetTyping(frame_id=frame_id, room_id=self.room, is_typing=False)


class RoomHistory(Command):
    """`room.history`: the last `limit` events before `before_seq`, or the newest."""

    before_seq: Seq | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=MAX_PAGE)] = DEFAULT_PAGE

    def message(self, frame_id: str | None) -> RequestHistory:
        return RequestHistory(
            frame_id=frame_id,
            room_id=self.room,
            before_seq=self.before_seq,
            limit=self.limit,
        )


CLIENT_FRAMES: Final[Mapping[str, type[FrameBody]]] = {
    "auth": Auth,
    "auth.refresh": AuthRefresh,
    "ping": Ping,
    "resume": Resume,
    "room.join": RoomJoin,
    "room.leave": RoomLeave,
    "message.send": MessageSend,
    "message.edit": MessageEdit,
    "message.delete": MessageDelete,
    "message.react": MessageReact,
    "message.unreact": MessageUnreact,
    "message.pin": MessagePin,
    "message.unpin": MessageUnpin,
    "room.history": RoomHistory,
    "receipt.read": ReceiptRead,
    "receipt.delivered": ReceiptDelivered,
    "typing.start": TypingStart,
    "typing.stop": TypingStop,
    "presence.set": PresenceSet,
    "ops.watch": OpsWatch,
    "ops.unwatch": OpsUnwatch,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFrame:
    """One frame of a client: its type is known, its body valid."""

    type: str
    frame_id: str | None
    body: FrameBody


class FrameError(Exception):
    """A client's frame that is answered with `error`."""

    def __init__(self, problem: ProblemError, frame_id: str | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.frame_id = frame_id


def decode_frame(text: str) -> ClientFrame:
    """Read a client's text frame; raises `FrameError`."""
    envelope = _envelope(text)
    frame_id, kind = envelope.get("id"), envelope.get("t")
    if frame_id is not None and not (
        isinstance(frame_id, str) and 1 <= len(frame_id) <= MAX_FRAME_ID_CHARS
    ):
        raise _bad_frame("`id` is a string of 1 to 64 characters.")
    if not isinstance(kind, str):
        raise _bad_frame("`t` names the type of the frame.", frame_id)
    model = CLIENT_FRAMES.get(kind)
    if model is None:
        raise FrameError(ProblemError(ProblemCode.UNKNOWN_TYPE), frame_id)
    try:
        body = model.model_validate(envelope.get("d", {}))
    except ValidationError as error:
        raise FrameError(invalid(error, "/d"), frame_id) from error
    return ClientFrame(type=kind, frame_id=frame_id, body=body)


def _envelope(text: str) -> dict[str, Any]:
    try:
        envelope = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _bad_frame("A frame is one JSON object.") from error
    if not isinstance(envelope, dict):
        raise _bad_frame("A frame is one JSON object.")
    return envelope


def _bad_frame(detail: str, frame_id: str | None = None) -> FrameError:
    return FrameError(ProblemError(ProblemCode.BAD_FRAME, detail), frame_id)
