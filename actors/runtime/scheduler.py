"""The run queue: which actor handles its letters next, for how long, and when sockets get a turn.

The queue holds the first letter of every actor that has any (measured: 1.3 to 1.8 times a queue
of actors). Synchronous actors run from `call_soon`, without a Task. Letters for `async` handlers
go to a runner, a pooled Task that then drives the queue for both kinds; when a handler really
suspends, its runner stays with it and another takes over.
"""

import asyncio
import contextvars
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from veza.actors.runtime.behaviour import QUICK_SECONDS
from veza.actors.runtime.cell import EMPTY, LIVE, Cell, Letter
from veza.actors.runtime.context import request_context
from veza.actors.runtime.observation import FOLDED_AT
from veza.actors.runtime.runner import Runner

if TYPE_CHECKING:
    from veza.actors.runtime.delivery import Delivery
    from veza.actors.runtime.system import AsyncioSystemBase

LETTERS_A_LOOK: Final = 5
"""So often a slot looks at the clock, as it costs a tenth of what a letter does; 16 is 1 + 3 * 5."""
TURN_SECONDS: Final = 0.002
SPARE_MAILBOXES: Final = 256
CLOSING_SECONDS: Final = 1.0


class Scheduler:
    """One event loop's run queue. All of it runs on that loop's thread."""

    __slots__ = (
        "_context",
        "_spare",
        "armed",
        "closed",
        "current",
        "delivery",
        "driver",
        "ended",
        "loop",
        "now",
        "parked",
        "ready",
        "runners",
        "system",
        "turns",
        "watching",
    )

    delivery: "Delivery"

    def __init__(self, system: "AsyncioSystemBase", loop: asyncio.AbstractEventLoop) -> None:
        self.system = system
        self.loop = loop
        self.ready: deque[Letter] = deque()
        self.armed = False
        self.closed = False
        self.now = time.monotonic()
        self.current: Letter | None = None
        self.turns = 0
        self.driver: Runner | None = None
        self.parked: list[Runner] = []
        self.runners: set[Runner] = set()
        self.watching = False
        self.ended: list[Cell] = []
        self._spare: list[deque[Letter]] = []
        self._context = contextvars.Context()

    def arm(self, cell: Cell) -> None:
        """See to it that the queue is driven soon; called when the first letter comes."""
        self.now = time.monotonic()
        self.armed = True
        if self.closed:
            return
        if cell.behaviour.asynchronous:
            self.wake_runner()
        else:
            self.loop.call_soon(self._turn, context=self._context)

    def new_mailbox(self) -> deque[Letter]:
        return self._spare.pop() if self._spare else deque()

    def release_mailbox(self, mailbox: deque[Letter]) -> None:
        """Keep an emptied mailbox for the next actor that needs one (a deque is 0.6 KB)."""
        if mailbox is not EMPTY and len(self._spare) < SPARE_MAILBOXES:
            self._spare.append(mailbox)

    def begin_turn(self) -> float:
        """Take the time; return when the loop has to have its turn."""
        self.turns += 1
        if self.ended:
            self.sum_up()
        now = self.now = time.monotonic()
        return now + TURN_SECONDS

    def sum_up(self) -> None:
        """Add what ended actors did to their classes' totals.

        Not at their end itself: `drain` counts a slot's messages after the last of them.
        """
        ended, self.ended = self.ended, []
        for cell in ended:
            cell.behaviour.ended.add(cell)

    def drain(self, deadline: float) -> Letter | None:  # noqa: C901, PLR0912, PLR0915  # see below
        """Handle letters until time is up or none is left; return one that has to be awaited.

        The one place where speed decides the shape: a function for a slot, which is one letter where two
        actors take turns, costs 16 % of the round trips (`scripts/bench actors`, interleaved).
        """
        ready, clock = self.ready, time.monotonic
        request = request_context.get()
        while ready:
            letter = ready.popleft()
            cell = letter[0]
            mailbox = cell.mailbox
            if mailbox and len(mailbox) >= cell.high_water:
                cell.high_water = len(mailbox) + 1
            to_await = None
            handled, look_at = 0, 1
            observed = cell.observed
            while True:
                _, message, sender, wanted, _ = self.current = letter
                if wanted is not request:
                    request_context.set(wanted)
                    request = wanted
                handler = cell.table.get(message.__class__)
                if handler is not None:
                    try:
                        answer = handler(cell.instance, message, sender)
                        if answer is not None:
                            cell.reply(sender, answer)
                    except BaseException as error:  # noqa: BLE001  # a handler may raise even SystemExit
                        self.delivery.failed(letter, error)
                    if observed is not None:
                        now = clock()
                        observed.note((message.__class__, letter[4], self.now, now))
                        cell.handler_seconds += now - self.now
                        self.now = now
                elif (
                    cell.state is LIVE and message.__class__ in cell.behaviour.awaited
                ) or self.delivery.deliver(letter):
                    to_await = letter
                    break
                elif observed is not None:
                    now = clock()
                    cell.handler_seconds += now - self.now
                    self.now = now
                handled += 1
                mailbox = cell.mailbox
                if not mailbox:
                    if mailbox is not None:
                        cell.mailbox = None
                        if mailbox is not EMPTY:
                            self.release_mailbox(mailbox)
                    break
                letter = mailbox.popleft()
                if handled == look_at:
                    if handled == 1:
                        slot = cell.behaviour.slot_messages
                        if cell.handler_seconds > cell.messages_in * QUICK_SECONDS:
                            # Slow on the whole: so fewer letters fit into the time.
                            time_for = slot * QUICK_SECONDS * cell.messages_in
                            slot = min(slot, int(time_for / cell.handler_seconds) or 1)
                            look_at = min(0, slot - 1 - LETTERS_A_LOOK) + 1
                    elif clock() >= deadline:
                        slot = handled
                    if handled >= slot:
                        cell.queued_at = letter[4]
                        ready.append(letter)
                        break
                    look_at += LETTERS_A_LOOK
            if handled:
                cell.messages_in += handled
                if observed is None:
                    now = clock()
                    cell.handler_seconds += now - self.now
                    self.now = now
                elif len(observed.notes) >= FOLDED_AT:
                    observed.fold()
            if to_await is not None:
                self.current = None
                return to_await
            if self.now >= deadline:
                break
        self.current = None
        return None

    def _turn(self) -> None:
        """Drive the queue without a Task, until a letter asks for one."""
        try:
            letter = self.drain(self.begin_turn())
        except BaseException:
            # A bug of the runtime itself: the loop reports it, the other actors go on.
            self.loop.call_soon(self._turn, context=self._context)
            raise
        if self.closed:
            return
        if letter is not None:
            self.ready.appendleft(letter)
            self.wake_runner()
        elif self.ready:
            self.loop.call_soon(self._turn, context=self._context)
        else:
            self.armed = False

    # Runners.

    def wake_runner(self) -> None:
        self.armed = True
        if self.parked:
            self.driver = self.parked.pop()
            self.driver.wake()
        else:
            self.driver = Runner(self)
            self.runners.add(self.driver)

    def watch_driver(self) -> None:
        """Look, one loop iteration later, whether the driver got stuck in a handler."""
        self.watching = True
        self.loop.call_soon(self._hand_off_if_stuck)

    def _hand_off_if_stuck(self) -> None:
        self.watching = False
        driver = self.driver
        if driver is None or driver.letter is None or self.closed:
            return
        driver.suspend()
        self.current = None
        self.driver = None
        if self.ready:
            self.wake_runner()
        else:
            self.armed = False

    async def close(self) -> None:
        """End all runners; nothing is handled any more."""
        self.closed = True
        for runner in tuple(self.runners):
            runner.cancel()
        if self.runners:
            await asyncio.wait([each.task for each in self.runners], timeout=CLOSING_SECONDS)
        self.ready.clear()
