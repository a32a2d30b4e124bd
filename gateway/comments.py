"""Addresses for comments on tracks."""

from http import HTTPStatus
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.comments import (
    COMMENTS,
    CommentDeleted,
    CommentsListed,
    CommentTold,
    DeleteComment,
    EditComment,
    ListComments,
    ListReplies,
    PostComment,
)
from veza.actors.messages.permissions import Permission, holds
from veza.config.ids import uuid7
from veza.gateway.answers import json_answer, no_content
from veza.gateway.endpoints import NO_CONTENT, Access, Endpoints
from veza.gateway.errors import expect
from veza.gateway.identity import viewer_of
from veza.gateway.keys import ACTORS
from veza.gateway.paging import Paging
from veza.gateway.rates import COMMENTS_POSTED
from veza.gateway.wire.bodies import PageQuery
from veza.gateway.wire.marks import (
    CommentChange,
    CommentPage,
    CommentsQuery,
    CommentView,
    NewComment,
)

routes = Endpoints("social")


@routes.declare(
    "GET",
    "/tracks/{track_id}/comments",
    access=Access.OPTIONAL,
    answers={200: CommentPage},
)
async def list_comments(
    request: web.Request, track_id: UUID, query: CommentsQuery, who: Identified | None
) -> web.Response:
    """List a track's comments: newest first, or with `order=place` as a player meets them."""
    paging = Paging(request, f"comments {track_id} {query.order}", query, _moment_and_id)
    command = ListComments(
        track_id=track_id,
        viewer_id=viewer_of(who),
        order=query.order,
        after=paging.start,
        limit=paging.read_limit,
    )
    found = expect(await request.app[ACTORS].ask(COMMENTS, command), CommentsListed).comments
    shown, cursor = paging.cut(found, lambda each: f"{each.at_ms} {each.id}")
    data = [CommentView.of(each) for each in shown]
    return json_answer(request, CommentPage(data=data, next_cursor=cursor))


@routes.declare(
    "POST",
    "/tracks/{track_id}/comments",
    access=Access.SIGNED_IN,
    answers={201: CommentView},
    rate=COMMENTS_POSTED,
)
async def post_comment(
    request: web.Request, track_id: UUID, body: NewComment, who: Identified
) -> web.Response:
    """Say something at a moment of a track, or reply to who did."""
    command = PostComment(
        comment_id=body.comment_id or uuid7(),
        track_id=track_id,
        author_id=who.user.id,
        reply_to=body.reply_to,
        at_ms=body.at_ms,
        text=body.text,
    )
    told = expect(await request.app[ACTORS].ask(COMMENTS, command), CommentTold)
    return json_answer(request, CommentView.of(told.comment), HTTPStatus.CREATED)


@routes.declare(
    "GET",
    "/comments/{comment_id}/replies",
    access=Access.OPTIONAL,
    answers={200: CommentPage},
)
async def list_replies(
    request: web.Request, comment_id: UUID, query: PageQuery, who: Identified | None
) -> web.Response:
    """List the replies to a comment, eldest first."""
    paging = Paging(request, f"replies {comment_id}", query, UUID)
    command = ListReplies(
        comment_id=comment_id,
        viewer_id=viewer_of(who),
        after=paging.start,
        limit=paging.read_limit,
    )
    found = expect(await request.app[ACTORS].ask(COMMENTS, command), CommentsListed).comments
    shown, cursor = paging.cut(found, lambda each: each.id)
    data = [CommentView.of(each) for each in shown]
    return json_answer(request, CommentPage(data=data, next_cursor=cursor))


@routes.declare(
    "PATCH", "/comments/{comment_id}", access=Access.SIGNED_IN, answers={200: CommentView}
)
async def edit_comment(
    request: web.Request, comment_id: UUID, body: CommentChange, who: Identified
) -> web.Response:
    """Change what one said."""
    command = EditComment(comment_id=comment_id, by_id=who.user.id, text=body.text)
    told = expect(await request.app[ACTORS].ask(COMMENTS, command), CommentTold)
    return json_answer(request, CommentView.of(told.comment))


@routes.declare(
    "DELETE", "/comments/{comment_id}", access=Access.SIGNED_IN, answers={204: NO_CONTENT}
)
async def delete_comment(request: web.Request, comment_id: UUID, who: Identified) -> web.Response:
    """Take back what one said, or what was said of one's track."""
    is_staff = holds(who.user.permissions, Permission.COMMENTS_MODERATE)
    command = DeleteComment(comment_id=comment_id, by_id=who.user.id, is_staff=is_staff)
    expect(await request.app[ACTORS].ask(COMMENTS, command), CommentDeleted)
    return no_content()


def _moment_and_id(place: str) -> tuple[int, UUID]:
    at_ms, _, comment_id = place.partition(" ")
    return int(at_ms), UUID(comment_id)
