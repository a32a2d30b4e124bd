"""How an actor's end is told: why, to its parent, and to those who watch it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from veza.actors.runtime.thespian_api import ChildActorExited

if TYPE_CHECKING:
    from veza.actors.runtime.cell import Cell

ExitKind = Literal["normal", "shutdown", "killed", "crashed", "not_started"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitReason:
    """Why an actor ended.

    `normal`: it stopped itself, or another actor asked it to. `shutdown`: its parent or the system
    did. `traceback` is empty unless it crashed or never started.
    """

    kind: ExitKind
    detail: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRecord:
    """One end of an actor's instance, kept with its cell. `at` is seconds since 1970."""

    at: float
    reason: ExitReason


class ChildExit(ChildActorExited):
    """Thespian's news of a child's end, with the reason. Once for each death."""

    def __init__(self, child: "Cell", reason: ExitReason) -> None:
        super().__init__(child)
        self.child = child
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorStopped:
    """A watched actor is gone for good. Once for each `watch`."""

    address: "Cell"
    reason: ExitReason
