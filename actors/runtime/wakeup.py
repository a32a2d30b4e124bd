"""A message to an actor itself, later."""

from veza.actors.runtime.cell import Cell
from veza.actors.runtime.context import request_context


class WakeUp:
    """A message an actor will get later, unless it has ended or was restarted by then."""

    __slots__ = ("_incarnation", "_request", "cell", "message")

    def __init__(self, cell: Cell, message: object) -> None:
        self.cell = cell
        self.message = message
        self._request = request_context.get()
        self._incarnation = cell.incarnation

    def __call__(self) -> None:
        cell = self.cell
        if cell.incarnation == self._incarnation:
            cell.post_always(self.message, cell, self._request)
