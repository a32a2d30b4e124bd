"""The address where API clients get what signs a WebSocket in without showing it their access token."""

from http import HTTPStatus

from aiohttp import web

from veza.actors.messages.accounts import ACCOUNTS, Identified, IssueTicket, TicketIssued
from veza.gateway import wire
from veza.gateway.answers import json_answer
from veza.gateway.endpoints import Access, Endpoints
from veza.gateway.errors import expect
from veza.gateway.keys import ACTORS
from veza.gateway.rates import TICKETS

routes = Endpoints("realtime")


@routes.declare(
    "POST",
    "/realtime/ticket",
    access=Access.SIGNED_IN,
    answers={201: wire.TicketView},
    rate=TICKETS,
)
async def make_ticket(request: web.Request, who: Identified) -> web.Response:
    """Make a ticket that signs one WebSocket in: once, within 30 s, on any node."""
    command = IssueTicket(session_id=who.session_id)
    issued = expect(await request.app[ACTORS].ask(ACCOUNTS, command), TicketIssued)
    return json_answer(request, wire.TicketView.of(issued), HTTPStatus.CREATED)
