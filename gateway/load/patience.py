"""Asks again, politely and within a bound, when a node refuses what it will answer a moment later."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from veza.gateway.load.targets import TargetError

Answer = TypeVar("Answer")

PASSING: Final = frozenset(
    {"rate_limited", "overloaded", "unavailable", "timed_out", "connection_lost"}
    | {"busy", "crashed", "gone", "not_ready"}
)
"""Why a request fails that may be answered next time: by the gateway's words, and by the actors'."""
FIRST_SECONDS: Final = 0.1
LONGEST_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 30.0


async def patiently(
    ask: Callable[[], Awaitable[Answer]], seconds: float = PATIENCE_SECONDS
) -> Answer:
    """Return the answer to a question that may be asked twice; waits so long in all, at most.

    Each wait is twice the one before, or what the node asked for. Raises the last `TargetError`.
    """
    wait, left = FIRST_SECONDS, seconds
    while True:
        try:
            return await ask()
        except TargetError as error:
            pause = max(wait, error.retry_after_seconds)
            if str(error) not in PASSING or pause > left:
                raise
        await asyncio.sleep(pause)
        left -= pause
        wait = min(2 * wait, LONGEST_SECONDS)
