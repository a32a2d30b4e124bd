"""What supervision and flow control rely on the runtime for."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

import pytest

from veza.actors.base import SupervisedActor
from veza.actors.messages.common import Ready
from veza.actors.runtime import AsyncioSystemBase
from veza.actors.runtime.address import Address
from veza.actors.runtime.timers import COMPACT_ABOVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Nudge:
    pass


class Owner(SupervisedActor):
    """Ready when its child is."""

    supervises: ClassVar[bool] = True
    stash_until_ready: ClassVar[frozenset[type] | None] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.spawn(Obedient)

    def receiveMsg_Ready(self, _message: Ready, _sender: Address) -> None:
        self.become_ready()

    def receiveMsg_Nudge(self, _message: Nudge, _sender: Address) -> str:
        return "here"


class Obedient(SupervisedActor):
    def receiveMsg_Nudge(self, _message: Nudge, _sender: Address) -> str:
        return "here"


class Starter(SupervisedActor):
    """Begins by writing to itself."""

    begun: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.send(self.cell, Nudge())

    def receiveMsg_Nudge(self, _message: Nudge, _sender: Address) -> None:
        Starter.begun += 1


class Parent(SupervisedActor):
    supervises: ClassVar[bool] = True

    def __init__(self, *, children: int = 1) -> None:
        super().__init__()
        for _ in range(children):
            self.spawn(Obedient, shutdown_seconds=0 if children == 1 else 60)


@pytest.fixture
async def runtime() -> AsyncIterator[AsyncioSystemBase]:
    runtime = AsyncioSystemBase()
    yield runtime
    await runtime.shutdown_async(5)


async def test_an_actor_restarted_in_place_hears_of_children_that_were_ready_at_once(
    runtime: AsyncioSystemBase,
) -> None:
    cell = runtime.spawn(Owner)
    assert await runtime.request(cell, Nudge(), 5) == "here"

    runtime.restart(cell)

    assert await runtime.request(cell, Nudge(), 5) == "here"


async def test_what_a_constructor_sends_to_its_own_actor_arrives_after_a_restart_too(
    runtime: AsyncioSystemBase,
) -> None:
    Starter.begun = 0
    cell = runtime.spawn(Starter)
    await asyncio.sleep(0)

    runtime.restart(cell)
    for _ in range(5):
        await asyncio.sleep(0)

    assert Starter.begun == 2


async def test_who_has_no_time_to_stop_is_killed_at_once_and_not_called_overdue(
    runtime: AsyncioSystemBase,
) -> None:
    (child,) = runtime.spawn(Parent).children or ()
    waiting = asyncio.ensure_future(runtime.request(child, Nudge(), 5))
    await asyncio.sleep(0)

    runtime.stop(child)

    assert not child.alive
    assert not runtime.lifecycle.overdue
    assert await waiting != "here"


async def test_an_actor_that_stopped_leaves_no_timer_behind(runtime: AsyncioSystemBase) -> None:
    parent = runtime.spawn(Parent, {"children": 2_000})

    runtime.stop(parent)
    while parent.alive:
        await asyncio.sleep(0)

    assert runtime.timers.size <= COMPACT_ABOVE
