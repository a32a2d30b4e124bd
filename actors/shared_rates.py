"""Limits that hold over all nodes: the same token bucket, wherever it is kept."""

from time import monotonic
from typing import Final, Protocol
from uuid import UUID

from veza.actors.rate_limit import Rate, RateLimiter, slow_down
from veza.persistence.redis_link import SharedStateUnavailableError
from veza.persistence.shared_rates import RedisBuckets

AWAY_SECONDS: Final = 2.0
"""How long Redis is not asked after it did not answer: else everybody would wait for it in turn."""
JOIN_QUOTA: Final = 20
JOIN_WINDOW_SECONDS: Final = 300
"""How many rooms an account becomes a member of by itself at once, and in what time it may again."""
JOINS: Final = Rate(per_second=JOIN_QUOTA / JOIN_WINDOW_SECONDS, burst=JOIN_QUOTA)


class SharedRates(Protocol):
    """Who may do how much, counted over all nodes. For services and the gateway: a room does not wait."""

    async def spend(self, key: str, rate: Rate) -> None:
        """Take one token of a key. Raises `RefusedError` (`rate_limited`) if none is left.

        A key is always used with the same rate; it names what is limited too: `sign-in:<address>`.
        """

    async def give_back(self, key: str, rate: Rate) -> None:
        """Return a token that turned out not to count; it comes back by itself, too, but later."""


class LocalRates:
    """The buckets of one node."""

    def __init__(self) -> None:
        self._limiters: dict[Rate, RateLimiter[str]] = {}

    async def spend(self, key: str, rate: Rate) -> None:
        """See `SharedRates`."""
        limiter = self._limiters.get(rate)
        if limiter is None:
            limiter = self._limiters[rate] = RateLimiter(rate)
        limiter.spend(key, monotonic())

    async def give_back(self, key: str, rate: Rate) -> None:
        """See `SharedRates`."""
        limiter = self._limiters.get(rate)
        if limiter is not None:
            limiter.give_back(key)


async def spend_join(rates: SharedRates, user_id: UUID) -> None:
    """Count that somebody becomes a member of a room by themselves. Raises `RefusedError`."""
    await rates.spend(f"joins:{user_id}", JOINS)


async def give_back_join(rates: SharedRates, user_id: UUID) -> None:
    """Count somebody's last join no longer."""
    await rates.give_back(f"joins:{user_id}", JOINS)


class RedisRates:
    """The buckets of all nodes; while Redis is away those of this node, which then start full."""

    def __init__(self, buckets: RedisBuckets) -> None:
        self._buckets = buckets
        self._local = LocalRates()
        self._away_until = 0.0

    async def spend(self, key: str, rate: Rate) -> None:
        """See `SharedRates`."""
        if monotonic() < self._away_until:
            await self._local.spend(key, rate)
            return
        try:
            wait_seconds = await self._buckets.take(
                key, per_second=rate.per_second, burst=rate.burst
            )
        except SharedStateUnavailableError:
            self._away_until = monotonic() + AWAY_SECONDS
            await self._local.spend(key, rate)
            return
        if wait_seconds > 0:
            raise slow_down(wait_seconds)

    async def give_back(self, key: str, rate: Rate) -> None:
        """See `SharedRates`."""
        await self._local.give_back(key, rate)
        if monotonic() < self._away_until:
            return
        try:
            await self._buckets.give_back(key, per_second=rate.per_second, burst=rate.burst)
        except SharedStateUnavailableError:
            self._away_until = monotonic() + AWAY_SECONDS
