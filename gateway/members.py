"""Addresses for who is in a room: coming and going, roles, and the measures of its moderators."""

from datetime import datetime
from typing import Final
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.rooms import (
    AddMember,
    JoinRoom,
    LeaveRoom,
    Measure,
    ModerateMember,
    RoomJoined,
    RoomLeft,
)
from veza.actors.messages.ways import (
    WAYS,
    BansListed,
    ListBans,
    ListMembers,
    ListOwnRooms,
    MembersListed,
    OwnRoomsListed,
)
from veza.gateway import wire
from veza.gateway.answers import json_answer, no_content
from veza.gateway.endpoints import NO_CONTENT, Access, Endpoints
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.keys import ACTORS
from veza.gateway.limits import hold_account
from veza.gateway.paging import Paging
from veza.gateway.rates import JOINS
from veza.gateway.rooms import act, do, grant, require, room_answer
from veza.gateway.wire import ways

routes = Endpoints("members")

MEMBER: Final = "/rooms/{room_id}/members/{member}"
BAN: Final = "/rooms/{room_id}/bans/{user_id}"
MUTE: Final = "/rooms/{room_id}/mutes/{user_id}"
WARNINGS: Final = "/rooms/{room_id}/warnings/{user_id}"


@routes.declare(
    "GET", "/rooms/{room_id}/members", access=Access.SIGNED_IN, answers={200: ways.MemberPage}
)
async def list_members(
    request: web.Request, room_id: UUID, query: wire.PageQuery, who: Identified
) -> web.Response:
    """List who is in a room, in the order of their ids."""
    granted = await grant(request, room_id, who, "READ")
    paging = Paging(request, f"members {room_id}", query, UUID)
    command = ListMembers(room_id=room_id, after=paging.start, limit=paging.read_limit)
    listed = expect(await request.app[ACTORS].ask(WAYS, command), MembersListed).members
    shown, cursor = paging.cut(listed, lambda member: member.user.id)
    data = [ways.MemberView.of(member) for member in shown]
    if not granted.is_moderator:
        data = [each.model_copy(update={"muted_until": None}) for each in data]
    return json_answer(request, ways.MemberPage(data=data, next_cursor=cursor))


@routes.declare("PUT", MEMBER, access=Access.SIGNED_IN, answers={200: wire.RoomView})
async def put_member(
    request: web.Request,
    room_id: UUID,
    member: str,
    who: Identified,
    body: ways.NewMember | None,
) -> web.Response:
    """Become a member, make somebody else one, or change a role; `member` is an id, or `me`."""
    wanted, user_id = body or ways.NewMember(), _user(member, who)
    if wanted.role is not None:
        measure = ModerateMember(user_id=user_id, measure=Measure.ROLE, role=wanted.role)
        await do(request, room_id, who, measure)
    elif user_id != who.user.id:
        await do(request, room_id, who, AddMember(user_id=user_id))
    else:
        await hold_account(request, JOINS, who)
        join = JoinRoom(invite=wanted.invite, password=wanted.password, is_counted=True)
        joined = expect(await act(request, room_id, who, join), RoomJoined)
        return room_answer(request, joined.room)
    return room_answer(request, await require(request, room_id, who, "READ"))


@routes.declare("DELETE", MEMBER, access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def delete_member(
    request: web.Request, room_id: UUID, member: str, who: Identified, query: ways.ReasonQuery
) -> web.Response:
    """Leave a room, or put somebody out of it; `member` is an id, or `me`."""
    user_id = _user(member, who)
    if user_id == who.user.id:
        expect(await act(request, room_id, who, LeaveRoom()), RoomLeft)
        return no_content()
    return await _measure(request, room_id, who, user_id, Measure.KICK, query.reason)


@routes.declare(
    "GET", "/rooms/{room_id}/bans", access=Access.SIGNED_IN, answers={200: ways.BanPage}
)
async def list_bans(
    request: web.Request, room_id: UUID, query: wire.PageQuery, who: Identified
) -> web.Response:
    """List who is kept out of a room, in the order of their ids."""
    await require(request, room_id, who, "MODERATE")
    paging = Paging(request, f"bans {room_id}", query, UUID)
    command = ListBans(room_id=room_id, after=paging.start, limit=paging.read_limit)
    listed = expect(await request.app[ACTORS].ask(WAYS, command), BansListed).bans
    shown, cursor = paging.cut(listed, lambda ban: ban.user.id)
    data = [ways.BanView.of(ban) for ban in shown]
    return json_answer(request, ways.BanPage(data=data, next_cursor=cursor))


@routes.declare("PUT", BAN, access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def ban_user(
    request: web.Request, room_id: UUID, user_id: UUID, who: Identified, body: ways.NewBan | None
) -> web.Response:
    """Keep somebody out of a room, member or not, for a while or for good."""
    ban = body or ways.NewBan()
    return await _measure(request, room_id, who, user_id, Measure.BAN, ban.reason, ban.until)


@routes.declare("DELETE", BAN, access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def unban_user(
    request: web.Request, room_id: UUID, user_id: UUID, who: Identified, query: ways.ReasonQuery
) -> web.Response:
    """Keep somebody out no more."""
    return await _measure(request, room_id, who, user_id, Measure.UNBAN, query.reason)


@routes.declare("PUT", MUTE, access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def mute_member(
    request: web.Request, room_id: UUID, user_id: UUID, who: Identified, body: ways.NewMute
) -> web.Response:
    """Let a member read but not write for a while."""
    return await _measure(request, room_id, who, user_id, Measure.MUTE, body.reason, body.until)


@routes.declare("DELETE", MUTE, access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def unmute_member(
    request: web.Request, room_id: UUID, user_id: UUID, who: Identified, query: ways.ReasonQuery
) -> web.Response:
    """Let a member write again."""
    return await _measure(request, room_id, who, user_id, Measure.UNMUTE, query.reason)


@routes.declare("POST", WARNINGS, access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def warn_member(
    request: web.Request, room_id: UUID, user_id: UUID, who: Identified, body: ways.NewWarning
) -> web.Response:
    """Warn a member; each warning is one of its own, which the whole room hears."""
    return await _measure(request, room_id, who, user_id, Measure.WARN, body.reason)


@routes.declare("GET", "/me/rooms", access=Access.SIGNED_IN, answers={200: ways.OwnRoomPage})
async def list_own_rooms(
    request: web.Request, query: wire.PageQuery, who: Identified
) -> web.Response:
    """List the rooms one is a member of, newest first, and what is unread in them."""
    paging = Paging(request, "own rooms", query, UUID)
    command = ListOwnRooms(user_id=who.user.id, before=paging.start, limit=paging.read_limit)
    listed = expect(await request.app[ACTORS].ask(WAYS, command), OwnRoomsListed).memberships
    shown, cursor = paging.cut(listed, lambda membership: membership.room.id)
    data = [ways.OwnRoomView.of(membership) for membership in shown]
    return json_answer(request, ways.OwnRoomPage(data=data, next_cursor=cursor))


async def _measure(
    request: web.Request,
    room_id: UUID,
    who: Identified,
    user_id: UUID,
    measure: Measure,
    reason: str,
    until: datetime | None = None,
) -> web.Response:
    about = ModerateMember(user_id=user_id, measure=measure, reason=reason, until=until)
    return await do(request, room_id, who, about)


def _user(member: str, who: Identified) -> UUID:
    if member == "me":
        return who.user.id
    try:
        return UUID(member)
    except ValueError as error:
        raise ProblemError(ProblemCode.NOT_FOUND) from error
