"""Supervisors start in order, restart as specs say, give up upwards, and stop in reverse."""

import pytest

from veza.actors.messages.common import Crashed
from veza.supervisors.child_spec import Restart, Strategy


async def start(
    tree,
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    *,
    restart: Restart = Restart.PERMANENT,
    restarts: int = 3,
    labels: str = "abc",
) -> None:
    children = [tree.child(label, restart) for label in labels]
    await tree.start(tree.supervisor("top", children, strategy, restarts=restarts))


async def test_children_start_in_order_and_stop_in_reverse(tree) -> None:
    await start(tree)
    assert tree.start_lines == ["+a", "+b", "+c", "ready"]

    await tree.runtime.shutdown_async(5)

    assert tree.stage.diary == ["-c", "-b", "-a", "end shutdown"]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, ["-b", "+b"]),
        (Strategy.REST_FOR_ONE, ["-b", "-c", "+b", "+c"]),
        (Strategy.ONE_FOR_ALL, ["-b", "-c", "-a", "+a", "+b", "+c"]),
    ],
)
async def test_a_crash_restarts_exactly_whom_the_strategy_names(
    tree, strategy: Strategy, expected: list[str]
) -> None:
    await start(tree, strategy)

    assert await tree.ask("b", "crash") == Crashed(command="Do")
    assert await tree.written(len(expected)) == expected


@pytest.mark.parametrize(
    ("restart", "what", "expected"),
    [
        (Restart.PERMANENT, "crash", ["-b", "+b"]),
        (Restart.PERMANENT, "leave", ["-b", "+b"]),
        (Restart.TRANSIENT, "crash", ["-b", "+b"]),
        (Restart.TRANSIENT, "leave", ["-b"]),
        (Restart.TEMPORARY, "crash", ["-b"]),
        (Restart.TEMPORARY, "leave", ["-b"]),
    ],
)
async def test_a_restart_type_decides_by_the_reason_of_the_end(
    tree, restart: Restart, what: str, expected: list[str]
) -> None:
    await start(tree, restart=restart)

    tree.tell("b", what)

    assert await tree.written(len(expected)) == expected


async def test_a_crashed_child_keeps_its_address_and_what_waited_for_it(tree) -> None:
    await start(tree)
    cell = tree.cell("b")

    tree.tell("b", "crash")

    assert await tree.who(cell) == ("b", 2)
    assert cell.stats().restarts == 1


async def test_too_many_restarts_end_the_supervisor_and_tell_its_parent(tree) -> None:
    await start(tree, restarts=2)

    for _ in range(3):
        await tree.ask("a", "crash")
        await tree.quiet()

    await tree.until(lambda: "end crashed" in tree.stage.diary)
    assert tree.stage.diary[-1] == "end crashed"


@pytest.mark.parametrize("how", ["crashed", "killed"])
async def test_a_child_that_fails_while_others_are_stopped_takes_its_own_group_along(
    tree, how: str
) -> None:
    await start(tree, Strategy.REST_FOR_ONE, labels="abcd")
    tree.tell("d", "linger")
    await tree.quiet()
    tree.tell("c", "crash")
    assert await tree.written(1) == ["-c"]

    tree.end("a", how)
    assert await tree.written(2) == ["-c", "-a"]
    tree.stage.sleep_until.set()

    assert await tree.written(8) == ["-c", "-a", "-d", "-b", "+a", "+b", "+c", "+d"]
    for label in "abcd":
        assert await tree.who(tree.cell(label)) == (label, 2)
