"""Token buckets, pure: how often somebody may do something, with the time as an argument."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from veza.actors.messages.common import RefusedError, RejectCode

K = TypeVar("K", bound=Hashable)
PRUNE_AT: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`per_second` in the long run, `burst` at once."""

    per_second: float
    burst: int


class RateLimiter(Generic[K]):
    """One bucket a key. Full buckets are forgotten, so the table holds only who was active lately."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._buckets: dict[K, tuple[float, float]] = {}
        self._prune_at = PRUNE_AT

    def spend(self, key: K, now: float) -> None:
        """Take one token at time `now` (seconds). Raises `RefusedError` (`rate_limited`) if none is left."""
        tokens = self._tokens(key, now)
        if tokens < 1:
            wait = (1 - tokens) / self.rate.per_second
            raise RefusedError(
                RejectCode.RATE_LIMITED, "Slow down a little.", retry_after_seconds=wait
            )
        self._buckets[key] = (tokens - 1, now)
        if len(self._buckets) > self._prune_at:
            self._prune(now)

    def _tokens(self, key: K, now: float) -> float:
        tokens, at = self._buckets.get(key, (float(self.rate.burst), now))
        return min(self.rate.burst, tokens + (now - at) * self.rate.per_second)

    def _prune(self, now: float) -> None:
        """Drop full buckets; doubling the next threshold keeps the cost constant per call."""
        live = {k: v for k, v in self._buckets.items() if self._tokens(k, now) < self.rate.burst}
        self._buckets = live
        self._prune_at = max(PRUNE_AT, 2 * len(live))
