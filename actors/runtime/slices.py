"""Work over very many actors at once, in slices: the loop has its turn in between."""

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final

STEPS_AT_ONCE: Final = 64
"""So many steps are taken before `run` returns: what concerns a few actors is done then."""
SLICE_SECONDS: Final = 0.002


class Slices:
    """Takes steps, each of them short: the first ones at once, the others in later turns of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Iterator[None]] = deque()
        self._context = contextvars.Context()

    def run(self, steps: Iterator[None]) -> None:
        for _ in islice(steps, STEPS_AT_ONCE - 1):
            pass
        if next(steps, self) is self:  # that was all
            return
        self._waiting.append(steps)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._turn, context=self._context)

    def finish(self) -> None:
        """Take all the steps that are left, now."""
        while self._waiting:
            for _ in self._waiting.popleft():
                pass

    def _turn(self) -> None:
        """Go on with what came first. Should a step fail, the loop reports it, and others go on."""
        if not self._waiting:
            return
        steps, until = self._waiting.popleft(), time.monotonic() + SLICE_SECONDS
        try:
            for _ in steps:
                if time.monotonic() >= until:
                    self._waiting.appendleft(steps)
                    break
        finally:
            if self._waiting:
                self._loop.call_soon(self._turn, context=self._context)
