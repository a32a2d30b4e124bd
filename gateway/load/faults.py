"""What a fault did: how long until service was back, first at all and then whole, and what it cost."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from veza.gateway.load.checks import Ledger
from veza.gateway.load.results import Ended


@dataclass(frozen=True, slots=True)
class Strike:
    """One actor was killed. Times are seconds from the start; `room` is its number if it was a room.

    It died between `asked` and `at`: over a socket these are some milliseconds apart.
    """

    asked: float
    at: float
    pattern: str
    path: str
    room: int | None


def recovery(
    strike: Strike, strikes: Sequence[Strike], ends: Sequence[Ended], ledger: Ledger
) -> dict[str, Any]:
    """Return what became of service after a strike, looking no further than to the next one.

    Only arrivals of the struck room count, if it was one. `first`: until one that was meant to start
    after the strike was answered. `full`: until the first from which on none failed; 0 if none did.
    """
    until = min((each.asked for each in strikes if each.at > strike.at), default=float("inf"))
    touched = [
        end
        for end in ends
        if (strike.room is None or end.room == strike.room)
        and end.finished >= strike.asked
        and end.intended < until
    ]
    after = sorted((e for e in touched if e.intended >= strike.at), key=lambda e: e.intended)
    answered = [end.finished - strike.at for end in after if end.is_ok]
    failed = [end for end in touched if not end.is_ok]
    return {
        "at": strike.at,
        "pattern": strike.pattern,
        "path": strike.path,
        "first_seconds": min(answered, default=None),
        "full_seconds": full(strike, after, failed),
        "failed": len(failed),
        "messages_lost": ledger.lost_in(None if strike.room is None else {strike.room}),
    }


def full(strike: Strike, after: Sequence[Ended], failed: Sequence[Ended]) -> float | None:
    """Return the time until the answer to the first arrival past the last failed one."""
    if not failed:
        return 0.0
    last = max(end.intended for end in failed)
    begins = [end.intended for end in after]
    number = bisect_left(begins, max(last, strike.at))
    finished = [end.finished for end in after[number:] if end.is_ok]
    return min(finished) - strike.at if finished else None
