"""Trees stop in reverse order; whoever does not stop in time is killed and named, and nobody waits for it."""

from time import monotonic
from typing import Any

import pytest

from veza.actors.messages.directory import Deliver
from veza.supervisors.child_spec import Restart, Strategy

PATH = "/guardian/top"


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_a_nested_tree_stops_newest_first_and_children_before_their_supervisor(
    tree: Any, strategy: Strategy
) -> None:
    inner = tree.supervisor("inner", [tree.child("c"), tree.child("d")], strategy)
    outer = tree.supervisor("outer", [tree.child("b"), inner, tree.child("e")], strategy)
    await tree.start(tree.supervisor("top", [tree.child("a"), outer, tree.child("f")], strategy))

    killed = await tree.runtime.shutdown_async(5)

    assert killed == []
    assert tree.stage.diary == ["-f", "-e", "-d", "-c", "-b", "-a", "end shutdown"]


async def test_who_does_not_stop_in_its_time_is_killed_and_named_and_the_others_stop_in_order(
    tree: Any,
) -> None:
    inner = tree.supervisor("inner", [tree.child("b"), tree.child("c", shutdown_seconds=0.05)])
    children = [tree.child("a", shutdown_seconds=0.05), inner, tree.child("d")]
    await tree.start(tree.supervisor("top", children))
    for label in "ac":
        tree.tell(label, "linger")
    await tree.quiet()

    began = monotonic()
    killed = await tree.runtime.shutdown_async(10)

    assert tree.stage.diary == ["-d", "-c", "-b", "-a", "end shutdown"]
    assert killed == [f"{PATH}/inner/c", f"{PATH}/a"]
    assert 0.1 <= monotonic() - began < 5


async def test_the_time_of_the_whole_is_kept_whatever_the_children_may_take(tree: Any) -> None:
    children = [tree.child(label, shutdown_seconds=60) for label in "abc"]
    await tree.start(tree.supervisor("top", children))
    tree.tell("b", "linger")
    await tree.quiet()

    began = monotonic()
    killed = await tree.runtime.shutdown_async(0.5)

    assert monotonic() - began < 5
    assert f"{PATH}/b" in killed
    assert f"{PATH}/c" not in killed
    assert tree.stage.diary[:3] == ["-c", "-b", "-a"]


async def test_a_group_that_is_restarted_does_not_wait_for_who_does_not_stop(tree: Any) -> None:
    children = [tree.child("a"), tree.child("b", shutdown_seconds=0.05), tree.child("c")]
    await tree.start(tree.supervisor("top", children, Strategy.ONE_FOR_ALL))
    tree.tell("b", "linger")
    await tree.quiet()

    tree.end("a", "crashed")
    await tree.until(lambda: tree.stage.starts["c"] == 2)

    assert tree.stage.diary == ["-a", "-c", "-b", "+a", "+b", "+c"]


async def test_a_child_without_time_to_stop_is_killed_at_once_with_its_group(tree: Any) -> None:
    children = [tree.child("a"), tree.child("b", shutdown_seconds=0), tree.child("c")]
    await tree.start(tree.supervisor("top", children, Strategy.ONE_FOR_ALL))
    tree.tell("b", "linger")
    await tree.quiet()

    tree.end("a", "crashed")
    await tree.quiet()

    assert tree.stage.diary == ["-a", "-c", "-b", "+a", "+b", "+c"]


async def test_children_of_a_family_stop_together(tree: Any) -> None:

    members = tree.family("members", Restart.TRANSIENT, shutdown_seconds=1.0)
    await tree.start(tree.supervisor("top", [tree.directory(), members, tree.child("z")]))
    for number in range(20):
        deliver = Deliver(key=("members", str(number)), message=object())
        tree.runtime.post(tree.cell("directory"), deliver, tree.guardian)
    await tree.quiet()
    for number in range(10):
        tree.tell(str(number), "linger")
    await tree.quiet()
    tree.stage.diary.clear()

    began = monotonic()
    killed = await tree.runtime.shutdown_async(10)

    assert tree.stage.diary[0] == "-z"
    assert sorted(killed) == [f"{PATH}/members/{number}" for number in range(10)]
    assert monotonic() - began < 1.0 * 10
