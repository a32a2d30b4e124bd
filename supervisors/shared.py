"""What nodes share beside the database: the bus, presence and limits. One node has them for itself."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.actors.messages.ops import BusFigures
from veza.actors.shared_places import LocalPlaces, NodePlaces, SharedPlaces
from veza.actors.shared_rates import LocalRates, RedisRates, SharedRates
from veza.persistence.bus import Bus, LocalBus
from veza.persistence.redis_bus import RedisBus
from veza.persistence.redis_link import SharedStateUnavailableError, connect, read_version
from veza.persistence.shared_places import RedisPlaces
from veza.persistence.shared_presence import LocalPresence, Presence, RedisPresence
from veza.persistence.shared_rates import RedisBuckets

FIRST_CONNECTION_SECONDS: Final = 1.0
"""How long a start waits for Redis before it goes on without."""
OLDEST_VERSION: Final = (7, 0)


async def _nothing() -> None:
    """End nothing: there is no connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Ends of what all nodes have together."""

    bus: Bus
    presence: Presence
    rates: SharedRates
    places: SharedPlaces
    disconnect: Callable[[], Awaitable[None]] = _nothing

    async def start(self) -> None:
        """Connect, or go on without for now."""
        self.places.start()
        await self.bus.start(FIRST_CONNECTION_SECONDS)

    async def close(self) -> None:
        """Give up what is held."""
        await self.bus.close()
        await self.places.close()
        await self.disconnect()


def alone(node_id: UUID) -> Shared:
    """Return what the only node has."""
    return Shared(
        bus=LocalBus(),
        presence=LocalPresence(node_id),
        rates=LocalRates(),
        places=LocalPlaces(),
    )


def over_redis(url: str, node_id: UUID) -> Shared:
    """Return what the nodes on one Redis have. Raises `ValueError` for a URL that is none."""
    client = connect(url)
    return Shared(
        bus=RedisBus(url, node_id),
        presence=RedisPresence(client, node_id),
        rates=RedisRates(RedisBuckets(client)),
        places=NodePlaces(RedisPlaces(client, node_id)),
        disconnect=client.aclose,
    )


def bus_figures(bus: Bus) -> BusFigures | None:
    """Return how the bus does; None for the only node."""
    if not bus.is_shared:
        return None
    counters = bus.counters
    return BusFigures(
        is_up=bus.is_up,
        rooms=len(bus.rooms),
        told=counters.told,
        heard=counters.heard,
        dropped=counters.dropped,
        news_told=counters.news_told,
        news_heard=counters.news_heard,
        news_dropped=counters.news_dropped,
        unreadable=counters.unreadable,
        losses=counters.losses,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSeen:
    """How Redis stands. `problem` says why nodes could not use it, empty if they could."""

    is_used: bool
    version: str = ""
    problem: str = ""


async def look_at_redis(redis_url: str | None) -> RedisSeen:
    """Look at the Redis that nodes share, if they do."""
    if redis_url is None:
        return RedisSeen(is_used=False)
    try:
        version = await asyncio.wait_for(read_version(redis_url), FIRST_CONNECTION_SECONDS * 5)
    except (SharedStateUnavailableError, ValueError, TimeoutError) as error:
        return RedisSeen(is_used=True, problem=str(error) or type(error).__name__)
    numbers = tuple(int(part) for part in version.split(".")[:2])
    problem = "" if numbers >= OLDEST_VERSION else f"version {version}; 7.0 or newer is needed"
    return RedisSeen(is_used=True, version=version, problem=problem)
