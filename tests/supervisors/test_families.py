"""Families: tens of thousands of children come and go, and leave neither traces nor long pauses."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from time import thread_time
from typing import Any

import pytest

from veza.actors.messages.common import Busy, Gone
from veza.actors.messages.directory import AwaitEnd, Deliver, Ended, Retire
from veza.supervisors.child_spec import Restart, Strategy
from veza.supervisors.supervisor import Supervisor

MANY = 12_000
PAUSE_SECONDS = 0.010
"""What the loop may be held up by one turn's work. Measured: 3 to 5 ms."""


class Pauses:
    """How long the loop was held up, from beat to beat: its own CPU time, for others use this machine."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def beat(self) -> None:
        before = thread_time()
        while True:
            await asyncio.sleep(0)
            now = thread_time()
            self.seconds.append(now - before)
            before = now

    def longest(self) -> float:
        return max(self.seconds)

    def all_but_few(self) -> float:
        """The longest but three: a neighbour on this machine may have had the processor."""
        return sorted(self.seconds)[-4]


@asynccontextmanager
async def beating() -> Any:
    pauses = Pauses()
    beat = asyncio.create_task(pauses.beat())
    yield pauses
    beat.cancel()


@pytest.fixture(autouse=True)
def spared_collector() -> Iterator[None]:
    """As a node does at its start (`gateway/main.py`)."""
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(20_000, *before[1:])
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


async def start(tree: Any, restart: Restart = Restart.TRANSIENT, **options: Any) -> None:
    members = tree.family("members", restart, **options)
    spec = tree.supervisor("top", [tree.directory(), members], Strategy.REST_FOR_ONE)
    await tree.start(spec)


def deliver(tree: Any, label: str, message: object = None) -> None:
    wrapped = Deliver(key=("members", label), message=message or object())
    tree.runtime.post(tree.cell("directory"), wrapped, tree.guardian)


def books(tree: Any) -> dict[str, int]:
    """Everything that is kept for each child, anywhere."""
    family, directory = tree.cell("members"), tree.cell("directory")
    return {
        "members": len(family.instance.members),
        "by_key": len(family.instance.by_key),
        "children": len(family.children or ()),
        "entries": len(directory.instance.entries),
        "waiting": directory.instance.waiting,
        "asked": len(directory.asked or ()) + len(family.asked or ()),
    }


async def test_many_children_start_crash_and_stop_without_traces(
    tree: Any, record_property: Callable[[str, object], None]
) -> None:
    await start(tree, intensity=tree.intensity(MANY), child_intensity=tree.intensity(2))
    labels = [f"m{number}" for number in range(MANY)]
    directory, family = tree.cell("directory"), tree.cell("members")
    longest = {}

    async def handled(what: str) -> None:
        async with beating() as pauses:
            await tree.quiet()
        longest[what] = pauses.all_but_few()

    async with asyncio.timeout(60):
        for label in labels:
            wrapped = Deliver(key=("members", label), message=object())
            tree.runtime.post(directory, wrapped, tree.guardian)
        await handled("start")
        assert set(books(tree).values()) == {MANY, 0}

        for member in tuple(family.instance.members.values())[::10]:
            tree.runtime.kill(member.cell)
        await handled("restart")
        assert len(family.children) == MANY

        for label in labels:
            tree.runtime.post(directory, Retire(key=("members", label)), tree.guardian)
        await handled("stop")

    assert set(books(tree).values()) == {0}
    record_property("longest_pause_seconds", longest)
    assert max(longest.values()) < PAUSE_SECONDS, longest


async def test_a_family_that_is_stopped_as_a_whole_ends_in_bounded_time(
    tree: Any, record_property: Callable[[str, object], None]
) -> None:
    await start(tree)
    directory = tree.cell("directory")
    for number in range(MANY):
        wrapped = Deliver(key=("members", f"m{number}"), message=object())
        tree.runtime.post(directory, wrapped, tree.guardian)
    await tree.quiet()

    async with beating() as pauses:
        assert await tree.runtime.shutdown_async(20) == []

    record_property("longest_pause_seconds", pauses.longest())
    assert tree.stage.diary.count("end shutdown") == 1
    assert sum(tree.stage.starts.values()) == MANY


async def test_a_killed_member_is_back_at_another_address_and_nothing_sent_meanwhile_is_lost(
    tree: Any,
) -> None:
    await start(tree)
    deliver(tree, "x")
    await tree.quiet()
    before = tree.cell("x")

    tree.end("x", "killed")
    await tree.until(lambda: tree.stage.starts["x"] == 2)
    await tree.quiet()

    after = tree.cell("x")
    assert after is not before
    assert await tree.who(after) == ("x", 2)
    directory = tree.cell("directory").instance
    assert directory.entries[("members", "x")].address is after
    assert books(tree) == {
        "members": 1, "by_key": 1, "children": 1, "entries": 1, "waiting": 0, "asked": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("restart", "reason", "starts"),
    [
        (Restart.PERMANENT, "normal", 2),
        (Restart.PERMANENT, "killed", 2),
        (Restart.PERMANENT, "crashed", 2),
        (Restart.PERMANENT, "not_started", 2),
        (Restart.TRANSIENT, "normal", 1),
        (Restart.TRANSIENT, "shutdown", 1),
        (Restart.TRANSIENT, "killed", 2),
        (Restart.TRANSIENT, "crashed", 2),
        (Restart.TRANSIENT, "not_started", 2),
        (Restart.TEMPORARY, "normal", 1),
        (Restart.TEMPORARY, "killed", 1),
        (Restart.TEMPORARY, "crashed", 1),
    ],
)
async def test_a_restart_type_means_the_same_in_a_family_and_an_end_is_told_once(
    tree: Any, restart: Restart, reason: str, starts: int
) -> None:
    await start(tree, restart)
    deliver(tree, "x")
    await tree.quiet()
    ending = asyncio.ensure_future(
        tree.runtime.request(tree.cell("directory"), AwaitEnd(key=("members", "x")), 5)
    )
    await tree.quiet()

    tree.end("x", reason)
    await tree.quiet()

    assert tree.stage.starts["x"] == starts
    assert set(books(tree).values()) == ({1, 0} if starts == 2 else {0})
    assert ending.done() is (starts == 1)
    if starts == 2:
        tree.runtime.post(tree.cell("directory"), Retire(key=("members", "x")), tree.guardian)
    assert isinstance(await ending, Ended)


async def test_a_member_that_cannot_start_is_its_askers_to_try_again(tree: Any) -> None:
    await start(tree)
    tree.stage.refuse["x"] = 1

    deliver(tree, "x")
    await tree.quiet()
    assert set(books(tree).values()) == {0}

    deliver(tree, "x")
    await tree.quiet()
    assert tree.stage.starts["x"] == 1


async def test_a_member_that_crashes_while_it_ends_leaves_no_dead_entry(tree: Any) -> None:
    await start(tree, Restart.PERMANENT)
    deliver(tree, "x")
    await tree.quiet()
    tree.stage.bad_ends.add("x")

    tree.end("x", "normal")
    await tree.quiet()

    assert await tree.who(tree.cell("x")) == ("x", 2)


async def test_what_waits_for_actors_that_start_is_bounded_in_all_and_then_busy(tree: Any) -> None:
    await start(tree, Restart.TEMPORARY)
    directory = tree.cell("directory")
    for number in range(40):
        tree.stage.never_ready[f"m{number}"] = 1
    asking = [
        asyncio.ensure_future(
            tree.runtime.request(
                directory, Deliver(key=("members", f"m{number % 40}"), message=object()), 60
            )
        )
        for number in range(25_000)
    ]
    await tree.quiet()

    assert directory.instance.waiting == 20_000
    answers = [each.result() for each in asking if each.done()]
    assert answers == [Busy(command="object")] * 5_000
    for number in range(40):
        tree.runtime.kill(tree.cell(f"m{number}"))
    answers = await asyncio.gather(*asking)
    assert answers.count(Gone(command="object")) == 20_000
    assert directory.instance.waiting == 0


async def test_news_of_supervisors_reaches_a_directory_whose_mailbox_is_full(tree: Any) -> None:
    await start(tree)
    directory = tree.cell("directory")
    family = tree.cell("members")
    wrapped = Deliver(key=("members", "x"), message=tree.question())
    asking = asyncio.ensure_future(tree.runtime.request(directory, wrapped, 5))
    await asyncio.sleep(0)
    while not directory.stats().dropped:
        tree.runtime.post(directory, Deliver(key=("nobody", ""), message=object()), tree.guardian)

    # Its news to the family and the family's to it come while there is no room for anything else.
    while directory.stats().mailbox_depth and not family.children:
        tree.runtime.scheduler.drain(0.0)
        while directory.stats().mailbox_depth < directory.behaviour.mailbox_limit:
            nobody = Deliver(key=("nobody", ""), message=object())
            tree.runtime.post(directory, nobody, tree.guardian)

    assert await asking == ("x", 1)


QUIET_SECONDS = 0.010


async def p99_of_asking(tree: Any, label: str, times: int = 200) -> float:
    cell, took = tree.cell(label), []
    for _ in range(times):
        await asyncio.sleep(0.005)
        began = thread_time()
        assert (await tree.who(cell))[0] == label
        took.append(thread_time() - began)
    return sorted(took)[int(times * 0.99) - 1]


@pytest.mark.parametrize("fails", ["at its start", "before it is ready", "when it is ready"])
async def test_a_loop_of_crashes_ends_by_intensity_and_starves_no_neighbour(
    tree: Any, fails: str, record_property: Callable[[str, object], None]
) -> None:
    if fails == "at its start":
        tree.stage.refuse["bad"] = 1_000_000
    else:
        tree.stage.crash_at_once.add("bad")
        tree.stage.never_ready["bad"] = 1_000_000 * (fails == "before it is ready")
    inner = tree.supervisor("inner", [tree.child("bad", Restart.TRANSIENT)], restarts=2_000)
    await tree.start(tree.supervisor("top", [tree.child("quiet")]))
    baseline = await p99_of_asking(tree, "quiet")

    loop_of_crashes = tree.runtime.spawn(
        Supervisor, {"spec": inner, "refs": {}}, parent=tree.guardian, name="inner"
    )
    beside = await p99_of_asking(tree, "quiet")
    await tree.until(lambda: not loop_of_crashes.alive)

    record_property("p99_ms", {"beside": beside * 1000, "alone": baseline * 1000})
    assert tree.gave_up() == ["inner"]
    assert beside < max(QUIET_SECONDS, 5 * baseline), (baseline, beside)
