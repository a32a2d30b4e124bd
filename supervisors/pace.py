"""Long walks over actors, in slices: the loop has its turn in between."""

import asyncio
import time
from typing import Final

SLICE_SECONDS: Final = 0.002


class Pace:
    """Suspends whenever a slice of time is used up."""

    def __init__(self) -> None:
        self._until = time.monotonic() + SLICE_SECONDS

    async def step(self) -> None:
        if time.monotonic() >= self._until:
            await asyncio.sleep(0)
            self._until = time.monotonic() + SLICE_SECONDS
