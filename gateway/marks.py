"""Addresses for likes, reposts and the feed."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.marks import (
    MARKS,
    FeedRead,
    ListMarked,
    MarkedListed,
    MarkKind,
    MarkTold,
    ReadFeed,
    ReadMark,
    SetMark,
)
from veza.gateway.answers import json_answer
from veza.gateway.endpoints import Access, Endpoints
from veza.gateway.errors import expect
from veza.gateway.identity import viewer_of
from veza.gateway.keys import ACTORS
from veza.gateway.paging import Paging, time_and_id
from veza.gateway.rates import MARKS_SET
from veza.gateway.wire.bodies import PageQuery
from veza.gateway.wire.marks import FeedItemView, FeedPage, MarkedPage, MarkedTrackView, MarkView

routes = Endpoints("social")


def declare_mark(kind: MarkKind) -> None:
    """Declare the addresses of a kind of mark: they differ in a word."""
    address, word = f"/tracks/{{track_id}}/{kind}", kind.value

    async def show(request: web.Request, track_id: UUID, who: Identified | None) -> web.Response:
        command = ReadMark(viewer_id=viewer_of(who), kind=kind, track_id=track_id)
        return await _answer(request, command)

    async def set_(request: web.Request, track_id: UUID, who: Identified) -> web.Response:
        command = SetMark(user_id=who.user.id, kind=kind, track_id=track_id, is_set=True)
        return await _answer(request, command)

    async def take_back(request: web.Request, track_id: UUID, who: Identified) -> web.Response:
        command = SetMark(user_id=who.user.id, kind=kind, track_id=track_id, is_set=False)
        return await _answer(request, command)

    async def listed(
        request: web.Request, user_id: UUID, query: PageQuery, who: Identified | None
    ) -> web.Response:
        paging = Paging(request, f"{word}s {user_id}", query, time_and_id)
        command = ListMarked(
            viewer_id=viewer_of(who),
            user_id=user_id,
            kind=kind,
            before=paging.start,
            limit=paging.read_limit,
        )
        found = expect(await request.app[ACTORS].ask(MARKS, command), MarkedListed).tracks
        shown, cursor = paging.cut(found, lambda each: f"{each.at.isoformat()} {each.track.id}")
        data = [MarkedTrackView.of(each) for each in shown]
        return json_answer(request, MarkedPage(data=data, next_cursor=cursor))

    _declare("GET", address, f"show_{word}", f"Tell how many {word} a track.", show)
    _declare("PUT", address, f"{word}_track", f"Let the track be one that one {word}s.", set_)
    _declare("DELETE", address, f"un{word}_track", f"Take a {word} back.", take_back)
    _declare(
        "GET",
        f"/users/{{user_id}}/{word}s",
        f"list_{word}s",
        f"List what somebody {word}s and one may hear, newest first.",
        listed,
    )


def _declare(
    method: str,
    address: str,
    name: str,
    summary: str,
    handler: Callable[..., Awaitable[web.Response]],
) -> None:
    handler.__name__, handler.__doc__ = name, summary
    is_listing = address.startswith("/users")
    routes.declare(
        method,
        address,
        access=Access.OPTIONAL if method == "GET" else Access.SIGNED_IN,
        answers={200: MarkedPage if is_listing else MarkView},
        rate=None if method == "GET" else MARKS_SET,
    )(handler)


for _kind in MarkKind:
    declare_mark(_kind)


@routes.declare("GET", "/feed", access=Access.SIGNED_IN, answers={200: FeedPage})
async def show_feed(request: web.Request, query: PageQuery, who: Identified) -> web.Response:
    """Show what those whom one follows uploaded or reposted, newest first, each track once."""
    paging = Paging(request, "feed", query, time_and_id)
    command = ReadFeed(viewer_id=who.user.id, before=paging.start, limit=paging.read_limit)
    items = expect(await request.app[ACTORS].ask(MARKS, command), FeedRead).items
    shown, cursor = paging.cut(items, lambda item: f"{item.at.isoformat()} {item.track.id}")
    data = [FeedItemView.of(item) for item in shown]
    return json_answer(request, FeedPage(data=data, next_cursor=cursor))


async def _answer(request: web.Request, command: object) -> web.Response:
    read = expect(await request.app[ACTORS].ask(MARKS, command), MarkTold)
    return json_answer(request, MarkView.of(read.mark))
