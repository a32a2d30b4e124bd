"""Addresses for single messages, whatever room they are in, and for search.

Message ids are made by clients and are unique in a room only. Of the rooms that have one, a request is
about the first that its sender may read; where there is none, there is no such message.
"""

from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.reading import (
    MESSAGES,
    FindRooms,
    MessageRead,
    MessagesRead,
    ReactorsRead,
    ReadEdits,
    ReadMessage,
    ReadPins,
    ReadReactors,
    ReadThread,
    RoomsFound,
)
from veza.actors.messages.rooms import (
    AddReaction,
    DeleteMessage,
    EditMessage,
    MarkRead,
    PinMessage,
    PointerMoved,
    RemoveReaction,
    UnpinMessage,
)
from veza.gateway import values, wire
from veza.gateway.answers import json_answer, no_content
from veza.gateway.endpoints import NO_CONTENT, Access, Endpoints
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.keys import ACTORS
from veza.gateway.paging import Paging
from veza.gateway.rooms import do, require, room_key
from veza.gateway.search import search_rooms

routes = Endpoints("messages")

HIDDEN = frozenset(
    {
        ProblemCode.NOT_FOUND,
        ProblemCode.NOT_A_MEMBER,
        ProblemCode.BANNED,
        ProblemCode.FORBIDDEN,
    }
)
"""What a room says to those who may not read it; of a message they are told only that there is none."""


@routes.declare(
    "GET", "/messages/{message_id}", access=Access.SIGNED_IN, answers={200: wire.MessageView}
)
async def show_message(request: web.Request, message_id: UUID, who: Identified) -> web.Response:
    """Show one message as it is now."""
    room_id = await room_of(request, message_id, who)
    return json_answer(request, await _view(request, room_id, message_id, who))


@routes.declare(
    "PATCH", "/messages/{message_id}", access=Access.SIGNED_IN, answers={200: wire.MessageView}
)
async def edit_message(
    request: web.Request, message_id: UUID, body: wire.MessageChange, who: Identified
) -> web.Response:
    """Change the text of a message: one's own for a while, any as a moderator."""
    room_id = await room_of(request, message_id, who)
    await do(request, room_id, who, EditMessage(message_id=message_id, text=body.text))
    return json_answer(request, await _view(request, room_id, message_id, who))


@routes.declare(
    "DELETE", "/messages/{message_id}", access=Access.SIGNED_IN, answers={204: NO_CONTENT}
)
async def delete_message(
    request: web.Request, message_id: UUID, body: wire.MessageDeletion | None, who: Identified
) -> web.Response:
    """Take a message back: one's own, or any as a moderator. A tombstone stays in its place."""
    room_id = await room_of(request, message_id, who)
    return await do(
        request,
        room_id,
        who,
        DeleteMessage(message_id=message_id, reason=body.reason if body else ""),
    )


@routes.declare(
    "GET",
    "/messages/{message_id}/history",
    access=Access.SIGNED_IN,
    answers={200: wire.EditPage},
)
async def list_edits(request: web.Request, message_id: UUID, who: Identified) -> web.Response:
    """List what a message said, from the first text to the present one; whoever may read it sees them."""
    room_id = await room_of(request, message_id, who)
    command = ReadEdits(room_id=room_id, message_id=message_id)
    edits = expect(await request.app[ACTORS].ask(MESSAGES, command), MessagesRead).messages
    return json_answer(request, wire.EditPage(data=[wire.EditView.of(each) for each in edits]))


@routes.declare(
    "GET",
    "/messages/{message_id}/thread",
    access=Access.SIGNED_IN,
    answers={200: wire.MessagePage},
)
async def list_thread(
    request: web.Request, message_id: UUID, query: wire.PageQuery, who: Identified
) -> web.Response:
    """List the replies in the thread of a message, ascending."""
    room_id = await room_of(request, message_id, who)
    paging = Paging(request, f"thread {message_id}", query, int)
    command = ReadThread(
        room_id=room_id,
        message_id=message_id,
        viewer=who.user.id,
        after_seq=paging.start or 0,
        limit=paging.read_limit,
    )
    return await _messages_answer(request, command, paging)


@routes.declare(
    "GET",
    "/messages/{message_id}/reactions",
    access=Access.SIGNED_IN,
    answers={200: wire.ReactorPage},
)
async def list_reactions(
    request: web.Request, message_id: UUID, query: wire.PageQuery, who: Identified
) -> web.Response:
    """List who reacted to a message, by emoji."""
    room_id = await room_of(request, message_id, who)
    paging = Paging(request, f"reactions {message_id}", query, _emoji_and_user)
    command = ReadReactors(
        room_id=room_id, message_id=message_id, after=paging.start, limit=paging.read_limit
    )
    read = expect(await request.app[ACTORS].ask(MESSAGES, command), ReactorsRead).reactors
    shown, cursor = paging.cut(read, lambda each: f"{each.user.id} {each.emoji}")
    view = wire.ReactorPage(data=[wire.ReactorView.of(each) for each in shown], next_cursor=cursor)
    return json_answer(request, view)


def _emoji_and_user(place: str) -> tuple[str, UUID]:
    user_id, _, emoji = place.partition(" ")
    return emoji, UUID(user_id)


@routes.declare(
    "PUT",
    "/messages/{message_id}/reactions/{emoji}",
    access=Access.SIGNED_IN,
    answers={204: NO_CONTENT},
)
async def add_reaction(
    request: web.Request, message_id: UUID, emoji: str, who: Identified
) -> web.Response:
    """React to a message with an emoji."""
    reaction = values.parse_fields(wire.ReactionPath, {"emoji": emoji})
    room_id = await room_of(request, message_id, who)
    what = AddReaction(message_id=message_id, emoji=reaction.emoji)
    return await do(request, room_id, who, what)


@routes.declare(
    "DELETE",
    "/messages/{message_id}/reactions/{emoji}",
    access=Access.SIGNED_IN,
    answers={204: NO_CONTENT},
)
async def remove_reaction(
    request: web.Request, message_id: UUID, emoji: str, who: Identified
) -> web.Response:
    """Take one's own reaction back."""
    reaction = values.parse_fields(wire.ReactionPath, {"emoji": emoji})
    room_id = await room_of(request, message_id, who)
    what = RemoveReaction(message_id=message_id, emoji=reaction.emoji)
    return await do(request, room_id, who, what)


@routes.declare(
    "PUT", "/messages/{message_id}/pin", access=Access.SIGNED_IN, answers={204: NO_CONTENT}
)
async def pin_message(request: web.Request, message_id: UUID, who: Identified) -> web.Response:
    """Pin a message in its room."""
    room_id = await room_of(request, message_id, who)
    return await do(request, room_id, who, PinMessage(message_id=message_id))


@routes.declare(
    "DELETE", "/messages/{message_id}/pin", access=Access.SIGNED_IN, answers={204: NO_CONTENT}
)
async def unpin_message(request: web.Request, message_id: UUID, who: Identified) -> web.Response:
    """Take a message off the pins of its room."""
    room_id = await room_of(request, message_id, who)
    return await do(request, room_id, who, UnpinMessage(message_id=message_id))


@routes.declare(
    "GET", "/rooms/{room_id}/pins", access=Access.SIGNED_IN, answers={200: wire.MessagePage}
)
async def list_pins(
    request: web.Request, room_id: UUID, query: wire.PageQuery, who: Identified
) -> web.Response:
    """List the pinned messages of a room, the newest message first."""
    await require(request, room_id, who, "READ")
    paging = Paging(request, f"pins {room_id}", query, int)
    command = ReadPins(
        room_id=room_id,
        viewer=who.user.id,
        before_seq=paging.start,
        limit=paging.read_limit,
    )
    return await _messages_answer(request, command, paging)


@routes.declare("PUT", "/rooms/{room_id}/read", access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def mark_read(
    request: web.Request, room_id: UUID, body: wire.ReadUpTo, who: Identified
) -> web.Response:
    """Say how far one has read a room; it never goes backwards."""
    command = MarkRead(by=who.user.id, read_seq=body.seq)
    expect(await request.app[ACTORS].ask(room_key(room_id), command), PointerMoved)
    return no_content()


@routes.declare(
    "GET",
    "/search/messages",
    access=Access.SIGNED_IN,
    answers={200: wire.MessagePage},
)
async def search_messages(
    request: web.Request, query: wire.SearchQuery, who: Identified
) -> web.Response:
    """Find messages in all rooms one is a member of, newest first."""
    return json_answer(request, await search_rooms(request, query, who))


async def room_of(request: web.Request, message_id: UUID, who: Identified) -> UUID:
    """Return the room of a message that somebody may read; raises `unknown_message` if there is none."""
    find = FindRooms(message_id=message_id, asker=who.user.id)
    for room_id in expect(await request.app[ACTORS].ask(MESSAGES, find), RoomsFound).room_ids:
        try:
            await require(request, room_id, who, "READ")
        except ProblemError as error:
            if error.code not in HIDDEN:
                raise
        else:
            return room_id
    raise ProblemError(ProblemCode.UNKNOWN_MESSAGE)


async def _view(
    request: web.Request, room_id: UUID, message_id: UUID, who: Identified
) -> wire.MessageView:
    command = ReadMessage(room_id=room_id, message_id=message_id, viewer=who.user.id)
    read = expect(await request.app[ACTORS].ask(MESSAGES, command), MessageRead)
    return wire.MessageView.of(read.message)


async def _messages_answer(
    request: web.Request, command: ReadThread | ReadPins, paging: Paging[int]
) -> web.Response:
    read = expect(await request.app[ACTORS].ask(MESSAGES, command), MessagesRead).messages
    shown, cursor = paging.cut(read, lambda event: event.seq)
    data = [wire.MessageView.of(event) for event in shown]
    return json_answer(request, wire.MessagePage(data=data, next_cursor=cursor))
