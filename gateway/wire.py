"""The words of the wire: every JSON field name that clients see, in both directions.

Bodies and frames of clients are pydantic models that refuse unknown fields; answers are models filled
from the actors' values by name (`of`); events become finished WebSocket frames (`encode_frame`).
`openapi.py` reads the same models.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

import orjson
from pydantic import BaseModel, BeforeValidator, Field, StrictBool, ValidationError

from veza.actors.messages.accounts import User
from veza.actors.messages.ops import ActorNode
from veza.actors.messages.rooms import EventKind, Membership, RoomEvent, RoomKind
from veza.actors.messages.sessions import (
    CommandFailed,
    HistoryRead,
    MessageAccepted,
    Position,
    RequestHistory,
    RoomEntered,
    RoomExited,
    SendMessage,
    SubscribeRoom,
    UnsubscribeRoom,
)
from veza.actors.messages.tracks import JobChanged, JobState, TrackState
from veza.config.settings import Settings
from veza.gateway.errors import FieldCode, ProblemCode, ProblemError, problem_code
from veza.gateway.values import (
    MAX_MESSAGE_CHARS,
    MAX_ROOM_NAME_CHARS,
    MAX_TITLE_CHARS,
    Body,
    Email,
    Login,
    MessageText,
    Name,
    NewPassword,
    OpaqueToken,
    Password,
    QuerySeq,
    Seq,
    Time,
    Title,
    Username,
    View,
    invalid,
    time_text,
)

API_LEVEL: Final = 1
WEBSOCKET_PATH: Final = "/api/v1/ws"
MAX_PAGE: Final = 200
DEFAULT_PAGE: Final = 50
MAX_FRAME_ID_CHARS: Final = 64

# --- bodies ---


class Registration(Body):
    username: Username
    email: Email
    password: NewPassword


class Setup(Registration):
    token: OpaqueToken


class Credentials(Body):
    login: Login
    password: Password


class Refresh(Body):
    refresh_token: OpaqueToken


class NewRoom(Body):
    name: Name
    kind: RoomKind = RoomKind.PUBLIC


class NewMessage(Body):
    """`message_id` is the client's choice: sending the same one again posts nothing new."""

    text: MessageText
    message_id: UUID | None = None
    reply_to: UUID | None = None


class TrackForm(Body):
    title: Title


# --- queries ---


class PageQuery(BaseModel):
    """`cursor` is opaque: the `next_cursor` of the page before."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
    cursor: Annotated[str, Field(max_length=200)] | None = None


class MessagesQuery(PageQuery):
    """At most one of `cursor`, `before_seq` and `after_seq`; with none, the newest messages."""

    before_seq: QuerySeq | None = None
    after_seq: QuerySeq | None = None


class PlaybackQuery(BaseModel):
    """The signature of a playback URL, as `/tracks/{id}/playback` gives it."""

    kid: str = ""
    exp: str = ""
    sig: str = ""


# --- answers ---


class FieldErrorView(View):
    pointer: str
    code: FieldCode
    detail: str


class Problem(View):
    """What went wrong (RFC 9457). `code` is stable; the texts are not."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    retryable: bool
    retry_after_ms: int | None = None
    errors: list[FieldErrorView] = Field(default_factory=list)


class AuthorView(View):
    id: UUID
    name: str


class UserView(View):
    id: UUID
    username: str
    email: str
    roles: Annotated[list[str], BeforeValidator(sorted)]
    created_at: Time


class SignedInView(View):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the scheme's name (RFC 6750), no secret
    expires_in: int
    refresh_token: str
    user: UserView


class LimitsView(View):
    message_chars: int = MAX_MESSAGE_CHARS
    room_name_chars: int = MAX_ROOM_NAME_CHARS
    title_chars: int = MAX_TITLE_CHARS
    frame_bytes: int
    connections_per_user: int
    messages_per_10s: int
    message_burst: int
    max_upload_bytes: int
    max_track_ms: int


class InstanceView(View):
    name: str
    version: str
    api_level: int = API_LEVEL
    registration: Literal["open", "closed"]
    limits: LimitsView


class RoomView(View):
    id: UUID
    kind: RoomKind
    name: str
    epoch: UUID
    seq: int
    member_count: int
    created_at: Time


class MessageView(View):
    message_id: UUID
    room: Annotated[UUID, Field(validation_alias="room_id")]
    seq: int
    at: Time
    author: AuthorView
    text: str
    reply_to: UUID | None


class FailureView(View):
    code: str
    detail: str


class TrackView(View):
    """`peaks_url` is where the waveform is, once there is one."""

    id: UUID
    owner: AuthorView
    title: str
    artist: str
    state: TrackState
    duration_ms: int | None
    peaks_url: str | None = None
    error: FailureView | None
    created_at: Time

    @classmethod
    def of(cls, value: Any) -> Self:
        """Fill the fields of a track, and say where its waveform is."""
        url = f"/api/v1/tracks/{value.id}/waveform" if value.has_waveform else None
        return cls.model_validate(value).model_copy(update={"peaks_url": url})


class JobView(View):
    id: UUID
    type: str
    state: JobState
    progress: float
    error: FailureView | None
    track_id: UUID
    created_at: Time
    updated_at: Time


class TrackAcceptedView(View):
    track: TrackView
    job: JobView


class WaveformView(View):
    """The lowest and the highest sample of each stretch of the track, -128 to 127, in time order."""

    buckets: tuple[tuple[int, int], ...]


class PlaybackView(View):
    """`hls_url` is a reference to resolve against this server. `live`: segments are still being added."""

    hls_url: str
    expires_at: Time
    duration_ms: int | None
    live: bool


class RoomPage(View):
    data: list[RoomView]
    next_cursor: str | None


class MessagePage(View):
    data: list[MessageView]
    next_cursor: str | None


class TrackPage(View):
    data: list[TrackView]
    next_cursor: str | None


class ActorView(View):
    """One actor and those it supervises."""

    path: str
    name: str
    class_name: Annotated[str, Field(serialization_alias="class")]
    state: str
    mailbox: int
    mailbox_limit: int
    head_age_ms: int
    messages: int
    errors: int
    restarts: int
    last_exit: str | None
    children: "list[ActorView]"


class TreeView(View):
    node: str
    root: ActorView

    @classmethod
    def at(cls, node: str, root: ActorNode) -> Self:
        """Show the tree of one node."""
        return cls(node=node, root=ActorView.of(root))


class LivezView(View):
    status: Literal["ok"] = "ok"


class ReadyzView(View):
    status: Literal["ok", "unavailable"]
    checks: dict[str, bool]


class VersionView(View):
    version: str
    api_level: int = API_LEVEL


def limits(settings: Settings) -> LimitsView:
    """Tell clients the limits of this node."""
    return LimitsView(
        frame_bytes=settings.ws_max_frame_bytes,
        connections_per_user=settings.connections_per_user,
        messages_per_10s=settings.message_rate_per_10s,
        message_burst=settings.message_burst,
        max_upload_bytes=settings.max_upload_bytes,
        max_track_ms=settings.max_track_seconds * 1000,
    )


def problem(error: ProblemError, *, instance: str, request_id: str) -> Problem:
    """Return the body of an error answer."""
    wait = error.retry_after_seconds
    return Problem(
        type=f"urn:veza:problem:{error.code.value}",
        title=error.code.title,
        status=error.code.status,
        detail=error.detail,
        instance=instance,
        code=error.code.value,
        request_id=request_id,
        retryable=error.code.is_retryable,
        retry_after_ms=None if wait is None else round(wait * 1000),
        errors=[FieldErrorView.of(each) for each in error.errors],
    )


# --- frames of clients ---


class FrameBody(Body):
    """The `d` of a client's frame."""


class Auth(FrameBody):
    """`auth`. Without a token: the session cookie that came with the handshake must do.

    `batch` offers to take several objects in one frame; this server sends one each.
    """

    token: OpaqueToken | None = None
    batch: StrictBool = False


class Ping(FrameBody):
    """`ping`."""


class Command(FrameBody):
    """A frame that the session actor carries out."""

    room: UUID

    def message(self, frame_id: str | None) -> object:
        """Return the session's command."""
        raise NotImplementedError


class Since(Body):
    epoch: UUID
    seq: Seq

    def position(self) -> Position:
        return Position(epoch=self.epoch, seq=self.seq)


class RoomJoin(Command):
    """`room.join`."""

    since: Since | None = None

    def message(self, frame_id: str | None) -> SubscribeRoom:
        return SubscribeRoom(
            frame_id=frame_id,
            room_id=self.room,
            since=None if self.since is None else self.since.position(),
        )


class RoomLeave(Command):
    """`room.leave`."""

    def message(self, frame_id: str | None) -> UnsubscribeRoom:
        return UnsubscribeRoom(frame_id=frame_id, room_id=self.room)


class MessageSend(Command):
    """`message.send`."""

    message_id: UUID
    text: MessageText
    reply_to: UUID | None = None
    attachments: Annotated[list[UUID], Field(max_length=0)] = Field(default_factory=list)

    def message(self, frame_id: str | None) -> SendMessage:
        return SendMessage(
            frame_id=frame_id,
            room_id=self.room,
            message_id=self.message_id,
            text=self.text,
            reply_to=self.reply_to,
        )


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
    "ping": Ping,
    "room.join": RoomJoin,
    "room.leave": RoomLeave,
    "message.send": MessageSend,
    "room.history": RoomHistory,
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


# --- frames of the server ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    heartbeat_ms: int
    max_frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReady:
    frame_id: str | None
    session_id: UUID
    user: User
    memberships: tuple[Membership, ...]
    limits: LimitsView


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    frame_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """An ack that tells nothing more."""

    frame_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRefused:
    frame_id: str | None
    problem: ProblemError


@dataclass(frozen=True, slots=True, kw_only=True)
class Draining:
    """The server stops: come back after a while, to whoever answers then."""

    retry_after_ms: int


Json = dict[str, Any]


class ServerFrame(StrEnum):
    """The types of the server's frames, beside those of room events (`EventKind`)."""

    HELLO = "hello"
    READY = "ready"
    ACK = "ack"
    ERROR = "error"
    PONG = "pong"
    JOB_PROGRESS = "job.progress"
    JOB_DONE = "job.done"
    SERVER_DRAINING = "server.draining"


def encode_frame(event: object) -> bytes:
    """Return the finished WebSocket frame of an event: one JSON object, unmasked and uncompressed."""
    return text_frame(orjson.dumps(_SHAPES[type(event)](event), default=_plain))


def _plain(value: object) -> str:
    """Write the database driver's own class of UUID, which orjson does not take for one."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError


def text_frame(payload: bytes) -> bytes:
    """Put the header of an unmasked, final text frame before a payload (RFC 6455, section 5.2)."""
    return _header(_TEXT, len(payload)) + payload


def ping_frame() -> bytes:
    """Return an empty ping."""
    return _header(_PING, 0)


def pong_frame(payload: bytes) -> bytes:
    """Return the answer to a client's ping."""
    return _header(_PONG, len(payload)) + payload


_TEXT: Final = 0x1
_PING: Final = 0x9
_PONG: Final = 0xA
_FIN: Final = 0x80
_SHORT: Final = 125
_MEDIUM: Final = 0xFFFF


def _header(opcode: int, length: int) -> bytes:
    if length <= _SHORT:
        return bytes((_FIN | opcode, length))
    if length <= _MEDIUM:
        return struct.pack("!BBH", _FIN | opcode, 126, length)
    return struct.pack("!BBQ", _FIN | opcode, 127, length)


def _answer(kind: ServerFrame, frame_id: str | None, d: Json) -> Json:
    return {"t": kind, "d": d} if frame_id is None else {"t": kind, "id": frame_id, "d": d}


def _hello(event: Hello) -> Json:
    d = {
        "heartbeat_ms": event.heartbeat_ms,
        "max_frame": event.max_frame,
        "api_level": API_LEVEL,
    }
    return {"t": ServerFrame.HELLO, "d": d}


def _ready(event: SessionReady) -> Json:
    d = {
        "session": event.session_id,
        "user": UserView.of(event.user).model_dump(mode="json"),
        "rooms": [_membership(each) for each in event.memberships],
        "limits": event.limits.model_dump(mode="json"),
    }
    return _answer(ServerFrame.READY, event.frame_id, d)


def _membership(membership: Membership) -> Json:
    room = membership.room
    return {
        "room": room.id,
        "name": room.name,
        "epoch": room.epoch,
        "seq": room.seq,
        "read_seq": membership.read_seq,
        "unread": membership.unread,
    }


def _room_event(event: RoomEvent) -> Json:
    author = {"id": event.author.id, "name": event.author.name}
    if event.kind is EventKind.MESSAGE_POSTED:
        d = {
            "message_id": event.message_id,
            "author": author,
            "text": event.text,
            "reply_to": event.reply_to,
        }
    else:
        d = {"user": author}
    return {
        "t": event.kind,
        "room": event.room_id,
        "seq": event.seq,
        "at": time_text(event.at),
        "d": d,
    }


def _job_changed(event: JobChanged) -> Json:
    d = {
        "job": JobView.of(event.job).model_dump(mode="json"),
        "track": TrackView.of(event.track).model_dump(mode="json"),
    }
    is_done = event.job.state in _FINAL_STATES
    return {"t": ServerFrame.JOB_DONE if is_done else ServerFrame.JOB_PROGRESS, "d": d}


_FINAL_STATES: Final = frozenset({JobState.PUBLISHED, JobState.FAILED, JobState.CANCELLED})


def _room_entered(event: RoomEntered) -> Json:
    d = {
        "room": event.room.id,
        "epoch": event.room.epoch,
        "seq": event.room.seq,
        "recovered": event.recovered,
    }
    return _answer(ServerFrame.ACK, event.frame_id, d)


def _room_exited(event: RoomExited) -> Json:
    return _answer(ServerFrame.ACK, event.frame_id, {"room": event.room_id})


def _message_accepted(event: MessageAccepted) -> Json:
    d = {"message_id": event.message_id, "seq": event.seq, "at": time_text(event.at)}
    return _answer(ServerFrame.ACK, event.frame_id, d)


def _history_read(event: HistoryRead) -> Json:
    d = {"room": event.room_id, "events": [_room_event(each) for each in event.history.events]}
    return _answer(ServerFrame.ACK, event.frame_id, d)


def _command_failed(event: CommandFailed) -> Json:
    error = ProblemError(
        problem_code(event.code), event.detail, retry_after_seconds=event.retry_after_seconds
    )
    return _frame_refused(FrameRefused(frame_id=event.frame_id, problem=error))


def _frame_refused(event: FrameRefused) -> Json:
    body = problem(event.problem, instance=WEBSOCKET_PATH, request_id="")
    return _answer(
        ServerFrame.ERROR, event.frame_id, body.model_dump(mode="json", exclude={"request_id"})
    )


def _acknowledged(event: Acknowledged) -> Json:
    return _answer(ServerFrame.ACK, event.frame_id, {})


def _pong(event: Pong) -> Json:
    return _answer(ServerFrame.PONG, event.frame_id, {})


def _draining(event: Draining) -> Json:
    return {"t": ServerFrame.SERVER_DRAINING, "d": {"retry_after_ms": event.retry_after_ms}}


_SHAPES: Final[Mapping[type, Callable[[Any], Json]]] = {
    Hello: _hello,
    SessionReady: _ready,
    RoomEvent: _room_event,
    JobChanged: _job_changed,
    RoomEntered: _room_entered,
    RoomExited: _room_exited,
    MessageAccepted: _message_accepted,
    HistoryRead: _history_read,
    CommandFailed: _command_failed,
    FrameRefused: _frame_refused,
    Acknowledged: _acknowledged,
    Pong: _pong,
    Draining: _draining,
}
