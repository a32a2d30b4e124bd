"""Real supervision trees whose actors do as they are told and write down what happens to them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from veza.actors.base import ServiceActor, SupervisedActor
from veza.actors.messages.common import Ready
from veza.actors.runtime import ActorStopped, AsyncioSystemBase, Cell, ChildExit
from veza.actors.runtime.address import Address
from veza.actors.runtime.thespian_api import ActorExitRequest
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
class Do:
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoIsIt:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class WhomDoYouKnow:
    pass


@dataclass(slots=True)
class Stage:
    """What all actors of a tree share: the diary, and how each is to behave at its next starts."""

    diary: list[str] = field(default_factory=list)
    starts: Counter[str] = field(default_factory=Counter)
    refuse: Counter[str] = field(default_factory=Counter)
    never_ready: Counter[str] = field(default_factory=Counter)
    crash_at_once: set[str] = field(default_factory=set)
    bad_ends: set[str] = field(default_factory=set)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    sleep_until: asyncio.Event = field(default_factory=asyncio.Event)

    def write(self, line: str) -> None:
        self.diary.append(line)
        self.news.set()


class Player(SupervisedActor):
    """A child that can end in every way there is."""

    stash_until_ready: ClassVar[frozenset[type] | None] = frozenset({Do})

    def __init__(
        self, *, stage: Stage, label: str = "", actor_id: str = "", knows: object = None
    ) -> None:
        super().__init__()
        self.label = label = label or actor_id
        self.stage = stage
        self.knows = knows
        self.is_started = False
        if stage.refuse[label]:
            stage.refuse[label] -= 1
            stage.write(f"!{label}")
            raise RuntimeError("cannot start")
        self.is_started = True
        stage.starts[label] += 1
        self.number = stage.starts[label]
        stage.write(f"+{label}")
        if label in stage.crash_at_once:
            self.wakeup_after(0.0, Do(what="crash"))
        if stage.never_ready[label]:
            stage.never_ready[label] -= 1
        else:
            self.become_ready()

    def on_stop(self) -> None:
        if self.is_started:
            self.stage.write(f"-{self.label}")

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: Address) -> None:
        if self.label in self.stage.bad_ends:
            raise RuntimeError("cannot even end")

    def receiveMsg_Do(self, message: Do, _sender: Address) -> None:
        match message.what:
            case "crash":
                raise RuntimeError("as asked")
            case "leave":
                self.stop_self()
            case "linger":
                self.spawn(Sleeper, {"until": self.stage.sleep_until})

    def receiveMsg_WhoIsIt(self, _message: WhoIsIt, _sender: Address) -> tuple[str, int]:
        return self.label, self.number

    def receiveMsg_WhomDoYouKnow(self, _message: WhomDoYouKnow, _sender: Address) -> object:
        return (self.knows,)


class Sleeper(ServiceActor):
    """Waits in a handler until it is let go, or killed: so long its parent cannot end in order."""

    def __init__(self, *, until: asyncio.Event) -> None:
        super().__init__()
        self.until = until
        self.send(self.cell, Do(what="sleep"))

    async def receiveMsg_Do(self, _message: Do, _sender: Address) -> None:
        await self.until.wait()


class Guardian(SupervisedActor):
    """The parent of the tree; it also watches whom it is told to."""

    def __init__(self, *, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.stopped: list[str] = []
        self.told: list[Cell] = []

    def receiveMsg_Ready(self, _message: Ready, _sender: Address) -> None:
        self.stage.write("ready")

    def receiveMsg_ChildExit(self, message: ChildExit, _sender: Address) -> None:
        self.stage.write(f"end {message.reason.kind}")

    def receiveMsg_ActorStopped(self, message: ActorStopped, _sender: Address) -> None:
        self.told.append(message.address)


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Tree:
    """A running tree: actors are named by their labels, alone in it."""

    def __init__(self, runtime: AsyncioSystemBase) -> None:
        self.runtime = runtime
        self.stage = Stage()
        self.clock = Clock()
        self.start_lines: list[str] = []
        self.guardian = runtime.spawn(Guardian, {"stage": self.stage}, name="guardian")

    # --- what it is made of ---

    def child(
        self, label: str, restart: Restart = Restart.PERMANENT, **options: object
    ) -> ChildSpec:
        knows = options.pop("knows", None)
        return ChildSpec(
            name=label,
            actor=Player,
            kwargs={"label": label, "stage": self.stage, "knows": knows},
            restart=restart,
            **options,
        )

    def supervisor(
        self,
        name: str,
        children: Iterable[object],
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        *,
        restarts: int = 3,
        period_seconds: float = 10,
    ) -> SupervisorSpec:
        return SupervisorSpec(
            name=name,
            strategy=strategy,
            intensity=self.intensity(restarts, period_seconds),
            children=tuple(children),
        )

    def family(self, name: str, restart: Restart, **options: object) -> FamilySpec:
        return FamilySpec(
            name=name,
            family=name,
            actor=Player,
            kwargs={"stage": self.stage},
            restart=restart,
            **{"max_children": 100_000, **options},
        )

    def directory(self) -> ChildSpec:
        return ChildSpec(name="directory", actor=Directory)

    def intensity(self, restarts: int, period_seconds: float = 10) -> Intensity:
        return Intensity(restarts=restarts, period_seconds=period_seconds, clock=self.clock)

    # --- how it runs ---

    async def start(self, spec: SupervisorSpec) -> Cell:
        """Start the tree; return when it is ready, or is not going to be."""
        kwargs = {"spec": spec, "refs": {}}
        top = self.runtime.spawn(Supervisor, kwargs, parent=self.guardian, name=spec.name)
        await self.until(
            lambda: any(line == "ready" or line.startswith("end") for line in self.stage.diary)
        )
        await self.quiet()
        self.start_lines = self.stage.diary.copy()
        self.stage.diary.clear()
        return top

    async def until(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not is_true():
                self.stage.news.clear()
                await self.stage.news.wait()

    async def written(self, count: int) -> list[str]:
        """Return the diary when it has so many lines, and what is due is handled."""
        await self.until(lambda: len(self.stage.diary) >= count)
        await self.quiet()
        return self.stage.diary

    async def quiet(self) -> None:
        """Let everything be handled that waits for nothing but its turn."""
        idle = 0
        while idle < 5:
            await asyncio.sleep(0)
            scheduler = self.runtime.scheduler
            idle = 0 if scheduler.ready or scheduler.armed else idle + 1

    def find(self, label: str) -> Cell | None:
        return next((c for c in self.runtime.tree() if c.name == label), None)

    def cell(self, label: str) -> Cell:
        found = self.find(label)
        assert found is not None, label
        return found

    def players(self) -> dict[str, Cell]:
        return {str(c.name): c for c in self.runtime.tree() if c.behaviour.name == "Player"}

    def tell(self, label: str, what: str) -> None:
        self.runtime.post(self.cell(label), Do(what=what), self.guardian)

    async def ask(self, label: str, what: str) -> object:
        return await self.runtime.request(self.cell(label), Do(what=what), 5)

    def end(self, label: str, reason: str) -> None:
        """End an actor with this kind of reason."""
        cell = self.cell(label)
        match reason:
            case "normal":
                self.tell(label, "leave")
            case "shutdown":
                self.runtime.stop(cell)
            case "killed":
                self.runtime.kill(cell)
            case "crashed":
                self.tell(label, "crash")
            case "not_started":
                self.stage.refuse[label] += 1
                self.tell(label, "crash")

    async def who(self, cell: Cell) -> object:
        """Ask an actor for its label and its how-manieth instance this is."""
        return await self.runtime.request(cell, WhoIsIt(), 5)

    def question(self) -> object:
        """Make the question of `who`, to be asked some other way."""
        return WhoIsIt()

    async def knows(self, label: str) -> object:
        answer = await self.runtime.request(self.cell(label), WhomDoYouKnow(), 5)
        assert isinstance(answer, tuple), answer
        return answer[0]

    def states(self, supervisor: str) -> dict[str, str]:
        instance = self.cell(supervisor).instance
        assert isinstance(instance, Supervisor)
        return {child.spec.name: str(child.state) for child in instance.children}

    def gave_up(self) -> list[str]:
        """The supervisors that crashed, by name, in order."""
        return [
            crash.path.rsplit("/", 1)[-1]
            for crash in self.runtime.crashes
            if crash.class_name in {"Supervisor", "FamilySupervisor"}
        ]


@pytest.fixture
async def tree() -> AsyncIterator[Tree]:
    runtime = AsyncioSystemBase()
    yield Tree(runtime)
    await runtime.shutdown_async(5)
    assert list(runtime.tree()) == []


@pytest.fixture(scope="session")
def tree_class() -> type[Tree]:
    """For tests that make a tree for each of many examples."""
    return Tree
