"""A trace: the next messages of one actor, each with its sender, its times and how it ended."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from veza.actors.messages.common import RefusedError
from veza.actors.runtime.address import path_of

if TYPE_CHECKING:
    from veza.actors.runtime.cell import Cell, Letter

Outcome = Literal["ok", "refused", "failed"]
WhyEnded = Literal["", "limit", "time", "stopped", "the actor ended"]

Describe = Callable[[object], str]

ACTOR_ENDED: Final = "the actor ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceEntry:
    """One message. `number` counts from 1, `at` is seconds since 1970; `body` is empty unless wanted."""

    number: int
    class_name: str
    sender: str
    request_id: str
    at: float
    wait_seconds: float
    run_seconds: float
    outcome: Outcome
    body: str


class Trace:
    """Runs until its limit, its time, `stop` or its actor's end; its entries stay readable.

    `seen` counts the messages the actor handled meanwhile, also those of classes not asked for.
    Messages themselves are not kept, for they may be big: `describe` makes a text of each.
    """

    __slots__ = (
        "_describe",
        "_leave",
        "cell",
        "ends_at",
        "entries",
        "limit",
        "message_type",
        "path",
        "seen",
        "started_at",
        "why_ended",
    )

    def __init__(
        self,
        cell: "Cell",
        *,
        limit: int,
        seconds: float,
        message_type: str,
        describe: Describe | None,
        leave: "Callable[[Trace], None]",
    ) -> None:
        self.cell = cell
        self.path = cell.path
        self.limit = limit
        self.started_at = time.time()
        self.ends_at = self.started_at + seconds
        self.message_type = message_type
        self.seen = 0
        self.entries: list[TraceEntry] = []
        self.why_ended: WhyEnded = ""
        self._describe = describe
        self._leave = leave

    def stop(self, why: WhyEnded = "stopped") -> None:
        """End it; again is no harm."""
        if not self.why_ended:
            self.why_ended = why
            self._leave(self)

    def add(
        self, letter: "Letter", started: float, ended: float, error: BaseException | None
    ) -> None:
        """Take down a message that was handled; the one its actor ended on comes after the end."""
        if self.why_ended not in ("", ACTOR_ENDED):
            return
        self.seen += 1
        class_name = letter[1].__class__.__name__
        if self.message_type in ("", class_name):
            self.entries.append(self._entry(letter, class_name, started, ended, error))
        if len(self.entries) >= self.limit:
            self.stop("limit")

    def _entry(
        self,
        letter: "Letter",
        class_name: str,
        started: float,
        ended: float,
        error: BaseException | None,
    ) -> TraceEntry:
        _, message, sender, request, sent = letter
        return TraceEntry(
            number=len(self.entries) + 1,
            class_name=class_name,
            sender=path_of(sender),
            request_id=request.request_id,
            at=time.time() - (time.monotonic() - started),
            wait_seconds=max(0.0, started - sent),
            run_seconds=ended - started,
            outcome=outcome_of(error),
            body=self._describe(message) if self._describe else "",
        )


def outcome_of(error: BaseException | None) -> Outcome:
    if error is None:
        return "ok"
    return "refused" if isinstance(error, RefusedError) else "failed"
