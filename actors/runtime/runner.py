"""A runner: a pooled Task in which `async` handlers run, and which drives the queue meanwhile."""

import asyncio
import contextvars
import time
import types
from collections.abc import Generator
from typing import TYPE_CHECKING

from veza.actors.runtime.cell import EMPTY, EXITING, Cell, Letter

if TYPE_CHECKING:
    from veza.actors.runtime.scheduler import Scheduler

PARKED_RUNNERS = 64


@types.coroutine
def let_the_loop_run() -> Generator[None, None, None]:
    """Suspend for one iteration of the event loop."""
    yield


class Runner:
    """Handles one awaited letter at a time. A suspended runner belongs to its letter's actor."""

    __slots__ = ("_retired", "_scheduler", "_wake", "letter", "started", "suspended", "task")

    def __init__(self, scheduler: "Scheduler") -> None:
        self._scheduler = scheduler
        self._wake: asyncio.Future[None] | None = None
        self._retired = False
        self.letter: Letter | None = None
        self.started = 0.0
        self.suspended = False
        self.task = scheduler.loop.create_task(self._run(), context=contextvars.Context())

    def wake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def suspend(self) -> None:
        """Stay with a handler that waits: the actor remembers who works for it."""
        if self.letter is not None:
            self.suspended = True
            self.letter[0].more().in_flight[self] = None

    def cancel(self) -> None:
        """Break off the handler (the actor is killed); this runner ends with it."""
        self._retired = True
        self.task.cancel()

    def _was_cancelled(self, error: BaseException) -> bool:
        """Tell an end of this runner from a handler that awaited something cancelled."""
        if isinstance(error, asyncio.CancelledError) and self.task.cancelling():
            self._retired = True
        return self._retired

    async def _run(self) -> None:
        try:
            await self._drive()
            while not self._retired and await self._park():
                await self._drive()
        finally:
            self._leave()

    def _leave(self) -> None:
        scheduler = self._scheduler
        scheduler.runners.discard(self)
        if self in scheduler.parked:
            scheduler.parked.remove(self)
        if scheduler.driver is self:
            scheduler.driver = None
            scheduler.armed = False
            if scheduler.ready and not scheduler.closed:
                scheduler.wake_runner()

    async def _park(self) -> bool:
        """Wait to be woken; False if there are enough that wait."""
        scheduler = self._scheduler
        if len(scheduler.parked) >= PARKED_RUNNERS:
            return False
        self._wake = scheduler.loop.create_future()
        scheduler.parked.append(self)
        await self._wake
        return True

    async def _drive(self) -> None:  # noqa: PLR0912  # flat for speed
        """Drive the queue until it is empty, or until another runner has taken it over.

        Flat for speed: one more coroutine around the handler costs a tenth of the rate.
        """
        scheduler = self._scheduler
        deadline = scheduler.begin_turn()
        while scheduler.driver is self:
            letter = scheduler.drain(deadline)
            if letter is not None:
                cell, message, sender, _, _ = letter
                incarnation, behaviour = cell.incarnation, cell.behaviour
                handler = behaviour.awaited.get(message.__class__)
                self._begin(letter, cell)
                try:
                    if handler is None:
                        await scheduler.delivery.handle_otherwise(letter)
                    else:
                        answer = await handler(cell.instance, message, sender)
                        if answer is not None:
                            cell.reply(sender, answer)
                        if cell.observed is not None:
                            cell.observed.handled(letter, self.started, time.monotonic())
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001  # a handler may raise even SystemExit
                    if handler is not None and cell.observed is not None:
                        cell.observed.handled(letter, self.started, time.monotonic(), error)
                    if self._was_cancelled(error) or cell.incarnation != incarnation:
                        scheduler.delivery.broken_off(letter, error)
                    else:
                        scheduler.delivery.failed(letter, error)
                self._end(cell, incarnation)
                if self._retired:
                    return
                if scheduler.driver is None and not scheduler.armed:
                    deadline = scheduler.begin_turn()
                    scheduler.armed = True
                    scheduler.driver = self
            elif not scheduler.ready:
                scheduler.driver = None
                scheduler.armed = False
            if scheduler.now >= deadline and scheduler.driver is self:
                await let_the_loop_run()
                deadline = scheduler.begin_turn()

    def _begin(self, letter: Letter, cell: Cell) -> None:
        """Count the handler; let the actor's next letter follow if it may handle one more."""
        scheduler = self._scheduler
        if not scheduler.watching:
            scheduler.watch_driver()
        cell.messages_in += 1
        cell.active += 1
        if cell.active < cell.behaviour.concurrency:
            self._queue_next(cell)
        self.letter = letter
        self.started = scheduler.now

    def _end(self, cell: Cell, incarnation: int) -> None:
        scheduler = self._scheduler
        self.letter = None
        now = scheduler.now = time.monotonic()
        if self.suspended:
            self.suspended = False
            if cell.rare is not None:
                cell.rare.in_flight.pop(self, None)
        if cell.incarnation != incarnation:
            account = cell if cell.alive else cell.behaviour.ended
            account.handler_seconds += now - self.started
            return
        cell.handler_seconds += now - self.started
        was_full = cell.active == cell.behaviour.concurrency
        cell.active -= 1
        if was_full:
            self._queue_next(cell)
        if cell.state is EXITING:
            scheduler.system.lifecycle.handlers_done(cell)

    def _queue_next(self, cell: Cell) -> None:
        """Put the actor's next letter into the run queue."""
        scheduler, mailbox = self._scheduler, cell.mailbox
        if not mailbox:
            cell.mailbox = None
            if mailbox is not None and mailbox is not EMPTY:
                scheduler.release_mailbox(mailbox)
            return
        letter = mailbox.popleft()
        cell.queued_at = letter[4]
        scheduler.ready.append(letter)
        if not scheduler.armed:
            scheduler.arm(cell)
