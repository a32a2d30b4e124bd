"""Places of an address: counted, given back, and one bucket for all that its connections say."""

import pytest

from veza.actors.rate_limit import Rate
from veza.gateway.connections import Connections

RATE = Rate(per_second=1.0, burst=3)


def connections(per_address: int = 2) -> Connections:
    return Connections(5, 25.0, per_address=per_address, address_rate=RATE)


def test_an_address_has_so_many_places_and_another_has_its_own() -> None:
    registry = connections()
    first = registry.take_place("192.0.2.1", 0.0)

    assert first is not None
    assert registry.take_place("192.0.2.1", 0.0) is not None
    assert registry.take_place("192.0.2.1", 0.0) is None
    assert registry.take_place("192.0.2.2", 0.0) is not None
    registry.give_up_place(first)
    assert registry.take_place("192.0.2.1", 0.0) is not None
    assert registry.take_place("192.0.2.1", 0.0) is None


def test_a_network_of_ipv6_is_one_address() -> None:
    registry = connections()

    assert registry.take_place("2001:db8:1:2::1", 0.0) is not None
    assert registry.take_place("2001:db8:1:2::2", 0.0) is not None
    assert registry.take_place("2001:db8:1:2::3", 0.0) is None
    assert registry.take_place("2001:db8:1:3::1", 0.0) is not None


def test_the_connections_of_an_address_draw_from_one_bucket() -> None:
    registry = connections()
    one, other = registry.take_place("192.0.2.1", 0.0), registry.take_place("192.0.2.1", 0.0)
    stranger = registry.take_place("192.0.2.2", 0.0)
    assert one is not None
    assert other is not None
    assert stranger is not None

    waits = [each.bucket.take(0.0) for each in (one, other, one, other)]

    assert waits == [0, 0, 0, 1]
    assert stranger.bucket.take(0.0) == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_has_as_many_as_it_wants(address: str) -> None:
    registry = connections()
    places = [registry.take_place(address, 0.0) for _ in range(100)]

    assert None not in places
    for place in places:
        assert place is not None
        assert [place.bucket.take(0.0) for _ in range(10)] == [0] * 10
        registry.give_up_place(place)


def test_with_0_nobody_is_counted() -> None:
    registry = connections(per_address=0)

    assert None not in [registry.take_place("192.0.2.1", 0.0) for _ in range(100)]
