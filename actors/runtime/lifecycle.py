"""Birth, orderly end, kill, crash and restart in place of actors; each death is told once."""

import time
import traceback
from collections import deque
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from veza.actors.messages.common import Gone, Ready
from veza.actors.runtime.behaviour import Behaviour, Handler
from veza.actors.runtime.cell import (
    CRASHED,
    DEAD,
    EMPTY,
    EXITING,
    LIVE,
    NO_HANDLERS,
    RESUMING,
    STASHING,
    SUSPENDED,
    UNSTASHING,
    WAKING,
    Cell,
    Letter,
)
from veza.actors.runtime.control import FINISH, RESUME
from veza.actors.runtime.exits import ActorStopped, ChildExit, ExitReason
from veza.actors.runtime.teardown import fail_taken, tear_down
from veza.actors.runtime.thespian_api import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    Thespian_StatusReq,
)

if TYPE_CHECKING:
    from veza.actors.runtime.system import AsyncioSystemBase

NORMAL = ExitReason(kind="normal")
SHUTDOWN = ExitReason(kind="shutdown")
KEPT_OVERDUE = 1000
NO_KWARGS: Mapping[str, object] = {}


class Lifecycle:
    """Moves cells through their states. Runs on the loop's thread, never waits."""

    def __init__(self, system: "AsyncioSystemBase") -> None:
        self._system = system
        self.behaviours: dict[type[Actor], Behaviour] = {}
        self._control: dict[type, Handler] = {
            ActorExitRequest: self._exit_requested,
            Thespian_StatusReq: self._status_requested,
        }
        self.roots: dict[Cell, None] = {}
        self.overdue: deque[str] = deque(maxlen=KEPT_OVERDUE)

    def behaviour(self, actor_class: type[Actor]) -> Behaviour:
        found = self.behaviours.get(actor_class)
        if found is None:
            found = self.behaviours[actor_class] = Behaviour(actor_class, self._control)
        return found

    # Birth.

    def create(
        self,
        actor_class: type[Actor],
        kwargs: Mapping[str, object],
        parent: Cell | None,
        name: str,
    ) -> Cell:
        """Make the cell and its place in the tree; `start` makes the actor itself."""
        behaviour = self.behaviour(actor_class)
        label: str | int = name
        if not name:
            behaviour.counter += 1
            label = behaviour.counter
        scheduler = self._system.scheduler
        if not scheduler.armed:
            scheduler.now = time.monotonic()
        cell = Cell(scheduler, behaviour, parent, label, kwargs)
        behaviour.alive += 1
        if self._system.observer.places:
            self._system.observer.give_place(cell)
        if parent is None:
            self.roots[cell] = None
        else:
            if parent.children is None:
                parent.children = {}
            parent.children[cell] = None
        return cell

    def start(self, cell: Cell) -> None:
        """Run the constructor; if it fails, the parent hears of it, or without one: raise."""
        if cell.parent is not None and cell.parent.state in (EXITING, CRASHED, DEAD):
            reason = ExitReason(kind="not_started", detail="the parent is ending")
            self.end(cell, reason, tell_parent=False)
            return
        try:
            self._construct(cell)
        except BaseException as error:
            reason = self._not_started(cell, error)
            if cell.parent is None:
                self._kill_children(cell)
                self.end(cell, reason)
                raise
            self.crash(cell, reason)
            return
        self.resume(cell)

    def _construct(self, cell: Cell) -> None:
        """Make the instance. It knows its cell before its constructor runs, so it may send there."""
        cell.state = RESUMING
        actor_class = cell.behaviour.actor_class
        instance: Any = actor_class.__new__(actor_class)
        instance._myRef = cell  # noqa: SLF001  # where Thespian's Actor looks for its base
        cell.instance = instance
        instance.__init__(**cell.kwargs)

    def _not_started(self, cell: Cell, error: BaseException) -> ExitReason:
        trace = "".join(traceback.format_exception(error))
        self._system.letters.record_crash(cell, cell.behaviour.name, "__init__", error, trace)
        return ExitReason(kind="not_started", detail=repr(error), traceback=trace)

    def resume(self, cell: Cell) -> None:
        """Go live with the new instance, or stash until it says that it is ready."""
        if cell.state is WAKING:
            self._take_up(cell)
            return
        cell.state = STASHING
        ready_told = cell.rare is not None and cell.rare.ready_told
        if cell.behaviour.stash_until_ready is None or ready_told:
            self._go_live(cell)

    def become_ready(self, cell: Cell) -> None:
        """Take up what was stashed, in order, before anything else."""
        if cell.state is RESUMING:
            cell.more().ready_told = True
        elif cell.state is STASHING:
            current = self._system.scheduler.current
            if (current is not None and current[0] is cell) or not has_held(cell):
                self._go_live(cell)
            else:
                cell.more().ready_told = True
                cell.state = UNSTASHING
                cell.post_always(RESUME, cell)

    def _go_live(self, cell: Cell) -> None:
        self._take_up(cell)
        if cell.behaviour.dispatches and cell.parent is not None:
            cell.parent.post_always(Ready(), cell)

    def _take_up(self, cell: Cell) -> None:
        cell.state = LIVE
        cell.choose_table()
        if has_held(cell):
            self._requeue_held(cell)

    def _requeue_held(self, cell: Cell) -> None:
        """Put what was held before what waits. Only called while the cell handles a letter."""
        rare = cell.more()
        held, rare.held = rare.held, None
        if held is None:
            return
        if cell.mailbox is not None and cell.mailbox is not EMPTY:
            held.extend(cell.mailbox)
        cell.mailbox = held

    # Suspension.

    def suspend(self, cell: Cell) -> bool:
        """Handle nothing more but `NEVER_SUSPENDED`; handlers at work go on to their end."""
        if cell.state not in (LIVE, WAKING):
            return False
        cell.state = SUSPENDED
        cell.choose_table()
        return True

    def take_back_suspension(self, cell: Cell) -> bool:
        """Take up what waited, in order, before anything else."""
        if cell.state is not SUSPENDED:
            return False
        cell.state = WAKING
        cell.post_always(RESUME, cell)
        return True

    # Orderly end.

    def _exit_requested(
        self, instance: Any, message: ActorExitRequest, sender: ActorAddress
    ) -> None:
        cell: Cell = instance._myRef  # noqa: SLF001
        handler = cell.behaviour.own_exit_handler()
        try:
            if handler is not None:
                handler(instance, message, sender)
        finally:
            self.begin_exit(cell, sender, recursive=message.isRecursive)

    def _status_requested(self, instance: Any, _: object, sender: ActorAddress) -> None:
        self._system.classic.answer_status(instance._myRef, sender)  # noqa: SLF001

    def begin_exit(self, cell: Cell, sender: ActorAddress, *, recursive: bool = True) -> None:
        """Take no more messages; end after the children and the handlers still at work."""
        if cell.state in (EXITING, DEAD):
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
        self._leave_held(cell, "the actor is ending")
        if not recursive:
            for child in tuple(cell.children or ()):
                self._orphan(child)
        self._stop_children(cell)
        self._finish_if_alone(cell)

    def _stop_children(self, cell: Cell) -> None:
        """Newest first: one after the other under a supervisor, all at once under others."""
        children = tuple(reversed(cell.children or ()))
        for child in children[:1] if cell.behaviour.stops_in_order else children:
            self.stop(child, cell)

    def stop(self, cell: Cell, sender: ActorAddress) -> None:
        """Ask for an end in order, behind what waits already."""
        if cell.state is CRASHED:
            self.bury(cell)
        elif cell.alive:
            cell.post_always(ActorExitRequest(), sender)
            seconds = cell.rare.shutdown_seconds if cell.rare else None
            if seconds is not None:
                overdue = partial(self._kill_overdue, cell, cell.incarnation)
                self._system.timers.after(seconds, overdue)

    def _kill_overdue(self, cell: Cell, incarnation: int) -> None:
        """End an actor that was asked to and did not in the time it was given."""
        if cell.incarnation == incarnation and cell.alive:
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
        if not cell.children and cell.active == 0:
            self.end(cell, cell.more().stop_reason or NORMAL)

    # Sudden end.

    def kill(self, cell: Cell, detail: str, *, tell_parent: bool = True) -> None:
        """End at once, children first; handlers that wait are cancelled."""
        if cell.alive:
            self._kill_children(cell)
            self.end(cell, ExitReason(kind="killed", detail=detail), tell_parent=tell_parent)

    def _kill_children(self, cell: Cell) -> None:
        """End them with their parent, which is past caring (or will be a new instance)."""
        for child in reversed(tuple(cell.children or ())):
            self.kill(child, "the parent ended", tell_parent=False)

    def crash(self, cell: Cell, reason: ExitReason) -> None:
        """Give the instance up. Under a supervising parent the cell and its mailbox stay."""
        if cell.state in (CRASHED, DEAD):
            return
        was_exiting = cell.state is EXITING
        self._kill_children(cell)
        parent = cell.parent
        if was_exiting or parent is None or not (parent.behaviour.supervises and parent.alive):
            self.end(cell, reason)
            return
        self._drop_instance(cell, reason)
        cell.state = CRASHED
        parent.post_always(ChildExit(cell, reason), cell)

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

    def restart(self, cell: Cell) -> bool:
        """Put a new instance at the same address, with the same mailbox; False if it has ended."""
        if cell.state in (EXITING, DEAD):
            return False
        if cell.state is not CRASHED:
            self._kill_children(cell)
            self._drop_instance(cell, ExitReason(kind="killed", detail="restarted"))
        cell.more().restarts += 1
        cell.started_at = self._system.scheduler.now
        try:
            self._construct(cell)
        except BaseException as error:  # noqa: BLE001  # told to the parent, as at the first start
            self.crash(cell, self._not_started(cell, error))
        else:
            cell.post_always(RESUME, cell)
        return True

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
        if tell_parent and parent.alive:
            parent.post_always(ChildExit(cell, reason), cell)
        if parent.state is EXITING:
            if parent.behaviour.stops_in_order:
                self._stop_children(parent)
            self._finish_if_alone(parent)

    def _leave_held(self, cell: Cell, why: str) -> None:
        if cell.rare is not None and cell.rare.held is not None:
            held, cell.rare.held = cell.rare.held, None
            for letter in held:
                self._system.delivery.leave_over(letter, why)

    # Watching.

    def watch(self, watcher: Cell, target: Cell) -> None:
        if not target.alive:
            reason = (target.rare.last_exit if target.rare else None) or NORMAL
            watcher.post_always(ActorStopped(address=target, reason=reason), target)
            return
        target.more().watchers[watcher] = None
        watcher.more().watching[target] = None


def has_held(cell: Cell) -> bool:
    return cell.rare is not None and bool(cell.rare.held)
