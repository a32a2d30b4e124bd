"""Places are counted over nodes, those of a dead node come back, and without Redis nobody is kept out."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any
from uuid import uuid4

import pytest

from veza.actors import shared_places
from veza.actors.shared_places import LocalPlaces, NodePlaces
from veza.persistence.redis_link import connect
from veza.persistence.shared_places import NODES, RedisPlaces

TTL = 1.5
"""Long enough that a busy machine lets no living node miss its beats."""
Make = Callable[..., Awaitable[NodePlaces]]


class End(NodePlaces):
    """One node's end, which can die."""

    def __init__(self, url: str, ttl_seconds: float) -> None:
        self.client = connect(url)
        self.places = RedisPlaces(self.client, uuid4(), ttl_seconds=ttl_seconds)
        super().__init__(self.places, beat_seconds=ttl_seconds / 3)

    async def die(self) -> None:
        """End as by SIGKILL: nobody says that its places are free."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task


@pytest.fixture
async def new_end() -> AsyncIterator[Callable[..., End]]:
    async with AsyncExitStack() as stack:

        def make(url: str, ttl_seconds: float = 30.0) -> End:
            end = End(url, ttl_seconds)
            stack.push_async_callback(end.client.aclose)
            stack.push_async_callback(end.close)
            end.start()
            return end

        yield make


async def taken(end: NodePlaces, name: str, limit: int, times: int) -> int:
    return sum([await end.take(name, limit) for _ in range(times)])


async def until(is_it: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await is_it():
            await asyncio.sleep(0.01)


async def held(url: str) -> list[dict[bytes, bytes]]:
    """What Redis has of each node."""
    async with connect(url) as client:
        nodes = await client.zrange(NODES, 0, -1)
        return [await client.hgetall(f"{NODES}:{node.decode()}") for node in nodes]


async def test_nodes_have_so_many_places_together_and_give_them_back(new_end, redis_url) -> None:
    one, two = new_end(redis_url), new_end(redis_url)

    assert await taken(one, "user:ada", 5, 3) == 3
    assert await taken(two, "user:ada", 5, 3) == 2
    assert await taken(two, "user:ben", 5, 9) == 5
    one.give_up("user:ada")
    assert await taken(one, "user:ben", 5, 1) == 0  # told after it, so the place is free by now
    assert await taken(two, "user:ada", 5, 2) == 1


async def test_who_asks_at_once_is_counted_once_and_in_few_questions(
    new_end, redis_url, monkeypatch
) -> None:
    ends = [new_end(redis_url), new_end(redis_url)]
    questions = 0
    for end in ends:
        change = end.places.change

        async def count(changes: Any, change: Any = change) -> Any:
            nonlocal questions
            questions += 1
            return await change(changes)

        monkeypatch.setattr(end.places, "change", count)

    asked = (end.take("address:192.0.2.1", 50) for _ in range(100) for end in ends)
    answers = await asyncio.gather(*asked)

    assert sum(answers) == 50
    assert questions < 20


async def test_the_places_of_a_dead_node_are_free_after_a_while_and_of_a_live_one_never(
    new_end, redis_url
) -> None:
    one, two = new_end(redis_url, TTL), new_end(redis_url, TTL)
    assert await taken(one, "user:ada", 5, 4) == 4
    assert await taken(two, "user:ada", 5, 1) == 1
    start = time.monotonic()

    async def gone() -> bool:
        return len(await held(redis_url)) < 2

    while time.monotonic() < start + 2 * TTL:
        assert not await two.take("user:ada", 5)
        await asyncio.sleep(0.02)
    await one.die()
    await until(lambda: two.take("user:ada", 5))
    assert await taken(two, "user:ada", 5, 9) == 3
    await until(gone)


async def test_a_node_that_closes_leaves_nothing(new_end, redis_url) -> None:
    one, two = new_end(redis_url), new_end(redis_url)
    assert await taken(one, "user:ada", 5, 5) == 5

    await one.close()

    assert await taken(two, "user:ada", 5, 9) == 5
    assert len(await held(redis_url)) == 1


async def test_without_redis_everybody_gets_a_place_and_afterwards_all_are_counted(
    new_end, redis, monkeypatch
) -> None:
    monkeypatch.setattr(shared_places, "AWAY_SECONDS", 0.1)
    one, two = new_end(redis.url, TTL), new_end(redis.url, TTL)
    assert await taken(one, "user:ada", 5, 2) == 2

    redis.kill()
    began = time.monotonic()
    assert await taken(one, "user:ada", 5, 2) == 2
    assert await taken(two, "user:ada", 5, 9) == 9
    for _ in range(8):
        two.give_up("user:ada")
    assert time.monotonic() - began < 5
    redis.start()

    async def told() -> bool:
        return sorted(table.get(b"user:ada", b"") for table in await held(redis.url)) == [
            b"1",
            b"4",
        ]

    await until(told)
    assert not await one.take("user:ada", 5)
    assert await one.take("user:ada", 6)


async def test_what_redis_forgot_it_is_told_again(new_end, redis_url) -> None:
    one, two = new_end(redis_url), new_end(redis_url)
    assert await taken(one, "user:ada", 5, 5) == 5
    async with connect(redis_url) as client:
        await client.flushall()

    assert await one.take("user:ben", 5)

    assert not await two.take("user:ada", 5)


async def test_a_place_that_nobody_waits_for_any_more_is_free_again(new_end, redis_url) -> None:
    one, two = new_end(redis_url), new_end(redis_url)
    waiting = asyncio.create_task(one.take("user:ada", 1))
    await asyncio.sleep(0)
    waiting.cancel()

    await until(lambda: two.take("user:ada", 1))

    async def let_go() -> bool:
        return "user:ada" not in one._held

    await until(let_go)  # the other may have been asked for first


async def test_the_only_node_asks_nobody() -> None:
    places = LocalPlaces()
    places.start()

    assert await taken(places, "user:ada", 1, 9) == 9
    places.give_up("user:ada")
    await places.close()
