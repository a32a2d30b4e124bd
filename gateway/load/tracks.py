"""What becomes of an uploaded track: watched until it is published, its first segment noted on the way."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final

from veza.gateway.load.results import TIMEOUT, Probe
from veza.gateway.load.targets import TargetError

LOOK_SECONDS: Final = 0.05
FOLLOW_SECONDS: Final = 120.0


class Outcome(Enum):
    """How far a track is for a listener."""

    WAITING = "waiting"
    PLAYABLE = "playable"
    PUBLISHED = "published"
    FAILED = "failed"

    @classmethod
    def of(cls, state: str) -> "Outcome":
        """Translate a track's state."""
        known = {"playable": cls.PLAYABLE, "published": cls.PUBLISHED}
        return known.get(state, cls.FAILED if state in {"failed", "cancelled"} else cls.WAITING)


async def follow(probe: Probe, look: Callable[[], Awaitable[Outcome]]) -> None:
    """Measure when a track has its first segment and when it is published; true to 50 ms."""
    is_playable = False
    for _ in range(int(FOLLOW_SECONDS / LOOK_SECONDS)):
        try:
            state = await look()
        except TargetError as error:
            probe.miss("upload.published", str(error))
            return
        if state is Outcome.FAILED:
            probe.miss("upload.published", "failed")
            return
        if state in {Outcome.PLAYABLE, Outcome.PUBLISHED} and not is_playable:
            is_playable = True
            probe.measure("upload.first_segment")
        if state is Outcome.PUBLISHED:
            probe.measure("upload.published")
            return
        await asyncio.sleep(LOOK_SECONDS)
    probe.miss("upload.published", TIMEOUT)
