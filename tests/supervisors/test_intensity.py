"""How many restarts are tolerated, to the one, and what giving up does on each floor up to the root."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.actors.messages.directory import Deliver
from veza.supervisors.child_spec import Intensity, Restart, RestartLog, Strategy

ROOT = Path(__file__).parents[2]


async def crash_at(tree: Any, label: str, times: list[float]) -> None:
    for tree.clock.now in times:
        tree.end(label, "crashed")
        await tree.quiet()


@pytest.mark.parametrize(
    ("restarts", "times", "is_alive"),
    [
        (0, [], True),
        (0, [0], False),
        (3, [0, 0, 0], True),
        (3, [0, 0, 0, 0], False),
        (3, [0, 4, 9, 10], False),  # the first is just within the period
        (3, [0, 4, 9, 10.001], True),  # the first has left it
        (3, [0, 4, 9, 10.001, 13.9], False),
        (3, [0, 4, 9, 10.001, 14.001], True),
        (1, [0, 10.5, 21, 31.5, 42], True),
    ],
)
async def test_as_many_restarts_as_the_intensity_names_are_tolerated_and_not_one_more(
    tree: Any, restarts: int, times: list[float], is_alive: bool
) -> None:
    children = [tree.child("a"), tree.child("b")]
    top = await tree.start(tree.supervisor("top", children, restarts=restarts, period_seconds=10))

    await crash_at(tree, "a", times)

    assert top.alive is is_alive
    assert tree.gave_up() == ([] if is_alive else ["top"])
    assert set(tree.players()) == ({"a", "b"} if is_alive else set())


async def test_a_restart_of_a_whole_group_counts_once(tree: Any) -> None:
    children = [tree.child(label) for label in "abcd"]
    spec = tree.supervisor("top", children, Strategy.ONE_FOR_ALL, restarts=2)
    top = await tree.start(spec)

    await crash_at(tree, "a", [0, 0])

    assert top.alive
    assert tree.stage.starts == dict.fromkeys("abcd", 3)


async def test_ends_that_restart_nobody_do_not_count(tree: Any) -> None:
    children = [tree.child("a", Restart.TEMPORARY), tree.child("b", Restart.TRANSIENT)]
    top = await tree.start(tree.supervisor("top", children, restarts=0))

    tree.end("a", "crashed")
    tree.end("b", "normal")
    await tree.quiet()

    assert top.alive


@given(
    st.integers(0, 4),
    st.integers(1, 5),
    st.lists(st.integers(0, 4), max_size=30),
)
def test_the_log_of_restarts_counts_what_the_last_period_holds(
    restarts: int, period: int, pauses: list[int]
) -> None:
    now = 0
    log = RestartLog(Intensity(restarts=restarts, period_seconds=period, clock=lambda: float(now)))
    times: list[int] = []
    for pause in pauses:
        now += pause
        times.append(now)
        within = [at for at in times if at >= now - period]

        assert log.record() is (len(within) <= restarts)
        assert log.used() == len(within)


async def family_of(
    tree: Any, *, child: int, all_: int, restart: Restart = Restart.TRANSIENT
) -> Any:
    members = tree.family(
        "members", restart, child_intensity=tree.intensity(child), intensity=tree.intensity(all_)
    )
    await tree.start(tree.supervisor("top", [tree.directory(), members], Strategy.REST_FOR_ONE))
    return tree.cell("members")


async def wake(tree: Any, *labels: str) -> None:
    """Have the family start these."""
    for label in labels:
        message = Deliver(key=("members", label), message=object())
        tree.runtime.post(tree.cell("directory"), message, tree.guardian)
    await tree.quiet()


@pytest.mark.parametrize(
    ("times", "is_alive"),
    [([0, 0], True), ([0, 0, 0], False), ([0, 5, 10], False), ([0, 5, 10.001], True)],
)
async def test_a_member_is_given_up_alone_when_it_passes_its_own_intensity(
    tree: Any, times: list[float], is_alive: bool
) -> None:
    family = await family_of(tree, child=2, all_=100)
    await wake(tree, "x", "y")

    await crash_at(tree, "x", times)

    assert family.alive
    assert set(tree.players()) == ({"x", "y"} if is_alive else {"y"})
    assert len(family.instance.members) == len(family.instance.by_key) == 1 + is_alive


@pytest.mark.parametrize(
    ("times", "starts"),
    [([0, 0, 0], 1), ([0, 0, 0, 0], 2), ([0, 1, 2, 10], 2), ([0, 1, 2, 10.001], 1)],
)
async def test_a_family_gives_up_when_all_its_members_together_pass_its_intensity(
    tree: Any, times: list[float], starts: int
) -> None:
    family = await family_of(tree, child=100, all_=3)
    labels = [str(number) for number in range(len(times))]
    await wake(tree, *labels)

    for label, at in zip(labels, times, strict=True):
        await crash_at(tree, label, [at])

    gave_up = starts == 2
    assert tree.gave_up() == (["members"] if gave_up else [])
    assert family.stats().restarts == gave_up
    # A family that starts anew has nobody, until somebody is asked for.
    assert len(tree.players()) == (0 if gave_up else len(labels))


async def test_giving_up_goes_from_floor_to_floor_and_ends_with_the_root(tree: Any) -> None:
    leaf = tree.supervisor("leaf", [tree.child("worker")], restarts=1)
    mid = tree.supervisor("mid", [tree.child("beside"), leaf], restarts=1)
    top = await tree.start(tree.supervisor("top", [mid], restarts=1))

    for _ in range(8):
        tree.end("worker", "crashed")
        await tree.quiet()

    assert tree.gave_up() == ["leaf", "leaf", "mid", "leaf", "leaf", "mid", "top"]
    assert not top.alive
    assert tree.stage.diary[-1] == "end crashed"
    assert tree.players() == {}


NODE_WHOSE_ROOT_GIVES_UP = """
import asyncio, gc, sys
from pathlib import Path
from veza.config.settings import Settings
from veza.gateway.main import run
from veza.supervisors.node import Node

kept = []

async def kill_directories():
    node = next(each for each in gc.get_objects() if isinstance(each, Node))
    lost = None
    while not node.failed.done():
        cells = [c for c in node.runtime.tree() if c.path == "/veza/root/directory"]
        if cells and cells[0] is not lost:
            lost = cells[0]
            print("- directory", flush=True)
            node.runtime.kill(lost)
        await asyncio.sleep(0)

def say(line):
    if "ready" in line:
        gc.unfreeze()
        kept.append(asyncio.get_running_loop().create_task(kill_directories()))

sys.exit(run(Settings(data=Path(sys.argv[1]), port=0), say))
"""


def test_a_node_whose_root_gave_up_ends_in_order_and_says_so_by_its_exit_code() -> None:
    with tempfile.TemporaryDirectory(prefix="veza-node-") as folder:
        done = subprocess.run(
            [sys.executable, "-c", NODE_WHOSE_ROOT_GIVES_UP, folder],
            env={"PYTHONPATH": str(ROOT / ".links"), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    assert done.returncode == 1, done.stderr
    assert done.stdout.count("- directory") == 4  # three in thirty seconds are tolerated
    assert done.stderr.count("Traceback") == 1, done.stderr  # the root's own


async def test_a_supervisor_that_gave_up_is_restarted_in_place_and_ready_as_soon_as_its_children(
    tree: Any,
) -> None:
    inner = tree.supervisor("inner", [tree.child("a"), tree.child("b")], restarts=0)
    await tree.start(tree.supervisor("top", [inner, tree.child("c")]))
    before = tree.cell("inner")

    tree.end("a", "crashed")
    await tree.quiet()

    assert tree.cell("inner") is before
    assert before.stats().restarts == 1
    assert tree.states("top") == {"inner": "ready", "c": "ready"}
    assert tree.states("inner") == {"a": "ready", "b": "ready"}
    assert tree.stage.diary == ["-a", "-b", "+a", "+b"]
