"""Token buckets in Redis: one bucket a key for all nodes, by the server's clock."""

from typing import Final

from redis.asyncio import Redis

from veza.persistence.redis_link import translated

PREFIX: Final = "veza:rate:"

# The maths of `TokenBucket`: a bucket starts full, gains with the time, and gives one token or says when it
# will have one. Microseconds, so that no number has more than the 53 bits of Lua's. A full bucket is as good
# as none, so the key ends when it would be full.
_TAKE: Final = """
local per_second, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local found = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = burst
if found[1] then
    local gained = math.max(0, now - tonumber(found[2])) / 1000000 * per_second
    tokens = math.min(burst, tonumber(found[1]) + gained)
end
local wait = 0
if tokens < 1 then
    wait = (1 - tokens) / per_second
else
    tokens = tokens - 1
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.9f', tokens), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) / per_second * 1000) + 1)
return string.format('%.6f', wait)
"""

# What was taken comes back, unless the bucket is full and forgotten by now.
_GIVE_BACK: Final = """
local per_second, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local found = redis.call('HGET', KEYS[1], 'tokens')
if found then
    local tokens = math.min(burst, tonumber(found) + 1)
    redis.call('HSET', KEYS[1], 'tokens', string.format('%.9f', tokens))
    redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) / per_second * 1000) + 1)
end
"""


class RedisBuckets:
    """Buckets that all nodes on one Redis share."""

    def __init__(self, client: Redis) -> None:
        self._take = client.register_script(_TAKE)
        self._give_back = client.register_script(_GIVE_BACK)

    async def take(self, key: str, *, per_second: float, burst: int) -> float:
        """Take a token and return 0; if there is none, return the seconds until there is.

        Raises `SharedStateUnavailableError`.
        """
        with translated():
            wait_seconds = await self._take(keys=[PREFIX + key], args=[per_second, burst])
        return float(wait_seconds)

    async def give_back(self, key: str, *, per_second: float, burst: int) -> None:
        """Return a token that was taken. Raises `SharedStateUnavailableError`."""
        with translated():
            await self._give_back(keys=[PREFIX + key], args=[per_second, burst])
