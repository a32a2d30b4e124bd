"""Token buckets, pure: how often somebody may do something, with the time as an argument."""

from collections.abc import Hashable
from contextlib import suppress
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


class TokenBucket:
    """A bucket that starts full. Times are seconds of a clock that does not run backwards."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._tokens = float(rate.burst)
        self._at = now

    @property
    def remaining(self) -> int:
        """How many tokens there were when the bucket was last used."""
        return int(self._tokens)

    def take(self, now: float) -> float:
        """Take a token and return 0; if there is none, return the seconds until there is."""
        self._refill(now)
        if self._tokens < 1:
            return (1 - self._tokens) / self._rate.per_second
        self._tokens -= 1
        return 0.0

    def give_back(self) -> None:
        """Return a token that turned out not to count."""
        self._tokens = min(self._rate.burst, self._tokens + 1)

    def is_full(self, now: float) -> bool:
        """Tell whether the bucket is as good as a new one."""
        self._refill(now)
        return self._tokens >= self._rate.burst

    def _refill(self, now: float) -> None:
        gained = (now - self._at) * self._rate.per_second
        self._tokens = min(self._rate.burst, self._tokens + gained)
        self._at = now


def slow_down(wait_seconds: float) -> RefusedError:
    """Return the refusal of whoever has no token left."""
    return RefusedError(
        RejectCode.RATE_LIMITED, "Slow down a little.", retry_after_seconds=wait_seconds
    )


class RateLimiter(Generic[K]):
    """One bucket a key. Full buckets are forgotten, so the table holds only who was active lately."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._buckets: dict[K, TokenBucket] = {}
        self._prune_at = PRUNE_AT

    def spend(self, key: K, now: float) -> None:
        """Take one token at time `now`. Raises `RefusedError` (`rate_limited`) if none is left."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self.rate, now)
        wait_seconds = bucket.take(now)
        if wait_seconds > 0:
            raise slow_down(wait_seconds)
        if len(self._buckets) > self._prune_at:
            self._prune(now)

    def count(self, key: K, now: float) -> None:
        """Take one token if there is one: for what has happened already, somewhere else."""
        with suppress(RefusedError):
            self.spend(key, now)

    def give_back(self, key: K) -> None:
        """Return a token that turned out not to count."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.give_back()

    def _prune(self, now: float) -> None:
        """Drop full buckets; doubling the next threshold keeps the cost constant per call."""
        self._buckets = {key: b for key, b in self._buckets.items() if not b.is_full(now)}
        self._prune_at = max(PRUNE_AT, 2 * len(self._buckets))
