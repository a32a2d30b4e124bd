"""Frames of the server: an event becomes one finished WebSocket frame, once for everybody."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson

from veza.actors.messages.accounts import User
from veza.actors.messages.attachments import AttachmentReady
from veza.actors.messages.presence import OwnPresence, PresenceTaken, PresenceTold
from veza.actors.messages.reports import ReportFiled
from veza.actors.messages.rooms import (
    Membership,
    ReceiptsMoved,
    RoomAdded,
    RoomEvent,
    TypingChanged,
)
from veza.actors.messages.sessions import (
    ActDone,
    CommandFailed,
    HistoryRead,
    ResumedRoom,
    RoomEntered,
    RoomExited,
    RoomsResumed,
)
from veza.actors.messages.tracks import JobChanged, JobState
from veza.actors.messages.ways import DraftChanged, RequestMade
from veza.gateway.errors import ProblemError, refused
from veza.gateway.values import time_text
from veza.gateway.wire.attachments import attachment_ready
from veza.gateway.wire.framing import text_frame
from veza.gateway.wire.presence import own_presence, presence_taken, presence_told
from veza.gateway.wire.room_events import room_event
from veza.gateway.wire.tree import Json, unix_text
from veza.gateway.wire.views import (
    API_LEVEL,
    JobView,
    LimitsView,
    RoomView,
    TrackView,
    UserView,
    problem,
)

WEBSOCKET_PATH: Final = "/api/v1/ws"


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
    blocked: tuple[UUID, ...] = ()
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeTold:
    """The supervision tree as of `rev`: all of it, or what changed since `rev - 1`.

    `actors` and `node` are JSON already (`tree.py`), because changes are found in it.
    """

    is_full: bool
    rev: int
    at: float
    node: Json
    actors: list[Json]
    gone: list[str]


class ServerFrame(StrEnum):
    """The types of the server's frames, beside those of room events (`EventKind`)."""

    HELLO = "hello"
    READY = "ready"
    ACK = "ack"
    ERROR = "error"
    PONG = "pong"
    RECEIPT_READ = "receipt.read"
    RECEIPT_DELIVERED = "receipt.delivered"
    TYPING = "typing"
    PRESENCE = "presence"
    PRESENCE_SELF = "presence.self"
    ATTACHMENT_READY = "attachment.ready"
    ROOM_ADDED = "room.added"
    ROOM_REQUEST = "room.request"
    DRAFT = "draft"
    REPORT_FILED = "report.filed"
    JOB_PROGRESS = "job.progress"
    JOB_DONE = "job.done"
    SERVER_DRAINING = "server.draining"
    OPS_TREE = "ops.tree"


def encode_frame(event: object) -> bytes:
    """Return the finished WebSocket frame of an event: one JSON object, unmasked and uncompressed."""
    return text_frame(orjson.dumps(_SHAPES[type(event)](event), default=_plain))


def _plain(value: object) -> str:
    """Write the database driver's own class of UUID, which orjson does not take for one."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError


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
        "blocked": list(event.blocked),
        "limits": event.limits.model_dump(mode="json"),
    }
    return _answer(ServerFrame.READY, event.frame_id, d)


def _membership(membership: Membership) -> Json:
    room = membership.room
    return {
        "room": room.id,
        "kind": room.kind,
        "name": room.name,
        "epoch": room.epoch,
        "seq": room.seq,
        "role": membership.role,
        "read_seq": membership.read_seq,
        "unread": membership.unread,
        "mentions": membership.mentions,
    }


def _receipts_moved(event: ReceiptsMoved) -> Json:
    kind = ServerFrame.RECEIPT_READ if event.is_read else ServerFrame.RECEIPT_DELIVERED
    receipts = [{"user": user_id, "seq": seq} for user_id, seq in event.seqs]
    return {"t": kind, "room": event.room_id, "d": {"receipts": receipts}}


def _typing_changed(event: TypingChanged) -> Json:
    user = {"id": event.user.id, "name": event.user.name}
    d = {"user": user, "is_typing": event.is_typing}
    return {"t": ServerFrame.TYPING, "room": event.room_id, "d": d}


def _room_added(event: RoomAdded) -> Json:
    d = {
        "room": RoomView.of(event.room).model_dump(mode="json"),
        "by": {"id": event.by.id, "name": event.by.name},
    }
    return {"t": ServerFrame.ROOM_ADDED, "d": d}


def _request_made(event: RequestMade) -> Json:
    user = {"id": event.user.id, "name": event.user.name}
    d = {"user": user, "text": event.text, "at": time_text(event.at)}
    return {"t": ServerFrame.ROOM_REQUEST, "room": event.room_id, "d": d}


def _draft_changed(event: DraftChanged) -> Json:
    return {"t": ServerFrame.DRAFT, "room": event.room_id, "d": {"text": event.text}}


def _job_changed(event: JobChanged) -> Json:
    d = {
        "job": JobView.of(event.job).model_dump(mode="json"),
        "track": TrackView.of(event.track).model_dump(mode="json"),
    }
    is_done = event.job.state in _FINAL_STATES
    return {"t": ServerFrame.JOB_DONE if is_done else ServerFrame.JOB_PROGRESS, "d": d}


_FINAL_STATES: Final = frozenset({JobState.PUBLISHED, JobState.FAILED, JobState.CANCELLED})


def _entered(event: RoomEntered | ResumedRoom) -> Json:
    room = event.room
    return {"room": room.id, "epoch": room.epoch, "seq": room.seq, "recovered": event.recovered}


def _room_entered(event: RoomEntered) -> Json:
    return _answer(ServerFrame.ACK, event.frame_id, _entered(event))


def _rooms_resumed(event: RoomsResumed) -> Json:
    d = {"rooms": [_entered(each) for each in event.rooms]}
    return _answer(ServerFrame.ACK, event.frame_id, d)


def _room_exited(event: RoomExited) -> Json:
    return _answer(ServerFrame.ACK, event.frame_id, {"room": event.room_id})


def _act_done(event: ActDone) -> Json:
    d: Json = {"room": event.room_id}
    if event.event is not None:
        stored = event.event
        d = {"message_id": stored.message_id, "seq": stored.seq, "at": time_text(stored.at)}
    return _answer(ServerFrame.ACK, event.frame_id, d)


def _history_read(event: HistoryRead) -> Json:
    d = {"room": event.room_id, "events": [room_event(each) for each in event.history.events]}
    return _answer(ServerFrame.ACK, event.frame_id, d)


def _command_failed(event: CommandFailed) -> Json:
    error = refused(event.code, event.detail, event.retry_after_seconds)
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


def _report_filed(event: ReportFiled) -> Json:
    d = {"id": event.report_id, "room": event.room_id, "reason": event.reason}
    return {"t": ServerFrame.REPORT_FILED, "d": d}


def _draining(event: Draining) -> Json:
    return {"t": ServerFrame.SERVER_DRAINING, "d": {"retry_after_ms": event.retry_after_ms}}


def _tree_told(event: TreeTold) -> Json:
    d = {
        "full": event.is_full,
        "rev": event.rev,
        "at": unix_text(event.at),
        "node": event.node,
        "actors": event.actors,
        "gone": event.gone,
    }
    return {"t": ServerFrame.OPS_TREE, "d": d}


_SHAPES: Final[Mapping[type, Callable[[Any], Json]]] = {
    Hello: _hello,
    SessionReady: _ready,
    RoomEvent: room_event,
    ReceiptsMoved: _receipts_moved,
    TypingChanged: _typing_changed,
    RoomAdded: _room_added,
    RequestMade: _request_made,
    DraftChanged: _draft_changed,
    PresenceTold: presence_told,
    OwnPresence: own_presence,
    PresenceTaken: presence_taken,
    JobChanged: _job_changed,
    AttachmentReady: attachment_ready,
    ReportFiled: _report_filed,
    RoomEntered: _room_entered,
    RoomsResumed: _rooms_resumed,
    RoomExited: _room_exited,
    ActDone: _act_done,
    HistoryRead: _history_read,
    CommandFailed: _command_failed,
    FrameRefused: _frame_refused,
    Acknowledged: _acknowledged,
    Pong: _pong,
    Draining: _draining,
    TreeTold: _tree_told,
}
