"""Addresses for ways into rooms: invitations, and requests to be let in."""

from http import HTTPStatus
from typing import Final
from uuid import UUID

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from veza.actors.messages.accounts import Identified
from veza.actors.messages.rooms import AddMember, MayAskToJoin, RightGranted
from veza.actors.messages.ways import (
    WAYS,
    CreateInvite,
    DropRequest,
    FindRequest,
    FollowInvite,
    InviteDescribed,
    InviteLeads,
    InvitesListed,
    ListInvites,
    ListRequests,
    RequestsListed,
    RequestToJoin,
    RevokeInvite,
    WayDone,
)
from veza.gateway.answers import json_answer, no_content
from veza.gateway.endpoints import API, NO_CONTENT, Access, Endpoints
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.keys import ACTORS
from veza.gateway.rates import INVITES_MADE
from veza.gateway.rooms import author_of, do, require, room_key
from veza.gateway.values import InviteCode
from veza.gateway.wire import ways

routes = Endpoints("invites")

CODE: Final = TypeAdapter[str](InviteCode)
INVITES: Final = "/rooms/{room_id}/invites"
REQUESTS: Final = "/rooms/{room_id}/requests"
REQUEST: Final = "/rooms/{room_id}/requests/{user_id}"


@routes.declare(
    "POST", INVITES, access=Access.SIGNED_IN, answers={201: ways.InviteView}, rate=INVITES_MADE
)
async def create_invite(
    request: web.Request, room_id: UUID, body: ways.NewInvite, who: Identified
) -> web.Response:
    """Make a code that lets whoever has it into a room."""
    await require(request, room_id, who, "INVITE")
    command = CreateInvite(
        room_id=room_id,
        creator_id=who.user.id,
        max_uses=body.max_uses,
        expires_at=body.expires_at,
    )
    invite = expect(await request.app[ACTORS].ask(WAYS, command), InviteDescribed).invite
    location = {"Location": f"{API}/invites/{invite.code}"}
    return json_answer(request, ways.InviteView.of(invite), HTTPStatus.CREATED, location)


@routes.declare("GET", INVITES, access=Access.SIGNED_IN, answers={200: ways.InvitePage})
async def list_invites(request: web.Request, room_id: UUID, who: Identified) -> web.Response:
    """List a room's invitations that still let somebody in, newest first."""
    await require(request, room_id, who, "INVITE")
    reply = await request.app[ACTORS].ask(WAYS, ListInvites(room_id=room_id))
    found = expect(reply, InvitesListed).invites
    return json_answer(request, ways.InvitePage(data=[ways.InviteView.of(e) for e in found]))


@routes.declare("DELETE", INVITES + "/{code}", access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def revoke_invite(
    request: web.Request, room_id: UUID, code: str, who: Identified
) -> web.Response:
    """Let nobody in by an invitation any more."""
    await require(request, room_id, who, "INVITE")
    command = RevokeInvite(room_id=room_id, code=_checked(code))
    expect(await request.app[ACTORS].ask(WAYS, command), WayDone)
    return no_content()


@routes.declare(
    "GET", "/invites/{code}", access=Access.SIGNED_IN, answers={200: ways.InviteTargetView}
)
async def follow_invite(request: web.Request, code: str) -> web.Response:
    """Show which room an invitation leads to."""
    reply = await request.app[ACTORS].ask(WAYS, FollowInvite(code=_checked(code)))
    return json_answer(request, ways.InviteTargetView.of(expect(reply, InviteLeads).room))


@routes.declare("POST", REQUESTS, access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def ask_to_join(
    request: web.Request, room_id: UUID, body: ways.NewRequest, who: Identified
) -> web.Response:
    """Ask to be let into a private room; asking again changes nothing."""
    actors = request.app[ACTORS]
    expect(await actors.ask(room_key(room_id), MayAskToJoin(by=who.user.id)), RightGranted)
    command = RequestToJoin(room_id=room_id, user=author_of(who), text=body.text)
    expect(await actors.ask(WAYS, command), WayDone)
    return no_content()


@routes.declare("GET", REQUESTS, access=Access.SIGNED_IN, answers={200: ways.JoinRequestPage})
async def list_requests(request: web.Request, room_id: UUID, who: Identified) -> web.Response:
    """List who asks to be let into a room, the first one first."""
    await require(request, room_id, who, "ADD_MEMBERS")
    reply = await request.app[ACTORS].ask(WAYS, ListRequests(room_id=room_id))
    found = expect(reply, RequestsListed).requests
    view = ways.JoinRequestPage(data=[ways.JoinRequestView.of(each) for each in found])
    return json_answer(request, view)


@routes.declare(
    "PUT",
    REQUEST,
    access=Access.SIGNED_IN,
    answers={204: NO_CONTENT},
)
async def accept_request(
    request: web.Request, room_id: UUID, user_id: UUID, who: Identified
) -> web.Response:
    """Let somebody in who asked."""
    await require(request, room_id, who, "ADD_MEMBERS")
    found = FindRequest(room_id=room_id, user_id=user_id)
    expect(await request.app[ACTORS].ask(WAYS, found), WayDone)
    return await do(request, room_id, who, AddMember(user_id=user_id))


@routes.declare(
    "DELETE",
    REQUEST,
    access=Access.SIGNED_IN,
    answers={204: NO_CONTENT},
)
async def decline_request(
    request: web.Request, room_id: UUID, user_id: UUID, who: Identified
) -> web.Response:
    """Turn somebody down who asked, or take one's own request back."""
    if user_id != who.user.id:
        await require(request, room_id, who, "ADD_MEMBERS")
    command = DropRequest(room_id=room_id, user_id=user_id)
    expect(await request.app[ACTORS].ask(WAYS, command), WayDone)
    return no_content()


def _checked(code: str) -> str:
    """Return a code that may be one; what cannot be one leads nowhere."""
    try:
        return CODE.validate_python(code)
    except ValidationError as error:
        raise ProblemError(ProblemCode.NOT_FOUND) from error
