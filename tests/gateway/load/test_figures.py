"""Histograms merge without averaging, thresholds compare in their units, comparisons know noise."""

from random import Random

import pytest

from veza.gateway.load.compare import compare
from veza.gateway.load.faults import Strike, recovery
from veza.gateway.load.histogram import Latencies
from veza.gateway.load.quantities import duration_text
from veza.gateway.load.results import Ended
from veza.gateway.load.thresholds import check, parse_limit


def recorded(values) -> Latencies:
    latencies = Latencies()
    for value in values:
        latencies.record(value)
    return latencies


def test_merged_histograms_have_the_percentiles_of_all_values() -> None:
    fast, slow = [0.001] * 990, [1.0] * 10
    merged = recorded(fast[:500])
    merged.add(recorded(fast[500:] + slow))

    assert merged.summary() == recorded(fast + slow).summary()
    assert merged.at(99.5) == pytest.approx(1.0, rel=0.001)
    assert merged.at(50) == pytest.approx(0.001, rel=0.001)
    assert merged.count == 1000


def test_a_histogram_survives_the_result_file() -> None:
    dice = Random(1)
    latencies = recorded(dice.expovariate(20) for _ in range(5000))

    read = Latencies.decode(latencies.encode())

    assert read.summary() == pytest.approx(latencies.summary(), rel=0.001)
    assert read.count == 5000


def test_times_out_of_range_count_at_its_ends() -> None:
    latencies = recorded([0.0, 1e-9, 10_000.0])

    assert latencies.count == 3
    assert latencies.at(100) == pytest.approx(3600, rel=0.001)


@pytest.mark.parametrize(
    ("text", "found", "is_kept"),
    [
        ("<250ms", 0.249, True),
        ("<250ms", 0.25, False),
        ("<=0.1%", 0.001, True),
        ("<0.1%", 0.002, False),
        ("==0", 0, True),
        ("==0", 1, False),
        (">=100/s", 100.0, True),
        (">5", 5, False),
    ],
)
def test_a_threshold_compares_in_its_unit(text: str, found: float, is_kept: bool) -> None:
    assert parse_limit(text).holds(found) is is_kept


def test_a_threshold_on_what_was_not_measured_is_broken() -> None:
    [kept] = check({"room.send.p99": "<1s"}, {})

    assert not kept.is_kept
    assert kept.to_json()["shown"] == "not measured"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0000123, "12 µs"), (0.0123, "12.3 ms"), (2.5, "2.5 s")]
)
def test_times_are_told_in_the_unit_that_suits(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


class NothingLost:
    def lost_in(self, _rooms) -> int:
        return 0


def end(intended: float, finished: float, room: int = 1, *, is_ok: bool = True) -> Ended:
    return Ended("room.send", room, intended, finished, is_ok)


def test_recovery_counts_the_struck_room_only() -> None:
    ends = [
        end(9.9, 10.5, is_ok=False),
        end(10.1, 10.4, room=2),
        end(10.2, 11.0, is_ok=False),
        end(10.3, 11.5),
        end(10.6, 11.2, is_ok=False),
        end(10.8, 11.8),
        end(11.9, 12.0),
    ]

    found = recovery(Strike(10.0, 10.0, "rooms/*", "/x", 1), [], ends, NothingLost())

    assert found["first_seconds"] == pytest.approx(1.5)
    assert found["full_seconds"] == pytest.approx(1.8)
    assert found["failed"] == 3


def test_what_fails_before_the_socket_has_answered_is_the_strikes_doing() -> None:
    strike = Strike(1.0, 1.02, "x", "/x", None)

    found = recovery(strike, [strike], [end(1.0, 1.01, is_ok=False), end(1.1, 1.2)], NothingLost())

    assert found["failed"] == 1
    assert found["full_seconds"] == pytest.approx(0.18)


def test_a_strike_nobody_noticed_is_recovered_at_once() -> None:
    found = recovery(Strike(1.0, 1.0, "x", "/x", None), [], [end(1.5, 1.6)], NothingLost())

    assert found["full_seconds"] == 0
    assert found["first_seconds"] == pytest.approx(0.6)


def run_of(p50: float, scatter: float, seed: int) -> dict:
    dice = Random(seed)
    rows = []
    for second in range(40):
        value = p50 * dice.uniform(1 - scatter, 1 + scatter)
        figures = dict.fromkeys(("p50", "p99", "service_p50", "service_p99"), value)
        rows.append({"second": second, "operations": {"room.send": {"count": 5, **figures}}})
    return {"series": rows, "warmup": 0, "operations": {"room.send": {}}}


def test_a_real_difference_is_shown_and_noise_is_not() -> None:
    a, same, slower = run_of(0.01, 0.2, 1), run_of(0.01, 0.2, 2), run_of(0.02, 0.2, 3)

    assert {each.verdict for each in compare(a, same)} == {"no difference shown"}
    assert {each.verdict for each in compare(a, slower)} == {"slower"}
    assert {each.verdict for each in compare(slower, a)} == {"faster"}
