"""The keeper of the garbage collector: no pass walks what lives long, and no cycle is lost for good.

A full collection walks every object that can hold another: with 100,000 sessions alive it stops the
loop for 120 to 220 ms, whatever it finds. But actors, their letters and their replies die by their
reference counts, so what has lived for a while is not garbage, and `gc.freeze` takes it out of
sight. Young objects are collected as ever, in passes of about a millisecond: cycles die there.

Measured: neither actors and asks nor aiohttp on uvloop leave cycles (asyncio's own transports do,
seven objects a connection). A cycle that is frozen while still in use stays when it is dropped. Only
a full pass finds it, so there is one when the heap has grown to twice what the living actors account
for, or when asked for.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

from veza.actors.runtime.longest import RecentLongest

THRESHOLDS: Final = (1_000, 2, 1)
"""Objects a young pass, young passes a middle one, middle ones an old one: 12,000 objects at most.

Measured while 100,000 sessions are made: the longest pass 1.6 ms, 118 ms in all; with Python's own
(700, 10, 10) 118 ms and 454 ms. With (2,000, 2, 1) 2 ms and 104 ms, but 7 ms when memory is cold.
"""
FREEZE_ABOVE_SECONDS: Final = 0.001
"""An old pass that works longer has seen enough that lives. Below, nothing is frozen: a node in a
steady state goes on collecting what comes and goes, and hides no cycle. In CPU time: what other
processes take of the machine says nothing about the objects."""
GROWTH: Final = 2.0
BLOCKS_AN_ACTOR: Final = 16
"""Pieces of memory of a small actor with some state; full passes learn how many it really takes."""
CHECK_SECONDS: Final = 5.0
LEARN_FROM_ACTORS: Final = 1_000
OLD: Final = 2


class GarbageKeeper:
    """Has the process's collector in its hands from `start` to `stop`. One a process.

    `alive` tells how many actors there are: growth that they explain is no reason for a full pass.
    Every collection counts, whoever asked for it; `longest_seconds` is that of all since the start.
    """

    def __init__(self, alive: Callable[[], int]) -> None:
        self.pauses = 0
        self.pause_seconds_total = 0.0
        self.longest_seconds = 0.0
        self.objects_collected = 0
        self.freezes = 0
        self.full_passes = 0
        """Including the one of the start, the only one that is not timed."""
        self._alive = alive
        self._recent = RecentLongest()
        self._began = 0.0
        self._cpu_began = 0.0
        self._alive_first = self._alive_then = 0
        self._blocks_first = self._blocks_then = 0
        self._blocks_an_actor: float = BLOCKS_AN_ACTOR
        self._before: tuple[int, int, int] = gc.get_threshold()
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set aside what was made to start with. Walks all of it once, before anything is timed."""
        self.full_pass()
        self._alive_first, self._blocks_first = self._alive_then, self._blocks_then
        self._before = gc.get_threshold()
        gc.set_threshold(*THRESHOLDS)
        gc.callbacks.append(self._on_pass)
        self._wait(loop)

    def stop(self) -> None:
        """Leave the collector as it was found."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            gc.callbacks.remove(self._on_pass)
            gc.set_threshold(*self._before)
            gc.unfreeze()

    @property
    def longest_recent_seconds(self) -> float:
        """The longest pause of the last minute."""
        return self._recent.at(time.monotonic())

    @property
    def is_overgrown(self) -> bool:
        """Tell whether the heap is twice what it was, beyond what new actors need."""
        more = max(0, self._alive() - self._alive_then) * self._blocks_an_actor
        return sys.getallocatedblocks() > GROWTH * (self._blocks_then + more)

    def full_pass(self) -> int:
        """Collect whatever is garbage, and freeze the rest; return how many objects there were.

        Stops the loop for 0.4 us for each object alive.
        """
        gc.unfreeze()
        found = gc.collect()
        gc.freeze()
        # CPython puts off old passes until a quarter of what the last one left is new: leave nothing.
        gc.collect()
        self.full_passes += 1
        self._alive_then, self._blocks_then = self._alive(), sys.getallocatedblocks()
        actors = self._alive_then - self._alive_first
        if actors >= LEARN_FROM_ACTORS:
            learned = (self._blocks_then - self._blocks_first) / actors
            self._blocks_an_actor = max(BLOCKS_AN_ACTOR, learned)
        return found

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(CHECK_SECONDS, self._check, loop)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        if self.is_overgrown:
            self.full_pass()
        self._wait(loop)

    def _on_pass(self, phase: str, info: Mapping[str, int]) -> None:
        """Time a collection; set aside what an old one has left, if that was much."""
        now = time.monotonic()
        if phase == "start":
            self._began, self._cpu_began = now, time.thread_time()
            return
        seconds = now - self._began
        self.pauses += 1
        self.pause_seconds_total += seconds
        self.longest_seconds = max(self.longest_seconds, seconds)
        self.objects_collected += info["collected"]
        self._recent.add(now, seconds)
        worked = time.thread_time() - self._cpu_began  # what the machine did meanwhile is no reason
        if info["generation"] == OLD and worked > FREEZE_ABOVE_SECONDS:
            self.freezes += 1
            gc.freeze()
