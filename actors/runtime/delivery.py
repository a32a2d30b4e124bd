"""What becomes of a letter that has no ready handler, and of a handler that failed."""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

from veza.actors.messages.common import Busy, Crashed, Gone, RefusedError, Rejected
from veza.actors.runtime.behaviour import Handler
from veza.actors.runtime.cell import (
    CLEARING,
    CRASHED,
    DEAD,
    DOOMED,
    EXITING,
    LIVE,
    RESUMING,
    STASHING,
    SUSPENDED,
    UNSTASHING,
    WAKING,
    Cell,
    Letter,
)
from veza.actors.runtime.classic import ClassicDelivery
from veza.actors.runtime.control import (
    EXEMPT,
    FINISH,
    NEVER_SUSPENDED,
    NEWS,
    REPLIES,
    Resume,
)
from veza.actors.runtime.exits import ExitReason
from veza.actors.runtime.reply import ReplyAddress
from veza.actors.runtime.thespian_api import (
    ActorAddress,
    ChildActorExited,
)

if TYPE_CHECKING:
    from veza.actors.runtime.system import AsyncioSystemBase

Batch = Sequence[tuple[object, ActorAddress]]


class Delivery:
    """The slow way of a letter: by the state of its cell, then by the kind of its actor."""

    def __init__(self, system: "AsyncioSystemBase") -> None:
        self._system = system
        self._classic = ClassicDelivery(system, self)

    def deliver(self, letter: Letter) -> bool:
        """Handle a letter the table had no handler for; True if it has to be awaited."""
        cell, message = letter[0], letter[1]
        state = cell.state
        if state is LIVE:
            return self._deliver_live(letter)
        if state is STASHING:
            if isinstance(message, (*EXEMPT, *(cell.behaviour.stash_until_ready or ()))):
                return self._deliver_live(letter)
            self._hold(letter)
        elif state is SUSPENDED:
            return self._deliver_suspended(letter)
        elif state in (CLEARING, CRASHED, RESUMING, UNSTASHING, WAKING):
            self._deliver_resting(letter)
        elif state is EXITING:
            return self._deliver_exiting(letter)
        elif state in (DEAD, DOOMED):
            self.leave_over(letter, "the actor is gone")
        return False

    def _deliver_live(self, letter: Letter) -> bool:
        cell, message = letter[0], letter[1]
        behaviour = cell.behaviour
        if message is FINISH or isinstance(message, Resume):  # too late to matter
            return False
        if not behaviour.dispatches:
            return self._classic.deliver(letter)
        message_class = message.__class__
        if behaviour.batch_limit and not isinstance(message, EXEMPT):
            return True
        if message_class not in behaviour.table and not behaviour.resolve(message_class):
            self._unhandled(letter)
            return False
        if message_class in behaviour.awaited:
            return True
        self._call(letter, behaviour.table[message_class])
        return False

    def _call(self, letter: Letter, handler: Handler) -> None:
        """Run a synchronous handler; `Scheduler.drain` does the same for most letters, quicker."""
        cell, message, sender, _, _ = letter
        observed, started = cell.observed, time.monotonic()
        try:
            answer = handler(cell.instance, message, sender)
            if answer is not None:
                cell.reply(sender, answer)
        except BaseException as error:  # noqa: BLE001  # a handler may raise even SystemExit
            if observed is not None:
                observed.handled(letter, started, time.monotonic(), error)
            self.failed(letter, error)
        else:
            if observed is not None:
                observed.handled(letter, started, time.monotonic())

    def _hold(self, letter: Letter) -> None:
        """Keep a letter for later, in order, within the mailbox's bound.

        What the actor sent itself is exempt: a timer that sets itself again would be lost for ever.
        """
        cell, message, sender, _, _ = letter
        rare = cell.more()
        if rare.held is None:
            rare.held = self._system.scheduler.new_mailbox()
        has_room = len(rare.held) < cell.behaviour.mailbox_limit
        if has_room or sender is cell or isinstance(message, EXEMPT):
            rare.held.append(letter)
        else:
            self.refuse_full(cell, message, sender)

    def _deliver_resting(self, letter: Letter) -> None:
        """Hold what comes between two incarnations.

        What the lost one sent itself (its timers, the answers to its questions) is lost with it; what
        the new one does in its constructor comes after the `Resume`.
        """
        cell, message, sender, _, _ = letter
        if isinstance(message, Resume):
            if message.incarnation == cell.incarnation:
                self._system.lifecycle.resume(cell)
        elif sender is not cell or cell.state in (UNSTASHING, WAKING):
            self._hold(letter)

    def _deliver_suspended(self, letter: Letter) -> bool:
        """Hold everything but what the tree and the operators are owed."""
        message = letter[1]
        if isinstance(message, NEVER_SUSPENDED):
            return self._deliver_live(letter)
        if not isinstance(message, Resume):  # of a resumption that was taken back
            self._hold(letter)
        return False

    def _deliver_exiting(self, letter: Letter) -> bool:
        cell, message = letter[0], letter[1]
        if isinstance(message, ChildActorExited):
            return self._deliver_live(letter)
        if message is FINISH:
            self._system.lifecycle.finish(cell)
        else:
            self.leave_over(letter, "the actor is ending")
        return False

    def leave_over(self, letter: Letter, why: str) -> None:
        """No handler will see this letter: tell a waiting asker, keep it as a dead letter."""
        cell, message, sender, _, _ = letter
        if isinstance(sender, ReplyAddress) and not sender.settled:
            sender.settle(Gone(command=message.__class__.__name__))
        self._system.dead_letter(cell, sender, message, why)

    def _unhandled(self, letter: Letter) -> None:
        cell, message, sender, _, _ = letter
        if isinstance(message, NEWS):
            return
        name = message.__class__.__name__
        self._system.letters.bury(cell, sender, message, "no handler")
        if not isinstance(message, REPLIES):
            self._system.letters.log(
                cell.behaviour.name, name, "%s has no handler for %s", cell.path, name
            )

    def overflow(self, cell: Cell, message: object, sender: ActorAddress) -> None:
        """Answer for a full mailbox."""
        if isinstance(message, EXEMPT):
            cell.post_always(message, sender)
        else:
            cell.high_water = max(cell.high_water, cell.behaviour.mailbox_limit + 1)
            self.refuse_full(cell, message, sender)

    def refuse_full(self, cell: Cell, message: object, sender: ActorAddress) -> None:
        """Do what the class declares for a full mailbox."""
        cell.more().dropped += 1
        policy = cell.behaviour.when_full
        asks = isinstance(sender, ReplyAddress)
        polite = policy == "busy" and sender is not cell and not isinstance(message, REPLIES)
        if asks or polite:
            self._system.post(sender, Busy(command=message.__class__.__name__), cell)
        if not polite:
            self._system.letters.bury(cell, sender, message, "the mailbox is full")
        if policy == "close":
            self._system.lifecycle.kill(cell, "the mailbox is full")

    def failed(self, letter: Letter, error: BaseException) -> None:
        """Judge what a handler raised: a refusal is an answer, all else is a bug."""
        cell, message, sender, _, _ = letter
        command = message.__class__.__name__
        if isinstance(error, RefusedError):
            cell.reply(sender, rejection(command, error))
            return
        reason = self._record(cell, command, error)
        if sender is not cell and not isinstance(message, EXEMPT):
            self._system.post(sender, Crashed(command=command), cell)
        if is_fatal(cell, error):
            self._system.lifecycle.crash(cell, reason)

    def broken_off(self, letter: Letter, error: BaseException) -> None:
        """Log what a handler raised after its actor had ended, unless it is the cancellation."""
        if not isinstance(error, asyncio.CancelledError):
            self._record(letter[0], letter[1].__class__.__name__, error)

    def _failed_batch(self, letters: Sequence[Letter], error: BaseException) -> None:
        cell, first, _, _, _ = letters[0]
        if isinstance(error, RefusedError):
            for _, message, sender, _, _ in letters:
                cell.reply(sender, rejection(message.__class__.__name__, error))
            return
        reason = self._record(cell, first.__class__.__name__, error)
        for _, message, sender, _, _ in letters:
            if sender is not cell:
                self._system.post(sender, Crashed(command=message.__class__.__name__), cell)
        if is_fatal(cell, error):
            self._system.lifecycle.crash(cell, reason)

    def _record(self, cell: Cell, command: str, error: BaseException) -> ExitReason:
        cell.more().errors += 1
        crash = self._system.letters.record_crash(cell, cell.behaviour.name, command, error)
        return ExitReason(kind="crashed", detail=crash.error, traceback=crash.traceback)

    async def handle_otherwise(self, letter: Letter) -> None:
        """Await what has no handler of its own: a batch, or a plain Thespian actor."""
        cell = letter[0]
        if not cell.behaviour.dispatches:
            await self._classic.deliver_awaited(letter)
            return
        letters = take_batch(letter)
        cell.messages_in += len(letters) - 1
        service = cast("BatchService", cell.instance)
        incarnation, started = cell.incarnation, time.monotonic()
        try:
            await service.receive_batch([(each[1], each[2]) for each in letters])
        except (Exception, asyncio.CancelledError) as error:
            # Whatever it is, everybody of the batch is answered; what ends the process passes.
            if cell.observed is not None:
                cell.observed.handled_batch(letters, started, error)
            if cell.incarnation != incarnation:
                raise
            self._failed_batch(letters, error)
        else:
            if cell.observed is not None:
                cell.observed.handled_batch(letters, started)


class BatchService(Protocol):
    """What a class with `batch_limit` > 0 has."""

    async def receive_batch(self, batch: Batch) -> None: ...


def rejection(command: str, error: RefusedError) -> Rejected:
    return Rejected(
        command=command,
        code=error.code,
        detail=error.detail,
        retry_after_seconds=error.retry_after_seconds,
    )


def is_fatal(cell: Cell, error: BaseException) -> bool:
    """Tell who dies: a service outlives a failed request, but nobody outlives SystemExit."""
    return cell.behaviour.crash_on_error or not isinstance(
        error, (Exception, asyncio.CancelledError)
    )


def take_batch(letter: Letter) -> list[Letter]:
    """Take the letter and what waits behind it, up to the limit or the next system message."""
    cell = letter[0]
    batch = [letter]
    mailbox = cell.mailbox
    while (
        mailbox
        and len(batch) < cell.behaviour.batch_limit
        and not isinstance(mailbox[0][1], EXEMPT)
    ):
        batch.append(mailbox.popleft())
    return batch
