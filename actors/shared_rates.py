"""Limits that hold over all nodes: the same token bucket, wherever it is kept."""

from time import monotonic
from typing import Final, Protocol

from veza.actors.rate_limit import Rate, RateLimiter, slow_down
from veza.persistence.redis_link import SharedStateUnavailableError
from veza.persistence.shared_rates import RedisBuckets

AWAY_SECONDS: Final = 2.0
"""How long Redis is not asked after it did not answer: else everybody would wait for it in turn."""


class SharedRates(Protocol):
    """Who may do how much, counted over all nodes. For services and the gateway: a room does not wait."""

    async def spend(self, key: str, rate: Rate) -> None:
        """Take one token of a key. Raises `RefusedError` (`rate_limited`) if none is left.

        A key is always used with the same rate; it names what is limited too: `sign-in:<address>`.
        """


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
