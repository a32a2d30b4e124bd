"""How an actor's end is told: why, to its parent, and to those who watch it."""

from dataclasses import dataclass
from typing import Literal

from veza.actors.runtime.thespian_api import ActorAddress, ChildActorExited

ExitKind = Literal["normal", "shutdown", "killed", "crashed", "not_started"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitReason:
    """Why an actor ended. `traceback` is empty unless it crashed or never started."""

    kind: ExitKind
    detail: str = ""
    traceback: str = ""


class ChildExit(ChildActorExited):
    """Thespian's news of a child's end, with the reason. Once for each death."""

    def __init__(self, child: ActorAddress, reason: ExitReason) -> None:
        super().__init__(child)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorStopped:
    """A watched actor is gone for good. Once for each `watch`."""

    address: ActorAddress
    reason: ExitReason
