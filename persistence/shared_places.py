"""How many places of each kind the nodes hold together, in Redis: a table a node, over with the node.

What a node holds counts as long as the node says that it lives; one that is dead is left out by whoever
counts next, and its table goes by itself. So one renewal keeps any number of places.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from redis.asyncio import Redis

from veza.persistence.redis_link import translated

TTL_SECONDS: Final = 6.0
NODES: Final = "veza:places"
AT_ONCE: Final = 500
TOLD: Final = "told"
"""A field of each table: that it has been told whole. Places have a colon in their names."""

# ARGV: node, time to live in ms, then names and limits by turns; without a limit (0) a place is given back.
# A node's table that is not there, or not whole, is not counted in: it has to be told first.
_CHANGE: Final = """
local own = KEYS[1] .. ':' .. ARGV[1]
if redis.call('HEXISTS', own, 'told') == 0 then return false end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('PEXPIRE', own, ARGV[2])
local nodes = redis.call('ZRANGE', KEYS[1], 0, -1)
local taken = {}
for i = 3, #ARGV, 2 do
    local name, limit = ARGV[i], tonumber(ARGV[i + 1])
    if limit == 0 then
        if redis.call('HINCRBY', own, name, -1) <= 0 then redis.call('HDEL', own, name) end
        taken[#taken + 1] = 1
    else
        local held = 0
        for _, node in ipairs(nodes) do
            held = held + tonumber(redis.call('HGET', KEYS[1] .. ':' .. node, name) or 0)
        end
        if held < limit then redis.call('HINCRBY', own, name, 1) end
        taken[#taken + 1] = held < limit and 1 or 0
    end
end
return taken
"""


class RedisPlaces:
    """One node's table among the others. Every method raises `SharedStateUnavailableError`."""

    def __init__(self, client: Redis, node_id: UUID, *, ttl_seconds: float = TTL_SECONDS) -> None:
        self._client = client
        self._node_id = str(node_id)
        self._own = f"{NODES}:{node_id}"
        self._ttl_ms = round(ttl_seconds * 1000)
        self._change = client.register_script(_CHANGE)

    async def change(self, changes: Sequence[tuple[str, int]]) -> list[bool] | None:
        """Take places, each by its name and the limit of all nodes, or give them back (limit 0), in order.

        Return which were there to be taken; None if this node has to `tell` first what it holds. Without
        changes it is renewed that the node lives.
        """
        arguments = [self._node_id, str(self._ttl_ms)]
        for name, limit in changes:
            arguments += (name, str(limit))
        with translated():
            taken = await self._change(keys=[NODES], args=arguments)
        return None if taken is None else [bool(each) for each in taken]

    async def tell(self, held: Mapping[str, int]) -> None:
        """Say what this node holds, in place of all that was known of it."""
        items = list(held.items())
        with translated():
            await self._client.delete(self._own)
            for first in range(0, len(items), AT_ONCE):
                await self._client.hset(self._own, mapping=dict(items[first : first + AT_ONCE]))
                await self._client.pexpire(self._own, self._ttl_ms)
            await self._client.hset(self._own, TOLD, 1)
            await self._client.pexpire(self._own, self._ttl_ms)

    async def leave(self) -> None:
        """Hold nothing any more."""
        with translated():
            await self._client.delete(self._own)
            await self._client.zrem(NODES, self._node_id)
