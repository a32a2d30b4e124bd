"""Plain Thespian actors, treated as Thespian documents: one retry, then `PoisonMessage`."""

import inspect
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, cast

from veza.actors.runtime.cell import LIVE, SUSPENDED, Cell, Letter
from veza.actors.runtime.crash_text import trace_text
from veza.actors.runtime.thespian_api import (
    ActorExitRequest,
    ChildActorExited,
    PoisonMessage,
    Thespian_StatusReq,
    ThespianWatch,
    WatchMessage,
)

if TYPE_CHECKING:
    from veza.actors.runtime.delivery import Delivery
    from veza.actors.runtime.system import AsyncioSystemBase

NEVER_POISON = (ActorExitRequest, PoisonMessage, ChildActorExited)
"""A failure on these is not told to the sender, or the telling would loop."""


class ClassicDelivery:
    """Letters of actors that have `receiveMessage` and know nothing of this project."""

    def __init__(self, system: "AsyncioSystemBase", delivery: "Delivery") -> None:
        self._system = system
        self._delivery = delivery

    def deliver(self, letter: Letter) -> bool:
        """Handle a letter; True if the class's `receiveMessage` has to be awaited."""
        cell, message, sender, _, _ = letter
        if isinstance(message, Thespian_StatusReq):
            self._system.classic.answer_status(cell, sender)
            return False
        if cell.behaviour.asynchronous:
            return True
        started = time.monotonic()
        for attempt in (1, 2):
            try:
                result = receive(cell, letter)
            except BaseException as error:  # noqa: BLE001  # a handler may raise even SystemExit
                if self._failed(letter, error, attempt, started):
                    break
            else:
                self._succeeded(letter, result, started)
                break
        self._after(letter)
        return False

    async def deliver_awaited(self, letter: Letter) -> None:
        """Do the same for an `async` actor: one message at a time, as Thespian has it."""
        started = time.monotonic()
        for attempt in (1, 2):
            try:
                result = receive(letter[0], letter)
                if inspect.isawaitable(result):
                    result = await cast("Awaitable[object]", result)
            except Exception as error:  # noqa: BLE001  # as above; cancelling is no failure
                if self._failed(letter, error, attempt, started):
                    break
            else:
                self._succeeded(letter, result, started)
                break
        self._after(letter)

    def _succeeded(self, letter: Letter, result: object, started: float) -> None:
        cell = letter[0]
        if cell.observed is not None:
            cell.observed.handled(letter, started, time.monotonic())
        self._watch_files(cell, result)

    def _failed(self, letter: Letter, error: BaseException, attempt: int, started: float) -> bool:
        """Judge a failed attempt; True if there is to be no other."""
        cell, message, sender, _, _ = letter
        if cell.observed is not None:
            cell.observed.handled(letter, started, time.monotonic(), error)
        if cell.behaviour.crash_on_error or not isinstance(error, Exception):
            self._delivery.failed(letter, error)
            return True
        cell.more().errors += 1
        self._system.letters.log(
            cell.behaviour.name,
            type(error).__name__,
            "%s failed on %s (attempt %s)",
            cell.path,
            message.__class__.__name__,
            attempt,
            error=error,
        )
        if attempt == 1:
            return False
        if not isinstance(message, NEVER_POISON):
            self._system.post(sender, PoisonMessage(message, trace_text(error)), cell)
        return True

    def _after(self, letter: Letter) -> None:
        cell, message = letter[0], letter[1]
        if isinstance(message, ActorExitRequest) and cell.state in (LIVE, SUSPENDED):
            self._system.lifecycle.begin_exit(cell, letter[2], recursive=message.isRecursive)

    def _watch_files(self, cell: Cell, result: object) -> None:
        """Thespian's watch: file numbers to read from, until the next message."""
        watched = cell.rare.watched_files if cell.rare else ()
        wanted = tuple(result.filenos) if isinstance(result, ThespianWatch) else ()
        loop = self._system.loop
        for number in watched:
            loop.remove_reader(number)
        for number in wanted if cell.alive else ():
            loop.add_reader(number, self._readable, cell, number)
        if watched or wanted:
            cell.more().watched_files = wanted

    def _readable(self, cell: Cell, number: int) -> None:
        for each in cell.more().watched_files:
            self._system.loop.remove_reader(each)
        cell.more().watched_files = ()
        cell.post_always(WatchMessage([number]), cell)


def receive(cell: Cell, letter: Letter) -> object:
    """Call `receiveMessage`, looked up each time: Thespian's decorators replace it."""
    if cell.instance is None:
        return None
    result = cell.instance.receiveMessage(letter[1], letter[2])
    if inspect.iscoroutine(result) and not cell.behaviour.asynchronous:
        result.close()
        raise TypeError("receiveMessage returned a coroutine but is not `async def`")
    return result
