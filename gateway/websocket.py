"""The handshake of a WebSocket: who may come in at all, and by which cookie.

What is answered to a request is decided here; from then on the connection lives without it
(`veza.gateway.connection`).
"""

import asyncio
from functools import lru_cache
from typing import Final

from aiohttp import web

from veza.gateway import wire
from veza.gateway.admission import LineFullError
from veza.gateway.connection import Connection
from veza.gateway.connections import AddressUse
from veza.gateway.errors import CloseCode, ProblemCode, ProblemError
from veza.gateway.identity import is_own_origin
from veza.gateway.keys import CONNECTIONS, METRICS, REQUEST_ID, SETTINGS
from veza.gateway.leases import Holder, cookie_holder
from veza.gateway.sockets import Socket, TakenOver, accept

PLACE_SECONDS: Final = 30.0
"""When to come back where all connections of an address are taken."""
VERSION: Final = "1"
_READ_LIMIT_FACTOR: Final = 16
"""A frame this many times over the limit is cut off unread; below, the close is a clean 1009."""


def add_to(app: web.Application) -> None:
    """Route the WebSocket."""
    app.router.add_get(wire.WEBSOCKET_PATH, open_websocket, allow_head=False)


async def open_websocket(request: web.Request) -> web.StreamResponse:
    """Shake hands; the connection lives on without the request."""
    settings, connections = request.app[SETTINGS], request.app[CONNECTIONS]
    await connections.turnstile.passing()
    answer, form = accept(request, deflate=settings.ws_deflate, request_id=request[REQUEST_ID])
    if connections.is_draining:
        raise ProblemError(ProblemCode.UNAVAILABLE, "Stopping.", retry_after_seconds=1.0)
    place = await _place(request)
    try:
        holder = await _cookie_holder(request)
    except BaseException:
        connections.give_up_place(place)
        raise
    if request.transport is None:
        connections.give_up_place(place)
        return TakenOver()
    is_known = request.query.get("v", VERSION) == VERSION
    socket = Socket(request.transport, request.app[METRICS].count_close)
    # In one write: a client that comes back costs one packet less.
    socket.write(answer + hello(settings.ws_heartbeat_ms, settings.ws_max_frame_bytes, form))
    connection = Connection(request, socket, form, place)
    socket.start(
        request,
        connection,
        settings.ws_max_frame_bytes * _READ_LIMIT_FACTOR,
        inflates=form != wire.PLAIN,
        first=connection.welcome(holder) if is_known else None,
    )
    if not is_known:
        connection.close(CloseCode.VERSION, f"this server speaks v={VERSION}")
    return TakenOver()


@lru_cache(maxsize=8)
def hello(heartbeat_ms: int, max_frame: int, form: int) -> bytes:
    """Return the first frame, which is the same for everybody."""
    frame = wire.encode_frame(wire.Hello(heartbeat_ms=heartbeat_ms, max_frame=max_frame))
    return wire.shape((frame,), form)


async def _place(request: web.Request) -> AddressUse:
    """Take one of the places that the client's address has."""
    now = asyncio.get_running_loop().time()
    place = await request.app[CONNECTIONS].take_place(request.remote, now)
    if place is None:
        detail = "There are too many connections from your address."
        raise ProblemError(
            ProblemCode.TOO_MANY_CONNECTIONS, detail, retry_after_seconds=PLACE_SECONDS
        )
    return place


async def _cookie_holder(request: web.Request) -> Holder | ProblemError | None:
    """Look a browser's cookie up in its turn; who finds the line full is sent away before it costs more.

    That the account is banned is returned, to be told over the WebSocket: of a handshake that is refused
    a page learns nothing, and tries again.
    """
    origin = request.headers.get("Origin")
    admission = request.app[CONNECTIONS].admission
    try:
        if origin is not None and is_own_origin(request, origin):
            async with admission:
                return await cookie_holder(request)
        admission.check()
    except LineFullError as full:
        wait_seconds = full.retry_after_seconds
        raise ProblemError(ProblemCode.OVERLOADED, retry_after_seconds=wait_seconds) from full
    except ProblemError as error:
        if error.code is ProblemCode.ACCOUNT_BANNED:
            return error
        raise
    return None
