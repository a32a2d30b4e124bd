"""Birth, suspension and restart in place of actors; how they end is told in `endings`."""

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from veza.actors.messages.common import Ready
from veza.actors.runtime.behaviour import Behaviour, Handler
from veza.actors.runtime.cell import (
    CLEARING,
    CRASHED,
    DOOMED,
    EMPTY,
    LIVE,
    RESUMING,
    STASHING,
    SUSPENDED,
    UNSTASHING,
    WAKING,
    Cell,
)
from veza.actors.runtime.control import Resume
from veza.actors.runtime.endings import ENDS_SOON, NORMAL, Endings
from veza.actors.runtime.exits import ActorStopped, ExitReason
from veza.actors.runtime.thespian_api import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    Thespian_StatusReq,
)

if TYPE_CHECKING:
    from veza.actors.runtime.system import AsyncioSystemBase


class Lifecycle(Endings):
    """Moves cells through their states. Runs on the loop's thread, never waits."""

    def __init__(self, system: "AsyncioSystemBase") -> None:
        super().__init__(system)
        self.behaviours: dict[type[Actor], Behaviour] = {}
        self._control: dict[type, Handler] = {
            ActorExitRequest: self._exit_requested,
            Thespian_StatusReq: self._status_requested,
        }

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
        if cell.parent is not None and cell.parent.state in (CLEARING, CRASHED, *ENDS_SOON):
            reason = ExitReason(kind="not_started", detail="the parent is ending")
            self.end(cell, reason, tell_parent=False)
            return
        try:
            self._construct(cell)
        except BaseException as error:
            # Even SystemExit in a constructor ends this actor only; its parent decides.
            reason = self._not_started(cell, error)
            if cell.parent is None:
                self._after_children(cell, DOOMED, partial(self.end, cell, reason))
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
        crash = self._system.letters.record_crash(cell, cell.behaviour.name, "__init__", error)
        return ExitReason(kind="not_started", detail=crash.error, traceback=crash.traceback)

    def resume(self, cell: Cell) -> None:
        """Go live with the new instance, or stash until it says that it is ready.

        What was held meanwhile comes first either way: a stash may let some of it through.
        """
        if cell.state is WAKING:
            self._take_up(cell)
            return
        cell.state = STASHING
        ready_told = cell.rare is not None and cell.rare.ready_told
        if cell.behaviour.stash_until_ready is None or ready_told:
            self._go_live(cell)
        elif has_held(cell):
            self._requeue_held(cell)

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
                self._post_resume(cell)

    def _post_resume(self, cell: Cell) -> None:
        cell.post_always(Resume(cell.incarnation), cell)

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
        self._post_resume(cell)
        return True

    # An end that was asked for.

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

    # Restart.

    def restart(self, cell: Cell) -> bool:
        """Put a new instance at the same address, with the same mailbox; False if it is ending."""
        if cell.state in ENDS_SOON:
            return False
        self._after_children(cell, CLEARING, partial(self._restart_alone, cell))
        return True

    def _restart_alone(self, cell: Cell) -> None:
        if cell.state is not CRASHED:
            self._drop_instance(cell, ExitReason(kind="killed", detail="restarted"))
        cell.more().restarts += 1
        cell.started_at = self._system.scheduler.now
        # Ahead of what the constructor sends its own actor, which is not the lost instance's.
        self._post_resume(cell)
        try:
            self._construct(cell)
        except BaseException as error:  # noqa: BLE001  # told to the parent, as at the first start
            self.crash(cell, self._not_started(cell, error))

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
