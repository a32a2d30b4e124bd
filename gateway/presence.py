"""Addresses that tell who is there."""

from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.presence import (
    PRESENCE,
    PresenceTold,
    ReadRoomPresence,
    ReadUserPresence,
    UserPresenceRead,
)
from veza.gateway import wire
from veza.gateway.answers import json_answer
from veza.gateway.endpoints import Access, Endpoints
from veza.gateway.errors import expect
from veza.gateway.keys import ACTORS
from veza.gateway.rooms import require

routes = Endpoints("presence")


@routes.declare(
    "GET",
    "/rooms/{room_id}/presence",
    access=Access.SIGNED_IN,
    answers={200: wire.RoomPresenceView},
)
async def show_room_presence(request: web.Request, room_id: UUID, who: Identified) -> web.Response:
    """Tell members of a room who of them is there."""
    await require(request, room_id, who, "READ")
    command = ReadRoomPresence(room_id=room_id, viewer=who.user.id)
    told = expect(await request.app[ACTORS].ask(PRESENCE, command), PresenceTold)
    return json_answer(request, wire.RoomPresenceView.of(told))


@routes.declare(
    "GET", "/users/{user_id}/presence", access=Access.SIGNED_IN, answers={200: wire.SeenView}
)
async def show_user_presence(request: web.Request, user_id: UUID, who: Identified) -> web.Response:
    """Tell whether somebody is there, to those who share a room with them; of oneself, the truth."""
    command = ReadUserPresence(user_id=user_id, viewer=who.user.id)
    read = expect(await request.app[ACTORS].ask(PRESENCE, command), UserPresenceRead)
    return json_answer(request, wire.SeenView.of(read.seen))
