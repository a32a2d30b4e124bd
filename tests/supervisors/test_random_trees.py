"""Whatever is thrown at whatever tree: nobody permanent is lost, nobody temporary comes back, nobody is
left over, and each death is told once.

`VEZA_TEST_EXAMPLES` asks for more examples than the sixty of a normal run.
"""

import asyncio
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veza.actors.messages.directory import Deliver, Retire
from veza.actors.runtime import AsyncioSystemBase
from veza.supervisors.child_spec import Restart, Strategy
from veza.supervisors.supervisor import Supervisor

EXAMPLES = int(os.environ.get("VEZA_TEST_EXAMPLES", "60"))
SETTLED_SECONDS = 60.0
SHORT_SECONDS = 0.01

LEAF = st.sampled_from(list(Restart))


def below(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.sampled_from(list(Strategy)), st.lists(inner, min_size=1, max_size=4))


TREES = below(st.recursive(LEAF, below, max_leaves=8))
WAYS = (
    "normal",
    "shutdown",
    "killed",
    "crashed",
    "not_started",
    "never_ready",
    "linger",
    "bad_end",
)
STEPS = st.lists(
    st.tuples(st.sampled_from(WAYS), st.integers(0, 63), st.booleans()), min_size=1, max_size=12
)


class Grown:
    """A tree made of an example: every actor has its own name and, but for supervisors, its key."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        self.labels: list[str] = []
        self.supervisors = 0

    def spec(self, shape: Any, restarts: int) -> Any:
        if isinstance(shape, Restart):
            label = f"{shape.value[:4]}{len(self.labels)}"
            self.labels.append(label)
            return self.tree.child(
                label,
                shape,
                key=("player", label),
                ready_seconds=SHORT_SECONDS,
                shutdown_seconds=SHORT_SECONDS * (len(self.labels) % 3),
            )
        strategy, inner = shape
        self.supervisors += 1
        name = f"supervisor{self.supervisors}"
        children = [self.spec(each, restarts) for each in inner]
        return self.tree.supervisor(name, children, strategy, restarts=restarts)

    def instances(self) -> list[Supervisor]:
        cells = (cell for cell in self.tree.runtime.tree() if cell.state in {"live", "stashing"})
        return [cell.instance for cell in cells if isinstance(cell.instance, Supervisor)]

    def is_settled(self) -> bool:
        states = {str(child.state) for instance in self.instances() for child in instance.children}
        stopping = any(instance.stopping for instance in self.instances())
        ending = any(cell.state == "exiting" for cell in self.tree.runtime.tree())
        return not stopping and not ending and states <= {"ready", "ended"}

    async def settle(self) -> None:
        async with asyncio.timeout(SETTLED_SECONDS):
            await self.tree.quiet()
            while not self.is_settled():
                await asyncio.sleep(SHORT_SECONDS / 4)
                await self.tree.quiet()

    def do(self, way: str, label: str) -> None:
        stage, cell = self.tree.stage, self.tree.find(label)
        if cell is None:
            return
        match way:
            case "never_ready":
                stage.never_ready[label] += 1
                self.tree.end(label, "crashed")
            case "linger":
                self.tree.tell(label, "linger")
            case "bad_end":
                stage.bad_ends.add(label)
                self.tree.end(label, "normal")
            case _:
                self.tree.end(label, way)

    # --- what must hold ---

    def check(self, watched: list[Any]) -> None:
        tree, players = self.tree, self.tree.players()
        kept = {}
        for instance in self.instances():
            for child in instance.children:
                name, restart = child.spec.name, child.spec.restart
                if restart is Restart.PERMANENT:
                    assert child.state == "ready", name
                if restart is Restart.TEMPORARY:
                    assert child.starts == 1, name
                if child.state == "ready":
                    assert child.cell is not None
                    assert child.cell.state == "live", name
                    kept[name] = child.cell
                else:
                    assert child.cell is None, name
            self.check_order(instance)
        assert all(kept[label] is cell for label, cell in players.items())
        self.check_directory({label: cell for label, cell in kept.items() if label in players})
        self.check_diary(set(players))
        told = tree.guardian.instance.told
        assert len(set(told)) == len(told)
        assert set(told) == {cell for cell in watched if not cell.alive}

    def check_order(self, instance: Supervisor) -> None:
        """Under these strategies nobody is older than who was started before it."""
        if instance.spec.strategy is Strategy.ONE_FOR_ONE:
            return
        lines = self.tree.stage.diary
        ready = [c.spec.name for c in instance.children if c.state == "ready" and c.spec.key]
        last = [max(i for i, line in enumerate(lines) if line == f"+{name}") for name in ready]
        assert last == sorted(last), ready

    def check_directory(self, players: dict[str, Any]) -> None:
        entries = self.tree.cell("directory").instance.entries
        assert {key[1]: entry.address for key, entry in entries.items()} == players

    def check_diary(self, alive: set[str]) -> None:
        """Of each actor there was one instance at a time, and each ended once."""
        for label in self.labels:
            lines = [
                line[0] for line in self.tree.stage.diary if line in {f"+{label}", f"-{label}"}
            ]
            assert lines == ["+", "-"] * (len(lines) // 2) + ["+"] * (len(lines) % 2), label
            assert (len(lines) % 2 == 1) is (label in alive), label


async def play(tree_class: Any, shape: Any, steps: list[tuple[str, int, bool]]) -> None:
    runtime = AsyncioSystemBase()
    try:
        tree = tree_class(runtime)
        grown = Grown(tree)
        inner = grown.spec(shape, 1000)
        await tree.start(tree.supervisor("top", [tree.directory(), inner], restarts=1000))
        await grown.settle()
        tree.stage.diary += [f"+{label}" for label in grown.labels]
        watched: list[Any] = []
        for way, which, is_settled_first in steps:
            if is_settled_first:
                await grown.settle()
            for cell in tree.players().values():
                if cell not in watched:
                    watched.append(cell)
                    runtime.watch(tree.guardian, cell)
            grown.do(way, grown.labels[which % len(grown.labels)])
        await grown.settle()
        grown.check(watched)
    finally:
        await runtime.shutdown_async(5)
    assert list(runtime.tree()) == []


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(shape=TREES, steps=STEPS)
def test_any_tree_survives_any_sequence_of_ends(tree_class: Any, shape: Any, steps: Any) -> None:
    with asyncio.Runner() as runner:
        runner.run(play(tree_class, shape, steps))


FAMILY_STEPS = st.lists(
    st.tuples(
        st.sampled_from((*WAYS[:5], "bad_end", "ask", "retire", "lose_the_supervisor")),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=25,
)


async def play_family(
    tree_class: Any, restart: Restart, steps: list[tuple[str, int, bool]]
) -> None:
    runtime = AsyncioSystemBase()
    try:
        tree = tree_class(runtime)
        family = tree.family(
            "members",
            restart,
            intensity=tree.intensity(1000),
            child_intensity=tree.intensity(3),
        )
        await tree.start(tree.supervisor("top", [tree.directory(), family], restarts=1000))
        grown = Grown(tree)
        grown.labels = [f"m{number}" for number in range(4)]
        directory = tree.cell("directory")
        asking = []
        for what, which, is_settled_first in steps:
            label = grown.labels[which]
            if is_settled_first:
                await tree.quiet()
            match what:
                case "ask":
                    wrapped = Deliver(key=("members", label), message=tree.question())
                    asking.append(asyncio.ensure_future(runtime.request(directory, wrapped, 5)))
                case "retire":
                    runtime.post(directory, Retire(key=("members", label)), tree.guardian)
                case "lose_the_supervisor":
                    runtime.restart(tree.cell("members"))
                case _:
                    grown.do(what, label)
        await tree.quiet()
        answers = await asyncio.gather(*asking)

        members = tree.cell("members").instance
        by_key = {key[1]: member.cell for key, member in members.by_key.items()}
        assert tree.players() == by_key == {m.key[1]: m.cell for m in members.members.values()}
        assert all(cell.state == "live" for cell in by_key.values())
        grown.check_directory(by_key)
        grown.check_diary(set(by_key))
        assert {type(answer).__name__ for answer in answers} <= {"tuple", "Gone", "Crashed"}
        for label in grown.labels:
            wrapped = Deliver(key=("members", label), message=tree.question())
            tree.stage.refuse.clear()
            assert (await runtime.request(directory, wrapped, 5))[0] == label
    finally:
        await runtime.shutdown_async(5)
    assert list(runtime.tree()) == []


@pytest.mark.parametrize("restart", list(Restart))
def test_a_family_and_the_directory_agree_whatever_happened(
    tree_class: Any, restart: Restart
) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps=FAMILY_STEPS)
    def many(steps: Any) -> None:
        with asyncio.Runner() as runner:
            runner.run(play_family(tree_class, restart, steps))

    many()
