"""Addresses for who is in a room: coming and going, roles, and the measures of its moderators."""

from datetime import datetime
from http import HTTPStatus
from typing import Final
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.common import Key
from veza.actors.messages.rooms import (
    ActUnchanged,
    AddMember,
    EventStored,
    JoinRoom,
    LeaveRoom,
    Measure,
    ModerateMember,
    RoomJoined,
    RoomLeft,
)
from veza.actors.messages.ways import (
    BansListed,
    ListBans,
    ListMembers,
    ListOwnRooms,
    MembersListed,
    OwnRoomsListed,
)
from veza.gateway import wire
from veza.gateway.answers import json_answer
from veza.gateway.endpoints import NO_CONTENT, Access, Endpoints
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.keys import ACTORS, CURSORS
from veza.gateway.limits import hold_account
from veza.gateway.rates import JOINS
from veza.gateway.rooms import act, grant, require, room_answer
from veza.gateway.wire import ways

routes = Endpoints("members")

WAYS: Final[Key] = ("ways", "")
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
    scope, after = _after(request, f"members {room_id}", query)
    command = ListMembers(room_id=room_id, after=after, limit=query.limit + 1)
    listed = expect(await request.app[ACTORS].ask(WAYS, command), MembersListed).members
    page, has_more = listed[: query.limit], len(listed) > query.limit
    data = [ways.MemberView.of(each) for each in page]
    if not granted.is_moderator:
        data = [each.model_copy(update={"muted_until": None}) for each in data]
    cursor = str(page[-1].user.id) if has_more else None
    view = ways.MemberPage(
        data=data, next_cursor=cursor and request.app[CURSORS].encode(scope, cursor)
    )
    return json_answer(request, view)


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
        await _done(request, room_id, who, measure)
    elif user_id != who.user.id:
        await _done(request, room_id, who, AddMember(user_id=user_id))
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
        return _no_content()
    return await _measure(request, room_id, who, user_id, Measure.KICK, query.reason)


@routes.declare(
    "GET", "/rooms/{room_id}/bans", access=Access.SIGNED_IN, answers={200: ways.BanPage}
)
async def list_bans(
    request: web.Request, room_id: UUID, query: wire.PageQuery, who: Identified
) -> web.Response:
    """List who is kept out of a room, in the order of their ids."""
    await require(request, room_id, who, "MODERATE")
    scope, after = _after(request, f"bans {room_id}", query)
    command = ListBans(room_id=room_id, after=after, limit=query.limit + 1)
    listed = expect(await request.app[ACTORS].ask(WAYS, command), BansListed).bans
    page, has_more = listed[: query.limit], len(listed) > query.limit
    cursor = str(page[-1].user.id) if has_more else None
    view = ways.BanPage(
        data=[ways.BanView.of(each) for each in page],
        next_cursor=cursor and request.app[CURSORS].encode(scope, cursor),
    )
    return json_answer(request, view)


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
    scope, before = _after(request, "own rooms", query)
    command = ListOwnRooms(user_id=who.user.id, before=before, limit=query.limit + 1)
    listed = expect(await request.app[ACTORS].ask(WAYS, command), OwnRoomsListed).memberships
    page, has_more = listed[: query.limit], len(listed) > query.limit
    cursor = str(page[-1].room.id) if has_more else None
    view = ways.OwnRoomPage(
        data=[ways.OwnRoomView.of(each) for each in page],
        next_cursor=cursor and request.app[CURSORS].encode(scope, cursor),
    )
    return json_answer(request, view)


def _after(request: web.Request, scope: str, query: wire.PageQuery) -> tuple[str, UUID | None]:
    """Return what the cursor of a list is good for, and the id it stands at."""
    if not query.cursor:
        return scope, None
    return scope, UUID(request.app[CURSORS].decode(scope, query.cursor))


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
    await _done(request, room_id, who, about)
    return _no_content()


async def _done(
    request: web.Request, room_id: UUID, who: Identified, what: AddMember | ModerateMember
) -> None:
    reply = await act(request, room_id, who, what)
    if not isinstance(reply, ActUnchanged):
        expect(reply, EventStored)


def _user(member: str, who: Identified) -> UUID:
    if member == "me":
        return who.user.id
    try:
        return UUID(member)
    except ValueError as error:
        raise ProblemError(ProblemCode.NOT_FOUND) from error


def _no_content() -> web.Response:
    return web.Response(status=HTTPStatus.NO_CONTENT)
