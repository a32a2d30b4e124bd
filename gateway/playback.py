"""Playback addresses that end when their track's owner says so: which version of them is good, from memory.

A version is asked for again after `FRESH_SECONDS`: so late at most does another node's player notice. On
the node that was told it is noticed at once. While the database is away the last version known goes on
being good.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from veza.gateway.errors import ProblemCode, ProblemError

FRESH_SECONDS: Final = 10.0
MAX_TRACKS: Final = 20_000
"""Some 4 MB."""


class PlaybackVersions:
    """The current version of tracks that are played, each asked for once however many want it."""

    def __init__(
        self,
        load: Callable[[UUID], Awaitable[int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._clock = clock
        self._known: OrderedDict[UUID, tuple[int, float]] = OrderedDict()
        self._loading: dict[UUID, asyncio.Task[int]] = {}

    def known(self, track_id: UUID) -> int | None:
        """Return the version that is good, at most `FRESH_SECONDS` late, if it need not be asked for."""
        known = self._known.get(track_id)
        is_fresh = known is not None and self._clock() - known[1] < FRESH_SECONDS
        return known[0] if known is not None and is_fresh else None

    async def current(self, track_id: UUID) -> int:
        """Return the version that is good, at most `FRESH_SECONDS` late; raises `ProblemError`."""
        known = self.known(track_id)
        if known is not None:
            return known
        old = self._known.get(track_id)
        try:
            return await self.read(track_id)
        except ProblemError as error:
            if old is None or error.code is not ProblemCode.UNAVAILABLE:
                raise
            return old[0]

    async def read(self, track_id: UUID) -> int:
        """Return the version that is good now."""
        task = self._loading.get(track_id)
        if task is None:
            task = self._loading[track_id] = asyncio.ensure_future(self._load(track_id))
            task.add_done_callback(lambda done: self._loaded(track_id, done))
        # One player who goes away must not take the answer from the others.
        return await asyncio.shield(task)

    def forget(self, track_id: UUID) -> None:
        """Ask anew next time: the version has changed."""
        self._known.pop(track_id, None)
        self._loading.pop(track_id, None)

    def _loaded(self, track_id: UUID, task: "asyncio.Task[int]") -> None:
        is_newest = self._loading.get(track_id) is task
        if is_newest:
            del self._loading[track_id]
        if task.cancelled() or task.exception() is not None or not is_newest:
            return
        self._known[track_id] = (task.result(), self._clock())
        self._known.move_to_end(track_id)
        if len(self._known) > MAX_TRACKS:
            self._known.popitem(last=False)
