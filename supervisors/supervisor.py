"""The supervisor of a fixed list of children: OTP's strategies, intensity and ordered start and stop.

A child is started after the one before it said `Ready`. A crashed child is restarted in place, so its
address and what waits in its mailbox survive. Who is stopped because another failed is started anew,
a transient one that had ended too; a temporary one never. A supervisor that restarts too often crashes
itself: the decision goes up, at the root it ends the node.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from veza.actors.base import SupervisedActor
from veza.actors.messages.common import Ready
from veza.actors.runtime import Cell, ChildExit, ExitReason
from veza.actors.runtime.address import Address
from veza.actors.runtime.thespian_api import ActorExitRequest
from veza.supervisors.child_spec import (
    AllRefs,
    ChildSpec,
    FamilySpec,
    Restart,
    RestartLog,
    SupervisorSpec,
    affected,
    is_restarted,
    resolved,
)
from veza.supervisors.family import FamilySupervisor
from veza.supervisors.messages import ChildGone, ChildReady, ReadyOverdue

DIRECTORY: Final = "directory"
SUBTREE_SECONDS: Final = 60.0


class RestartIntensityError(Exception):
    """Children fail more often than restarting can mend."""


class State(StrEnum):
    """How a child stands: `ended` is over for good, `down` is to be started when its turn comes."""

    DOWN = "down"
    STARTING = "starting"
    READY = "ready"
    ENDED = "ended"


@dataclass(slots=True, eq=False)
class Child:
    """A spec, and the cell that carries it out at present."""

    spec: ChildSpec
    cell: Cell | None = None
    state: State = State.DOWN
    starts: int = 0


class Supervisor(SupervisedActor):
    """Starts, restarts and stops its children as their specs say."""

    supervises: ClassVar[bool] = True
    stash_until_ready: ClassVar[frozenset[type] | None] = frozenset({ReadyOverdue})

    def __init__(self, *, spec: SupervisorSpec, refs: Mapping[str, Address]) -> None:
        super().__init__()
        self.spec = spec
        self.refs = dict(refs)
        self.children = [Child(as_child(child)) for child in spec.children]
        self.restarts = RestartLog(spec.intensity)
        self.stopping: list[Child] = []
        self.is_ending = False
        self._start_next()

    def inspect(self) -> dict[str, object]:
        intensity = self.spec.intensity
        used = self.restarts.used()
        return {
            "strategy": self.spec.strategy,
            "restarts": f"{used} of {intensity.restarts} in {intensity.period_seconds:g} s",
            "children": {child.spec.name: child.state for child in self.children},
        }

    # --- start, in order ---

    def _start_next(self) -> None:
        for child in self.children:
            if child.state is State.DOWN:
                self._start(child)
            if child.state is State.STARTING:
                return
        self.become_ready()

    def _start(self, child: Child) -> None:
        """Restart a crashed cell in place; else make a new one."""
        child.state = State.STARTING
        child.starts += 1
        kwargs = resolved(child.spec.kwargs, self.refs)
        if child.cell is None:
            child.cell = self.runtime.spawn(
                child.spec.actor,
                kwargs,
                parent=self.cell,
                name=child.spec.name,
                shutdown_seconds=child.spec.shutdown_seconds,
            )
            self.refs[child.spec.name] = child.cell
        else:
            # Whom it was told of may have moved since.
            child.cell.kwargs = kwargs
            self.runtime.restart(child.cell)
        overdue = ReadyOverdue(name=child.spec.name, starts=child.starts)
        self.wakeup_after(child.spec.ready_seconds, overdue)

    def receiveMsg_Ready(self, _message: Ready, sender: Address) -> None:
        child = self._child_at(sender)
        if child is None or child in self.stopping:
            return
        child.state = State.READY
        if child.spec.key is not None:
            self._tell_directory(ChildReady(key=child.spec.key, address=sender))
        if not self.stopping:
            self._start_next()

    def receiveMsg_ReadyOverdue(self, message: ReadyOverdue, _sender: Address) -> None:
        child = next(c for c in self.children if c.spec.name == message.name)
        is_same_start = child.starts == message.starts
        if child.state is State.STARTING and is_same_start and child.cell is not None:
            self.runtime.kill(child.cell, "not ready in time")

    # --- a child ended ---

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: Address) -> None:
        """Restart nobody from now on; the runtime stops the children, newest first, one by one."""
        self.is_ending = True

    def receiveMsg_ChildExit(self, message: ChildExit, _sender: Address) -> None:
        child = self._child_at(message.childAddress)
        if child is None or self.is_ending:
            return
        child.state = State.DOWN
        if child in self.stopping:
            self._forget(child)
            self.stopping.remove(child)
            if child.spec.restart is Restart.TEMPORARY:
                child.state = State.ENDED
            self._stop_next()
        elif is_restarted(child.spec.restart, message.reason):
            self._restart(child, message.reason)
        else:
            self._forget(child)
            child.state = State.ENDED
            self._stop_next()

    def _restart(self, failed: Child, reason: ExitReason) -> None:
        """Restart a child and its group; whom an earlier failure is still stopping, stops first."""
        if not is_kept(failed):
            self._forget(failed)
        if not self.restarts.record():
            raise RestartIntensityError(f"{failed.spec.name} ended again: {reason.detail}")
        group = affected(self.spec.strategy, self.children.index(failed), len(self.children))
        others = [self.children[number] for number in group if self.children[number] is not failed]
        for child in others:
            if child.state is State.DOWN:
                self._forget(child)  # what it was given may be lost now
            elif child.state is State.ENDED and child.spec.restart is Restart.TRANSIENT:
                child.state = State.DOWN
        leaving = {child for child in (*self.stopping, *others) if child.cell is not None}
        self.stopping = [child for child in reversed(self.children) if child in leaving]
        self._stop_next()

    def _stop_next(self) -> None:
        """Stop who must be restarted along, newest first, one by one; then start again in order."""
        if not self.stopping:
            self._start_next()
            return
        child = self.stopping[0]
        if child.cell is not None:
            self.runtime.stop(child.cell)

    def _forget(self, child: Child) -> None:
        """Give the cell up; a later start makes another, at another address."""
        if child.cell is None:
            return
        self.runtime.bury(child.cell)
        child.cell = None
        if child.spec.key is not None:
            self._tell_directory(ChildGone(key=child.spec.key, reason="ended"))

    def _child_at(self, address: object) -> Child | None:
        return next((child for child in self.children if child.cell is address), None)

    def _tell_directory(self, news: ChildReady | ChildGone) -> None:
        self.send_always(self.refs[DIRECTORY], news)


def is_kept(failed: Child) -> bool:
    """Tell whether a child that ended can be restarted in place.

    Its cell says so, not the reason: it may have been killed since it crashed, or have crashed while it
    ended.
    """
    return failed.cell is not None and failed.cell.alive


def as_child(spec: ChildSpec | SupervisorSpec | FamilySpec) -> ChildSpec:
    """Say how a supervisor supervises another: permanently, its whole subtree as one child."""
    match spec:
        case ChildSpec():
            return spec
        case SupervisorSpec():
            return subtree(spec, Supervisor)
        case FamilySpec():
            return subtree(spec, FamilySupervisor)


def subtree(
    spec: SupervisorSpec | FamilySpec, actor: type[Supervisor | FamilySupervisor]
) -> ChildSpec:
    """Make the child spec of a supervisor: it gets to know whoever was started before it."""
    return ChildSpec(
        name=spec.name,
        actor=actor,
        kwargs={"spec": spec, "refs": AllRefs()},
        shutdown_seconds=SUBTREE_SECONDS,
        ready_seconds=SUBTREE_SECONDS,
    )
