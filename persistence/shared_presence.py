"""Who is there, on whichever node: the devices of people, which are forgotten unless they are put again.

What a device's status is, and what a person's is from all of theirs, is decided elsewhere; here it is a word.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from redis.asyncio import Redis

from veza.persistence.redis_link import SharedStateUnavailableError, translated

T = TypeVar("T")
TTL_SECONDS: Final = 12.0
REFRESH_SECONDS: Final = 4.0
"""How often a node puts the devices that are still there: two may be lost before anybody seems gone."""
AT_ONCE: Final = 500
PREFIX: Final = "veza:presence:"

# A hash a user: `<node>:<device>` to `<when it ends, ms> <status>`, by the server's clock. What ended is
# dropped by whoever writes next, and all of it with the key, which ends with the newest of its devices.
_PUT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = now + tonumber(ARGV[1])
local there = redis.call('HGETALL', KEYS[1])
for i = 1, #there, 2 do
    if tonumber(string.match(there[i + 1], '^%d+')) <= now then redis.call('HDEL', KEYS[1], there[i]) end
end
for i = 2, #ARGV, 2 do
    redis.call('HSET', KEYS[1], ARGV[i], string.format('%.0f ', ends) .. ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device of a user, and its status."""

    user_id: UUID
    device_id: UUID
    status: str


class Presence(Protocol):
    """The devices of all nodes. What a node puts only that node clears; a dead node's end by themselves.

    Never raises because the other side is away: then each node knows its own devices only.
    """

    async def put(self, devices: Iterable[Device]) -> None:
        """Say that these devices of this node are there; again at least every `REFRESH_SECONDS`."""

    async def clear(self, devices: Iterable[Device]) -> None:
        """Say that these devices of this node are gone; harmless if they were."""

    async def read(self, user_ids: Sequence[UUID]) -> Mapping[UUID, tuple[str, ...]]:
        """Return the statuses of the devices of each user, sorted; users without a device are left out."""

    async def others(self, user_ids: Sequence[UUID]) -> Mapping[UUID, tuple[str, ...]]:
        """Return the same of the devices on other nodes."""


DeviceTable = dict[UUID, dict[tuple[UUID, UUID], tuple[float, str]]]
"""By user: by node and device, until when and what."""


class LocalPresence:
    """Presence in memory: that of the only node."""

    def __init__(
        self,
        node_id: UUID,
        *,
        ttl_seconds: float = TTL_SECONDS,
        table: DeviceTable | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._node_id = node_id
        self._ttl_seconds = ttl_seconds
        self._table: DeviceTable = {} if table is None else table
        self._now = now

    async def put(self, devices: Iterable[Device]) -> None:
        """See `Presence`."""
        ends = self._now() + self._ttl_seconds
        for device in devices:
            there = self._table.setdefault(device.user_id, {})
            there[self._node_id, device.device_id] = (ends, device.status)

    async def clear(self, devices: Iterable[Device]) -> None:
        """See `Presence`."""
        for device in devices:
            there = self._table.get(device.user_id, {})
            there.pop((self._node_id, device.device_id), None)
            if not there:
                self._table.pop(device.user_id, None)

    async def read(self, user_ids: Sequence[UUID]) -> Mapping[UUID, tuple[str, ...]]:
        """See `Presence`."""
        return self._read(user_ids, None)

    async def others(self, user_ids: Sequence[UUID]) -> Mapping[UUID, tuple[str, ...]]:
        """See `Presence`."""
        return self._read(user_ids, self._node_id)

    def _read(self, user_ids: Sequence[UUID], but: UUID | None) -> Mapping[UUID, tuple[str, ...]]:
        now = self._now()
        found = {}
        for user_id in user_ids:
            there = self._table.get(user_id, {})
            for key in [key for key, (ends, _status) in there.items() if ends <= now]:
                del there[key]
            statuses = [status for (node, _), (_, status) in there.items() if node != but]
            if statuses:
                found[user_id] = tuple(sorted(statuses))
            if not there:
                self._table.pop(user_id, None)
        return found


class RedisPresence:
    """Presence on all nodes of one Redis. While that is away, and of what it lost, a node tells its own."""

    def __init__(self, client: Redis, node_id: UUID, *, ttl_seconds: float = TTL_SECONDS) -> None:
        self._client = client
        self._node_id = node_id
        self._ttl_ms = round(ttl_seconds * 1000)
        self._own = LocalPresence(node_id, ttl_seconds=ttl_seconds)
        self._put = client.register_script(_PUT)

    async def put(self, devices: Iterable[Device]) -> None:
        """See `Presence`."""
        given = list(devices)
        await self._own.put(given)
        by_user: dict[UUID, list[str]] = {}
        for device in given:
            by_user.setdefault(device.user_id, []).extend((self._field(device), device.status))
        users = list(by_user)
        for some in _chunks(users):
            pipeline = self._client.pipeline(transaction=False)
            for user_id in some:
                arguments = [str(self._ttl_ms), *by_user[user_id]]
                await self._put(keys=[_key(user_id)], args=arguments, client=pipeline)
            await _executed(pipeline)

    async def clear(self, devices: Iterable[Device]) -> None:
        """See `Presence`."""
        given = list(devices)
        await self._own.clear(given)
        for some in _chunks(given):
            pipeline = self._client.pipeline(transaction=False)
            for device in some:
                pipeline.hdel(_key(device.user_id), self._field(device))
            await _executed(pipeline)

    async def read(self, user_ids: Sequence[UUID]) -> Mapping[UUID, tuple[str, ...]]:
        """See `Presence`."""
        found = dict(await self._own.read(user_ids))
        for user_id, statuses in (await self.others(user_ids)).items():
            found[user_id] = tuple(sorted((*statuses, *found.get(user_id, ()))))
        return found

    async def others(self, user_ids: Sequence[UUID]) -> Mapping[UUID, tuple[str, ...]]:
        """See `Presence`."""
        found = {}
        for some in _chunks(user_ids):
            pipeline = self._client.pipeline(transaction=False)
            pipeline.time()
            for user_id in some:
                pipeline.hgetall(_key(user_id))
            answers = await _executed(pipeline)
            if not answers:
                break
            (seconds, microseconds), *hashes = answers
            now_ms = seconds * 1000 + microseconds // 1000
            for user_id, there in zip(some, hashes, strict=True):
                others = self._others(there, now_ms)
                if others:
                    found[user_id] = tuple(sorted(others))
        return found

    def _others(self, there: Mapping[bytes, bytes], now_ms: int) -> list[str]:
        """Read a user's devices on other nodes; those of this one are known better."""
        statuses = []
        for field, value in there.items():
            ends, _, status = value.partition(b" ")
            if int(ends) > now_ms and not field.startswith(str(self._node_id).encode()):
                statuses.append(status.decode())
        return statuses

    def _field(self, device: Device) -> str:
        return f"{self._node_id}:{device.device_id}"


async def _executed(pipeline: Any) -> list[Any]:
    """Return the answers of a batch; none if Redis is away: presence is put again and again."""
    try:
        with translated():
            answers: list[Any] = await pipeline.execute()
    except SharedStateUnavailableError:
        return []
    return answers


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[first : first + AT_ONCE] for first in range(0, len(items), AT_ONCE))


def _key(user_id: UUID) -> str:
    return f"{PREFIX}{user_id}"
