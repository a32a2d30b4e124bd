"""One room as a client has it: where it stands, what is being read anew, and what comes meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

Frame = dict[str, Any]
FIRST_SEQ: Final = 1


class Place(Enum):
    """Whether a client is in a room, or on its way."""

    OUT = auto()
    ENTERING = auto()
    READING = auto()
    INSIDE = auto()
    LEAVING = auto()


@dataclass(slots=True)
class RoomView:
    """What a client knows of a room. `position` is None before it has displayed it whole, once.

    `due_at`: when to do again what was refused, or had no answer; `asked` is the frame that counts.
    """

    room: str
    display: Callable[[Frame], None]
    place: Place = Place.OUT
    epoch: str = ""
    position: int | None = None
    due_at: float = 0.0
    asked: str = ""
    entered_seq: int = 0
    older: list[Frame] = field(default_factory=list)
    newer: list[Frame] = field(default_factory=list)
    before_seq: int = 0

    def since(self) -> Frame | None:
        """Return what `room.join` says of where this client stands."""
        return None if self.position is None else {"epoch": self.epoch, "seq": self.position}

    def lose(self) -> None:
        """Forget what only the connection held; a half-read history is read anew."""
        self.place = Place.OUT
        self.due_at = 0.0
        self.older, self.newer = [], []

    def resume(self) -> None:
        """Go on displaying where this client stood."""
        self.place = Place.INSIDE

    def start_over(self, epoch: str, seq: int) -> None:
        """Read the history up to `seq`; what comes behind it waits for that."""
        self.place = Place.READING
        self.epoch, self.position = epoch, None
        self.older, self.newer = [], []
        self.before_seq = seq + 1
        if seq < FIRST_SEQ:
            self._finish()

    def take(self, event: Frame) -> None:
        """Display an event that came, unless the history before it is still being read."""
        if self.place is Place.READING:
            self.newer.append(event)
        else:
            self._show(event)

    def take_history(self, events: list[Frame]) -> None:
        """Put a page before those read already; with the first event of all everything is displayed."""
        self.older = [*events, *self.older]
        if events:
            self.before_seq = events[0]["seq"]
        if not events or self.before_seq <= FIRST_SEQ:
            self._finish()

    def _finish(self) -> None:
        self.place = Place.INSIDE
        self.position = 0
        for event in [*self.older, *self.newer]:
            self._show(event)
        self.older, self.newer = [], []

    def _show(self, event: Frame) -> None:
        self.display(event)
        self.position = max(self.position or 0, event["seq"])
