"""What went wrong and is kept: the newest dead letters and crashes; and a limit on log lines."""

import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from veza.actors.runtime.address import path_of
from veza.actors.runtime.context import request_context
from veza.actors.runtime.thespian_api import ActorAddress

logger = logging.getLogger("veza.actors")

KEPT_RECORDS = 1000
LOG_LINES_A_WINDOW = 10
LOG_WINDOW_SECONDS = 10.0
LOG_KEYS_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeadLetter:
    """A message no handler saw. The message itself is kept, so that it can be sent again."""

    target: ActorAddress
    sender: ActorAddress
    message: object
    reason: str
    request_id: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashRecord:
    """An unexpected exception: where, on which message, and the traceback."""

    path: str
    class_name: str
    command: str
    error: str
    traceback: str
    request_id: str
    at: float


class LogLimit:
    """At most `LOG_LINES_A_WINDOW` lines a window for each key; the rest are counted, then told."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}

    def admit(self, class_name: str, kind: str) -> int | None:
        """None: keep silent. Otherwise log, and say how many lines were left out before."""
        now = time.monotonic()
        started, lines = self._windows.get((class_name, kind), (now, 0))
        left_out = 0
        if now - started >= LOG_WINDOW_SECONDS:
            left_out = max(0, lines - LOG_LINES_A_WINDOW)
            started, lines = now, 0
        if len(self._windows) >= LOG_KEYS_LIMIT:
            self._windows.clear()
        self._windows[class_name, kind] = (started, lines + 1)
        return left_out if lines < LOG_LINES_A_WINDOW else None


class Letters:
    """The newest dead letters and crashes of one system, and how many there were in all."""

    def __init__(self) -> None:
        self.dead: deque[DeadLetter] = deque(maxlen=KEPT_RECORDS)
        self.crashes: deque[CrashRecord] = deque(maxlen=KEPT_RECORDS)
        self.dead_count = 0
        self.crash_count = 0
        self._limit = LogLimit()

    def bury(
        self, target: ActorAddress, sender: ActorAddress, message: object, reason: str
    ) -> None:
        self.dead_count += 1
        self.dead.append(
            DeadLetter(
                target=target,
                sender=sender,
                message=message,
                reason=reason,
                request_id=request_context.get().request_id,
                at=time.time(),
            )
        )

    def record_crash(
        self, address: ActorAddress, class_name: str, command: str, error: BaseException, trace: str
    ) -> None:
        """Keep the crash, and log it once with its cause."""
        request_id = request_context.get().request_id
        self.crash_count += 1
        self.crashes.append(
            CrashRecord(
                path=path_of(address),
                class_name=class_name,
                command=command,
                error=repr(error),
                traceback=trace,
                request_id=request_id,
                at=time.time(),
            )
        )
        self.log(
            class_name,
            type(error).__name__,
            "%s failed on %s (request %s): %r",
            path_of(address),
            command,
            request_id or "-",
            error,
            error=error,
            about={"actor": path_of(address), "command": command, "request_id": request_id},
        )

    def log(
        self,
        class_name: str,
        kind: str,
        text: str,
        *values: object,
        error: BaseException | None = None,
        about: Mapping[str, str] | None = None,
    ) -> None:
        """Log as an error, unless the same class did the same too often just now.

        `about` becomes fields of the record.
        """
        left_out = self._limit.admit(class_name, kind)
        if left_out is None:
            return
        if left_out:
            text += f" ({left_out} like it were not logged)"
        logger.error(text, *values, exc_info=error, extra=about)
