"""The supervisor of a family: any number of alike actors, each started when its key is first needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Final

from veza.actors.base import SupervisedActor
from veza.actors.messages.common import Key, Ready
from veza.actors.messages.operator import Drain, Undrain
from veza.actors.runtime import Cell, ChildExit
from veza.actors.runtime.address import Address
from veza.actors.runtime.thespian_api import ActorExitRequest
from veza.supervisors.child_spec import FamilySpec, RestartLog, is_restarted, resolved
from veza.supervisors.messages import (
    ChildDown,
    ChildGone,
    ChildReady,
    DrainSlice,
    ServeFamily,
    StartChild,
    StopChild,
)

DRAIN_SLICE: Final = 500


class FamilyIntensityError(Exception):
    """So many children of one family fail that the fault is not theirs."""


@dataclass(slots=True, eq=False)
class Member:
    """One child. Its restarts are counted from its first crash on."""

    key: Key
    cell: Cell
    restarts: RestartLog | None = None
    is_stopping: bool = False


class FamilySupervisor(SupervisedActor):
    """Starts children on demand, restarts those that crash, gives up those that only crash."""

    supervises: ClassVar[bool] = True
    # Children of a family know nothing of each other: they all stop at once.
    stops_in_order: ClassVar[bool] = False
    mailbox_limit: ClassVar[int] = 100_000

    def __init__(self, *, spec: FamilySpec, refs: Mapping[str, Address]) -> None:
        super().__init__()
        self.spec = spec
        self.kwargs = resolved(spec.kwargs, refs)
        self.directory = refs["directory"]
        self.restarts = RestartLog(spec.intensity)
        self.members: dict[object, Member] = {}
        self.by_key: dict[Key, Member] = {}
        self.is_ending = False
        self.is_draining = False
        serve = ServeFamily(family=spec.family, starts_with=spec.starts_with)
        self.send_always(self.directory, serve)

    def inspect(self) -> dict[str, object]:
        return {
            "children": len(self.members),
            "restarts": self.restarts.used(),
            "restart": self.spec.restart,
        }

    def receiveMsg_StartChild(self, message: StartChild, _sender: Address) -> None:
        if message.key in self.by_key:
            return  # asked for before and after a restart of this supervisor
        if self.is_draining or len(self.members) >= self.spec.max_children:
            self._gone(message.key, "draining" if self.is_draining else "too many")
            return
        member = Member(message.key, self._spawn(message.key))
        self.members[member.cell] = self.by_key[message.key] = member

    def _spawn(self, key: Key) -> Cell:
        return self.runtime.spawn(
            self.spec.actor,
            {**self.kwargs, "actor_id": key[1]},
            parent=self.cell,
            name=key[1],
            shutdown_seconds=self.spec.shutdown_seconds,
        )

    def receiveMsg_Ready(self, _message: Ready, sender: Address) -> None:
        member = self.members.get(sender)
        if member is not None:
            self.send_always(self.directory, ChildReady(key=member.key, address=member.cell))

    def receiveMsg_StopChild(self, message: StopChild, _sender: Address) -> None:
        member = self.by_key.get(message.key)
        if member is None:
            self._gone(message.key, "not running")
            return
        self._stop(member)

    def receiveMsg_Drain(self, _message: Drain, _sender: Address) -> None:
        """Start nobody any more, and let everybody end in order, a slice at a time."""
        self.is_draining = True
        self.receiveMsg_DrainSlice(DrainSlice(), self.cell)

    def receiveMsg_DrainSlice(self, message: DrainSlice, _sender: Address) -> None:
        if not self.is_draining:
            return
        staying = (member for member in self.members.values() if not member.is_stopping)
        leaving = tuple(islice(staying, DRAIN_SLICE))
        for member in leaving:
            self._stop(member)
        if len(leaving) == DRAIN_SLICE:
            self.send_always(self.cell, message)

    def receiveMsg_Undrain(self, _message: Undrain, _sender: Address) -> None:
        self.is_draining = False

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: Address) -> None:
        """Restart nobody from now on; the runtime stops the children."""
        self.is_ending = True

    def receiveMsg_ChildExit(self, message: ChildExit, _sender: Address) -> None:
        member = self.members.get(message.childAddress)
        if member is None or self.is_ending:
            return
        reason = message.reason
        # One that could not even start the first time is its asker's to try again.
        has_started = reason.kind != "not_started" or member.restarts is not None
        is_wanted = not member.is_stopping and is_restarted(self.spec.restart, reason)
        if is_wanted and has_started:
            self._restart(member)
        else:
            self._give_up(member, reason.detail or reason.kind)

    def _stop(self, member: Member) -> None:
        member.is_stopping = True
        self.runtime.stop(member.cell)

    def _restart(self, member: Member) -> None:
        if not self.restarts.record():
            raise FamilyIntensityError(f"{self.spec.family}: too many restarts in all")
        member.restarts = member.restarts or RestartLog(self.spec.child_intensity)
        if not member.restarts.record():
            self._give_up(member, "crashed too often")
        elif not self.runtime.restart(member.cell):
            self._start_anew(member)

    def _start_anew(self, member: Member) -> None:
        """Give a member whose cell is gone another; its messages wait meanwhile."""
        self.send_always(self.directory, ChildDown(key=member.key))
        del self.members[member.cell]
        member.cell = self._spawn(member.key)
        self.members[member.cell] = member

    def _give_up(self, member: Member, reason: str) -> None:
        del self.members[member.cell]
        del self.by_key[member.key]
        self.runtime.bury(member.cell)
        self._gone(member.key, reason)

    def _gone(self, key: Key, reason: str) -> None:
        self.send_always(self.directory, ChildGone(key=key, reason=reason))
