"""Places that are counted over all nodes: connections of a user, and of an address.

Each node counts its own, and refuses by that alone what is too much already. Here the others are looked at.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final, Protocol

from veza.persistence.redis_link import SharedStateUnavailableError, end_tasks
from veza.persistence.shared_places import TTL_SECONDS, RedisPlaces

BEAT_SECONDS: Final = TTL_SECONDS / 3
AWAY_SECONDS: Final = 2.0
"""How long Redis is not asked after it did not answer."""
AT_ONCE: Final = 500
MAX_WAITING: Final = 10_000
"""Changes that wait for Redis; past it places are given without asking, and all is told anew."""

logger = logging.getLogger(__name__)


class SharedPlaces(Protocol):
    """Who may have one more, counted over all nodes."""

    async def take(self, name: str, limit: int) -> bool:
        """Take one of so many places, until it is given up; False if all nodes together hold that many."""

    def give_up(self, name: str) -> None:
        """Hold one place less."""

    def start(self) -> None:
        """Begin to tell the other nodes."""

    async def close(self) -> None:
        """Hold nothing any more."""


class LocalPlaces:
    """Those of the only node, which counts them itself."""

    async def take(self, name: str, limit: int) -> bool:  # noqa: ARG002  # the same for both
        """See `SharedPlaces`."""
        return True

    def give_up(self, name: str) -> None:
        """See `SharedPlaces`."""

    def start(self) -> None:
        """See `SharedPlaces`."""

    async def close(self) -> None:
        """See `SharedPlaces`."""


@dataclass(slots=True)
class _Change:
    """One place more, for somebody who waits to hear whether they have it; or without a limit one less."""

    name: str
    limit: int
    answer: "asyncio.Future[bool] | None" = None


class NodePlaces:
    """Those of one of several nodes. What changes in one turn of the loop is one question to Redis.

    While Redis is away everybody gets a place, and all of them are told once it is back.
    """

    def __init__(self, places: RedisPlaces, *, beat_seconds: float = BEAT_SECONDS) -> None:
        self._places = places
        self._beat_seconds = beat_seconds
        self._held: Counter[str] = Counter()
        self._waiting: list[_Change] = []
        self._work = asyncio.Event()
        self._is_told = False
        self._away_until = 0.0
        self._task: asyncio.Task[None] | None = None

    async def take(self, name: str, limit: int) -> bool:
        """See `SharedPlaces`."""
        self._held[name] += 1
        if monotonic() < self._away_until or len(self._waiting) >= MAX_WAITING:
            self._is_told = False
            return True
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Change(name, limit, answer))
        self._work.set()
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            answer.add_done_callback(lambda done: self.give_up(name) if done.result() else None)
            raise

    def give_up(self, name: str) -> None:
        """See `SharedPlaces`."""
        self._forget(name)
        if monotonic() < self._away_until or len(self._waiting) >= MAX_WAITING:
            self._is_told = False
        else:
            self._waiting.append(_Change(name, 0))
            self._work.set()

    def start(self) -> None:
        """See `SharedPlaces`."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """See `SharedPlaces`."""
        task, self._task = self._task, None
        if task is not None:
            await end_tasks([task])
        self._settle(self._waiting, [True] * len(self._waiting))
        self._waiting = []
        with suppress(SharedStateUnavailableError):
            await self._places.leave()

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._beat_seconds):
                    await self._work.wait()
            # Whoever else comes in this turn of the loop is asked for together with the first.
            await asyncio.sleep(0)
            self._work.clear()
            await self._flush()

    async def _flush(self) -> None:
        changes, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        if self._waiting:
            self._work.set()
        try:
            answers = await self._ask(changes)
        except SharedStateUnavailableError as error:
            logger.info("places are counted by this node alone: %s", error)
            answers = self._do_without(changes)
        except Exception:
            # A bug, ours or the driver's, must not keep everybody out.
            logger.exception("places could not be counted")
            answers = self._do_without(changes)
        self._settle(changes, answers)

    async def _ask(self, changes: Sequence[_Change]) -> list[bool]:
        asked = [(each.name, each.limit) for each in changes]
        if self._is_told and (answers := await self._places.change(asked)) is not None:
            return answers
        # It is new there, or Redis lost what it held.
        self._is_told = True
        await self._places.tell(self._told(changes))
        if (answers := await self._places.change(asked)) is None:
            raise SharedStateUnavailableError("Redis does not keep what it is told")
        return answers

    def _told(self, changes: Sequence[_Change]) -> dict[str, int]:
        """Return what is held apart from what is still to be asked for or given back."""
        told = Counter(self._held)
        for each in (*changes, *self._waiting):
            told[each.name] += -1 if each.limit else 1
        return {name: count for name, count in told.items() if count > 0}

    def _do_without(self, changes: Sequence[_Change]) -> list[bool]:
        self._is_told = False
        self._away_until = monotonic() + AWAY_SECONDS
        return [True] * len(changes)

    def _settle(self, changes: Sequence[_Change], answers: Sequence[bool]) -> None:
        for change, is_taken in zip(changes, answers, strict=True):
            if change.answer is not None:
                if not is_taken:
                    self._forget(change.name)
                change.answer.set_result(is_taken)

    def _forget(self, name: str) -> None:
        self._held[name] -= 1
        if self._held[name] <= 0:
            del self._held[name]
