"""Supervisors start in order, restart as specs say, give up upwards, and stop in reverse."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest

from veza.actors.base import ServiceActor, SupervisedActor
from veza.actors.messages.common import Crashed, Ready
from veza.actors.runtime import AsyncioSystemBase, Cell, ChildExit
from veza.actors.runtime.address import Address
from veza.supervisors.child_spec import (
    ChildSpec,
    Intensity,
    Restart,
    Strategy,
    SupervisorSpec,
)
from veza.supervisors.supervisor import Supervisor


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Identify:
    pass


class Diary:
    """What happened, in order; tests wait for a line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.news = asyncio.Event()

    def write(self, line: str) -> None:
        self.lines.append(line)
        self.news.set()

    async def until(self, is_true: Callable[[], bool]) -> None:
        while not is_true():
            self.news.clear()
            await self.news.wait()


class Child(SupervisedActor):
    def __init__(self, *, label: str, diary: Diary) -> None:
        super().__init__()
        self.label = label
        self.diary = diary
        diary.write(f"+{label}")

    def on_stop(self) -> None:
        self.diary.write(f"-{self.label}")

    def receiveMsg_Fail(self, _message: Fail, _sender: Address) -> None:
        raise RuntimeError("as asked")

    def receiveMsg_Leave(self, _message: Leave, _sender: Address) -> None:
        self.stop_self()

    def receiveMsg_Identify(self, _message: Identify, _sender: Address) -> str:
        return self.label


class Guardian(SupervisedActor):
    """The parent of the supervisor under test."""

    def __init__(self, *, diary: Diary) -> None:
        super().__init__()
        self.diary = diary

    def receiveMsg_Ready(self, _message: Ready, _sender: Address) -> None:
        self.diary.write("ready")

    def receiveMsg_ChildExit(self, message: ChildExit, _sender: Address) -> None:
        self.diary.write(f"end {message.reason.kind}")


class World:
    def __init__(self, runtime: AsyncioSystemBase) -> None:
        self.runtime = runtime
        self.diary = Diary()

    async def start(
        self,
        strategy: Strategy,
        *,
        restart: Restart = Restart.PERMANENT,
        restarts: int = 3,
        labels: str = "abc",
        last: type[Child] = Child,
    ) -> None:
        spec = SupervisorSpec(
            name="top",
            strategy=strategy,
            intensity=Intensity(restarts=restarts, period_seconds=60),
            children=tuple(
                ChildSpec(
                    name=label,
                    actor=last if label == labels[-1] else Child,
                    kwargs={"label": label, "diary": self.diary},
                    restart=restart,
                )
                for label in labels
            ),
        )
        guardian = self.runtime.spawn(Guardian, {"diary": self.diary}, name="guardian")
        self.runtime.spawn(Supervisor, {"spec": spec, "refs": {}}, parent=guardian, name="top")
        await self.diary.until(lambda: "ready" in self.diary.lines)

    def cell(self, label: str) -> Cell:
        return next(c for c in self.runtime.tree() if c.path == f"/guardian/top/{label}")

    async def after(self, count: int) -> list[str]:
        """The next lines of the diary after the first `ready`."""
        start = self.diary.lines.index("ready") + 1
        await self.diary.until(lambda: len(self.diary.lines) >= start + count)
        await self.settle()
        return self.diary.lines[start:]

    async def settle(self) -> None:
        """Let everything that is due be handled."""
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    runtime = AsyncioSystemBase()
    yield World(runtime)
    await runtime.shutdown_async(5)


async def test_children_start_in_order_and_stop_in_reverse(world: World) -> None:
    await world.start(Strategy.ONE_FOR_ONE)
    assert world.diary.lines == ["+a", "+b", "+c", "ready"]

    await world.runtime.shutdown_async(5)

    assert world.diary.lines[4:] == ["-c", "-b", "-a", "end shutdown"]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, ["-b", "+b"]),
        (Strategy.REST_FOR_ONE, ["-b", "-c", "+b", "+c"]),
        (Strategy.ONE_FOR_ALL, ["-b", "-c", "-a", "+a", "+b", "+c"]),
    ],
)
async def test_a_crash_restarts_exactly_whom_the_strategy_names(
    world: World, strategy: Strategy, expected: list[str]
) -> None:
    await world.start(strategy)

    answer = await world.runtime.request(world.cell("b"), Fail(), 5)

    assert answer == Crashed(command="Fail")
    assert await world.after(len(expected)) == expected


@pytest.mark.parametrize(
    ("restart", "message", "expected"),
    [
        (Restart.PERMANENT, Fail(), ["-b", "+b"]),
        (Restart.PERMANENT, Leave(), ["-b", "+b"]),
        (Restart.TRANSIENT, Fail(), ["-b", "+b"]),
        (Restart.TRANSIENT, Leave(), ["-b"]),
        (Restart.TEMPORARY, Fail(), ["-b"]),
        (Restart.TEMPORARY, Leave(), ["-b"]),
    ],
)
async def test_a_restart_type_decides_by_the_reason_of_the_end(
    world: World, restart: Restart, message: object, expected: list[str]
) -> None:
    await world.start(Strategy.ONE_FOR_ONE, restart=restart)

    world.runtime.tell(world.cell("b"), message)

    assert await world.after(len(expected)) == expected


async def test_a_crashed_child_keeps_its_address_and_what_waited_for_it(world: World) -> None:
    await world.start(Strategy.ONE_FOR_ONE)
    cell = world.cell("b")

    world.runtime.tell(cell, Fail())
    answer = await world.runtime.request(cell, Identify(), 5)

    assert answer == "b"
    assert cell.stats().restarts == 1


async def test_too_many_restarts_end_the_supervisor_and_tell_its_parent(world: World) -> None:
    await world.start(Strategy.ONE_FOR_ONE, restarts=2)

    for _ in range(3):
        await world.runtime.request(world.cell("a"), Fail(), 5)
        await world.settle()

    await world.diary.until(lambda: "end crashed" in world.diary.lines)
    assert world.diary.lines[-1] == "end crashed"


class Lingering(Child):
    """Takes a while to stop: a child of its own does."""

    supervises = True

    def __init__(self, *, label: str, diary: Diary) -> None:
        super().__init__(label=label, diary=diary)
        self.spawn(Slow)


class Slow(ServiceActor):
    """Waits in a handler until it is let go."""

    gate: ClassVar[asyncio.Event]

    def __init__(self) -> None:
        super().__init__()
        self.send(self.cell, Identify())

    async def receiveMsg_Identify(self, _message: Identify, _sender: Address) -> None:
        await self.gate.wait()


@pytest.mark.parametrize("how", ["crash", "kill"])
async def test_a_child_that_fails_while_others_are_stopped_takes_its_own_group_along(
    world: World, how: str
) -> None:
    Slow.gate = asyncio.Event()
    await world.start(Strategy.REST_FOR_ONE, labels="abcd", last=Lingering)
    world.runtime.tell(world.cell("c"), Fail())
    await world.after(1)

    if how == "crash":
        world.runtime.tell(world.cell("a"), Fail())
    else:
        world.runtime.kill(world.cell("a"))
    await world.after(2)
    Slow.gate.set()

    assert await world.after(8) == ["-c", "-a", "-d", "-b", "+a", "+b", "+c", "+d"]
    for label in "abcd":
        assert await world.runtime.request(world.cell(label), Identify(), 5) == label
