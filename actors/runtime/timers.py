"""All timers of one system on one heap and one `call_later`."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable, Iterator

SHORTEST_DELAY_SECONDS = 0.001
"""uvloop rounds delays to milliseconds: a shorter one would fire early and spin."""

COMPACT_ABOVE = 256


class Timer:
    """One call in the future. `cancel` is cheap; the heap forgets it later."""

    __slots__ = ("_fire", "_timers", "when")

    def __init__(self, timers: "Timers", when: float, fire: Callable[[], None]) -> None:
        self.when = when
        self._timers = timers
        self._fire: Callable[[], None] | None = fire

    @property
    def waiting_call(self) -> Callable[[], None] | None:
        """What it will call; None once it has fired or was cancelled."""
        return self._fire

    def cancel(self) -> None:
        if self._fire is not None:
            self._fire = None
            self._timers.forgotten += 1

    def fire(self) -> None:
        call, self._fire = self._fire, None
        if call is None:
            self._timers.forgotten -= 1
        else:
            call()


class Timers:
    """A heap of timers; cancelled ones are swept out when they outnumber the living."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._handle: asyncio.TimerHandle | None = None
        self._handle_when = 0.0
        self.forgotten = 0

    def __iter__(self) -> Iterator[Timer]:
        return (timer for _, _, timer in self._heap if timer.waiting_call is not None)

    @property
    def size(self) -> int:
        """Entries on the heap, cancelled ones not yet swept out included."""
        return len(self._heap)

    def after(self, seconds: float, fire: Callable[[], None]) -> Timer:
        timer = Timer(self, time.monotonic() + max(0.0, seconds), fire)
        heapq.heappush(self._heap, (timer.when, next(self._order), timer))
        if self.forgotten > COMPACT_ABOVE and self.forgotten * 2 > len(self._heap):
            self._compact()
        if self._handle is None or timer.when < self._handle_when:
            self._arm()
        return timer

    def close(self) -> None:
        self._heap.clear()
        self.forgotten = 0
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._heap:
            self._handle_when = self._heap[0][0]
            delay = max(self._handle_when - time.monotonic(), SHORTEST_DELAY_SECONDS)
            self._handle = self._loop.call_later(delay, self._due)

    def _due(self) -> None:
        self._handle = None
        heap, now = self._heap, time.monotonic()
        while heap and heap[0][0] <= now:
            heapq.heappop(heap)[2].fire()
        if self._handle is None:
            self._arm()

    def _compact(self) -> None:
        # The same list: `_due` may be at work on it.
        self._heap[:] = [entry for entry in self._heap if entry[2].waiting_call is not None]
        heapq.heapify(self._heap)
        self.forgotten = 0
