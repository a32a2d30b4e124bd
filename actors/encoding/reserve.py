"""One encoder process started ahead, while files are coming in: a track plays that much sooner.

Of the time to a track's first segment most is the start of Python and its libraries. So whoever
sees a file arrive says so, and the process is there when the file is.
"""

import asyncio
from contextlib import suppress

from veza.actors.encoding.spawn import Worker, start_worker

ENCODER = "veza.actors.encoding.worker"
IDLE_SECONDS = 60.0
"""So long it waits for the next file: it takes 60 MB meanwhile."""


class EncoderReserve:
    """Holds one waiting process at most. Use it on the event loop."""

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._waiting: Worker | None = None
        self._dismissal: asyncio.TimerHandle | None = None

    def expect(self) -> None:
        """Have a process ready soon. Without one, for want of memory, the job starts its own."""
        waiting = self._withdraw()
        with suppress(OSError):
            self._waiting = waiting or start_worker(ENCODER)
            loop = asyncio.get_running_loop()
            self._dismissal = loop.call_later(self._idle_seconds, self.close)

    def take(self) -> Worker:
        """Give the process that waits, or else a new one; raises `OSError` if none can be started."""
        return self._withdraw() or start_worker(ENCODER)

    def close(self) -> None:
        """End the process that waits."""
        if (waiting := self._withdraw()) is not None:
            waiting.dismiss()

    def _withdraw(self) -> Worker | None:
        waiting, self._waiting = self._waiting, None
        if self._dismissal is not None:
            self._dismissal.cancel()
            self._dismissal = None
        if waiting is not None and not waiting.is_alive():
            waiting.dismiss()
            return None
        return waiting
