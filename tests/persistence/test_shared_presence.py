"""One contract for presence in memory and in Redis: devices are there until they are cleared or forgotten."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from veza.persistence.redis_link import connect
from veza.persistence.shared_presence import (
    PREFIX,
    Device,
    DeviceTable,
    LocalPresence,
    Presence,
    RedisPresence,
)

ADA, BEN = uuid4(), uuid4()
NewNode = Callable[..., Presence]


@pytest.fixture(params=["local", "redis"])
async def new_node(request) -> AsyncIterator[NewNode]:
    """Make nodes that share their presence."""
    if request.param == "local":
        table: DeviceTable = {}
        yield lambda ttl_seconds=60: LocalPresence(uuid4(), ttl_seconds=ttl_seconds, table=table)
        return
    client = connect(request.getfixturevalue("redis_url"))
    yield lambda ttl_seconds=60: RedisPresence(client, uuid4(), ttl_seconds=ttl_seconds)
    await client.aclose()


def device(user_id: UUID, status: str = "online", device_id: UUID | None = None) -> Device:
    return Device(user_id=user_id, device_id=device_id or uuid4(), status=status)


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await is_so():
            await asyncio.sleep(0.01)


async def test_a_device_is_seen_from_every_node(new_node) -> None:
    one, two = new_node(), new_node()

    await one.put([device(ADA)])
    await two.put([device(ADA, "idle"), device(BEN, "do not disturb")])

    for node in (one, two):
        assert await node.read([ADA, BEN, uuid4()]) == {
            ADA: ("idle", "online"),
            BEN: ("do not disturb",),
        }


async def test_putting_a_device_again_changes_its_status(new_node) -> None:
    node, phone = new_node(), uuid4()

    await node.put([device(ADA, "online", phone)])
    await node.put([device(ADA, "idle", phone)])

    assert await node.read([ADA]) == {ADA: ("idle",)}


async def test_a_cleared_device_is_gone_and_clearing_again_is_harmless(new_node) -> None:
    one, two = new_node(), new_node()
    phone, desk = device(ADA), device(ADA, "idle")
    await one.put([phone, desk])

    await one.clear([phone])
    await one.clear([phone, device(BEN)])

    assert await two.read([ADA]) == {ADA: ("idle",)}
    await one.clear([desk])
    assert await two.read([ADA]) == {}


async def test_a_node_clears_what_it_put_and_nothing_else(new_node) -> None:
    old, new = new_node(), new_node()
    phone = device(ADA)
    await old.put([phone])

    await new.put([phone])
    await old.clear([phone])

    assert await new.read([ADA]) == {ADA: ("online",)}


async def test_what_a_dead_node_put_ends_and_what_is_put_again_stays(new_node) -> None:
    dead, alive, reader = new_node(ttl_seconds=0.05), new_node(), new_node()
    await dead.put([device(ADA, "idle"), device(BEN)])
    phone = device(ADA)

    async def only_the_living_are_there() -> bool:
        await alive.put([phone])
        return await reader.read([ADA, BEN]) == {ADA: ("online",)}

    await until(only_the_living_are_there)


async def test_thousands_are_put_and_read_at_once(new_node) -> None:
    one, two = new_node(), new_node()
    users = [uuid4() for _ in range(1_200)]
    await one.put([device(user) for user in users])

    found = await two.read(users)

    assert found == dict.fromkeys(users, ("online",))
    assert await two.read([]) == {}


@pytest.fixture
async def client(redis_url) -> AsyncIterator[Redis]:
    client = connect(redis_url)
    yield client
    await client.aclose()


async def test_whoever_writes_drops_the_devices_that_are_gone(client: Redis) -> None:
    gone, here = (RedisPresence(client, uuid4(), ttl_seconds=seconds) for seconds in (0.01, 60))
    phone = device(ADA, "idle")
    await gone.put([device(ADA)])

    async def only_the_phone_is_left() -> bool:
        await here.put([phone])
        return await client.hlen(f"{PREFIX}{ADA}") == 1

    await until(only_the_phone_is_left)
    assert await here.read([ADA]) == {ADA: ("idle",)}


async def test_nothing_is_left_in_redis_of_those_who_are_gone(client: Redis) -> None:
    await RedisPresence(client, uuid4(), ttl_seconds=0.05).put([device(ADA)])

    async def redis_is_empty() -> bool:
        return await client.keys("*") == []

    await until(redis_is_empty)


async def test_while_redis_is_away_a_node_knows_its_own_and_others_again_when_it_is_back(
    redis,
) -> None:
    async with connect(redis.url) as client:
        one, two = RedisPresence(client, uuid4()), RedisPresence(client, uuid4())
        phone, desk = device(ADA), device(BEN)
        await one.put([phone])
        await two.put([desk])

        redis.kill()
        assert await one.read([ADA, BEN]) == {ADA: ("online",)}
        await one.put([phone])
        redis.start()
        assert await one.read([ADA, BEN]) == {ADA: ("online",)}
        await two.put([desk])

        assert await one.read([ADA, BEN]) == {ADA: ("online",), BEN: ("online",)}


async def test_the_others_are_the_devices_of_other_nodes_only(new_node) -> None:
    one, two = new_node(), new_node()
    await one.put([device(ADA, "here")])
    await two.put([device(ADA, "there"), device(BEN, "there")])

    assert await one.others([ADA, BEN]) == {ADA: ("there",), BEN: ("there",)}
    assert await two.others([ADA, BEN]) == {ADA: ("here",)}
