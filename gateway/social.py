"""Addresses for following people."""

from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.social import (
    SOCIAL,
    FollowedListed,
    FollowingRead,
    ListFollowed,
    ReadFollowing,
    SetFollowing,
)
from veza.gateway.answers import json_answer
from veza.gateway.endpoints import Access, Endpoints
from veza.gateway.errors import expect
from veza.gateway.keys import ACTORS
from veza.gateway.paging import Paging
from veza.gateway.wire.bodies import PageQuery
from veza.gateway.wire.social import FollowedPage, FollowingView
from veza.gateway.wire.views import AuthorView

routes = Endpoints("social")


@routes.declare(
    "GET", "/users/{user_id}/follow", access=Access.SIGNED_IN, answers={200: FollowingView}
)
async def show_following(request: web.Request, user_id: UUID, who: Identified) -> web.Response:
    """Tell how many follow somebody, and whether one does oneself."""
    return await _answer(request, ReadFollowing(user_id=user_id, viewer_id=who.user.id))


@routes.declare(
    "PUT", "/users/{user_id}/follow", access=Access.SIGNED_IN, answers={200: FollowingView}
)
async def follow(request: web.Request, user_id: UUID, who: Identified) -> web.Response:
    """Follow somebody: what they keep for their followers can be heard then."""
    command = SetFollowing(follower_id=who.user.id, followed_id=user_id, is_following=True)
    return await _answer(request, command)


@routes.declare(
    "DELETE", "/users/{user_id}/follow", access=Access.SIGNED_IN, answers={200: FollowingView}
)
async def unfollow(request: web.Request, user_id: UUID, who: Identified) -> web.Response:
    """Follow somebody no more."""
    command = SetFollowing(follower_id=who.user.id, followed_id=user_id, is_following=False)
    return await _answer(request, command)


@routes.declare("GET", "/me/following", access=Access.SIGNED_IN, answers={200: FollowedPage})
async def list_followed(request: web.Request, query: PageQuery, who: Identified) -> web.Response:
    """List whom one follows."""
    paging = Paging(request, "following", query, UUID)
    command = ListFollowed(follower_id=who.user.id, after=paging.start, limit=paging.read_limit)
    people = expect(await request.app[ACTORS].ask(SOCIAL, command), FollowedListed).people
    shown, cursor = paging.cut(people, lambda person: person.id)
    view = FollowedPage(data=[AuthorView.of(person) for person in shown], next_cursor=cursor)
    return json_answer(request, view)


async def _answer(request: web.Request, command: object) -> web.Response:
    read = expect(await request.app[ACTORS].ask(SOCIAL, command), FollowingRead)
    return json_answer(request, FollowingView.of(read.following))
