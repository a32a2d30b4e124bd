"""What is kept of one actor's work: its last messages, counts by message class, running traces."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from veza.actors.runtime.cell import Letter
    from veza.actors.runtime.trace import Trace

Note = tuple[type, float, float, float]
"""(message class, when sent, when handling began and ended), by the monotonic clock."""

Counts = dict[type, tuple[int, float]]
NOTHING: Final = (0, 0.0)

KEPT_MESSAGES: Final = 50
FOLDED_AT: Final = 100
"""Counting is put off until there are so many: the newest stay, the older ones become counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """One message an actor handled. `sent_at` and `at` (when it began) are seconds since 1970."""

    class_name: str
    sent_at: float
    at: float
    wait_seconds: float
    run_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """All messages of one class that an actor handled while it was looked at."""

    class_name: str
    count: int
    run_seconds: float


class Observation:
    """What one actor handles, from `since` (seconds since 1970) to its end, over its restarts.

    Messages are not kept, only their class. `note` is a list's own `append`: the scheduler calls it
    for each message, and `fold` after a slot of them when `notes` has grown long.
    """

    __slots__ = ("_counts", "note", "notes", "since", "traces")

    def __init__(self) -> None:
        self.since = time.time()
        self.traces: tuple[Trace, ...] = ()
        self.notes: list[Note] = []
        self.note: Callable[[Note], None] = self.notes.append
        self._counts: Counts = {}

    def handled(
        self, letter: "Letter", started: float, ended: float, error: BaseException | None = None
    ) -> None:
        """Take a message down where there is time for more than `note`."""
        notes = self.notes
        notes.append((letter[1].__class__, letter[4], started, ended))
        if len(notes) >= FOLDED_AT:
            self.fold()
        if self.traces:
            for trace in self.traces:
                trace.add(letter, started, ended, error)

    def handled_batch(
        self, batch: "Sequence[Letter]", started: float, error: BaseException | None = None
    ) -> None:
        """Take down a batch that ended just now; each message ran for its share of the time."""
        share = (time.monotonic() - started) / len(batch)
        for letter in batch:
            self.handled(letter, started, started + share, error)

    def fold(self) -> None:
        old = self.notes[:-KEPT_MESSAGES]
        del self.notes[:-KEPT_MESSAGES]
        add_up(self._counts, old)

    def messages(self) -> list[Handled]:
        """List the last `KEPT_MESSAGES`, newest first."""
        offset = time.time() - time.monotonic()
        return [
            Handled(
                class_name=message_class.__name__,
                sent_at=sent + offset,
                at=started + offset,
                wait_seconds=max(0.0, started - sent),
                run_seconds=ended - started,
            )
            for message_class, sent, started, ended in reversed(self.notes[-KEPT_MESSAGES:])
        ]

    def counts(self) -> list[Counted]:
        """Count by message class; the class that took the most time comes first."""
        counts = dict(self._counts)
        add_up(counts, self.notes)
        found = [
            Counted(class_name=message_class.__name__, count=count, run_seconds=seconds)
            for message_class, (count, seconds) in counts.items()
        ]
        return sorted(found, key=lambda each: each.run_seconds, reverse=True)


def add_up(counts: Counts, notes: Iterable[Note]) -> None:
    """Count notes in. Messages of one class often come in a row: the table is asked once a row."""
    current: type = NoneType
    count, seconds = 0, 0.0
    for message_class, _, started, ended in notes:
        if message_class is not current:
            counts[current] = (count, seconds)
            count, seconds = counts.get(message_class, NOTHING)
            current = message_class
        count += 1
        seconds += ended - started
    counts[current] = (count, seconds)
    counts.pop(NoneType, None)
