"""What the frames of the server say, as models: the `d` of each, and what acks tell.

Nothing is encoded with them (`frames.py` says why): they are published, and tests hold frames against them.
"""

from typing import Any
from uuid import UUID

from veza.actors.messages.attachments import AttachmentState
from veza.actors.messages.reports import ReportReason
from veza.actors.messages.rooms import EventKind, Measure, Role, RoomKind
from veza.gateway.values import Time, View
from veza.gateway.wire.ops import ActorRowView, NodeFiguresView
from veza.gateway.wire.views import (
    API_LEVEL,
    AuthorView,
    FieldErrorView,
    JobView,
    LimitsView,
    ReactionView,
    RoomView,
    SentFileView,
    TrackCardView,
    TrackView,
    UserView,
)

# --- about the connection ---


class HelloView(View):
    """The first frame: how the connection is kept alive, and how much it takes."""

    heartbeat_ms: int
    max_frame: int
    api_level: int = API_LEVEL


class MembershipView(View):
    """Where the log of one's room ends, and how far one has read it."""

    room: UUID
    kind: RoomKind
    name: str
    epoch: UUID
    seq: int
    role: Role
    read_seq: int
    unread: int
    mentions: int


class ReadyView(View):
    """Who is signed in, where their rooms stand, and what is allowed."""

    session: UUID
    user: UserView
    rooms: list[MembershipView]
    blocked: list[UUID]
    limits: LimitsView


class EmptyView(View):
    """Nothing more than that it is so."""


class FrameProblemView(View):
    """What went wrong (RFC 9457), as over HTTP. `code` is stable; the texts are not."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    retryable: bool
    retry_after_ms: int | None
    errors: list[FieldErrorView]


class DrainingView(View):
    """The server stops: come back after a while. A close with 4001 follows."""

    retry_after_ms: int


# --- what happens in rooms ---


class PostView(View):
    """What a message has beside its text; what it has not is left out."""

    attachments: tuple[SentFileView, ...] = ()
    tracks: tuple[TrackCardView, ...] = ()
    mentions: tuple[UUID, ...] = ()
    mentions_room: bool = False


class PostedView(PostView):
    """Somebody said something. In history, with what became of it since."""

    message_id: UUID
    author: AuthorView
    text: str
    reply_to: UUID | None
    thread_id: UUID | None = None
    edited_at: Time | None = None
    deleted_at: Time | None = None
    pinned_at: Time | None = None
    replies: int = 0
    last_reply_at: Time | None = None
    reactions: tuple[ReactionView, ...] = ()


class EditedView(PostView):
    """What a message says now."""

    message_id: UUID
    user: AuthorView
    text: str


class DeletedView(View):
    """A message is gone."""

    message_id: UUID
    user: AuthorView
    reason: str


class PinnedView(View):
    """A message was pinned or unpinned."""

    message_id: UUID
    user: AuthorView


class ReactedView(View):
    """Somebody reacted to a message, or took it back."""

    message_id: UUID
    user: AuthorView
    emoji: str


class JoinedView(View):
    """Somebody came; `by` whom, if not by themselves."""

    user: AuthorView
    by: AuthorView | None = None
    role: Role | None = None


class LeftView(View):
    """Somebody went."""

    user: AuthorView


class ModeratedView(View):
    """Something was done about a member."""

    user: AuthorView
    by: AuthorView
    reason: str
    measure: Measure
    until: Time | None
    role: Role | None = None


class RoomChangedView(View):
    """The room itself is as told here from now on."""

    by: AuthorView
    name: str
    kind: RoomKind
    topic: str
    slow_mode_seconds: int
    is_archived: bool


class ReceiptView(View):
    """How far somebody has come."""

    user: UUID
    seq: int


class ReceiptsView(View):
    """How far members have come; the newest of each only."""

    receipts: list[ReceiptView]


class TypingView(View):
    """Somebody writes, or stopped."""

    user: AuthorView
    is_typing: bool


class AttachmentReadyView(View):
    """A file's picture was decoded, or could not be."""

    id: UUID
    state: AttachmentState
    width: int | None
    height: int | None
    thumbnail_url: str | None
    thumbnail_width: int | None
    thumbnail_height: int | None


class RoomAddedView(View):
    """Somebody made one a member of a room, or opened a conversation with one: join it to hear it."""

    room: RoomView
    by: AuthorView


class RequestMadeView(View):
    """Somebody asks to be let into a room that one moderates."""

    user: AuthorView
    text: str
    at: Time


class DraftChangedView(View):
    """What one began to write in the room, on whichever device; null: it is gone."""

    text: str | None


class ReportFiledView(View):
    """Somebody, or a rule of the room, reported something that one may handle."""

    id: UUID
    room: UUID | None
    reason: ReportReason


class RoomEventView(View):
    """One durable event, as it was told when it happened."""

    t: EventKind
    room: UUID
    seq: int
    at: Time
    d: dict[str, Any]


# --- what acks tell ---


class RoomEnteredView(View):
    """`recovered`: every event since the position follows; else the client reloads."""

    room: UUID
    epoch: UUID
    seq: int
    recovered: bool


class ResumedView(View):
    """Rooms that were asked for and are not here are closed to the user."""

    rooms: list[RoomEnteredView]


class RoomOnlyView(View):
    """It is done in this room; there is no more to tell."""

    room: UUID


class StoredView(View):
    """The message is committed, at this place of the room's log."""

    message_id: UUID
    seq: int
    at: Time


class HistoryView(View):
    """A part of the room's log, in ascending `seq`."""

    room: UUID
    events: list[RoomEventView]


# --- about work and the node ---


class JobChangeView(View):
    """How the work on one's track goes."""

    job: JobView
    track: TrackView


class TreeChangeView(View):
    """The supervision tree as of `rev`: whole (`full`), or what changed since `rev - 1`."""

    full: bool
    rev: int
    at: Time
    node: NodeFiguresView
    actors: list[ActorRowView]
    gone: list[str]
