"""The service that brings the search index up to the rooms' logs, a little behind them.

Rooms tell which of them have news; what nobody tells of (written by another node that died, or before an
upgrade) is found by looking. A crash loses nothing: each room's position is moved with what is indexed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.base import ServiceActor, WhenFull
from veza.actors.chat.search_text import searchable
from veza.actors.messages.reading import IndexFigures, IndexRested, IndexRooms, LookBehind
from veza.actors.runtime.address import Address
from veza.persistence import message_search
from veza.persistence.errors import DatabaseUnavailableError
from veza.persistence.message_search import LogNews
from veza.persistence.pool import Pool

LOOK_SECONDS: Final = 30.0
ROOMS_A_PASS: Final = 50
EVENTS_A_PASS: Final = 500
REST: Final = 4.0
"""After a pass it rests so many times as long: chat comes first on the same processors and disk."""
CAUGHT_UP_REST_SECONDS: Final = 0.25
"""Nor does it begin again sooner with nothing left: a pass costs something however few messages wait."""


class SearchIndexActor(ServiceActor):
    """One pass at a time over the rooms that have news. A hint that is lost is made up for by looking."""

    batch_limit: ClassVar[int] = 500
    mailbox_limit: ClassVar[int] = 5000
    when_full: ClassVar[WhenFull] = "drop"

    def __init__(self, *, pool: Pool) -> None:
        super().__init__()
        self.pool = pool
        self.last: IndexFigures | None = None
        # What came while it rests. No handler waits meanwhile, so a node that ends does not either.
        self._rests_until = 0.0
        self._hinted: set[UUID] = set()
        self._looks = False
        self.wakeup_after(0.0, LookBehind())

    def inspect(self) -> Mapping[str, object]:
        if self.last is None:
            return {}
        return {
            "last_pass_at": self.last.at.isoformat(timespec="seconds"),
            "last_pass_messages": self.last.messages,
            "rooms_left": self.last.rooms_left,
            "lag_seconds": round(self.last.lag_seconds, 1),
        }

    async def receive_batch(self, batch: Sequence[tuple[object, Address]]) -> None:
        messages = [message for message, _sender in batch]
        self._take_in(messages)
        if any(isinstance(message, IndexRested) for message in messages):
            self._rests_until = 0.0
        if monotonic() < self._rests_until or not (self._looks or self._hinted):
            return
        hinted, looks = self._hinted, self._looks
        self._hinted, self._looks = set(), False
        started = monotonic()
        try:
            rooms_left = await self._pass(hinted, looks=looks)
        except DatabaseUnavailableError:
            # The database keeper has logged it; the next look finds these rooms again.
            return
        least = 0.0 if rooms_left else CAUGHT_UP_REST_SECONDS
        rest_seconds = max(least, REST * (monotonic() - started))
        # A full mailbox may drop the wakeup as well: then whatever comes afterwards ends the rest.
        self._rests_until = monotonic() + rest_seconds
        self.wakeup_after(rest_seconds, IndexRested())

    def _take_in(self, messages: Sequence[object]) -> None:
        for message in messages:
            if isinstance(message, IndexRooms):
                self._hinted |= message.room_ids
            elif isinstance(message, LookBehind):
                self._looks = True
                if message.is_first:
                    self.wakeup_after(LOOK_SECONDS, LookBehind())

    async def _pass(self, rooms: set[UUID], *, looks: bool) -> int:
        """Index what is new in some of these rooms; return how many are left."""
        async with self.pool.acquire() as conn:
            if looks:
                rooms |= await message_search.rooms_behind(conn, ROOMS_A_PASS)
            now = sorted(rooms)[:ROOMS_A_PASS]
            if not now:
                return 0
            async with conn.transaction():
                news = await message_search.take_news(conn, now, EVENTS_A_PASS)
                texts = await asyncio.to_thread(_searchable, news)
                await message_search.store_words(conn, news, texts)
        left = (rooms - set(now)) | news.behind
        self._note(news, len(left))
        if left:
            self.wakeup_after(0.0, IndexRooms(room_ids=frozenset(left)))
        if looks and len(rooms) >= ROOMS_A_PASS:
            self.wakeup_after(0.0, LookBehind(is_first=False))
        return len(left)

    def _note(self, news: LogNews, rooms_left: int) -> None:
        now = datetime.now(UTC)
        lag_seconds = (now - news.newest_at).total_seconds() if news.newest_at else 0.0
        self.last = IndexFigures(
            at=now, messages=len(news.texts), rooms_left=rooms_left, lag_seconds=lag_seconds
        )


def _searchable(news: LogNews) -> list[str | None]:
    return [None if each.text is None else searchable(each.text) for each in news.texts]
