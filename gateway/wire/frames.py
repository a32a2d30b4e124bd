"""The catalogue of frames: what each type of the server's says, and what answers each of a client's.

A new frame is one line here beside its view. `asyncapi.py` publishes the catalogue; tests hold every
frame that `outgoing.py` makes against it, and refuse a type that is missing. Nothing is encoded with
these models: a frame is made for everybody at once, by functions that take a third of the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from veza.actors.messages.rooms import EventKind
from veza.gateway.values import View
from veza.gateway.wire.frame_views import (
    AttachmentReadyView,
    DeletedView,
    DraftChangedView,
    DrainingView,
    EditedView,
    EmptyView,
    FrameProblemView,
    HelloView,
    HistoryView,
    JobChangeView,
    JoinedView,
    LeftView,
    ModeratedView,
    PinnedView,
    PostedView,
    ReactedView,
    ReadyView,
    ReceiptsView,
    ReportFiledView,
    RequestMadeView,
    ResumedView,
    RoomAddedView,
    RoomChangedView,
    RoomEnteredView,
    RoomOnlyView,
    StoredView,
    TreeChangeView,
    TypingView,
)
from veza.gateway.wire.outgoing import ServerFrame
from veza.gateway.wire.presence import OwnPresenceView, PresenceTakenView, PresenceView


class Envelope(Enum):
    """What stands beside `t` and `d`."""

    PUSH = "nothing"
    ROOM = "room"
    ANSWER = "the id of the client's frame, if it had one"
    ROOM_EVENT = "room, seq and at"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameShape:
    """One type of the server's frames; a volatile one may be dropped."""

    d: type[View]
    envelope: Envelope = Envelope.PUSH
    is_volatile: bool = False


def _pushed(d: type[View], *, is_volatile: bool = False) -> FrameShape:
    return FrameShape(d=d, is_volatile=is_volatile)


def _answer(d: type[View]) -> FrameShape:
    return FrameShape(d=d, envelope=Envelope.ANSWER)


def _volatile(d: type[View]) -> FrameShape:
    return FrameShape(d=d, envelope=Envelope.ROOM, is_volatile=True)


def _event(d: type[View]) -> FrameShape:
    return FrameShape(d=d, envelope=Envelope.ROOM_EVENT)


SERVER_FRAMES: Final[Mapping[str, FrameShape]] = {
    ServerFrame.HELLO: _pushed(HelloView),
    ServerFrame.READY: _answer(ReadyView),
    ServerFrame.ERROR: _answer(FrameProblemView),
    ServerFrame.PONG: _answer(EmptyView),
    EventKind.MESSAGE_POSTED: _event(PostedView),
    EventKind.MESSAGE_EDITED: _event(EditedView),
    EventKind.MESSAGE_DELETED: _event(DeletedView),
    EventKind.MESSAGE_PINNED: _event(PinnedView),
    EventKind.MESSAGE_UNPINNED: _event(PinnedView),
    EventKind.REACTION_ADDED: _event(ReactedView),
    EventKind.REACTION_REMOVED: _event(ReactedView),
    EventKind.MEMBER_JOINED: _event(JoinedView),
    EventKind.MEMBER_LEFT: _event(LeftView),
    EventKind.MEMBER_MODERATED: _event(ModeratedView),
    EventKind.ROOM_UPDATED: _event(RoomChangedView),
    ServerFrame.RECEIPT_READ: _volatile(ReceiptsView),
    ServerFrame.RECEIPT_DELIVERED: _volatile(ReceiptsView),
    ServerFrame.TYPING: _volatile(TypingView),
    ServerFrame.ROOM_ADDED: _pushed(RoomAddedView, is_volatile=True),
    ServerFrame.ROOM_REQUEST: _volatile(RequestMadeView),
    ServerFrame.DRAFT: _volatile(DraftChangedView),
    ServerFrame.PRESENCE: _volatile(PresenceView),
    ServerFrame.PRESENCE_SELF: _pushed(OwnPresenceView, is_volatile=True),
    ServerFrame.ATTACHMENT_READY: _volatile(AttachmentReadyView),
    ServerFrame.REPORT_FILED: _pushed(ReportFiledView, is_volatile=True),
    ServerFrame.JOB_PROGRESS: _pushed(JobChangeView, is_volatile=True),
    ServerFrame.JOB_DONE: _pushed(JobChangeView),
    ServerFrame.OPS_TREE: _pushed(TreeChangeView, is_volatile=True),
    ServerFrame.SERVER_DRAINING: _pushed(DrainingView),
}
"""Every type but `ack`, which tells something else to each frame it answers (`ANSWERS`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameAnswer:
    """What answers one type of client's frames, beside `error`: acks, or a frame of another type."""

    acks: tuple[type[View], ...] = ()
    frame: ServerFrame | None = None


def _ack(*views: type[View]) -> FrameAnswer:
    return FrameAnswer(acks=views)


ANSWERS: Final[Mapping[str, FrameAnswer]] = {
    "auth": FrameAnswer(acks=(EmptyView,), frame=ServerFrame.READY),
    "auth.refresh": _ack(EmptyView),
    "ping": FrameAnswer(frame=ServerFrame.PONG),
    "resume": _ack(ResumedView),
    "room.join": _ack(RoomEnteredView),
    "room.leave": _ack(RoomOnlyView),
    "message.send": _ack(StoredView),
    **dict.fromkeys(("message.edit", "message.delete"), _ack(StoredView, RoomOnlyView)),
    **dict.fromkeys(("message.react", "message.unreact"), _ack(StoredView, RoomOnlyView)),
    **dict.fromkeys(("message.pin", "message.unpin"), _ack(StoredView, RoomOnlyView)),
    **dict.fromkeys(("receipt.read", "receipt.delivered"), _ack(RoomOnlyView)),
    **dict.fromkeys(("typing.start", "typing.stop"), _ack(RoomOnlyView)),
    "presence.set": _ack(PresenceTakenView),
    "room.history": _ack(HistoryView),
    "ops.watch": _ack(EmptyView),
    "ops.unwatch": _ack(EmptyView),
}
"""By the type of the client's frame."""
