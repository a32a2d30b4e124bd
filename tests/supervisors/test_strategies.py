"""Who is stopped, who is started and who keeps its address, as Erlang/OTP's supervisors do it.

`OTP` was written down from supervisors of Erlang/OTP 25 that were put through the same ends, with the
same three children (a, b, c, all of one restart type; it is always b that ends): `-` is an end, `+` a
start, `!` a start that fails.
"""

import asyncio
from typing import Any

import pytest

from veza.actors.messages.common import Gone
from veza.supervisors.child_spec import AllRefs, Ref, Restart, Strategy

ALL = "-b -c -a +a +b +c"
REST = "-b -c +b +c"
ONE = "-b +b"
END = "-b"

OTP = {
    ("one_for_one", "permanent"): {
        "normal": ONE,
        "shutdown": ONE,
        "killed": ONE,
        "crashed": ONE,
        "not_started": "-b !b +b",
    },
    ("one_for_one", "transient"): {
        "normal": END,
        "shutdown": END,
        "killed": ONE,
        "crashed": ONE,
        "not_started": "-b !b +b",
    },
    ("one_for_all", "permanent"): {
        "normal": ALL,
        "shutdown": ALL,
        "killed": ALL,
        "crashed": ALL,
        "not_started": "-b -c -a +a !b -a +a +b +c",
    },
    ("one_for_all", "transient"): {
        "normal": END,
        "shutdown": END,
        "killed": ALL,
        "crashed": ALL,
        "not_started": "-b -c -a +a !b -a +a +b +c",
    },
    ("rest_for_one", "permanent"): {
        "normal": REST,
        "shutdown": REST,
        "killed": REST,
        "crashed": REST,
        "not_started": "-b -c !b +b +c",
    },
    ("rest_for_one", "transient"): {
        "normal": END,
        "shutdown": END,
        "killed": REST,
        "crashed": REST,
        "not_started": "-b -c !b +b +c",
    },
    **{
        (strategy, "temporary"): dict.fromkeys(
            ("normal", "shutdown", "killed", "crashed", "not_started"), END
        )
        for strategy in ("one_for_one", "one_for_all", "rest_for_one")
    },
}

KEEPS_ITS_ADDRESS = {"crashed", "not_started"}
"""Ours, not OTP's: after these the actor is restarted in place, with what waits for it."""

ANSWERED_BY = {"normal": 1, "shutdown": None, "killed": None, "crashed": 2, "not_started": 2}
"""The instance that answers what was asked right after the end began: an end in order comes behind
what waits already; after a crash the next instance answers; else nobody does."""

ROWS = [
    (strategy, restart, reason, expected)
    for (strategy, restart), reasons in OTP.items()
    for reason, expected in reasons.items()
]

MIXED = [
    ("one_for_one", ["b"], "-b +b"),
    ("one_for_one", ["d", "b"], "-d -b +b"),
    ("one_for_one", ["c", "b"], "-c -b +b"),
    ("one_for_all", ["b"], "-b -d -c -a +a +b +d"),
    ("one_for_all", ["d", "b"], "-d -b -c -a +a +b +d"),
    ("one_for_all", ["c", "b"], "-c -b -d -a +a +b +d"),
    ("rest_for_one", ["b"], "-b -d -c +b +d"),
    ("rest_for_one", ["d", "b"], "-d -b -c +b +d"),
    ("rest_for_one", ["c", "b"], "-c -b -d +b +d"),
]
"""Of OTP too: a and b are permanent, c is temporary, d transient; d ends normally, the others crash."""


def test_the_table_has_every_combination() -> None:
    assert len(ROWS) == len(Strategy) * len(Restart) * 5


@pytest.mark.parametrize(("strategy", "restart", "reason", "expected"), ROWS)
async def test_an_end_has_the_consequences_that_otp_gives_it(
    tree: Any, strategy: str, restart: str, reason: str, expected: str
) -> None:
    children = [tree.child(label, Restart(restart)) for label in "abc"]
    top = await tree.start(tree.supervisor("top", children, Strategy(strategy)))
    before = tree.players()

    tree.end("b", reason)
    answer = await tree.who(before["b"])
    await tree.quiet()

    assert " ".join(tree.stage.diary) == expected
    assert top.alive
    started = {line[1:] for line in expected.split() if line.startswith("+")}
    ended = {line[1:] for line in expected.split() if line.startswith("-")}
    after = tree.players()
    assert set(after) == {"a", "b", "c"} - (ended - started)
    for label, cell in after.items():
        is_same = label not in ended or (label == "b" and reason in KEEPS_ITS_ADDRESS)
        assert (cell is before[label]) is is_same, label
        assert await tree.who(cell) == (label, tree.stage.starts[label])
    number = ANSWERED_BY[reason]
    is_answered = number == 1 or (number is not None and "b" in started)
    assert answer == (("b", number) if is_answered else Gone(command="WhoIsIt"))


@pytest.mark.parametrize(("strategy", "ends", "expected"), MIXED)
async def test_a_group_is_restarted_without_its_temporary_and_with_its_ended_transient_children(
    tree: Any, strategy: str, ends: list[str], expected: str
) -> None:
    types = {"a": "permanent", "b": "permanent", "c": "temporary", "d": "transient"}
    children = [tree.child(label, Restart(restart)) for label, restart in types.items()]
    await tree.start(tree.supervisor("top", children, Strategy(strategy)))

    for label in ends:
        tree.end(label, "normal" if label == "d" else "crashed")
        await tree.quiet()

    assert " ".join(tree.stage.diary) == expected


async def test_whoever_is_restarted_along_finishes_what_waited_and_answers_no_more(
    tree: Any,
) -> None:
    children = [tree.child(label) for label in "ab"]
    await tree.start(tree.supervisor("top", children, Strategy.ONE_FOR_ALL))
    b = tree.cell("b")

    waiting = asyncio.ensure_future(tree.who(b))
    tree.end("a", "crashed")
    await tree.quiet()

    assert await waiting == ("b", 1)
    assert await tree.who(b) == Gone(command="WhoIsIt")
    assert await tree.who(tree.cell("b")) == ("b", 2)


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("knows", [Ref("a"), AllRefs()])
async def test_a_child_restarted_in_place_is_told_the_addresses_of_now(
    tree: Any, strategy: Strategy, knows: object
) -> None:
    children = [tree.child("a"), tree.child("b", knows=knows)]
    await tree.start(tree.supervisor("top", children, strategy))

    tree.end("a", "killed")
    await tree.quiet()
    tree.end("b", "crashed")
    await tree.quiet()

    known = await tree.knows("b")
    assert (known["a"] if isinstance(known, dict) else known) is tree.cell("a")


async def test_a_child_that_crashes_while_it_ends_is_started_again(tree: Any) -> None:
    await tree.start(tree.supervisor("top", [tree.child("a")]))
    tree.stage.bad_ends.add("a")

    tree.end("a", "normal")
    await tree.quiet()

    assert tree.states("top") == {"a": "ready"}
    assert await tree.who(tree.cell("a")) == ("a", 2)


async def test_a_child_killed_right_after_it_crashed_is_started_again(tree: Any) -> None:
    await tree.start(tree.supervisor("top", [tree.child("a")]))
    cell = tree.cell("a")

    tree.tell("a", "crash")
    while cell.state != "crashed":
        tree.runtime.scheduler.drain(0.0)
    tree.runtime.kill(cell)
    await tree.quiet()

    assert tree.states("top") == {"a": "ready"}
    assert tree.cell("a") is not cell


async def test_a_child_that_is_not_ready_in_time_is_killed_and_started_again(tree: Any) -> None:
    tree.stage.never_ready["b"] = 2
    children = [tree.child("a"), tree.child("b", ready_seconds=0.02), tree.child("c")]

    await tree.start(tree.supervisor("top", children))

    assert tree.stage.starts == {"a": 1, "b": 3, "c": 1}
    assert tree.states("top") == dict.fromkeys("abc", "ready")


async def test_a_child_that_cannot_start_is_tried_again_and_at_last_given_up_upwards(
    tree: Any,
) -> None:
    tree.stage.refuse["b"] = 100
    children = [tree.child(label) for label in "abc"]

    top = await tree.start(tree.supervisor("top", children, restarts=3))

    assert tree.stage.refuse["b"] == 100 - 4
    assert tree.stage.starts["c"] == 0
    assert not top.alive
    assert tree.players() == {}
