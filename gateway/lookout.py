"""Looks, once a heartbeat, what other nodes changed about open WebSockets: ended sessions, roles."""

import asyncio
from typing import Final

import structlog
from aiohttp import web

from veza.actors.messages.accounts import ACCOUNTS, EndedSessionsFound, FindEndedSessions
from veza.gateway.keys import ACTORS, CONNECTIONS, SETTINGS

logger = structlog.get_logger(__name__)

SESSIONS_PER_LOOK: Final = 1_000


async def look_forever(app: web.Application) -> None:
    """Look once a heartbeat, until cancelled."""
    seconds = app[SETTINGS].ws_heartbeat_ms / 1000
    while True:
        await asyncio.sleep(seconds)
        await look(app)


async def look(app: web.Application) -> None:
    """Close the connections whose sessions are over; without an answer, look again the next time."""
    connections = app[CONNECTIONS]
    session_ids = connections.session_ids()
    for start in range(0, len(session_ids), SESSIONS_PER_LOOK):
        command = FindEndedSessions(session_ids=session_ids[start : start + SESSIONS_PER_LOOK])
        reply = await app[ACTORS].ask(ACCOUNTS, command)
        if not isinstance(reply, EndedSessionsFound):
            logger.warning("sessions.not_looked_up", reply=type(reply).__name__)
            return
        connections.end_sessions(reply.ended)
        for user_id, granted in reply.permissions.items():
            connections.take_permissions(user_id, granted)
