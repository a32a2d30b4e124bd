"""The generator keeps its schedule whatever the target does, and says so when it cannot."""

import pytest

from veza.gateway.load.report import report_page
from veza.gateway.load.targets import TargetError
from veza.gateway.load.thresholds import figures


async def test_a_stall_shows_in_the_latency_and_not_in_the_service_time(drive, targets) -> None:
    """As wrk2 shows it: one request of 600 stalls for a second, and everybody behind it waits."""
    arrivals = [{"constant": {"rate": 200, "for": "3s", "distribution": "even"}}]

    result = await drive(
        lambda run: targets.one_lane(run, stall_at=1.0, stall_seconds=1.0), arrivals=arrivals
    )

    sent = result["operations"]["room.send"]
    assert sent["count"] == 600
    assert 0.9 < sent["intended"]["p99"] < 3
    assert sent["service"]["p99"] < 0.1
    assert 0.95 < sent["service"]["max"] < 3
    assert result["series"][1]["operations"]["room.send"]["p99"] > 0.9


async def test_arrivals_start_on_time_while_nothing_is_answered(drive, targets) -> None:
    result = await drive(targets.silent, timeout="300ms")

    assert result["arrivals"]["started"] == 200
    assert result["arrivals"]["unanswered"] == 200
    assert result["generator"]["is_valid"]
    assert result["operations"]["room.send"]["failures"].keys() <= {"timed_out", "unfinished"}


async def test_what_timed_out_is_in_the_percentiles_with_the_time_it_was_waited_for(
    drive, targets
) -> None:
    class HalfSilent(targets.quiet):
        def perform(self, arrival, probe):
            probe.sent()
            if arrival.number % 2:
                probe.done()

    result = await drive(HalfSilent, timeout="300ms", thresholds={"room.send.count": "==100"})

    sent = result["operations"]["room.send"]
    assert (sent["count"], sent["unanswered"]) == (200, 100)
    assert sent["service"]["p90"] >= 0.3
    assert sent["intended"]["p90"] >= sent["service"]["p90"]
    assert result["rate"]["got"] == 100
    assert figures(result)["room.send.errors"] == 0.5
    assert result["verdict"] == "passed"


async def test_what_is_more_than_may_be_outstanding_is_counted_as_dropped(drive, targets) -> None:
    result = await drive(targets.silent, timeout="4s", max_in_flight=50)

    assert result["arrivals"]["started"] == 50
    assert result["arrivals"]["dropped"] == 150
    assert sum(row["dropped"] for row in result["series"]) == 150
    assert (result["verdict"], result["why"]) == ("broken", ["dropped ==0: 150"])


async def test_a_late_generator_makes_the_run_invalid(drive, targets) -> None:
    result = await drive(targets.blocks_the_loop)

    assert result["verdict"] == "invalid"
    assert result["exit_code"] == 1
    assert "late" in result["why"][0]
    assert result["arrivals"]["late"] > 50
    result["environment"] |= {"cpu": "x"}
    assert "INVALID" in report_page([result])


async def test_what_comes_during_warm_up_is_not_in_the_figures(drive, targets) -> None:
    result = await drive(targets.quiet, warmup="500ms")

    assert result["operations"]["room.send"]["count"] == 100
    assert result["series"][0]["operations"]["room.send"]["count"] == 200


async def test_a_run_ends_early_for_what_it_shall_abort_on(drive, targets) -> None:
    arrivals = [{"constant": {"rate": 100, "for": "20s"}}]

    result = await drive(targets.refuses, arrivals=arrivals, abort_on={"errors": ">50%"})

    assert result["verdict"] == "aborted"
    assert result["exit_code"] == 99
    assert result["arrivals"]["started"] < 600


@pytest.mark.parametrize(
    ("limit", "verdict", "code"), [("<1%", "broken", 99), ("<=100%", "passed", 0)]
)
async def test_a_threshold_decides_the_exit_code(drive, targets, limit, verdict, code) -> None:
    result = await drive(targets.refuses, thresholds={"errors": limit})

    assert (result["verdict"], result["exit_code"]) == (verdict, code)


async def test_a_run_whose_fault_found_nobody_has_failed(drive, targets) -> None:
    result = await drive(targets.quiet, faults=[{"at": "100ms", "kill": "rooms/*"}])

    assert (result["verdict"], result["exit_code"]) == ("failed", 1)
    assert result["why"] == ["only 0 of 1 faults struck"]


async def test_a_fault_the_node_refuses_costs_no_figures(drive, targets) -> None:
    class Refusing(targets.quiet):
        async def kill(self, _pattern, _dice):
            raise TargetError("it has ended")

    result = await drive(Refusing, faults=[{"at": "100ms", "kill": "rooms/*"}])

    assert result["verdict"] == "failed"
    assert result["notes"] == ["fault at 0.1 s: it has ended"]
    assert result["arrivals"]["finished"] == 200


async def test_a_history_that_cannot_be_read_back_costs_no_figures(drive, targets) -> None:
    class Closed(targets.chat):
        async def history(self, _room):
            raise TargetError("forbidden")

    result = await drive(lambda run: Closed(run, ""))

    assert (result["verdict"], result["exit_code"]) == ("failed", 1)
    assert result["why"] == ["the rooms' history could not be read back"]
    assert result["notes"] == ["the history of room 0 could not be read back: forbidden"]
    assert result["arrivals"]["finished"] == 200
