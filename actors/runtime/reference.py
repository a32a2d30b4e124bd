"""What Thespian's `Actor` calls on its `_myRef`, passed on to the system for this actor."""

from datetime import timedelta
from typing import TYPE_CHECKING

from veza.actors.runtime.address import Address
from veza.actors.runtime.thespian_api import Actor, ActorAddress

if TYPE_CHECKING:
    from veza.actors.runtime.cell import Cell
    from veza.actors.runtime.scheduler import Scheduler


class Reference(Address):
    """Thespian's names and argument order; only actors call these, on the loop's thread."""

    __slots__ = ()
    scheduler: "Scheduler"

    @property
    def address(self) -> "Cell":
        """The actor's own cell, which is what inherits this."""
        raise NotImplementedError

    def actor_send(self, target: ActorAddress, message: object) -> None:
        self.scheduler.system.send_for(self.address, target, message)

    def createActor(
        self,
        actor_class: type[Actor] | str,
        requirements: object = None,
        global_name: str | None = None,
        source_hash: str | None = None,
    ) -> ActorAddress:
        return self.scheduler.system.classic.create(
            self.address, actor_class, requirements, global_name, source_hash
        )

    def wakeupAfter(self, period: timedelta | float, payload: object = None) -> None:
        self.scheduler.system.wake_later(self.address, period, payload)

    def handleDeadLetters(self, address: ActorAddress, enable: bool) -> None:
        self.scheduler.system.classic.handle_dead_letters(address, enable=enable)

    def registerSourceAuthority(self, address: ActorAddress) -> None:
        self.scheduler.system.classic.sources.authority = address

    def notifyOnSourceAvailability(self, address: ActorAddress, enable: bool) -> None:
        self.scheduler.system.classic.sources.notify(address, enable=enable)

    def notifyOnSystemRegistrationChanges(self, address: ActorAddress, enable: bool) -> None:
        """One process is its own convention: there is never a change to tell."""

    def updateCapability(self, name: str, value: object = None) -> None:
        self.scheduler.system.updateCapability(name, value)

    def loadActorSource(self, source: object) -> str:
        return self.scheduler.system.loadActorSource(source)

    def unloadActorSource(self, source_hash: str) -> None:
        self.scheduler.system.unloadActorSource(source_hash)

    def preRegisterRemoteSystem(self, address: object, capabilities: object) -> None:
        """Nodes do not join by actor messages; accepted and ignored, as Thespian allows."""

    def deRegisterRemoteSystem(self, address: object) -> None:
        """See `preRegisterRemoteSystem`."""

    def actorSystemShutdown(self) -> None:
        self.scheduler.system.shut_down_soon()
