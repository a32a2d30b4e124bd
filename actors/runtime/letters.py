"""What went wrong and is kept: the newest dead letters; crashes, by cause; and a limit on log lines."""

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from traceback import walk_tb

from veza.actors.runtime.address import path_of
from veza.actors.runtime.context import request_context
from veza.actors.runtime.crash_text import error_text, trace_text
from veza.actors.runtime.thespian_api import ActorAddress

logger = logging.getLogger("veza.actors")

KEPT_LETTERS = 1000
KEPT_LETTER_BYTES = 16 * 2**20
WEIGHED_DEPTH = 2
"""What is wrapped in a message counts too, but not what that holds."""
KEPT_CAUSES = 200
KEPT_CRASHES_A_CAUSE = 10
FINGERPRINT_FRAMES = 3
FINGERPRINT_CHARS = 12
LOG_LINES_A_WINDOW = 10
LOG_WINDOW_SECONDS = 10.0
LOG_KEYS_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeadLetter:
    """A message no handler saw. The message itself is kept, so that it can be sent again."""

    letter_id: int
    target: ActorAddress
    sender: ActorAddress
    message: object
    reason: str
    request_id: str
    at: float
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashRecord:
    """An unexpected exception: where, on which message, and the traceback; long texts are cut."""

    path: str
    class_name: str
    command: str
    error_type: str
    error: str
    traceback: str
    request_id: str
    at: float


@dataclass(slots=True, kw_only=True)
class CrashCause:
    """Crashes with one fingerprint: how many since when, and the newest of them."""

    fingerprint: str
    first_at: float
    count: int = 0
    newest: deque[CrashRecord] = field(default_factory=lambda: deque(maxlen=KEPT_CRASHES_A_CAUSE))


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
    """The newest dead letters and the latest causes of crashes of one system, and how many in all."""

    def __init__(self) -> None:
        self.dead: OrderedDict[int, DeadLetter] = OrderedDict()
        self.causes: OrderedDict[str, CrashCause] = OrderedDict()
        self.dead_count = 0
        self.dead_bytes = 0
        self.crash_count = 0
        self._limit = LogLimit()

    def bury(
        self, target: ActorAddress, sender: ActorAddress, message: object, reason: str
    ) -> None:
        """Keep a dead letter, in place of the oldest if they are too many or too large together."""
        self.dead_count += 1
        size_bytes = weight(message)
        self.dead_bytes += size_bytes
        self.dead[self.dead_count] = DeadLetter(
            letter_id=self.dead_count,
            target=target,
            sender=sender,
            message=message,
            reason=reason,
            request_id=request_context.get().request_id,
            at=time.time(),
            size_bytes=size_bytes,
        )
        while len(self.dead) > KEPT_LETTERS or self.dead_bytes > KEPT_LETTER_BYTES:
            _, oldest = self.dead.popitem(last=False)
            self.dead_bytes -= oldest.size_bytes

    def discard(self, letter_ids: Collection[int] | None = None) -> int:
        """Forget dead letters, all of them without ids; return how many there were."""
        ids = tuple(self.dead) if letter_ids is None else letter_ids
        found = [self.dead.pop(letter_id) for letter_id in ids if letter_id in self.dead]
        self.dead_bytes -= sum(letter.size_bytes for letter in found)
        return len(found)

    def record_crash(
        self, address: ActorAddress, class_name: str, command: str, error: BaseException
    ) -> CrashRecord:
        """Keep the crash with those of its cause, log it once, and return it."""
        request_id = request_context.get().request_id
        self.crash_count += 1
        crash = CrashRecord(
            path=path_of(address),
            class_name=class_name,
            command=command,
            error_type=type(error).__name__,
            error=error_text(error),
            traceback=trace_text(error),
            request_id=request_id,
            at=time.time(),
        )
        self._keep(fingerprint(class_name, error), crash)
        self.log(
            class_name,
            type(error).__name__,
            "%s failed on %s (request %s): %s",
            crash.path,
            command,
            request_id or "-",
            crash.error,
            error=error,
            about={"actor": crash.path, "command": command, "request_id": request_id},
        )
        return crash

    def _keep(self, cause: str, crash: CrashRecord) -> None:
        """Put a crash at the end of its cause, and the cause at the end of all."""
        found = self.causes.get(cause)
        if found is None:
            found = self.causes[cause] = CrashCause(fingerprint=cause, first_at=crash.at)
        found.count += 1
        found.newest.append(crash)
        self.causes.move_to_end(cause)
        if len(self.causes) > KEPT_CAUSES:
            self.causes.popitem(last=False)

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


def weight(message: object, depth: int = WEIGHED_DEPTH) -> int:
    """Estimate how much memory a message keeps: the lengths of its bytes and texts."""
    if isinstance(message, (bytes, bytearray, str)):
        return len(message)
    if isinstance(message, memoryview):
        return message.nbytes
    names = getattr(message, "__dataclass_fields__", ()) if depth else ()
    return sum(weight(getattr(message, name, None), depth - 1) for name in names)


def fingerprint(class_name: str, error: BaseException) -> str:
    """Return what crashes of one cause have in common: class, exception, and the place in our code.

    Functions count, lines do not: a change elsewhere in the file is not another cause.
    """
    frames = [
        f"{frame.f_globals.get('__name__', '')}:{frame.f_code.co_qualname}"
        for frame, _line in walk_tb(error.__traceback__)
    ]
    # How a letter came to its handler says nothing about the cause.
    frames = [frame for frame in frames if not frame.startswith("veza.actors.runtime.")]
    ours = [frame for frame in frames if frame.startswith("veza.")]
    place = (ours or frames)[-FINGERPRINT_FRAMES:]
    text = "\n".join((class_name, type(error).__qualname__, *place))
    return sha256(text.encode()).hexdigest()[:FINGERPRINT_CHARS]
