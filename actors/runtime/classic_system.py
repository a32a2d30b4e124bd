"""What Thespian's documentation asks of a system besides messages.

Actors by name, capabilities, dead letter handlers, loaded sources and status.
"""

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from veza.actors.messages.common import Gone
from veza.actors.runtime.cell import Cell
from veza.actors.runtime.crash_text import error_text
from veza.actors.runtime.endings import NO_KWARGS
from veza.actors.runtime.exits import ExitReason
from veza.actors.runtime.reply import ReplyAddress
from veza.actors.runtime.sources import Sources
from veza.actors.runtime.thespian_api import (
    Actor,
    ActorAddress,
    DeadEnvelope,
    ExpirationTimer,
    NoCompatibleSystemForActor,
    Thespian_ActorStatus,
    Thespian_StatusReq,
    Thespian_SystemStatus,
    ThespianGeneration,
    ValidatedSource,
)
from veza.actors.runtime.wakeup import WakeUp

if TYPE_CHECKING:
    from veza.actors.runtime.system import AsyncioSystemBase


class ClassicSystem:
    """Thespian's side of one system. Runs on the loop's thread."""

    def __init__(self, system: "AsyncioSystemBase", capabilities: Mapping[str, object]) -> None:
        self._system = system
        self._names: dict[str, Cell] = {}
        self._undertaker: Cell | None = None
        self.sources = Sources(system)
        self.capabilities: dict[str, object] = {**capabilities, **own_capabilities()}

    def create(
        self,
        parent: Cell | None,
        wanted: type[Actor] | str,
        requirements: object,
        global_name: str | None,
        source_hash: str | None,
    ) -> ActorAddress:
        """Thespian's creation: by class or name, with capability check and global name."""
        if global_name and global_name in self._names:
            return self._names[global_name]
        if parent is not None and parent.rare is not None:
            source_hash = source_hash or parent.rare.source_hash
        if global_name:
            parent = None
        try:
            actor_class = self._fitting_class(wanted, requirements, source_hash)
        except Exception as error:
            # Sources are loaded and a class's own check runs: anything may go wrong in foreign code.
            if parent is None:
                raise
            return self._unstartable(parent, error)
        names = self._system.lifecycle.behaviour(actor_class).init_names
        offered = {"capabilities": self.capabilities, "requirements": requirements}
        kwargs = {name: value for name, value in offered.items() if name in names}
        cell = self._system.lifecycle.create(actor_class, kwargs, parent, "")
        if source_hash or requirements is not None or global_name:
            rare = cell.more()
            rare.source_hash, rare.requirements = source_hash, requirements
            rare.global_name = global_name
        self._system.lifecycle.start(cell)
        if global_name and cell.alive:
            self._names[global_name] = cell
        return cell

    def _fitting_class(
        self, wanted: type[Actor] | str, requirements: object, source_hash: str | None
    ) -> type[Actor]:
        actor_class = self.sources.actor_class(wanted, source_hash)
        check = getattr(actor_class, "actorSystemCapabilityCheck", None)
        if check is not None and not check(self.capabilities, requirements or {}):
            raise NoCompatibleSystemForActor(actor_class, "No compatible ActorSystem")
        return actor_class

    def _unstartable(self, parent: Cell, error: Exception) -> Cell:
        """Give an address to a child without a class; its parent hears of the end."""
        cell = self._system.lifecycle.create(Unstartable, NO_KWARGS, parent, "")
        self._system.lifecycle.end(cell, ExitReason(kind="not_started", detail=error_text(error)))
        return cell

    def update_capability(self, name: str, value: object) -> None:
        if value is None:
            self.capabilities.pop(name, None)
        else:
            self.capabilities[name] = value
        for cell in tuple(self._system.tree()):
            check = getattr(cell.behaviour.actor_class, "actorSystemCapabilityCheck", None)
            requirements = cell.rare.requirements if cell.rare else None
            if check is not None and not check(self.capabilities, requirements or {}):
                self._system.stop(cell)

    def handle_dead_letters(self, address: ActorAddress, *, enable: bool) -> None:
        if enable and isinstance(address, Cell):
            self._undertaker = address
        elif self._undertaker is address:
            self._undertaker = None

    def tell_undertaker(self, target: ActorAddress, message: object) -> None:
        """Hand a dead letter to the actor that asked for them last."""
        handler = self._undertaker
        if handler is not None and handler.alive and handler is not target:
            handler.post(DeadEnvelope(target, message), self._system.address)

    def forget(self, cell: Cell) -> None:
        if cell.globalName and self._names.get(cell.globalName) is cell:
            del self._names[cell.globalName]
        if self._undertaker is cell:
            self._undertaker = None
        self.sources.forget(cell)

    def answer_status(self, cell: Cell, asker: ActorAddress) -> None:
        """Thespian's status of one actor; needs neither its mailbox nor its handler."""
        parent = cell.parent or self._system.address
        status = Thespian_ActorStatus(
            cell, cell.behaviour.actor_class, self._system.address, parent
        )
        for child in cell.children or ():
            status.addChild(child)
        now = time.monotonic()
        status.addWakeups(
            [
                (cell, ExpirationTimer(max(0.0, timer.when - now)))
                for timer in self._system.timers
                if isinstance(timer.waiting_call, WakeUp) and timer.waiting_call.cell is cell
            ]
        )
        self._system.post(asker, status, cell)

    def post_to_system(self, target: ActorAddress, message: object, sender: ActorAddress) -> None:
        """Thespian's system address, which is not one of ours."""
        if isinstance(message, Thespian_StatusReq):
            self._answer_system_status(sender)
        elif isinstance(message, ValidatedSource):
            self.sources.validated(message)
        else:
            if isinstance(sender, ReplyAddress):
                sender.settle(Gone(command=sender.command))
            self._system.dead_letter(target, sender, message, "no such address")

    def _answer_system_status(self, asker: ActorAddress) -> None:
        status = Thespian_SystemStatus(self._system.address, capabilities=self.capabilities)
        for root in self._system.lifecycle.roots:
            status.addChild(root)
        for name, cell in self._names.items():
            status.addGlobalActor(name, cell)
        if self._undertaker is not None:
            status.setDeadLetterHandler(self._undertaker)
        status.sourceAuthority = self.sources.authority
        status.loadedSources = self.sources.hashes()
        self._system.post(asker, status, self._system.address)


class Unstartable(Actor):
    """Stands in the tree for an actor whose class could not be found."""


def own_capabilities() -> dict[str, object]:
    """Say what Thespian's bases say of themselves."""
    return {
        "Python Version": tuple(sys.version_info),
        "Thespian Generation": ThespianGeneration,
        "Thespian Version": str(int(time.time() * 1000)),
        "Thespian ActorSystem Name": "asyncio",
        "Thespian ActorSystem Version": 1,
        "Thespian Watch Supported": True,
        "AllowRemoteActorSources": "No",
    }
