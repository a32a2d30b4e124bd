"""One-shot reply addresses: each takes one answer to one question; the rest are dead letters."""

import asyncio
import time
from functools import partial
from math import frexp, ldexp
from typing import TYPE_CHECKING, Final

from veza.actors.messages.common import Answer, TimedOut
from veza.actors.runtime.address import Address
from veza.actors.runtime.cell import DEAD, Cell
from veza.actors.runtime.context import request_context
from veza.actors.runtime.thespian_api import ActorAddress
from veza.actors.runtime.timers import Timers

if TYPE_CHECKING:
    from veza.actors.runtime.system import AsyncioSystemBase

STEPS: Final = 6
"""A deadline is a multiple of a power of two, 2**6 of which are more than the time-out."""
SHORTEST: Final = STEPS - 10
"""The steps are a millisecond at least."""


class ReplyAddress(Address):
    """Where one answer may go. Settled once: by it, by the time-out, or by the target's end."""

    __slots__ = ("_deadline", "command", "settled", "system", "target")

    def __init__(
        self, system: "AsyncioSystemBase", target: ActorAddress, command: str, timeout: float
    ) -> None:
        self.system = system
        self.command = command
        self.settled = False
        self.target: Cell | None = None
        self._deadline = system.deadlines.after(timeout)
        self._deadline.waiting.add(self)
        self._wait_for(target)

    @property
    def path(self) -> str:
        return f"/reply-to-{self.command}"

    def post(self, message: object, sender: ActorAddress) -> None:
        if self.settled:
            self.system.letters.bury(self, sender, message, "late answer")
        else:
            self.settle(message)

    def move_to(self, target: ActorAddress) -> None:
        """Follow a question that was passed on: now another actor's end means no answer."""
        if self.target is not None and self.target.asked is not None:
            self.target.asked.discard(self)
        self.target = None
        self._wait_for(target)

    def _wait_for(self, target: ActorAddress) -> None:
        if isinstance(target, Cell) and target.state is not DEAD:
            self.target = target
            if target.asked is None:
                target.asked = {self}
            else:
                target.asked.add(self)

    def settle(self, message: object) -> None:
        self.settled = True
        self._deadline.waiting.discard(self)
        target, self.target = self.target, None
        if target is not None and target.asked is not None:
            target.asked.discard(self)
            if not target.asked:
                target.asked = None
        self.deliver(message)

    def deliver(self, message: object) -> None:
        raise NotImplementedError

    def time_out(self) -> None:
        if not self.settled:
            self.settle(TimedOut(command=self.command))


class Deadline:
    """A moment at which the questions that still wait are given up."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: set[ReplyAddress] = set()

    def pass_by(self) -> None:
        for reply in tuple(self.waiting):
            reply.time_out()


class Deadlines:
    """Moments that many questions share: each costs a place in a set, not a timer of its own.

    None comes early, and none later by more than a millisecond or a thirty-second of its time-out.
    So there are never more than some dozens for each doubling of the time-out.
    """

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
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
        self._coming.pop(when).pass_by()


class FutureReply(ReplyAddress):
    """The answer to a coroutine that awaits it."""

    __slots__ = ("future",)

    future: "asyncio.Future[object]"
    """Given by who asks, right after the making: a constructor of its own would cost a call an ask."""

    def post(self, message: object, sender: ActorAddress) -> None:
        """Take the answer; to a coroutine that was cancelled it is nothing any more."""
        if not self.future.cancelled():
            super().post(message, sender)

    def deliver(self, message: object) -> None:
        if not self.future.done():
            self.future.set_result(message)


class TaggedReply(ReplyAddress):
    """The answer to an actor that goes on meanwhile: comes as `Answer` with the tag it gave."""

    __slots__ = ("_incarnation", "_owner", "_request", "_tag")

    def __init__(
        self, owner: Cell, target: ActorAddress, command: str, tag: object, timeout: float
    ) -> None:
        self._owner = owner
        self._incarnation = owner.incarnation
        self._request = request_context.get()
        self._tag = tag
        super().__init__(owner.scheduler.system, target, command, timeout)

    def deliver(self, message: object) -> None:
        owner = self._owner
        if owner.incarnation == self._incarnation and owner.alive:
            owner.post_always(Answer(tag=self._tag, message=message), owner, self._request)
