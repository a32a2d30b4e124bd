"""A thread that notices when the event loop is blocked, and says by whom."""

import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING

from veza.actors.runtime.letters import logger

if TYPE_CHECKING:
    from veza.actors.runtime.system import AsyncioSystemBase

BEAT_SECONDS = 0.1
LIMIT_SECONDS = 1.0


class Watchdog:
    """Beats through the loop; a beat that is late for `limit_seconds` is logged once, with the stack.

    Costs one callback every `BEAT_SECONDS`, and nothing for each message.
    """

    def __init__(
        self, system: "AsyncioSystemBase", *, limit_seconds: float = LIMIT_SECONDS
    ) -> None:
        self.lag_seconds = 0.0
        self.blocked_count = 0
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

    def _run(self) -> None:
        loop = self._system.loop
        while not self._stopping.wait(BEAT_SECONDS) and not loop.is_closed():
            self._answered.clear()
            self._sent_at = time.monotonic()
            loop.call_soon_threadsafe(self._beat)
            if not self._answered.wait(self._limit_seconds):
                self._report()
                self._answered.wait()

    def _beat(self) -> None:
        self.lag_seconds = time.monotonic() - self._sent_at
        self._answered.set()

    def _report(self) -> None:
        frame = sys._current_frames().get(self._system.thread_id)  # noqa: SLF001  # the only way to see it
        stack = "".join(traceback.format_stack(frame)) if frame else ""
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
