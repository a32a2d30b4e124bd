"""How every list is cut into pages: one entry more is read than is shown, and tells that there are more.

A cursor is the place in a list where the next page begins, good for the list of one scope only.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from aiohttp import web

from veza.gateway.keys import CURSORS
from veza.gateway.wire.bodies import PageQuery

Entry = TypeVar("Entry")
Place = TypeVar("Place")


class Paging(Generic[Place]):
    """One page that a client asks for. `start` is the place it begins at, None for the first page."""

    def __init__(
        self, request: web.Request, scope: str, query: PageQuery, place_of: Callable[[str], Place]
    ) -> None:
        """Read the cursor of a query; raises `invalid_cursor` if it is none of this list.

        `place_of` reads a place as `str` wrote it.
        """
        self._cursors = request.app[CURSORS]
        self._scope = scope
        self._shown = query.limit
        self.start: Place | None = None
        if query.cursor:
            self.start = place_of(self._cursors.decode(scope, query.cursor))

    @property
    def read_limit(self) -> int:
        """How many entries to read for this page."""
        return self._shown + 1

    def cut(
        self, read: Sequence[Entry], place: Callable[[Entry], object]
    ) -> tuple[Sequence[Entry], str | None]:
        """Return the entries to show, and the cursor of the page that begins after the last of them."""
        shown = read[: self._shown]
        return shown, self.cursor_at(place(shown[-1]) if len(read) > self._shown else None)

    def cursor_at(self, place: object | None) -> str | None:
        """Return the cursor of the page that begins at a place; None if there is no such page."""
        return None if place is None else self._cursors.encode(self._scope, str(place))


def time_and_id(place: str) -> tuple[datetime, UUID]:
    """Read a place in a list that is in order of times."""
    at, _, entry_id = place.partition(" ")
    return datetime.fromisoformat(at), UUID(entry_id)
