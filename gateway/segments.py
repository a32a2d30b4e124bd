"""The hot end of the media store: recently read segments in memory, each fetched once however many ask."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from veza.actors.messages.tracks import MediaRead

MAX_BYTES = 64 * 1024 * 1024
"""About 300 segments of 256 kbit/s and 6 s: the beginnings of what is popular right now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentName:
    track_id: UUID
    rendition: str
    name: str


class SegmentCache:
    """Immutable objects by name, the least recently used forgotten first.

    Args:
        load: reads an object that is not in memory; what it raises goes to everybody who waits.
        max_bytes: how much may be kept.

    """

    def __init__(
        self,
        load: Callable[[SegmentName], Awaitable[MediaRead]],
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._load = load
        self._max_bytes = max_bytes
        self._kept: OrderedDict[SegmentName, MediaRead] = OrderedDict()
        self._loading: dict[SegmentName, asyncio.Task[MediaRead]] = {}
        self.size_bytes = 0

    def peek(self, name: SegmentName) -> MediaRead | None:
        """Return an object that is in memory."""
        kept = self._kept.get(name)
        if kept is not None:
            self._kept.move_to_end(name)
        return kept

    async def get(self, name: SegmentName) -> MediaRead:
        """Return an object from memory, or load it together with all others who want it now."""
        kept = self.peek(name)
        if kept is not None:
            return kept
        task = self._loading.get(name)
        if task is None:
            task = self._loading[name] = asyncio.ensure_future(self._load(name))
            task.add_done_callback(lambda done: self._loaded(name, done))
        # One listener who goes away must not take the segment from the others.
        return await asyncio.shield(task)

    def _loaded(self, name: SegmentName, task: "asyncio.Task[MediaRead]") -> None:
        del self._loading[name]
        if not task.cancelled() and task.exception() is None:
            self._keep(name, task.result())

    def _keep(self, name: SegmentName, media: MediaRead) -> None:
        if len(media.data) > self._max_bytes:
            return
        self._kept[name] = media
        self.size_bytes += len(media.data)
        while self.size_bytes > self._max_bytes:
            _, forgotten = self._kept.popitem(last=False)
            self.size_bytes -= len(forgotten.data)
