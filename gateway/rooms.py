"""Addresses for chat rooms and what was said in them."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from uuid import UUID

import orjson
from aiohttp import web

from veza.actors.messages.accounts import Author, Identified
from veza.actors.messages.common import Key
from veza.actors.messages.permissions import Permission, holds
from veza.actors.messages.rooms import (
    ActInRoom,
    ActUnchanged,
    ChangeRoom,
    EventKind,
    EventsRead,
    EventStored,
    PostMessage,
    ReadEvents,
    ReadRoom,
    RequireRight,
    RightGranted,
    Room,
    RoomAct,
    RoomEvent,
    RoomKind,
    RoomSettings,
)
from veza.actors.messages.rooms_service import (
    ROOMS,
    CheckRoomRules,
    CreateRoom,
    DescribeRoom,
    HashRoomPassword,
    ListRooms,
    ReadRoomRules,
    RoomDescribed,
    RoomPasswordHashed,
    RoomRulesChecked,
    RoomRulesRead,
    RoomsListed,
)
from veza.config.ids import uuid7
from veza.gateway import wire
from veza.gateway.answers import json_answer, matched_version, no_content
from veza.gateway.endpoints import API, NO_CONTENT, Access, Endpoints
from veza.gateway.errors import FieldCode, FieldError, ProblemCode, ProblemError, expect
from veza.gateway.keys import ACTORS
from veza.gateway.paging import Paging
from veza.gateway.rates import ROOMS_MADE
from veza.gateway.search import search_room
from veza.gateway.wire import ways

routes = Endpoints("rooms")

SHOWN_KINDS = frozenset({RoomKind.PUBLIC, RoomKind.PASSWORD, RoomKind.PRIVATE})
"""Whoever has the address of such a room may know that it is there."""
EVENTS_PER_READ = 200
MAX_READS = 5
"""A page of messages skips joins and leaves; past 1,000 of them in a row it ends early."""

Side = tuple[int | None, int | None]
"""Messages before a `seq`, or those after one."""


@routes.declare("GET", "/rooms", access=Access.SIGNED_IN, answers={200: wire.RoomPage})
async def list_rooms(request: web.Request, query: wire.PageQuery) -> web.Response:
    """List the rooms anybody may enter, newest first."""
    paging = Paging(request, "rooms", query, UUID)
    command = ListRooms(before=paging.start, limit=paging.read_limit)
    listed = expect(await request.app[ACTORS].ask(ROOMS, command), RoomsListed).rooms
    shown, cursor = paging.cut(listed, lambda room: room.id)
    view = wire.RoomPage(data=[wire.RoomView.of(room) for room in shown], next_cursor=cursor)
    return json_answer(request, view)


@routes.declare(
    "POST",
    "/rooms",
    access=Access.SIGNED_IN,
    needs=Permission.ROOMS_CREATE,
    answers={201: wire.RoomView},
    rate=ROOMS_MADE,
)
async def create_room(request: web.Request, body: wire.NewRoom, who: Identified) -> web.Response:
    """Make a room; its maker is its owner."""
    command = CreateRoom(
        room_id=uuid7(), creator=author_of(who), settings=await _settings(request, body)
    )
    room = expect(await request.app[ACTORS].ask(ROOMS, command), RoomDescribed).room
    location = {"Location": f"{API}/rooms/{room.id}"}
    return room_answer(request, room, HTTPStatus.CREATED, location)


def room_answer(
    request: web.Request,
    room: Room,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Answer a room, with an ETag that begins with its version."""
    view = wire.RoomView.of(room)
    return json_answer(request, view, status, headers, version=room.changed_seq)


async def _settings(request: web.Request, body: wire.NewRoom) -> RoomSettings:
    if (RoomKind(body.kind) is RoomKind.PASSWORD) != (body.password is not None):
        detail = "Rooms of the kind `password` have one, others have none."
        error = FieldError(pointer="/password", code=FieldCode.INVALID_VALUE, detail=detail)
        raise ProblemError(ProblemCode.VALIDATION_FAILED, detail, errors=(error,))
    return RoomSettings(
        name=body.name,
        kind=RoomKind(body.kind),
        topic=body.topic,
        slow_mode_seconds=body.slow_mode_seconds,
        password_hash=body.password and await hashed(request, body.password),
    )


async def hashed(request: web.Request, password: str) -> str:
    """Return what may be stored of a room's password."""
    reply = await request.app[ACTORS].ask(ROOMS, HashRoomPassword(password=password))
    return expect(reply, RoomPasswordHashed).password_hash


@routes.declare("GET", "/rooms/{room_id}", access=Access.SIGNED_IN, answers={200: wire.RoomView})
async def show_room(request: web.Request, room_id: UUID, who: Identified) -> web.Response:
    """Show one room and where its log ends; those that are not listed only to their members."""
    reply = await request.app[ACTORS].ask(ROOMS, DescribeRoom(room_id=room_id))
    room = expect(reply, RoomDescribed).room
    if room.kind not in SHOWN_KINDS:
        room = await require(request, room_id, who, "READ")
    return room_answer(request, room)


@routes.declare(
    "PATCH",
    "/rooms/{room_id}",
    access=Access.SIGNED_IN,
    answers={200: wire.RoomView},
    takes_version=True,
)
async def change_room(
    request: web.Request, room_id: UUID, body: ways.RoomChange, who: Identified
) -> web.Response:
    """Change a room; `If-Match` says which version of it."""
    if_version = matched_version(request)
    # Before rules are read and a password is hashed for somebody who may not.
    await require(request, room_id, who, "CHANGE_ROOM" if body.is_archived is None else "ARCHIVE")
    change = ChangeRoom(
        name=body.name,
        topic=body.topic,
        kind=None if body.kind is None else RoomKind(body.kind),
        slow_mode_seconds=body.slow_mode_seconds,
        is_archived=body.is_archived,
        rules=await _rules(request, body),
        password_hash=body.password and await hashed(request, body.password),
        if_version=if_version,
    )
    await do(request, room_id, who, change)
    return room_answer(request, await require(request, room_id, who, "READ"))


@routes.declare("DELETE", "/rooms/{room_id}", access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def archive_room(request: web.Request, room_id: UUID, who: Identified) -> web.Response:
    """Archive a room: it is read, but nothing happens in it; `is_archived: false` brings it back."""
    return await do(request, room_id, who, ChangeRoom(is_archived=True))


@routes.declare(
    "GET", "/rooms/{room_id}/rules", access=Access.SIGNED_IN, answers={200: ways.RulesView}
)
async def show_rules(request: web.Request, room_id: UUID, who: Identified) -> web.Response:
    """Show the automatic rules of a room to those who moderate it."""
    await require(request, room_id, who, "MODERATE")
    reply = await request.app[ACTORS].ask(ROOMS, ReadRoomRules(room_id=room_id))
    rules = orjson.loads(expect(reply, RoomRulesRead).rules)
    return json_answer(request, ways.RulesView(rules=rules))


async def _rules(request: web.Request, body: ways.RoomChange) -> str | None:
    """Return the rules to be stored: None if they stay, nothing if they are to be as by default."""
    if "rules" not in body.model_fields_set:
        return None
    if body.rules is None:
        return ""
    command = CheckRoomRules(rules=orjson.dumps(body.rules).decode())
    checked = expect(await request.app[ACTORS].ask(ROOMS, command), RoomRulesChecked)
    if checked.rules is None:
        pointer = "/".join(("/rules", *checked.where.split("."))).removesuffix("/rules/rules")
        error = FieldError(
            pointer=pointer or "/rules", code=FieldCode.INVALID_VALUE, detail=checked.reason
        )
        raise ProblemError(ProblemCode.VALIDATION_FAILED, checked.reason, errors=(error,))
    return checked.rules


async def require(request: web.Request, room_id: UUID, who: Identified, action: str) -> Room:
    """Return a room in which somebody may do this; raises `ProblemError`."""
    return (await grant(request, room_id, who, action)).room


async def grant(request: web.Request, room_id: UUID, who: Identified, action: str) -> RightGranted:
    """Return the right of somebody to do this in a room; raises `ProblemError`."""
    command = RequireRight(by=who.user.id, action=action, is_staff=is_staff(who))
    return expect(await request.app[ACTORS].ask(room_key(room_id), command), RightGranted)


async def act(request: web.Request, room_id: UUID, who: Identified, what: RoomAct) -> object:
    """Do something in a room; return the room's reply."""
    command = ActInRoom(by=author_of(who), act=what, is_staff=is_staff(who))
    return await request.app[ACTORS].ask(room_key(room_id), command)


async def do(request: web.Request, room_id: UUID, who: Identified, what: RoomAct) -> web.Response:
    """Do something in a room that has no answer but that it is done; done already is done."""
    reply = await act(request, room_id, who, what)
    if not isinstance(reply, ActUnchanged):
        expect(reply, EventStored)
    return no_content()


def is_staff(who: Identified) -> bool:
    """Tell whether somebody keeps order in all rooms."""
    return holds(who.user.permissions, Permission.ROOMS_MODERATE)


@routes.declare(
    "POST",
    "/rooms/{room_id}/messages",
    access=Access.SIGNED_IN,
    answers={201: wire.MessageView, 200: wire.MessageView},
)
async def post_message(
    request: web.Request, room_id: UUID, body: wire.NewMessage, who: Identified
) -> web.Response:
    """Post a message; 201 once it is durable, 200 if that `message_id` had been posted before."""
    message = PostMessage(
        message_id=body.message_id or uuid7(),
        text=body.text,
        reply_to=body.reply_to,
        thread_id=body.thread_id,
        attachments=tuple(body.attachments),
    )
    stored = expect(await act(request, room_id, who, message), EventStored)
    status = HTTPStatus.CREATED if stored.is_new else HTTPStatus.OK
    return json_answer(request, wire.MessageView.of(stored.event), status)


@routes.declare(
    "GET",
    "/rooms/{room_id}/messages",
    access=Access.SIGNED_IN,
    answers={200: wire.MessagePage},
)
async def list_messages(
    request: web.Request, room_id: UUID, query: wire.MessagesQuery, who: Identified
) -> web.Response:
    """List messages in ascending `seq`: the newest, those before, after, or around one; or search them."""
    _require_one_position(query)
    if query.q is not None:
        await require(request, room_id, who, "READ")
        return json_answer(request, await search_room(request, room_id, query.q, query, who))
    paging = Paging(request, f"messages {room_id}", query, _side)
    if query.around is not None:
        view = await _around(request, room_id, who, query.around, query.limit, paging)
        return json_answer(request, view)
    before, after = paging.start or (query.before_seq, query.after_seq)
    if after is not None:
        found, has_more = await _read_after(request, room_id, who, after, query.limit)
        place = _newer(found, has_more=has_more)
    else:
        found, has_more = await _read_before(request, room_id, who, before, query.limit)
        place = _older(found, has_more=has_more)
    view = wire.MessagePage(
        data=[wire.MessageView.of(event) for event in found],
        next_cursor=paging.cursor_at(place),
    )
    return json_answer(request, view)


def _require_one_position(query: wire.MessagesQuery) -> None:
    positions = (query.cursor, query.before_seq, query.after_seq, query.around)
    detail = ""
    if sum(each is not None for each in positions) > 1:
        detail = "At most one of cursor, before_seq, after_seq and around."
    elif query.q is not None and (query.after_seq is not None or query.around is not None):
        detail = "A search goes with before_seq or a cursor only."
    if detail:
        error = FieldError(pointer="/cursor", code=FieldCode.INVALID_VALUE, detail=detail)
        raise ProblemError(ProblemCode.VALIDATION_FAILED, detail, errors=(error,))


async def _around(
    request: web.Request,
    room_id: UUID,
    who: Identified,
    seq: int,
    limit: int,
    paging: Paging[Side],
) -> wire.MessagePage:
    """Return half of the messages from before a position, the others from it on, and cursors both ways."""
    older, has_older = await _read_before(request, room_id, who, seq, limit // 2)
    newer, has_newer = await _read_after(request, room_id, who, seq - 1, limit - len(older))
    found = [*older, *newer]
    return wire.MessagePage(
        data=[wire.MessageView.of(event) for event in found],
        next_cursor=paging.cursor_at(_newer(found, has_more=has_newer)),
        prev_cursor=paging.cursor_at(_older(found, has_more=has_older)),
    )


def _older(found: Sequence[RoomEvent], *, has_more: bool) -> str | None:
    return f"before {found[0].seq}" if found and has_more else None


def _newer(found: Sequence[RoomEvent], *, has_more: bool) -> str | None:
    return f"after {found[-1].seq}" if found and has_more else None


def _side(place: str) -> Side:
    side, _, seq = place.partition(" ")
    return (int(seq), None) if side == "before" else (None, int(seq))


async def _read_before(
    request: web.Request, room_id: UUID, who: Identified, before: int | None, limit: int
) -> tuple[list[RoomEvent], bool]:
    """Return the last `limit` messages before a position, and whether there may be older ones."""
    found: list[RoomEvent] = []
    for _ in range(MAX_READS):
        events = await _read(request, who, room_id, before_seq=before)
        found = [*_messages(events), *found]
        if len(found) > limit or len(events) < EVENTS_PER_READ:
            break
        before = events[0].seq
    # Not `found[-limit:]`: of a limit of 0 that is everything.
    older = found[max(0, len(found) - limit) :]
    return older, len(found) > limit or len(events) == EVENTS_PER_READ


async def _read_after(
    request: web.Request, room_id: UUID, who: Identified, after: int, limit: int
) -> tuple[list[RoomEvent], bool]:
    """Return the first `limit` messages past a position, and whether there may be newer ones."""
    found: list[RoomEvent] = []
    for _ in range(MAX_READS):
        events = await _read(request, who, room_id, after_seq=after)
        found.extend(_messages(events))
        if len(found) > limit or len(events) < EVENTS_PER_READ:
            break
        after = events[-1].seq
    return found[:limit], len(found) > limit or len(events) == EVENTS_PER_READ


async def _read(
    request: web.Request,
    who: Identified,
    room_id: UUID,
    *,
    before_seq: int | None = None,
    after_seq: int | None = None,
) -> tuple[RoomEvent, ...]:
    read = ReadEvents(
        room_id=room_id,
        before_seq=before_seq,
        after_seq=after_seq,
        limit=EVENTS_PER_READ,
        viewer=who.user.id,
    )
    command = ReadRoom(by=who.user.id, read=read, is_staff=is_staff(who))
    return expect(await request.app[ACTORS].ask(room_key(room_id), command), EventsRead).events


def _messages(events: tuple[RoomEvent, ...]) -> list[RoomEvent]:
    return [event for event in events if event.kind is EventKind.MESSAGE_POSTED]


def author_of(who: Identified) -> Author:
    """Return the one who asks, as everybody may see them."""
    return Author(id=who.user.id, name=who.user.username)


def room_key(room_id: UUID) -> Key:
    """Return the key of a room's actor."""
    return ("room", str(room_id))
