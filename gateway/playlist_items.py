"""Addresses for the tracks of playlists, in their order."""

from http import HTTPStatus
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.playlists import (
    PLAYLISTS,
    AddItems,
    ItemMoved,
    ItemsListed,
    ListItems,
    MoveItem,
    RemoveItem,
)
from veza.gateway.answers import json_answer, no_content
from veza.gateway.endpoints import NO_CONTENT, Access, Endpoints
from veza.gateway.errors import expect
from veza.gateway.identity import viewer_of
from veza.gateway.keys import ACTORS
from veza.gateway.paging import Paging
from veza.gateway.wire.bodies import PageQuery
from veza.gateway.wire.playlists import ItemMove, ItemPage, ItemsView, ItemView, NewItems

routes = Endpoints("playlists")


@routes.declare(
    "GET", "/playlists/{playlist_id}/items", access=Access.OPTIONAL, answers={200: ItemPage}
)
async def list_items(
    request: web.Request, playlist_id: UUID, query: PageQuery, who: Identified | None
) -> web.Response:
    """List a playlist's tracks in order; one that one may not hear leaves its place."""
    paging = Paging(request, f"items {playlist_id}", query, str)
    command = ListItems(
        playlist_id=playlist_id,
        viewer_id=viewer_of(who),
        after=paging.start,
        limit=paging.read_limit,
    )
    items = expect(await request.app[ACTORS].ask(PLAYLISTS, command), ItemsListed).items
    shown, cursor = paging.cut(items, lambda item: item.rank)
    data = [ItemView.of(item) for item in shown]
    return json_answer(request, ItemPage(data=data, next_cursor=cursor))


@routes.declare(
    "POST", "/playlists/{playlist_id}/items", access=Access.SIGNED_IN, answers={201: ItemsView}
)
async def add_items(
    request: web.Request, playlist_id: UUID, body: NewItems, who: Identified
) -> web.Response:
    """Add tracks that one may hear, in this order: behind an item, or at the end."""
    command = AddItems(
        playlist_id=playlist_id,
        by_id=who.user.id,
        track_ids=tuple(body.track_ids),
        behind=body.behind,
    )
    items = expect(await request.app[ACTORS].ask(PLAYLISTS, command), ItemsListed).items
    view = ItemsView(data=[ItemView.of(item) for item in items])
    return json_answer(request, view, HTTPStatus.CREATED)


@routes.declare(
    "PATCH",
    "/playlists/{playlist_id}/items/{item_id}",
    access=Access.SIGNED_IN,
    answers={204: NO_CONTENT},
)
async def move_item(
    request: web.Request, playlist_id: UUID, item_id: UUID, body: ItemMove, who: Identified
) -> web.Response:
    """Put an item behind another, or in front of all; the other items stay where they are."""
    command = MoveItem(
        playlist_id=playlist_id, by_id=who.user.id, item_id=item_id, behind=body.behind
    )
    return await _done(request, command)


@routes.declare(
    "DELETE",
    "/playlists/{playlist_id}/items/{item_id}",
    access=Access.SIGNED_IN,
    answers={204: NO_CONTENT},
)
async def remove_item(
    request: web.Request, playlist_id: UUID, item_id: UUID, who: Identified
) -> web.Response:
    """Take an item out of a playlist."""
    return await _done(
        request, RemoveItem(playlist_id=playlist_id, by_id=who.user.id, item_id=item_id)
    )


async def _done(request: web.Request, command: object) -> web.Response:
    expect(await request.app[ACTORS].ask(PLAYLISTS, command), ItemMoved)
    return no_content()
