"""How actors end: in order, killed or crashed; each death is told once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from veza.actors.messages.common import Gone
from veza.actors.runtime.cell import (
    CLEARING,
    CRASHED,
    DEAD,
    DOOMED,
    EXITING,
    NO_HANDLERS,
    Cell,
    Letter,
)
from veza.actors.runtime.control import FINISH
from veza.actors.runtime.exits import ActorStopped, ChildExit, ExitReason
from veza.actors.runtime.grace import Grace
from veza.actors.runtime.teardown import fail_taken, tear_down
from veza.actors.runtime.thespian_api import (
    ActorAddress,
    ActorExitRequest,
)

if TYPE_CHECKING:
    from veza.actors.runtime.system import AsyncioSystemBase

NORMAL = ExitReason(kind="normal")
SHUTDOWN = ExitReason(kind="shutdown")
NO_TIME = "had no time to stop"
PARENT_ENDED = ExitReason(kind="killed", detail="the parent ended")
ENDS_SOON = (EXITING, DOOMED, DEAD)
"""States in which no new instance will come."""
KEPT_OVERDUE = 1000
NO_KWARGS: Mapping[str, object] = {}


class Endings:
    """The last part of a cell's way through its states. Runs on the loop's thread, never waits."""

    def __init__(self, system: "AsyncioSystemBase") -> None:
        self._system = system
        self.roots: dict[Cell, None] = {}
        self.overdue: deque[str] = deque(maxlen=KEPT_OVERDUE)

    # Orderly end.

    def begin_exit(self, cell: Cell, sender: ActorAddress, *, recursive: bool = True) -> None:
        """Take no more messages; end after the children and the handlers still at work."""
        if cell.state in (CLEARING, *ENDS_SOON):
            return
        if cell.state is CRASHED:
            self.bury(cell)
            return
        cell.state = EXITING
        cell.table = NO_HANDLERS
        rare = cell.more()
        if rare.stop_reason is None:
            above = sender is cell.parent or sender is self._system.address
            rare.stop_reason = SHUTDOWN if above else NORMAL
        self._grant_time(cell)
        self._leave_held(cell, "the actor is ending")
        if not recursive:
            for child in tuple(cell.children or ()):
                self._orphan(child)
        if rare.shutdown_seconds == 0:
            cell.post_always(FINISH, cell)
        else:
            self._stop_children(cell)
            self._finish_if_alone(cell)

    def _stop_children(self, cell: Cell) -> None:
        """Newest first: one after the other under a supervisor, all together under others."""
        if cell.behaviour.stops_in_order:
            for newest in islice(reversed(cell.children or ()), 1):
                self.stop(newest, cell)
        elif cell.children:
            self._system.slices.run(self._stops(cell))

    def _stops(self, cell: Cell) -> Iterator[None]:
        for child in reversed(tuple(cell.children or ())):
            self.stop(child, cell)
            yield

    def stop(self, cell: Cell, sender: ActorAddress) -> None:
        """Ask for an end in order, behind what waits already; who has no time for it is killed.

        Who asks it of itself still handles what waits.
        """
        if cell.state is CRASHED:
            self.bury(cell)
        elif cell.state is CLEARING:
            self._after_children(cell, DOOMED, partial(self.end, cell, SHUTDOWN))
        elif sender is not cell and cell.rare is not None and cell.rare.shutdown_seconds == 0:
            self.kill(cell, NO_TIME)
        elif cell.state not in (DOOMED, DEAD):
            cell.post_always(ActorExitRequest(), sender)
            self._grant_time(cell)

    def _grant_time(self, cell: Cell) -> None:
        """Let the time to stop run from the first time it was asked to."""
        rare = cell.rare
        if rare is not None and rare.shutdown_seconds and rare.grace is None:
            rare.grace = Grace(self, self._system.deadlines, cell, rare.shutdown_seconds)

    def kill_overdue(self, cell: Cell) -> None:
        """End an actor that was asked to and did not in the time it was given."""
        self.overdue.append(cell.path)
        self.kill(cell, "did not stop in time")

    def _orphan(self, child: Cell) -> None:
        if child.parent is not None and child.parent.children is not None:
            child.parent.children.pop(child, None)
        child.parent = None
        self.roots[child] = None

    def handlers_done(self, cell: Cell) -> None:
        if cell.state is EXITING:
            self._finish_if_alone(cell)

    def _finish_if_alone(self, cell: Cell) -> None:
        if not cell.children and cell.active == 0:
            cell.post_always(FINISH, cell)

    def finish(self, cell: Cell) -> None:
        """Go on with an orderly end."""
        rare = cell.more()
        reason = rare.stop_reason or NORMAL
        if rare.shutdown_seconds == 0:
            self._after_children(cell, DOOMED, partial(self.end, cell, reason))
        elif cell.children:
            if cell.behaviour.stops_in_order:
                self._stop_children(cell)
        elif cell.active == 0:
            self.end(cell, reason)

    # Sudden end.

    def kill(self, cell: Cell, detail: str) -> None:
        """End soon, children first; handlers that wait are cancelled."""
        if cell.alive:
            reason = ExitReason(kind="killed", detail=detail)
            self._after_children(cell, DOOMED, partial(self.end, cell, reason))

    def _after_children(self, cell: Cell, state: str, fate: Callable[[], None]) -> None:
        """End the children, which their parent is past caring for; then let it have its fate.

        A few children end at once, many in slices: meanwhile the parent is in the given state.
        """
        if not cell.children:
            fate()
            return
        is_under_way = cell.state in (CLEARING, DOOMED)
        cell.state = state
        cell.table = NO_HANDLERS
        cell.more().fate = fate
        if not is_under_way:
            self._system.slices.run(self._ends(cell))

    def _ends(self, cell: Cell) -> Iterator[None]:
        """Newest first, each after its own children."""
        for number, child in enumerate(reversed(tuple(cell.children or ()))):
            if number > 0:
                yield
            if child.children:
                child.state = DOOMED
                child.table = NO_HANDLERS
                child.more().fate = partial(self.end, child, PARENT_ENDED, tell_parent=False)
                yield from self._ends(child)
            else:
                self.end(child, PARENT_ENDED, tell_parent=False)
        rare = cell.more()
        fate, rare.fate = rare.fate, None
        # It may have met its fate already: the last children can have ended in between by themselves.
        if fate is not None and cell.state in (CLEARING, DOOMED) and not cell.children:
            fate()

    def crash(self, cell: Cell, reason: ExitReason) -> None:
        """Give the instance up. Under a supervising parent the cell and its mailbox stay."""
        if cell.state in (CLEARING, CRASHED, DOOMED, DEAD):
            return
        if cell.state is EXITING or not is_kept_by_parent(cell):
            self._after_children(cell, DOOMED, partial(self.end, cell, reason))
        else:
            self._after_children(cell, CLEARING, partial(self._crash_alone, cell, reason))

    def _crash_alone(self, cell: Cell, reason: ExitReason) -> None:
        if cell.parent is None or not is_kept_by_parent(cell):
            self.end(cell, reason)
            return
        self._drop_instance(cell, reason)
        cell.state = CRASHED
        cell.parent.post_always(ChildExit(cell, reason), cell)

    def _drop_instance(self, cell: Cell, reason: ExitReason) -> None:
        """Forget the instance and all it asked for; what it was asked for gets `Crashed`."""
        cell.table = NO_HANDLERS
        was_full = 0 < cell.behaviour.concurrency <= cell.active
        tear_down(self._system, cell)
        rare = cell.more()
        rare.note_exit(reason)
        rare.stop_reason = None
        rare.ready_told = False
        waiting: Iterable[Letter] = ()
        if was_full and cell.mailbox is not None:
            waiting, cell.mailbox = cell.mailbox, None
        if waiting or rare.held:
            kept = (*(rare.held or ()), *waiting)
            rare.held = deque(letter for letter in kept if letter[2] is not cell)
        fail_taken(self._system, cell)

    def bury(self, cell: Cell) -> None:
        """Give a crashed actor up: its death was told when it crashed."""
        if cell.state is CRASHED:
            last = cell.more().last_exit
            self.end(cell, last or NORMAL, tell_parent=False)

    # The end.

    def end(self, cell: Cell, reason: ExitReason, *, tell_parent: bool = True) -> None:
        """End for good: clean up, answer who still waits, tell who must know."""
        if not cell.alive:
            return
        tell_parent = tell_parent and cell.state is not CRASHED
        cell.state = DEAD
        cell.behaviour.alive -= 1
        self._system.scheduler.ended.append(cell)
        cell.table = NO_HANDLERS
        cell.kwargs = NO_KWARGS
        tear_down(self._system, cell)
        if cell.observed is not None:
            self._system.observer.forget(cell)
        rare = cell.more()
        rare.note_exit(reason)
        waiting, cell.mailbox = cell.mailbox, None
        self._leave_held(cell, "the actor is gone")
        for letter in waiting or ():
            self._system.delivery.leave_over(letter, "the actor is gone")
        for reply in tuple(cell.asked or ()):
            reply.settle(Gone(command=reply.command))
        for watcher in rare.watchers:
            watcher.more().watching.pop(cell, None)
            watcher.post_always(ActorStopped(address=cell, reason=reason), cell)
        rare.watchers.clear()
        self._leave_tree(cell, reason, tell_parent=tell_parent)
        self._system.forget(cell)

    def _leave_tree(self, cell: Cell, reason: ExitReason, *, tell_parent: bool) -> None:
        parent = cell.parent
        if parent is None:
            self.roots.pop(cell, None)
            return
        if parent.children is not None:
            parent.children.pop(cell, None)
        if tell_parent and parent.state not in (CLEARING, DOOMED, DEAD):
            parent.post_always(ChildExit(cell, reason), cell)
        if parent.state is EXITING and (parent.behaviour.stops_in_order or not parent.children):
            parent.post_always(FINISH, parent)

    def _leave_held(self, cell: Cell, why: str) -> None:
        if cell.rare is not None and cell.rare.held is not None:
            held, cell.rare.held = cell.rare.held, None
            for letter in held:
                self._system.delivery.leave_over(letter, why)


def is_kept_by_parent(cell: Cell) -> bool:
    """Tell whether the parent may still restart it, or will bury it."""
    parent = cell.parent
    if parent is None or not parent.behaviour.supervises:
        return False
    return parent.state not in (CLEARING, *ENDS_SOON)
