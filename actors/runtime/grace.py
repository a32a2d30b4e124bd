"""The time an actor has for its end once it was asked to; after that it is killed."""

from typing import TYPE_CHECKING

from veza.actors.runtime.cell import Cell

if TYPE_CHECKING:
    from veza.actors.runtime.deadlines import Deadlines
    from veza.actors.runtime.endings import Endings


class Grace:
    """Runs from its making until the actor's instance is gone, or the time is up."""

    __slots__ = ("_cell", "_deadline", "_lifecycle")

    def __init__(
        self, lifecycle: "Endings", deadlines: "Deadlines", cell: Cell, seconds: float
    ) -> None:
        self._lifecycle = lifecycle
        self._cell = cell
        self._deadline = deadlines.after(seconds)
        self._deadline.waiting.add(self)

    def cancel(self) -> None:
        self._deadline.waiting.discard(self)

    def time_out(self) -> None:
        self._lifecycle.kill_overdue(self._cell)
