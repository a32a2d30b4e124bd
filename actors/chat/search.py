"""The service that finds messages by their words."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.chat.markup import plain_text
from veza.actors.chat.search_text import (
    compose,
    fold,
    joined,
    read_marks,
    read_query,
    snippet,
)
from veza.actors.database import DatabaseActor
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.reading import FoundMessage, SearchDone, SearchRoom, SearchRooms
from veza.actors.runtime.address import Address
from veza.persistence import message_search
from veza.persistence.errors import TooSlowError
from veza.persistence.message_search import Place
from veza.persistence.pool import Connection
from veza.persistence.room_rows import RoomEvent

SEARCH_SECONDS: Final = 3.0


class SearchActor(DatabaseActor):
    """Searches; a few at a time, so that chat never waits for a connection behind them."""

    concurrency: ClassVar[int] = 4
    mailbox_limit: ClassVar[int] = 64

    async def receiveMsg_SearchRoom(self, command: SearchRoom, _sender: Address) -> SearchDone:
        async with self._searching() as conn:
            query = await _query(conn, command.query)
            places = await message_search.find_in_room(
                conn,
                query,
                command.room_id,
                before_seq=command.before_seq,
                limit=command.limit + 1,
            )
            return await _done(conn, query, places, command.limit, command.viewer)

    async def receiveMsg_SearchRooms(self, command: SearchRooms, _sender: Address) -> SearchDone:
        async with self._searching() as conn:
            query = await _query(conn, command.query)
            places = await message_search.find_in_all(
                conn, query, command.viewer, before=command.before, limit=command.limit + 1
            )
            return await _done(conn, query, places, command.limit, command.viewer)

    @asynccontextmanager
    async def _searching(self) -> AsyncIterator[Connection]:
        try:
            async with self.transaction() as conn, message_search.bounded(conn, SEARCH_SECONDS):
                yield conn
        except TooSlowError as error:
            raise RefusedError(
                RejectCode.UNAVAILABLE, "That took too long. Search for rarer words."
            ) from error


async def _query(conn: Connection, text: str) -> str:
    """Return what PostgreSQL searches for; refuse what asks for nothing."""
    groups = read_query(text)
    terms = [term.text for group in groups for term in group]
    query = compose(groups, iter(await message_search.stems(conn, terms))) if terms else ""
    if not query:
        raise RefusedError(RejectCode.VALIDATION_FAILED, "Name a word to search for.")
    return query


async def _done(
    conn: Connection, query: str, places: Sequence[Place], limit: int, viewer: UUID
) -> SearchDone:
    shown = places[:limit]
    events = await message_search.read_found(conn, shown, viewer)
    # In the order in which they were found; one deleted since the index was made is left out.
    there = [
        events[place.room_id, place.seq] for place in shown if (place.room_id, place.seq) in events
    ]
    last = shown[-1] if len(places) > limit else None
    return SearchDone(found=await _with_snippets(conn, there, query), last=last)


async def _with_snippets(
    conn: Connection, events: Sequence[RoomEvent], query: str
) -> tuple[FoundMessage, ...]:
    plain = [plain_text(event.text, hides_spoilers=True) for event in events]
    lines = [fold(text) for text in plain]
    marked = await message_search.mark_words(conn, [line.text for line in lines], query)
    found: list[FoundMessage] = []
    for event, text, line, twice in zip(events, plain, lines, marked, strict=True):
        marks = joined(mark for each in twice for mark in read_marks(each, line.text))
        part = snippet(text, line.origin(marks))
        found.append(FoundMessage(message=event, snippet=part.text, marks=part.marks))
    return tuple(found)
