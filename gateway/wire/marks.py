"""What is said of likes, reposts, comments and the feed."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from veza.actors.messages.comments import CommentOrder
from veza.actors.messages.marks import FeedKind
from veza.gateway.values import Body, CommentText, Time, View
from veza.gateway.wire.bodies import PageQuery
from veza.gateway.wire.views import AuthorView, TrackView

MAX_MOMENT_MS = 24 * 3600 * 1000

Moment = Annotated[int, Field(strict=True, ge=0, le=MAX_MOMENT_MS)]


class MarkView(View):
    """How many do it, and whether one does oneself."""

    count: int
    is_set: bool


class MarkedTrackView(View):
    track: TrackView
    at: Time


class MarkedPage(View):
    data: list[MarkedTrackView]
    next_cursor: str | None


class FeedItemView(View):
    """`kind` says what `by` did with the track."""

    kind: FeedKind
    by: AuthorView
    track: TrackView
    at: Time


class FeedPage(View):
    data: list[FeedItemView]
    next_cursor: str | None


class NewComment(Body):
    """`comment_id` is the client's choice: sending the same one again posts nothing new.

    A reply stands at the moment of what it replies to, whatever `at_ms` says.
    """

    comment_id: UUID | None = None
    text: CommentText
    at_ms: Moment = 0
    reply_to: UUID | None = None


class CommentChange(Body):
    text: CommentText


class CommentsQuery(PageQuery):
    order: CommentOrder = CommentOrder.NEWEST


class CommentView(View):
    """`text` is empty once it is deleted; its place stays while there are `replies`."""

    id: UUID
    track_id: UUID
    author: AuthorView
    reply_to: UUID | None
    at_ms: int
    text: str
    replies: int
    is_deleted: bool
    created_at: Time
    edited_at: Time | None


class CommentPage(View):
    data: list[CommentView]
    next_cursor: str | None
