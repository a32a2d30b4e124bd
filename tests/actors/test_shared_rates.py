"""One contract for the limits of one node and of many; and what holds while Redis is away."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest

from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.rate_limit import Rate
from veza.actors.shared_rates import LocalRates, RedisRates, SharedRates
from veza.persistence.redis_link import connect
from veza.persistence.shared_rates import PREFIX, RedisBuckets

SLOW = Rate(per_second=0.01, burst=3)


@pytest.fixture
async def redis_rates(redis_url: str) -> AsyncIterator[Callable[[], SharedRates]]:
    client = connect(redis_url)
    yield lambda: RedisRates(RedisBuckets(client))
    await client.aclose()


@pytest.fixture(params=["local", "redis"])
def rates(request) -> SharedRates:
    if request.param == "local":
        return LocalRates()
    return request.getfixturevalue("redis_rates")()


async def spent(rates: SharedRates, key: str, rate: Rate, times: int) -> int:
    """How many of so many were let through."""
    passed = 0
    for _ in range(times):
        with suppress(RefusedError):
            await rates.spend(key, rate)
            passed += 1
    return passed


async def test_a_burst_passes_and_then_one_is_told_how_long_to_wait(rates) -> None:
    assert await spent(rates, "post:ada", SLOW, 3) == 3

    with pytest.raises(RefusedError) as refused:
        await rates.spend("post:ada", SLOW)

    assert refused.value.code is RejectCode.RATE_LIMITED
    assert 95 < refused.value.retry_after_seconds <= 100


async def test_to_be_refused_costs_nothing(rates) -> None:
    rate = Rate(per_second=20, burst=1)
    await rates.spend("post:ada", rate)
    await spent(rates, "post:ada", rate, 5)

    await asyncio.sleep(0.06)  # time is what a bucket is filled with

    assert await spent(rates, "post:ada", rate, 1) == 1


async def test_each_key_has_a_bucket_of_its_own(rates) -> None:
    assert await spent(rates, "post:ada", SLOW, 5) == 3
    assert await spent(rates, "post:ben", SLOW, 5) == 3


async def test_a_bucket_fills_with_the_time_and_no_further_than_its_burst(rates) -> None:
    rate = Rate(per_second=50, burst=5)
    began = asked_at = time.monotonic()
    passed, overflowed = 0, 0.0
    while time.monotonic() < began + 0.5:
        passed += await spent(rates, "post:ada", rate, 1)
        await asyncio.sleep(0.001)
        now = time.monotonic()
        # Whoever asks as seldom as this lets the bucket run over, and loses what it would have held.
        overflowed += max(0.0, 50 * (now - asked_at) - 1)
        asked_at = now
    took = time.monotonic() - began

    assert 5 + 50 * took * 0.6 - overflowed <= passed <= 5 + 50 * took + 1


async def test_what_is_asked_at_once_is_let_through_once(rates) -> None:
    passed = await asyncio.gather(*(spent(rates, "post:ada", SLOW, 1) for _ in range(50)))

    assert sum(passed) == 3


async def test_nodes_share_what_they_allow(redis_rates) -> None:
    one, two = redis_rates(), redis_rates()

    assert await spent(one, "post:ada", SLOW, 2) + await spent(two, "post:ada", SLOW, 2) == 3


async def test_a_bucket_that_would_be_full_is_not_kept(redis_rates, redis_url) -> None:
    await redis_rates().spend("post:ada", Rate(per_second=0.1, burst=2))
    await redis_rates().spend("post:ben", SLOW)

    async with connect(redis_url) as client:
        assert 0 < await client.pttl(PREFIX + "post:ada") <= 10_001
        assert 10_001 < await client.pttl(PREFIX + "post:ben") <= 100_001


async def test_while_redis_is_away_each_node_limits_for_itself(redis) -> None:
    async with connect(redis.url) as client:
        rates = RedisRates(RedisBuckets(client))
        assert await spent(rates, "post:ada", SLOW, 5) == 3

        redis.kill()

        assert await spent(rates, "post:ada", SLOW, 5) == 3


async def test_a_token_that_is_given_back_was_not_spent(rates) -> None:
    assert await spent(rates, "post:ada", SLOW, 3) == 3

    await rates.give_back("post:ada", SLOW)
    await rates.give_back("post:nobody", SLOW)

    assert await spent(rates, "post:ada", SLOW, 3) == 1
    assert await spent(rates, "post:nobody", SLOW, 5) == 3


async def test_who_is_given_back_what_they_did_not_take_gets_no_more_than_the_burst(rates) -> None:
    await rates.spend("post:ada", SLOW)
    for _ in range(9):
        await rates.give_back("post:ada", SLOW)

    assert await spent(rates, "post:ada", SLOW, 9) == 3


async def test_giving_back_while_redis_is_away_neither_fails_nor_waits_each_time(redis) -> None:
    async with connect(redis.url) as client:
        rates = RedisRates(RedisBuckets(client))
        redis.kill()

        began = time.monotonic()
        for _ in range(100):
            await rates.spend("post:ada", SLOW)
            await rates.give_back("post:ada", SLOW)

        assert time.monotonic() - began < 5
