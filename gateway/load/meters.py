"""What the machine spends on a node and on the tester: processor time, memory, and a late event loop."""

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Final

import psutil

LAG_STEP_SECONDS: Final = 0.02


class ProcessMeter:
    """Processor use of a process and of those it started (PostgreSQL, encoders), between two looks."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._at = monotonic()
        self._own = self._spent(self._process)
        self._children = self._children_spent()

    def look(self) -> dict[str, float]:
        """Return percent of one core since the last look, and the process's resident memory."""
        with suppress(psutil.NoSuchProcess):
            now, own, children = monotonic(), self._spent(self._process), self._children_spent()
            elapsed = max(1e-3, now - self._at)
            figures = {
                "cpu_percent": 100 * (own - self._own) / elapsed,
                # A child that ended takes its time along: then there is less than before.
                "children_cpu_percent": max(0.0, 100 * (children - self._children) / elapsed),
                "rss_bytes": float(self._process.memory_info().rss),
            }
            self._at, self._own, self._children = now, own, children
            return {name: round(value, 1) for name, value in figures.items()}
        return {}

    def spent(self) -> float:
        """Return all processor time of the process and its children, in seconds."""
        with suppress(psutil.NoSuchProcess):
            return self._spent(self._process) + self._children_spent()
        return 0.0

    def _children_spent(self) -> float:
        total = 0.0
        for child in self._process.children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += self._spent(child)
        return total

    @staticmethod
    def _spent(process: psutil.Process) -> float:
        times = process.cpu_times()
        return float(times.user + times.system)


class LagMeter:
    """How late the event loop runs its timers: the worst since the last look."""

    def __init__(self) -> None:
        self._worst = 0.0
        self._task = asyncio.create_task(self._measure())

    def look(self) -> float:
        """Return the worst lateness in milliseconds, and forget it."""
        worst, self._worst = self._worst, 0.0
        return round(worst * 1000, 2)

    def stop(self) -> None:
        """End measuring."""
        self._task.cancel()

    async def _measure(self) -> None:
        while True:
            due = monotonic() + LAG_STEP_SECONDS
            await asyncio.sleep(LAG_STEP_SECONDS)
            self._worst = max(self._worst, monotonic() - due)


def machine_percent() -> float:
    """Return how busy all cores were since the last look: what is not ours disturbs the figures."""
    return psutil.cpu_percent(interval=None)
