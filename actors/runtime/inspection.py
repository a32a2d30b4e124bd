"""What operators see of a running system and do to it. All of it on the loop's thread."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from veza.actors.runtime.behaviour import Behaviour
from veza.actors.runtime.cell import Cell
from veza.actors.runtime.exits import ExitRecord
from veza.actors.runtime.letters import CrashRecord, DeadLetter, Letters
from veza.actors.runtime.observation import Observation
from veza.actors.runtime.observer import Observer
from veza.actors.runtime.thespian_api import ActorAddress
from veza.actors.runtime.trace import Describe, Trace

if TYPE_CHECKING:
    from veza.actors.runtime.lifecycle import Lifecycle
    from veza.actors.runtime.scheduler import Scheduler


class Inspection:
    """The operators' side of `AsyncioSystemBase`, which inherits this."""

    letters: Letters
    lifecycle: "Lifecycle"
    observer: Observer
    scheduler: "Scheduler"

    def post(self, target: ActorAddress, message: object, sender: ActorAddress) -> None:
        """Send, as whom you like."""
        raise NotImplementedError

    # The tree and its figures.

    def tree(self) -> Iterator[Cell]:
        """All cells, each parent before its children, siblings in order of creation."""
        waiting = list(reversed(self.lifecycle.roots))
        while waiting:
            cell = waiting.pop()
            yield cell
            waiting.extend(reversed(cell.children or ()))

    def behaviours(self) -> Collection[Behaviour]:
        """Every actor class used so far, with how many are alive and what the ended ones did."""
        self.scheduler.sum_up()
        return self.lifecycle.behaviours.values()

    @property
    def alive_count(self) -> int:
        return sum(each.alive for each in self.lifecycle.behaviours.values())

    @property
    def run_queue_length(self) -> int:
        """How many actors have a message that could be handled now."""
        return len(self.scheduler.ready)

    # What is done to one actor by hand.

    def suspend(self, cell: Cell) -> bool:
        """Let an actor handle nothing but exit requests, its children's ends and status.

        All else waits, in order and within the mailbox's bound. False if the actor is not live.
        """
        return self.lifecycle.suspend(cell)

    def resume(self, cell: Cell) -> bool:
        """Let a suspended actor go on with what waited; False if it is not suspended."""
        return self.lifecycle.take_back_suspension(cell)

    # One actor from near.

    def look(self, cell: Cell) -> Observation:
        """Show an actor's last messages and counts, kept from now on if they were not already.

        Of those looked at the last `LOOKED_AT_LIMIT` are kept. Raises `ActorEndedError`.
        """
        return self.observer.look(cell)

    def trace(
        self,
        cell: Cell,
        *,
        limit: int,
        seconds: float,
        message_type: str = "",
        describe: Describe | None = None,
    ) -> Trace:
        """Keep the next messages an actor handles, of one class or all, until `limit` or `seconds`.

        `describe` makes the text that is kept of a message; it must not raise. Raises
        `TooManyTracesError` (4 an actor, 16 a system) and `ActorEndedError`.
        """
        return self.observer.trace(
            cell,
            limit=limit,
            seconds=seconds,
            message_type=message_type,
            describe=describe,
        )

    # What went wrong.

    @property
    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Those that are kept, oldest first."""
        return tuple(self.letters.dead.values())

    @property
    def crashes(self) -> tuple[CrashRecord, ...]:
        """The newest of each cause that is kept, oldest first."""
        kept = (crash for cause in self.letters.causes.values() for crash in cause.newest)
        return tuple(sorted(kept, key=lambda crash: crash.at))

    def replay(self, letter: DeadLetter) -> None:
        """Send a dead letter again; if that fails too, it comes back as a new one."""
        self.letters.discard((letter.letter_id,))
        self.post(letter.target, letter.message, letter.sender)


def exits_of(cell: Cell) -> tuple[ExitRecord, ...]:
    """Tell why the actor's last instances ended, newest first."""
    return cell.rare.exits if cell.rare else ()


def subtree(root: Cell) -> Iterator[Cell]:
    yield root
    for child in tuple(root.children or ()):
        yield from subtree(child)
