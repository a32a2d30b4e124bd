"""A node starts all its actors, says when it cannot, and carries a request's id to where it fails."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

import pytest
from structlog.contextvars import bound_contextvars

from veza.actors.base import SupervisedActor
from veza.actors.messages.common import Crashed, Gone
from veza.actors.messages.jobs import DrainJobs, JobsDrained
from veza.actors.messages.operator import ReadTree, TreeRead
from veza.actors.runtime.address import Address
from veza.supervisors.child_spec import ChildSpec, Intensity, Strategy, SupervisorSpec
from veza.supervisors.directory import Directory
from veza.supervisors.node import Node, NodeFailedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Greet:
    pass


class Clerk(SupervisedActor):
    greeted: ClassVar[int] = 0

    def receiveMsg_Greet(self, _message: Greet, _sender: Address) -> str:
        Clerk.greeted += 1
        return "good day"

    def receiveMsg_Fail(self, _message: Fail, _sender: Address) -> None:
        raise RuntimeError("as asked")


class Dispatcher(SupervisedActor):
    def receiveMsg_DrainJobs(self, _message: DrainJobs, _sender: Address) -> JobsDrained:
        return JobsDrained()


class NeverStarts(SupervisedActor):
    def __init__(self) -> None:
        super().__init__()
        raise RuntimeError("cannot start")


def spec(*children: ChildSpec) -> SupervisorSpec:
    return SupervisorSpec(
        name="root",
        strategy=Strategy.REST_FOR_ONE,
        intensity=Intensity(restarts=2, period_seconds=60),
        children=(ChildSpec(name="directory", actor=Directory), *children),
    )


CLERK = ChildSpec(name="clerk", actor=Clerk, key=("clerk", ""))


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    node = Node(spec(CLERK))
    await node.start()
    yield node
    assert await node.stop(5) == []


async def test_a_started_node_is_healthy_and_shows_its_tree(node: Node) -> None:
    assert all(node.health().values())
    read = await node.operate(ReadTree())
    assert isinstance(read, TreeRead)
    names = [child.name for child in read.root.children]
    assert (read.root.name, names) == ("root", ["directory", "clerk"])


async def test_a_crash_is_logged_with_the_request_it_failed_for(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), bound_contextvars(request_id="request-1234"):
        answer = await node.ask(("clerk", ""), Fail())

    assert answer == Crashed(command="Fail")
    record = next(r for r in caplog.records if r.name == "veza.actors")
    assert (record.request_id, record.actor, record.command) == (
        "request-1234",
        "/veza/root/clerk",
        "Fail",
    )


async def test_an_unknown_key_is_gone(node: Node) -> None:
    assert await node.ask(("nobody", ""), Fail()) == Gone(command="Fail")


async def test_a_tree_that_cannot_start_fails_the_node() -> None:
    node = Node(spec(ChildSpec(name="never", actor=NeverStarts)))

    with pytest.raises(NodeFailedError):
        await node.start()

    await node.stop(5)


async def test_a_node_that_ends_takes_suspensions_back_first() -> None:
    dispatcher = ChildSpec(name="dispatcher", actor=Dispatcher, key=("dispatcher", ""))
    node = Node(spec(CLERK, dispatcher))
    await node.start()
    for cell in tuple(node.runtime.tree()):
        if cell.label in {"clerk", "dispatcher"}:
            assert node.runtime.suspend(cell)
    waiting = asyncio.ensure_future(node.ask(("clerk", ""), Fail()))
    await asyncio.sleep(0)

    async with asyncio.timeout(30):
        await node.stop(60)

    assert await waiting == Crashed(command="Fail")


async def test_a_root_that_gives_up_is_told_to_whoever_runs_the_node() -> None:
    node = Node(spec(CLERK))
    await node.start()

    for _ in range(3):
        await node.ask(("clerk", ""), Fail())

    reason = await asyncio.wait_for(node.failed, 30)
    assert reason.kind == "crashed"
    assert not all(node.health().values())
    assert await node.ask(("clerk", ""), Fail()) == Gone(command="Fail")
    await node.stop(5)


async def test_answers_to_what_was_only_told_are_dropped(node: Node) -> None:
    Clerk.greeted = 0
    for _ in range(500):
        node.tell(("clerk", ""), Greet())
    while Clerk.greeted < 500:
        await asyncio.sleep(0)

    assert node.runtime._outside._received.empty()
    assert node.runtime.dead_letters == ()
