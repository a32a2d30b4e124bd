"""A thread that notices when the event loop is blocked, and says by whom."""

import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from veza.actors.runtime.crash_text import stack_text
from veza.actors.runtime.letters import logger
from veza.actors.runtime.longest import RecentLongest
from veza.actors.runtime.thread_use import ThreadUse

if TYPE_CHECKING:
    from veza.actors.runtime.system import AsyncioSystemBase

BEAT_SECONDS = 0.1
LIMIT_SECONDS = 1.0
KEPT_BLOCKAGES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Blockage:
    """The loop stood still for `seconds` from `at` (since 1970) on: who was at work, and where."""

    at: float
    seconds: float
    at_work: str
    stack: str


class Watchdog:
    """Beats through the loop; a beat that is late for `limit_seconds` is logged once, with the stack.

    Costs one callback every `BEAT_SECONDS`, and nothing for each message. `blockages` keeps the last
    ones, with how long they lasted in the end. A loop that the machine keeps waiting is warned of: no
    code of this process is to blame.
    """

    def __init__(
        self, system: "AsyncioSystemBase", *, limit_seconds: float = LIMIT_SECONDS
    ) -> None:
        self.lag_seconds = 0.0
        self.blocked_count = 0
        self.blockages: deque[Blockage] = deque(maxlen=KEPT_BLOCKAGES)
        self._recent = RecentLongest()
        self._system = system
        self._limit_seconds = limit_seconds
        self._sent_at = 0.0
        self._answered = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="veza-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._answered.set()
        self._thread.join()

    def worst_lag_seconds(self) -> float:
        """Return the greatest lag of the last minute."""
        return self._recent.at(time.monotonic())

    def _run(self) -> None:
        loop = self._system.loop
        while not self._stopping.wait(BEAT_SECONDS) and not loop.is_closed():
            self._answered.clear()
            self._sent_at = time.monotonic()
            before = ThreadUse.now(self._system.thread_id)
            loop.call_soon_threadsafe(self._beat)
            while not self._answered.wait(self._limit_seconds):
                after = ThreadUse.now(self._system.thread_id)
                if before is None or after is None or not after.was_starved(before):
                    self._watch_blockage()
                    break
                logger.warning(
                    "the machine gave the event loop %.2f s of CPU in %.1f s: others use it",
                    after.cpu_seconds - before.cpu_seconds,
                    after.at_seconds - before.at_seconds,
                )
                before = after

    def _beat(self) -> None:
        now = time.monotonic()
        self.lag_seconds = now - self._sent_at
        self._recent.add(now, self.lag_seconds)
        self._answered.set()

    def _watch_blockage(self) -> None:
        at_work, stack = self._report()
        self._answered.wait()
        seconds = time.monotonic() - self._sent_at
        self.blockages.append(
            Blockage(at=time.time() - seconds, seconds=seconds, at_work=at_work, stack=stack)
        )

    def _report(self) -> tuple[str, str]:
        """Log who blocks the loop; return that and the stack."""
        frame = sys._current_frames().get(self._system.thread_id)  # noqa: SLF001  # the only way to see it
        stack = stack_text(frame) if frame else ""
        scheduler = self._system.scheduler
        driver = scheduler.driver
        letter = scheduler.current or (driver.letter if driver else None)
        at_work = f"{letter[0].path} on {letter[1].__class__.__name__}" if letter else "no actor"
        logger.error(
            "the event loop is blocked for %.1f s, at work: %s\n%s",
            time.monotonic() - self._sent_at,
            at_work,
            stack,
        )
        self.blocked_count += 1
        return at_work, stack
