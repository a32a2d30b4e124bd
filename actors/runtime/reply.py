"""One-shot reply addresses: each takes one answer to one question; the rest are dead letters."""

import asyncio
from typing import TYPE_CHECKING

from veza.actors.messages.common import Answer, TimedOut
from veza.actors.runtime.address import Address
from veza.actors.runtime.cell import DEAD, Cell
from veza.actors.runtime.context import request_context
from veza.actors.runtime.thespian_api import ActorAddress

if TYPE_CHECKING:
    from veza.actors.runtime.system import AsyncioSystemBase


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
