"""A key finds one actor, started when needed, told only when ready, and never two at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import thread_time
from typing import ClassVar

import pytest

from veza.actors.base import SupervisedActor
from veza.actors.messages.common import Crashed, Gone, Key
from veza.actors.messages.directory import AwaitEnd, Deliver, Ended, Retire
from veza.actors.runtime import AsyncioSystemBase, Cell
from veza.actors.runtime.address import Address
from veza.supervisors.child_spec import (
    ChildSpec,
    FamilySpec,
    Intensity,
    Restart,
    Strategy,
    SupervisorSpec,
)
from veza.supervisors.directory import Directory
from veza.supervisors.supervisor import Supervisor


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    pass


class Counter(SupervisedActor):
    """Counts what it is asked; not ready before its gate opens."""

    stash_until_ready: ClassVar[frozenset[type] | None] = frozenset({Open})
    gate: ClassVar[asyncio.Event | None] = None
    starts: ClassVar[list[str]] = []

    def __init__(self, *, actor_id: str) -> None:
        super().__init__()
        if actor_id == "broken":
            raise RuntimeError("cannot start")
        self.actor_id = actor_id
        self.count = 0
        Counter.starts.append(actor_id)
        self.wakeup_after(0, Open())

    def receiveMsg_Open(self, message: Open, _sender: Address) -> None:
        if Counter.gate is None or Counter.gate.is_set():
            self.become_ready()
        else:
            self.wakeup_after(0.001, message)

    def receiveMsg_Count(self, _message: Count, _sender: Address) -> int:
        self.count += 1
        return self.count

    def receiveMsg_Fail(self, _message: Fail, _sender: Address) -> None:
        raise RuntimeError("as asked")

    def receiveMsg_Leave(self, _message: Leave, _sender: Address) -> None:
        self.stop_self("had enough")


class Node:
    def __init__(self, runtime: AsyncioSystemBase, directory: Cell) -> None:
        self.runtime = runtime
        self.directory = directory

    async def ask(self, key: Key, message: object) -> object:
        deliver = Deliver(key=key, message=message)
        return await self.runtime.request(self.directory, deliver, 5)

    def tell(self, message: object) -> None:
        self.runtime.tell(self.directory, message)

    async def ended(self, key: Key) -> object:
        return await self.runtime.request(self.directory, AwaitEnd(key=key), 5)


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    Counter.gate = None
    Counter.starts = []
    runtime = AsyncioSystemBase()
    spec = SupervisorSpec(
        name="top",
        strategy=Strategy.REST_FOR_ONE,
        intensity=Intensity(restarts=3, period_seconds=60),
        children=(
            ChildSpec(name="directory", actor=Directory),
            FamilySpec(
                name="counters",
                family="counter",
                actor=Counter,
                restart=Restart.TRANSIENT,
                max_children=3,
            ),
            FamilySpec(
                name="openers",
                family="opener",
                actor=Counter,
                restart=Restart.TRANSIENT,
                max_children=3,
                starts_with=frozenset({Count}),
            ),
        ),
    )
    runtime.spawn(Supervisor, {"spec": spec, "refs": {}}, name="top")
    await asyncio.sleep(0)
    directory = next(cell for cell in runtime.tree() if cell.path == "/top/directory")
    yield Node(runtime, directory)
    await runtime.shutdown_async(5)


def counters_are_served(node: Node) -> bool:
    instance = node.directory.instance
    return instance is not None and "counter" in instance.inspect()["families"]


async def test_one_key_finds_one_actor_started_at_first_use(node: Node) -> None:
    answers = await asyncio.gather(*(node.ask(("counter", "a"), Count()) for _ in range(20)))

    assert sorted(answers) == list(range(1, 21))
    assert Counter.starts == ["a"]


async def test_nothing_reaches_an_actor_before_it_is_ready_and_nothing_is_lost(node: Node) -> None:
    Counter.gate = asyncio.Event()
    asking = asyncio.gather(*(node.ask(("counter", "a"), Count()) for _ in range(5)))
    await node.ask(("nobody", ""), Count())
    assert not asking.done()

    Counter.gate.set()

    assert await asking == [1, 2, 3, 4, 5]


async def test_an_unknown_family_is_gone(node: Node) -> None:
    assert await node.ask(("nobody", "x"), Count()) == Gone(command="Count")


async def test_an_actor_that_cannot_start_is_gone_for_all_who_waited(node: Node) -> None:
    answers = await asyncio.gather(*(node.ask(("counter", "broken"), Count()) for _ in range(3)))

    assert answers == [Gone(command="Count")] * 3


async def test_only_a_message_that_may_starts_an_actor(node: Node) -> None:
    assert await node.ask(("opener", "a"), Leave()) == Gone(command="Leave")
    assert Counter.starts == []
    assert await node.ask(("opener", "a"), Count()) == 1


async def test_news_start_nobody(node: Node) -> None:
    news = Deliver(key=("counter", "a"), message=Count(), starts_actor=False)
    node.tell(news)
    assert await node.ask(("counter", "b"), Count()) == 1
    assert Counter.starts == ["b"]

    await node.ask(("counter", "a"), Count())
    node.tell(news)

    assert await node.ask(("counter", "a"), Count()) == 3


async def test_news_wait_for_an_actor_that_is_being_started(node: Node) -> None:
    Counter.gate = asyncio.Event()
    asking = asyncio.ensure_future(node.ask(("counter", "a"), Count()))
    await asyncio.sleep(0)
    node.tell(Deliver(key=("counter", "a"), message=Count(), starts_actor=False))
    await node.ask(("nobody", ""), Count())

    Counter.gate.set()

    assert await asking == 1
    assert await node.ask(("counter", "a"), Count()) == 3


async def test_news_for_an_actor_that_retires_start_no_successor(node: Node) -> None:
    await node.ask(("counter", "a"), Count())

    node.tell(Retire(key=("counter", "a")))
    node.tell(Deliver(key=("counter", "a"), message=Count(), starts_actor=False))
    await node.ended(("counter", "a"))

    assert await node.ask(("counter", "a"), Count()) == 1
    assert Counter.starts == ["a", "a"]


async def test_past_its_most_children_a_family_starts_no_more(node: Node) -> None:
    for name in "abc":
        assert await node.ask(("counter", name), Count()) == 1

    assert await node.ask(("counter", "d"), Count()) == Gone(command="Count")


async def test_a_crashed_actor_is_restarted_behind_the_same_key(node: Node) -> None:
    await node.ask(("counter", "a"), Count())

    assert await node.ask(("counter", "a"), Fail()) == Crashed(command="Fail")
    assert await node.ask(("counter", "a"), Count()) == 1
    assert Counter.starts == ["a", "a"]


async def test_an_actor_that_only_crashes_is_given_up_and_its_neighbours_live(node: Node) -> None:
    await node.ask(("counter", "b"), Count())
    ended = asyncio.ensure_future(node.ended(("counter", "a")))
    ended_before_start = await ended
    assert isinstance(ended_before_start, Ended)

    for _ in range(6):
        await node.ask(("counter", "a"), Fail())

    assert await node.ended(("counter", "a")) == Ended(key=("counter", "a"), reason="not running")
    assert await node.ask(("counter", "b"), Count()) == 2


async def test_what_arrives_for_a_retiring_actor_is_its_successors(node: Node) -> None:
    await node.ask(("counter", "a"), Count())

    node.tell(Retire(key=("counter", "a")))
    answer = await node.ask(("counter", "a"), Count())

    assert answer == 1
    assert Counter.starts == ["a", "a"]
    assert sum(cell.path.endswith("/a") for cell in node.runtime.tree()) == 1


async def test_whoever_awaits_an_end_is_told_why(node: Node) -> None:
    await node.ask(("counter", "a"), Count())
    waiting = asyncio.ensure_future(node.ended(("counter", "a")))
    await asyncio.sleep(0)

    node.tell(Deliver(key=("counter", "a"), message=Leave()))

    assert await waiting == Ended(key=("counter", "a"), reason="had enough")


async def test_a_lost_directory_takes_the_families_along_and_they_serve_anew(node: Node) -> None:
    await node.ask(("counter", "a"), Count())

    lost = node.directory
    node.runtime.kill(lost)
    while node.directory is lost or not counters_are_served(node):
        await asyncio.sleep(0)
        found = (c for c in node.runtime.tree() if c.path == "/top/directory")
        node.directory = next(found, lost)

    assert await node.ask(("counter", "a"), Count()) == 1


def cell_of(node: Node, path: str) -> Cell:
    return next(cell for cell in node.runtime.tree() if cell.path == path)


async def test_an_actor_that_crashes_while_it_is_to_retire_makes_room_for_its_successor(
    node: Node,
) -> None:
    await node.ask(("counter", "a"), Count())

    node.tell(Retire(key=("counter", "a")))
    node.runtime.tell(cell_of(node, "/top/counters/a"), Fail())

    assert await node.ask(("counter", "a"), Count()) == 1


async def test_a_key_asked_for_before_and_after_its_supervisor_restarts_has_one_actor(
    node: Node,
) -> None:
    node.tell(Deliver(key=("counter", "a"), message=Count()))
    node.runtime.restart(cell_of(node, "/top/counters"))

    answers = await asyncio.gather(*(node.ask(("counter", "a"), Count()) for _ in range(3)))

    assert answers == [1, 2, 3]
    assert Counter.starts == ["a"]


async def test_a_quiet_actor_beside_a_flooded_directory_is_answered_soon(node: Node) -> None:
    for actor_id in ("quiet", "flooded"):
        await node.ask(("counter", actor_id), Count())
    quiet = cell_of(node, "/top/counters/quiet")
    flooded = Deliver(key=("counter", "flooded"), message=Count())
    took = []
    for _ in range(100):
        for _ in range(2_000):
            node.runtime.post(node.directory, flooded, node.runtime.nobody)
        began = thread_time()
        await node.runtime.request(quiet, Count(), 5)
        took.append(thread_time() - began)

    assert sorted(took)[98] < 0.010
