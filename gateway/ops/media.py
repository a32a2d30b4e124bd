"""Addresses for looking after the media store: is all there, and what is there that nobody names."""

from aiohttp import web

from veza.actors.messages.media_keeping import (
    MEDIA_KEEPER,
    PART_SECONDS,
    CheckMedia,
    CollectGarbage,
    GarbageCollected,
    MediaChecked,
)
from veza.gateway.answers import fresh_answer
from veza.gateway.errors import expect
from veza.gateway.keys import ACTORS
from veza.gateway.ops.acting import acting
from veza.gateway.ops.doors import Doors
from veza.gateway.wire import media as views

doors = Doors()


@doors.declare("GET", "/ops/media/check", answers={200: views.MediaCheckedView})
async def check_media(request: web.Request, query: views.CheckQuery) -> web.Response:
    """Compare the next part of the media store with the tables."""
    command = CheckMedia(shelf=query.shelf, after=query.after, is_fast=query.fast)
    reply = await request.app[ACTORS].ask(MEDIA_KEEPER, command, PART_SECONDS)
    return fresh_answer(views.MediaCheckedView.of(expect(reply, MediaChecked)).to_json())


@doors.declare("POST", "/ops/media/gc", answers={200: views.GarbageView})
async def collect_garbage(request: web.Request, body: views.Collect) -> web.Response:
    """Find the next part of what no table names; delete it if that is asked for."""
    command = CollectGarbage(
        kind=body.kind,
        after=body.after,
        older_than_seconds=body.older_than_seconds,
        deletes=body.deletes,
        by=await acting(request),
        reason=body.reason,
    )
    reply = await request.app[ACTORS].ask(MEDIA_KEEPER, command, PART_SECONDS)
    return fresh_answer(views.GarbageView.of(expect(reply, GarbageCollected)).to_json())
