"""A node shares what it has over Redis if it is told of one, and starts whether that answers or not."""

import asyncio
from uuid import uuid4

import pytest

from veza.config.settings import Settings
from veza.supervisors.boot import StartError, shared
from veza.supervisors.shared import alone, bus_figures, look_at_redis, over_redis


async def test_one_node_has_no_others_and_no_figures_of_them() -> None:
    mine = alone(uuid4())
    await mine.start()

    assert bus_figures(mine.bus) is None
    await mine.close()


async def test_the_figures_of_a_bus_say_whether_others_can_be_told(redis) -> None:
    mine = over_redis(redis.url, uuid4())
    await mine.start()
    before = bus_figures(mine.bus)
    redis.kill()
    async with asyncio.timeout(30):
        while mine.bus.is_up:
            await asyncio.sleep(0.01)
    after = bus_figures(mine.bus)
    await mine.close()

    assert (before.is_up, before.losses) == (True, 0)
    assert (after.is_up, after.losses) == (False, 1)


async def test_a_node_starts_while_redis_is_away(redis, tmp_path) -> None:
    redis.kill()
    settings = Settings(data=tmp_path, redis_url=redis.url)

    async with shared(settings, uuid4()) as mine:
        assert not mine.bus.is_up


async def test_an_address_that_is_none_stops_the_start(tmp_path) -> None:
    settings = Settings(data=tmp_path, redis_url="localhost:6379")

    with pytest.raises(StartError, match="VEZA_REDIS_URL"):
        async with shared(settings, uuid4()):
            pass


async def test_the_doctor_sees_which_redis_it_is_and_whether_it_answers(redis) -> None:
    there = await look_at_redis(redis.url)
    redis.kill()
    away = await look_at_redis(redis.url)

    assert there.is_used
    assert there.version
    assert there.problem == ""
    assert away.problem != ""
    assert not (await look_at_redis(None)).is_used
    assert "URL" in (await look_at_redis("localhost")).problem
