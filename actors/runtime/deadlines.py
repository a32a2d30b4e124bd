"""Moments that many share at which what still waits is given up: a question, an end."""

import time
from collections.abc import Iterator
from functools import partial
from math import frexp, ldexp
from typing import Final, Protocol

from veza.actors.runtime.slices import Slices
from veza.actors.runtime.timers import Timers

STEPS: Final = 6
"""A deadline is a multiple of a power of two, 2**6 of which are more than the time-out."""
SHORTEST: Final = STEPS - 10
"""The steps are a millisecond at least."""


class Waiting(Protocol):
    """What a deadline is for."""

    def time_out(self) -> None: ...


class Deadline:
    """A moment at which what still waits is given up."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: set[Waiting] = set()

    def pass_by(self) -> Iterator[None]:
        while self.waiting:
            self.waiting.pop().time_out()
            yield


class Deadlines:
    """Deadlines by their moment: each use costs a place in a set, not a timer of its own.

    None comes early, and none later by more than a millisecond or a thirty-second of its time-out.
    So there are never more than some dozens for each doubling of the time-out.
    """

    def __init__(self, timers: Timers, slices: Slices) -> None:
        self._timers = timers
        self._slices = slices
        self._coming: dict[float, Deadline] = {}
        self._last_timeout = -1.0
        self._step = 0.0

    def after(self, timeout_seconds: float) -> Deadline:
        if timeout_seconds != self._last_timeout:
            _, exponent = frexp(timeout_seconds)
            self._last_timeout = timeout_seconds
            self._step = ldexp(1.0, max(exponent, SHORTEST) - STEPS)
        step, now = self._step, time.monotonic()
        when = (int((now + timeout_seconds) / step) + 1) * step
        deadline = self._coming.get(when)
        if deadline is None:
            deadline = self._coming[when] = Deadline()
            self._timers.after(when - now, partial(self._pass_by, when))
        return deadline

    def _pass_by(self, when: float) -> None:
        self._slices.run(self._coming.pop(when).pass_by())
