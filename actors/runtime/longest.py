"""The longest of the last minute's durations, in constant time for each."""

from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 60.0


class RecentLongest:
    """The longest of the values added within the last minute."""

    def __init__(self, window_seconds: float = WINDOW_SECONDS) -> None:
        self._window_seconds = window_seconds
        self._falling: deque[tuple[float, float]] = deque()

    def add(self, now: float, value: float) -> None:
        """Forget what is shorter than this newer one: it will never be the longest again."""
        self._expire(now)
        while self._falling and self._falling[-1][1] <= value:
            self._falling.pop()
        self._falling.append((now, value))

    def at(self, now: float) -> float:
        self._expire(now)
        return self._falling[0][1] if self._falling else 0.0

    def _expire(self, now: float) -> None:
        while self._falling and self._falling[0][0] <= now - self._window_seconds:
            self._falling.popleft()
