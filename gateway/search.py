"""Search over HTTP: in one room, or in all rooms of a user; the newest first."""

from datetime import datetime
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.common import Key
from veza.actors.messages.reading import Place, SearchDone, SearchRoom, SearchRooms
from veza.gateway import wire
from veza.gateway.errors import expect
from veza.gateway.keys import ACTORS
from veza.gateway.limits import hold_account
from veza.gateway.paging import Paging
from veza.gateway.rates import SEARCHES

SEARCH: Key = ("search", "")


async def search_room(
    request: web.Request, room_id: UUID, text: str, query: wire.MessagesQuery, who: Identified
) -> wire.MessagePage:
    """Return messages of a room; that the user may read it was asked before."""
    await _count(request, who)
    paging = Paging(request, f"search {room_id} {text}", query, int)
    before = query.before_seq if paging.start is None else paging.start
    command = SearchRoom(
        room_id=room_id, viewer=who.user.id, query=text, before_seq=before, limit=query.limit
    )
    done = expect(await request.app[ACTORS].ask(SEARCH, command), SearchDone)
    return _page(done, paging.cursor_at(done.last and done.last.seq))


async def search_rooms(
    request: web.Request, query: wire.SearchQuery, who: Identified
) -> wire.MessagePage:
    """Return messages of the rooms that the user is a member of."""
    await _count(request, who)
    paging = Paging(request, f"search {query.q}", query, _place)
    command = SearchRooms(viewer=who.user.id, query=query.q, before=paging.start, limit=query.limit)
    done = expect(await request.app[ACTORS].ask(SEARCH, command), SearchDone)
    return _page(done, paging.cursor_at(done.last and _written(done.last)))


async def _count(request: web.Request, who: Identified) -> None:
    """Hold an account to its rate, whichever way it searches."""
    await hold_account(request, SEARCHES, who)


def _place(text: str) -> Place:
    at, room_id, seq = text.split(" ")
    return Place(room_id=UUID(room_id), seq=int(seq), at=datetime.fromisoformat(at))


def _written(place: Place) -> str:
    return f"{place.at.isoformat()} {place.room_id} {place.seq}"


def _page(done: SearchDone, cursor: str | None) -> wire.MessagePage:
    data = [wire.MessageView.found(each) for each in done.found]
    return wire.MessagePage(data=data, next_cursor=cursor)
