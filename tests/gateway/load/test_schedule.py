"""The schedule is decided by the seed alone, and has the rates that were asked for."""

import statistics
from itertools import pairwise

import pytest

from veza.gateway.load.schedule import plan

RAMP = [{"ramp": {"from": 0, "to": "200/s", "for": "10s"}}]
STEADY = [{"constant": {"rate": "500/s", "for": "10s"}}]


def test_the_same_seed_gives_the_same_arrivals(scenario) -> None:
    assert plan(scenario(arrivals=STEADY)) == plan(scenario(arrivals=STEADY))
    assert plan(scenario(arrivals=STEADY)) != plan(scenario(arrivals=STEADY, seed=4))


def test_the_target_does_not_change_the_arrivals(scenario) -> None:
    assert plan(scenario(target="ws")) == plan(scenario(target="rest"))


def test_even_arrivals_are_evenly_spaced(scenario) -> None:
    times = [each.at_seconds for each in plan(scenario()).arrivals]

    assert len(times) == 200
    assert statistics.pstdev(b - a for a, b in pairwise(times)) < 1e-9


def test_poisson_arrivals_have_the_rate_and_the_scatter_of_chance(scenario) -> None:
    times = [each.at_seconds for each in plan(scenario(arrivals=STEADY)).arrivals]
    gaps = [b - a for a, b in pairwise(times)]

    assert len(times) == pytest.approx(5000, rel=0.05)
    assert statistics.pstdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.1)


def test_a_ramp_has_three_quarters_of_its_arrivals_in_its_second_half(scenario) -> None:
    times = [each.at_seconds for each in plan(scenario(arrivals=RAMP)).arrivals]

    assert times == sorted(times)
    assert len(times) == pytest.approx(1000, rel=0.1)
    assert sum(time > 5 for time in times) / len(times) == pytest.approx(0.75, abs=0.04)


def test_who_writes_in_a_room_is_a_member_of_it(scenario) -> None:
    made = plan(scenario(fixtures={"users": 30, "rooms": 12, "rooms_per_user": 3, "zipf": 1.2}))

    assert all(each.user in made.members[each.room] for each in made.arrivals)
    assert all(made.members)


def test_popular_rooms_have_more_arrivals(scenario) -> None:
    fixtures = {"users": 50, "rooms": 10, "zipf": 1.0}
    arrivals = plan(scenario(arrivals=STEADY, fixtures=fixtures)).arrivals
    counts = [sum(each.room == room for each in arrivals) for room in range(10)]

    assert counts[0] / counts[9] == pytest.approx(10, rel=0.4)


def test_a_changed_rate_and_length_keep_the_shape(scenario) -> None:
    whole = scenario(
        arrivals=[RAMP[0], STEADY[0]],
        warmup="2s",
        faults=[{"at": "10s", "kill": "rooms/*"}],
    )
    changed = whole.changed(target=None, rate=50, seconds=4, seed=9)

    assert changed.highest_rate == 50
    assert changed.seconds == pytest.approx(4)
    assert changed.arrivals[0].rates == (0, pytest.approx(20))
    assert changed.warmup == pytest.approx(0.4)
    assert changed.faults[0].at == pytest.approx(2)
    assert changed.seed == 9
