"""Addresses for encoding tracks anew: how many another recipe made, and which to queue."""

from aiohttp import web

from veza.actors.messages.encodings import (
    ENCODINGS,
    EncodingsRead,
    ReadEncodings,
    ReencodeTracks,
    ReencodingsQueued,
    Which,
)
from veza.gateway.answers import fresh_answer
from veza.gateway.errors import expect
from veza.gateway.keys import ACTORS
from veza.gateway.ops.acting import acting
from veza.gateway.ops.doors import Doors
from veza.gateway.wire import encodings as views

doors = Doors()


@doors.declare("GET", "/ops/encodings", answers={200: views.EncodingsView})
async def show_encodings(request: web.Request) -> web.Response:
    """Show by what this node encodes, and how many published tracks were made by something else."""
    found = expect(await request.app[ACTORS].ask(ENCODINGS, ReadEncodings()), EncodingsRead)
    return fresh_answer(views.EncodingsView.of(found).to_json())


@doors.declare("POST", "/ops/encodings", answers={200: views.ReencodingsView})
async def reencode(request: web.Request, body: views.Reencode) -> web.Response:
    """Queue published tracks to be encoded anew, beside what plays; part by part, if there are many."""
    command = ReencodeTracks(
        which=Which.ONE if body.track_id else body.which,
        track_id=body.track_id,
        after=body.after,
        by=await acting(request),
        reason=body.reason,
    )
    queued = expect(await request.app[ACTORS].ask(ENCODINGS, command), ReencodingsQueued)
    return fresh_answer(views.ReencodingsView.of(queued).to_json())
