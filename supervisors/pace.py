"""Long walks over actors by a coroutine, in slices: the loop has its turn in between.

The runtime's own `Slices` are for work that nobody awaits, and need no Task.
"""

import asyncio
import time

from veza.actors.runtime.slices import SLICE_SECONDS


class Pace:
    """Suspends whenever a slice of time is used up."""

    def __init__(self) -> None:
        self._until = time.monotonic() + SLICE_SECONDS

    async def step(self) -> None:
        if time.monotonic() >= self._until:
            await asyncio.sleep(0)
            self._until = time.monotonic() + SLICE_SECONDS
