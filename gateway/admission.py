"""Who may sign in next: after a restart everybody comes back at once, and those who are in must not notice.

Sign-ins are carried out a few at a time, in the order they came. The line is bounded: who finds it full is
sent away with a time to come back, spread out, before it has cost more than a handshake.
"""

import asyncio
from collections import deque
from random import SystemRandom
from typing import Final

AT_ONCE: Final = 16
"""Enough to keep the database busy while the loop still serves others between two of them."""

A_TURN: Final = 16
"""Handshakes in one turn of the loop: two milliseconds. A thousand at once would be a turn of a hundred."""

MAX_WAITING: Final = 5_000
"""Some ten seconds' worth at 300 to 700 sign-ins a second, which is what was measured."""

RETRY_AFTER_SECONDS: Final = (1.0, 5.0)
_dice = SystemRandom()


class LineFullError(Exception):
    """Too many are waiting already."""

    def __init__(self) -> None:
        super().__init__("too many are signing in")
        self.retry_after_seconds = _dice.uniform(*RETRY_AFTER_SECONDS)


class Admission:
    """A line in front of signing in, first come, first served: `async with` it to have one's turn.

    Args:
        at_once: how many are signed in at the same time.
        max_waiting: how many may stand in line.

    """

    def __init__(self, at_once: int = AT_ONCE, max_waiting: int = MAX_WAITING) -> None:
        self._free = at_once
        self._max_waiting = max_waiting
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._line)

    def check(self) -> None:
        """Raise `LineFullError` if nobody more may join the line."""
        if len(self._line) >= self._max_waiting:
            raise LineFullError

    async def __aenter__(self) -> None:
        """Wait for one's turn; raises `LineFullError` at once if the line is full."""
        if self._free:
            self._free -= 1
        else:
            await self._stand_in_line()

    async def __aexit__(self, *_error: object) -> None:
        """Give one's turn to the next."""
        self._next()

    async def _stand_in_line(self) -> None:
        self.check()
        mine = asyncio.get_running_loop().create_future()
        self._line.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            # Who leaves the line does not keep it up; who was just called hands the turn on.
            if mine.done() and not mine.cancelled():
                self._next()
            raise

    def _next(self) -> None:
        while self._line:
            following = self._line.popleft()
            if not following.done():
                following.set_result(None)
                return
        self._free += 1


class Turnstile:
    """Lets a few through in each turn of the loop, in the order they came, so that no turn is a long one.

    Nobody is sent away here: whoever stands in line is a request that aiohttp holds anyway.
    """

    def __init__(self, a_turn: int = A_TURN) -> None:
        self._a_turn = a_turn
        self._passed = 0
        self._line: deque[asyncio.Future[None]] = deque()

    async def passing(self) -> None:
        """Wait until it is one's turn."""
        loop = asyncio.get_running_loop()
        if not self._passed:
            loop.call_soon(self._next_turn, loop)
        if self._passed < self._a_turn:
            self._passed += 1
            return
        mine = loop.create_future()
        self._line.append(mine)
        await mine

    def _next_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._passed = 0
        while self._line and self._passed < self._a_turn:
            following = self._line.popleft()
            if not following.done():
                following.set_result(None)
                self._passed += 1
        if self._passed:
            loop.call_soon(self._next_turn, loop)
