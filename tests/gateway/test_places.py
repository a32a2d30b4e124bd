"""Places of an address: counted, given back, and one bucket for all that its connections say."""

import asyncio
from uuid import UUID

import pytest

from veza.actors.rate_limit import Rate
from veza.gateway.connections import Connections

RATE = Rate(per_second=1.0, burst=3)


def connections(per_address: int = 2) -> Connections:
    return Connections(5, 25.0, per_address=per_address, address_rate=RATE)


async def test_an_address_has_so_many_places_and_another_has_its_own() -> None:
    registry = connections()
    first = await registry.take_place("192.0.2.1", 0.0)

    assert first is not None
    assert await registry.take_place("192.0.2.1", 0.0) is not None
    assert await registry.take_place("192.0.2.1", 0.0) is None
    assert await registry.take_place("192.0.2.2", 0.0) is not None
    registry.give_up_place(first)
    assert await registry.take_place("192.0.2.1", 0.0) is not None
    assert await registry.take_place("192.0.2.1", 0.0) is None


async def test_a_network_of_ipv6_is_one_address() -> None:
    registry = connections()

    assert await registry.take_place("2001:db8:1:2::1", 0.0) is not None
    assert await registry.take_place("2001:db8:1:2::2", 0.0) is not None
    assert await registry.take_place("2001:db8:1:2::3", 0.0) is None
    assert await registry.take_place("2001:db8:1:3::1", 0.0) is not None


async def test_the_connections_of_an_address_draw_from_one_bucket() -> None:
    registry = connections()
    one, other = (
        await registry.take_place("192.0.2.1", 0.0),
        await registry.take_place("192.0.2.1", 0.0),
    )
    stranger = await registry.take_place("192.0.2.2", 0.0)
    assert one is not None
    assert other is not None
    assert stranger is not None

    waits = [each.bucket.take(0.0) for each in (one, other, one, other)]

    assert waits == [0, 0, 0, 1]
    assert stranger.bucket.take(0.0) == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_this_machine_has_as_many_as_it_wants(address: str) -> None:
    registry = connections()
    places = [await registry.take_place(address, 0.0) for _ in range(100)]

    assert None not in places
    for place in places:
        assert place is not None
        assert [place.bucket.take(0.0) for _ in range(10)] == [0] * 10
        registry.give_up_place(place)


async def test_with_0_nobody_is_counted() -> None:
    registry = connections(per_address=0)

    assert None not in [await registry.take_place("192.0.2.1", 0.0) for _ in range(100)]


class Counter:
    """Places that are answered when the test says so."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.given_up: list[str] = []

    async def take(self, name: str, limit: int) -> bool:
        assert (name, limit) in {(f"user:{USER}", 5), ("address:192.0.2.1", 2)}
        return await self.answer

    def give_up(self, name: str) -> None:
        self.given_up.append(name)

    def start(self) -> None:
        raise AssertionError

    async def close(self) -> None:
        raise AssertionError


class Gone:
    """A connection."""

    number = 0
    user = None

    def close(self, *_reason: object) -> None:
        raise AssertionError


USER = UUID(int=7)


def shared(counter: Counter) -> Connections:
    return Connections(5, 25.0, per_address=2, address_rate=RATE, places=counter)


async def test_a_connection_that_ends_before_it_is_counted_keeps_no_place() -> None:
    counter, peer = Counter(), Gone()
    registry = shared(counter)
    registry.add(peer)
    admitting = asyncio.create_task(registry.admit(peer, USER))
    await asyncio.sleep(0)

    registry.remove(peer)
    counter.answer.set_result(True)

    assert not await admitting
    assert counter.given_up == [f"user:{USER}"]
    registry.shut_out(USER, 0.0)  # it would be closed if it were still known


async def test_who_finds_no_place_on_all_nodes_takes_none_here() -> None:
    counter = Counter()
    registry = shared(counter)
    counter.answer.set_result(False)

    assert [await registry.take_place("192.0.2.1", 0.0) for _ in range(9)] == [None] * 9
    assert counter.given_up == []
    counter.answer = asyncio.get_running_loop().create_future()
    counter.answer.set_result(True)
    first = await registry.take_place("192.0.2.1", 0.0)
    assert first is not None
    registry.give_up_place(first)
    assert counter.given_up == ["address:192.0.2.1"]
