"""Search over HTTP: in one room, or in all rooms of a user; the newest first."""

from datetime import datetime
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.common import Key
from veza.actors.messages.reading import Place, SearchDone, SearchRoom, SearchRooms
from veza.gateway import wire
from veza.gateway.errors import expect
from veza.gateway.keys import ACTORS, CURSORS
from veza.gateway.limits import hold_account
from veza.gateway.rates import SEARCHES

SEARCH: Key = ("search", "")


async def search_room(
    request: web.Request, room_id: UUID, text: str, query: wire.MessagesQuery, who: Identified
) -> wire.MessagePage:
    """Return messages of a room; that the user may read it was asked before."""
    await _count(request, who)
    scope = f"search {room_id} {text}"
    before = query.before_seq
    if query.cursor:
        before = int(request.app[CURSORS].decode(scope, query.cursor))
    command = SearchRoom(
        room_id=room_id, viewer=who.user.id, query=text, before_seq=before, limit=query.limit
    )
    done = expect(await request.app[ACTORS].ask(SEARCH, command), SearchDone)
    position = str(done.last.seq) if done.last is not None else None
    return _page(request, scope, done, position)


async def search_rooms(
    request: web.Request, query: wire.SearchQuery, who: Identified
) -> wire.MessagePage:
    """Return messages of the rooms that the user is a member of."""
    await _count(request, who)
    scope = f"search {query.q}"
    before = None
    if query.cursor:
        at, room_id, seq = request.app[CURSORS].decode(scope, query.cursor).split(" ")
        before = Place(room_id=UUID(room_id), seq=int(seq), at=datetime.fromisoformat(at))
    command = SearchRooms(viewer=who.user.id, query=query.q, before=before, limit=query.limit)
    done = expect(await request.app[ACTORS].ask(SEARCH, command), SearchDone)
    position = None
    if done.last is not None:
        position = f"{done.last.at.isoformat()} {done.last.room_id} {done.last.seq}"
    return _page(request, scope, done, position)


async def _count(request: web.Request, who: Identified) -> None:
    """Hold an account to its rate, whichever way it searches."""
    await hold_account(request, SEARCHES, who)


def _page(
    request: web.Request, scope: str, done: SearchDone, position: str | None
) -> wire.MessagePage:
    return wire.MessagePage(
        data=[wire.MessageView.found(each) for each in done.found],
        next_cursor=position and request.app[CURSORS].encode(scope, position),
    )
