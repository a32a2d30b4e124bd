"""What a run is made of: faults in an order that the seed decides, members that repair nothing, its docs."""

import re
from pathlib import Path
from random import Random

import pytest
from soak.acts import Acts
from soak.faults import FAULTS, MIXES, Schedule
from soak.findings import RULES
from soak.records import History, MarkedRead, Unknown
from soak.views import Place, RoomView

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "load-testing.md"


def named_in(header: str) -> set[str]:
    """The first column of the table with this header."""
    rows = PAGE.read_text().partition(f"| {header} |")[2].partition("\n\n")[0].splitlines()[2:]
    return {name for row in rows for name in re.findall(r"\w+", row.split("|")[1])}


def test_the_docs_name_every_mix_and_every_rule() -> None:
    assert named_in("Mix | What fails") == MIXES.keys()
    assert named_in("Rule | What must hold") == RULES.keys()


@pytest.mark.parametrize("mix", MIXES)
def test_every_fault_of_a_mix_comes_until_it_has_struck(mix) -> None:
    schedule = Schedule(mix, Random(1))
    struck = []
    while schedule.missing:
        name = schedule.next()
        assert schedule.next() == name  # it found nothing to strike: it is next again
        schedule.struck(name)
        struck.append(name)

    assert sorted(struck) == sorted(MIXES[mix].faults)
    assert set(struck) <= FAULTS.keys()
    assert {schedule.next() for _ in range(200)} <= set(struck)


def test_the_seed_decides_the_faults_and_the_pauses() -> None:
    def first(seed: int) -> list[tuple[float, str]]:
        schedule = Schedule("mixed", Random(seed))
        found = []
        for _ in range(20):
            found.append((schedule.pause_seconds(), schedule.next()))
            schedule.struck(found[-1][1])
        return found

    assert first(1) == first(1)
    assert first(1) != first(2)


def events(*seqs: int) -> list[dict]:
    return [{"seq": seq} for seq in seqs]


@pytest.fixture
def displayed() -> list[int]:
    return []


@pytest.fixture
def view(displayed) -> RoomView:
    return RoomView("kitchen", lambda event: displayed.append(event["seq"]))


def test_what_comes_while_the_history_is_read_is_displayed_after_it(view, displayed) -> None:
    view.start_over("epoch", 4)
    view.take({"seq": 5})
    view.take_history(events(3, 4))
    assert displayed == []
    assert view.before_seq == 3

    view.take_history(events(1, 2))
    view.take({"seq": 6})

    assert displayed == [1, 2, 3, 4, 5, 6]
    assert view.since() == {"epoch": "epoch", "seq": 6}


def test_a_room_without_events_has_no_history_to_read(view) -> None:
    view.start_over("epoch", 0)

    assert view.place is Place.INSIDE
    assert view.since() == {"epoch": "epoch", "seq": 0}


def test_a_history_that_was_cut_off_is_read_anew(view, displayed) -> None:
    view.start_over("epoch", 4)
    view.take_history(events(3, 4))
    view.lose()

    assert view.since() is None
    assert displayed == []


def test_a_hole_and_a_double_are_displayed_as_they_come(view, displayed) -> None:
    view.start_over("epoch", 1)
    view.take_history(events(1))
    for event in events(3, 3, 2):
        view.take(event)

    assert displayed == [1, 3, 3, 2]


def test_an_act_that_the_server_does_not_know_is_left_out() -> None:
    acts, history = Acts(1.0, Random(1)), History()
    refusal = {"t": "error", "d": {"code": "unknown_type"}}
    for kind in ("message.edit", "message.delete", "message.react", "message.unreact"):
        acts.answered(kind, ("kitchen", 0), refusal, history, 1.0, 0)

    assert len(history.all(Unknown)) == 4
    assert acts.choose(2.0, {"kitchen": 7}) == ("receipt.read", {"room": "kitchen", "seq": 7})
    acts.answered("receipt.read", ("kitchen", 7), {"t": "ack", "d": {}}, history, 3.0, 0)
    assert history.all(MarkedRead) == [MarkedRead(at=3.0, client=0, room="kitchen", seq=7)]


def test_nobody_acts_at_a_rate_of_zero() -> None:
    assert Acts(0.0, Random(1)).choose(9.0, {"kitchen": 7}) is None
