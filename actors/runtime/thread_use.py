"""What one thread was given of the machine: standing still and being kept waiting are told apart."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

FAIR_SHARE: Final = 0.5
"""A thread that wanted to run and was given less of a while than this was kept waiting by others."""
_RUNNABLE: Final = "R"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadUse:
    """A moment of a thread's life. `pauses`: how often it gave up the processor by itself, to wait."""

    at_seconds: float
    cpu_seconds: float
    pauses: int
    is_runnable: bool

    @classmethod
    def now(cls, thread_id: int) -> Self | None:
        """Read it of a living thread, by its identifier; None where no proc(5) tells."""
        native_id = next(
            (each.native_id for each in threading.enumerate() if each.ident == thread_id), None
        )
        try:
            status = Path(f"/proc/self/task/{native_id}/status").read_text(encoding="ascii")
        except OSError:
            return None
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        return cls(
            at_seconds=time.monotonic(),
            cpu_seconds=time.clock_gettime(time.pthread_getcpuclockid(thread_id)),
            pauses=int(fields["voluntary_ctxt_switches"]),
            is_runnable=fields["State"].startswith(_RUNNABLE),
        )

    def was_starved(self, before: "ThreadUse") -> bool:
        """Tell whether it would have run ever since `before`, but something else had the processor."""
        seconds = self.at_seconds - before.at_seconds
        is_waiting = self.is_runnable and self.pauses == before.pauses
        return is_waiting and self.cpu_seconds - before.cpu_seconds < FAIR_SHARE * seconds
