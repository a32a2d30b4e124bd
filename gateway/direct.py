"""Addresses for what is one's own: conversations, whom one blocks, and what one began to write."""

from http import HTTPStatus
from typing import Final
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.rooms import RoomKind
from veza.actors.messages.ways import (
    WAYS,
    BlockedListed,
    BlockUser,
    ConversationOpened,
    DraftKept,
    DraftsListed,
    DropDraft,
    KeepDraft,
    ListBlocked,
    ListDrafts,
    ListOwnRooms,
    OpenDirect,
    OpenGroup,
    OwnRoomsListed,
    UnblockUser,
    WayDone,
)
from veza.config.ids import uuid7
from veza.gateway import wire
from veza.gateway.answers import json_answer, no_content
from veza.gateway.endpoints import API, NO_CONTENT, Access, Endpoints
from veza.gateway.errors import FieldCode, FieldError, ProblemCode, ProblemError, expect
from veza.gateway.keys import ACTORS
from veza.gateway.limits import hold_account
from veza.gateway.paging import Paging
from veza.gateway.rates import CONVERSATIONS
from veza.gateway.rooms import author_of, require, room_answer
from veza.gateway.wire import ways

routes = Endpoints("direct")

TALKS: Final = frozenset({RoomKind.DIRECT, RoomKind.GROUP})
BLOCK: Final = "/users/{user_id}/block"
DRAFT: Final = "/rooms/{room_id}/draft"


@routes.declare(
    "POST",
    "/dms",
    access=Access.SIGNED_IN,
    answers={201: wire.RoomView, 200: wire.RoomView},
)
async def open_conversation(
    request: web.Request, body: ways.NewConversation, who: Identified
) -> web.Response:
    """Talk to one other, always in the same room, or to several, in a new group."""
    others = frozenset(body.user_ids) - {who.user.id}
    if not others:
        detail = "Somebody else, please."
        error = FieldError(pointer="/user_ids", code=FieldCode.INVALID_VALUE, detail=detail)
        raise ProblemError(ProblemCode.VALIDATION_FAILED, detail, errors=(error,))
    await hold_account(request, CONVERSATIONS, who)
    reply = await request.app[ACTORS].ask(WAYS, _opening(body, others, who))
    opened = expect(reply, ConversationOpened)
    status = HTTPStatus.CREATED if opened.is_new else HTTPStatus.OK
    location = {"Location": f"{API}/rooms/{opened.room.id}"}
    return room_answer(request, opened.room, status, location)


def _opening(
    body: ways.NewConversation, others: frozenset[UUID], who: Identified
) -> OpenDirect | OpenGroup:
    creator = author_of(who)
    if len(others) == 1:
        (other,) = others
        return OpenDirect(room_id=uuid7(), creator=creator, other_id=other)
    return OpenGroup(room_id=uuid7(), creator=creator, other_ids=others, name=body.name or "")


@routes.declare("GET", "/dms", access=Access.SIGNED_IN, answers={200: ways.ConversationPage})
async def list_conversations(
    request: web.Request, query: wire.PageQuery, who: Identified
) -> web.Response:
    """List one's conversations, the newest one first, with whom and since when."""
    paging = Paging(request, "dms", query, UUID)
    command = ListOwnRooms(
        user_id=who.user.id, before=paging.start, limit=paging.read_limit, kinds=TALKS
    )
    listed = expect(await request.app[ACTORS].ask(WAYS, command), OwnRoomsListed)
    pairs = list(zip(listed.memberships, listed.partners, strict=True))
    shown, cursor = paging.cut(pairs, lambda pair: pair[0].room.id)
    data = [ways.ConversationView.with_partners(*pair) for pair in shown]
    return json_answer(request, ways.ConversationPage(data=data, next_cursor=cursor))


# --- blocks ---


@routes.declare("PUT", BLOCK, access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def block_user(request: web.Request, user_id: UUID, who: Identified) -> web.Response:
    """Have nothing to do with somebody: no conversations, mentions and invitations of theirs."""
    command = BlockUser(user_id=who.user.id, blocked_id=user_id)
    expect(await request.app[ACTORS].ask(WAYS, command), WayDone)
    return no_content()


@routes.declare("DELETE", BLOCK, access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def unblock_user(request: web.Request, user_id: UUID, who: Identified) -> web.Response:
    """Block somebody no more."""
    command = UnblockUser(user_id=who.user.id, blocked_id=user_id)
    expect(await request.app[ACTORS].ask(WAYS, command), WayDone)
    return no_content()


@routes.declare("GET", "/me/blocks", access=Access.SIGNED_IN, answers={200: ways.BlockedPage})
async def list_blocked(request: web.Request, who: Identified) -> web.Response:
    """List whom one blocks, the newest first."""
    reply = await request.app[ACTORS].ask(WAYS, ListBlocked(user_id=who.user.id))
    found = expect(reply, BlockedListed).users
    return json_answer(request, ways.BlockedPage(data=[wire.AuthorView.of(e) for e in found]))


# --- drafts ---


@routes.declare("PUT", DRAFT, access=Access.SIGNED_IN, answers={200: ways.DraftView})
async def keep_draft(
    request: web.Request, room_id: UUID, body: ways.NewDraft, who: Identified
) -> web.Response:
    """Keep what one began to write in a room, for all one's devices."""
    await require(request, room_id, who, "READ")
    command = KeepDraft(room_id=room_id, user_id=who.user.id, text=body.text)
    draft = expect(await request.app[ACTORS].ask(WAYS, command), DraftKept).draft
    return json_answer(request, ways.DraftView.of(draft))


@routes.declare("DELETE", DRAFT, access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def drop_draft(request: web.Request, room_id: UUID, who: Identified) -> web.Response:
    """Forget what one began to write in a room, which need not be there any more."""
    command = DropDraft(room_id=room_id, user_id=who.user.id)
    expect(await request.app[ACTORS].ask(WAYS, command), WayDone)
    return no_content()


@routes.declare("GET", "/me/drafts", access=Access.SIGNED_IN, answers={200: ways.DraftPage})
async def list_drafts(request: web.Request, who: Identified) -> web.Response:
    """List what one began to write, the newest first."""
    reply = await request.app[ACTORS].ask(WAYS, ListDrafts(user_id=who.user.id))
    found = expect(reply, DraftsListed).drafts
    return json_answer(request, ways.DraftPage(data=[ways.DraftView.of(each) for each in found]))
