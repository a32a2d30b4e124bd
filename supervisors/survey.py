"""The supervision tree as operators see it, read in slices so that a big one never stops the loop.

First every actor is summed into those above it; then the shown part is described from the top down.
Members of a family that are idle and well, nearly all of very many, are counted and not looked at closely.
"""

import time
from collections import deque
from collections.abc import Iterable
from heapq import heappush, heappushpop
from itertools import islice
from typing import Final

import psutil

from veza.actors.base import SupervisedActor
from veza.actors.messages.ops import ActorNode, ProcessFigures, Rollup, Supervision, Unhealthy
from veza.actors.runtime import Cell, CellStats
from veza.supervisors.child_spec import ChildSpec, FamilySpec, RestartLog, SupervisorSpec
from veza.supervisors.family import FamilySupervisor
from veza.supervisors.pace import Pace
from veza.supervisors.supervisor import Child, State, Supervisor

SLICE_CHILDREN: Final = 256
HUNG_SECONDS: Final = 30.0
WAITING_SECONDS: Final = 1.0
RECENT_RESTART_SECONDS: Final = 300.0
ALARMING: Final = 0.8
"""Share of a mailbox, or of a supervisor's intensity, from which on it is told."""
STATE_NAMES: Final = {"stashing": "starting", "live": "idle"}

Place = tuple[tuple[float, ...], int, Cell]
"""A rank, a number that no other has, and who holds it."""


class Sums:
    """An actor and all below it, while they are being added up."""

    __slots__ = ("actors", "age", "errors", "mailbox", "messages", "restarts", "unhealthy")

    def __init__(self, cell: Cell) -> None:
        rare = cell.rare
        self.actors = 1
        self.messages = cell.messages_in
        self.errors = rare.errors if rare else 0
        self.restarts = rare.restarts if rare else 0
        self.mailbox = 0
        self.age = 0.0
        self.unhealthy = 0

    def add(self, other: "Sums") -> None:
        self.actors += other.actors
        self.messages += other.messages
        self.errors += other.errors
        self.restarts += other.restarts
        self.mailbox += other.mailbox
        self.unhealthy += other.unhealthy
        self.age = max(self.age, other.age)

    def count(self, quiet: Cell) -> None:
        """Add an actor below that needs no closer look."""
        self.actors += 1
        self.messages += quiet.messages_in
        rare = quiet.rare
        if rare is not None:
            self.errors += rare.errors
            self.restarts += rare.restarts

    def rank(self) -> tuple[int, int, float, int]:
        """Say who is shown first when not all are."""
        return self.unhealthy, self.mailbox, self.age, self.messages

    def rollup(self) -> Rollup:
        return Rollup(
            actors=self.actors,
            unhealthy=self.unhealthy,
            mailbox=self.mailbox,
            messages=self.messages,
            errors=self.errors,
            restarts=self.restarts,
            head_age_ms=round(self.age * 1000),
        )


class Survey:
    """One look at an actor and all below it."""

    def __init__(self, top: Cell, children: int) -> None:
        self.top = top
        self.limit = children
        self.pace = Pace()
        self.sums: dict[Cell, Sums] = {}
        self.worst: dict[Cell, list[Place]] = {}
        self.busiest: dict[Cell, list[Place]] = {}

    async def read(self) -> ActorNode:
        """Return the top's description, with at most `children` of each family."""
        found = await self._all()
        for number in range(len(found) - 1, -1, -1):
            await self.pace.step()
            cell = found[number]
            sums = self.sums[cell]
            self._look_closely(cell, sums)
            if cell is not self.top and cell.parent in self.sums:
                self.sums[cell.parent].add(sums)
                worst = self.worst.setdefault(cell.parent, [])
                push_within(worst, (sums.rank(), -number, cell), self.limit)
        return await self._describe(self.top)

    def _look_closely(self, cell: Cell, sums: Sums) -> None:
        stats = cell.stats()
        sums.mailbox += stats.mailbox_depth
        sums.age = max(sums.age, stats.head_age_seconds)
        sums.unhealthy += bool(complaints(cell, stats))
        if isinstance(cell.instance, Supervisor):
            sums.unhealthy += sum(is_down(child) for child in cell.instance.children)

    async def _all(self) -> list[Cell]:
        """Find every actor worth a look; the quiet ones are only counted where they belong."""
        found: list[Cell] = []
        self.sums[self.top] = Sums(self.top)
        waiting = deque([self.top])
        while waiting:
            await self.pace.step()
            cell = waiting.popleft()
            found.append(cell)
            waiting.extend(await self._children(cell))
        return found

    async def _children(self, cell: Cell) -> list[Cell]:
        sums, now = self.sums[cell], time.monotonic()
        noteworthy: list[Cell] = []
        busiest = self.busiest[cell] = []
        # What stands in a fixed list is looked at in any case: there are few, and all are shown.
        is_fixed = isinstance(cell.instance, Supervisor)
        for number, child in enumerate(tuple(cell.children or ())):
            if number % SLICE_CHILDREN == 0:
                await self.pace.step()
            if is_fixed or is_noteworthy(child, now):
                self.sums[child] = Sums(child)
                noteworthy.append(child)
            else:
                sums.count(child)
                push_within(busiest, ((child.messages_in,), number, child), self.limit)
        return noteworthy

    async def _describe(self, cell: Cell) -> ActorNode:
        await self.pace.step()
        nodes: list[ActorNode] = []
        for child in self._shown(cell):
            if isinstance(child, Cell):
                nodes.append(await self._describe(child))
            else:
                nodes.append(missing(cell.path, child))
        sums = self.sums.get(cell) or Sums(cell)
        return describe(cell, sums.rollup(), tuple(nodes))

    def _shown(self, cell: Cell) -> Iterable[Cell | Child]:
        """Return the children to show, a fixed supervisor's as they should be."""
        if isinstance(cell.instance, Supervisor):
            return [living(child) or child for child in cell.instance.children]
        return self._first(cell)

    def _first(self, cell: Cell) -> list[Cell]:
        """Return the noteworthy children, the worst first, then the busiest of the quiet ones."""
        worst = sorted(self.worst.get(cell, ()), reverse=True)
        quiet = sorted(self.busiest.get(cell, ()), reverse=True)
        first = (child for _rank, _number, child in (*worst, *quiet) if child.alive)
        return list(islice(first, self.limit))


def push_within(heap: list[Place], place: Place, limit: int) -> None:
    """Keep the greatest, at most `limit` of them."""
    if len(heap) < limit:
        heappush(heap, place)
    else:
        heappushpop(heap, place)


def is_noteworthy(cell: Cell, now: float) -> bool:
    """Tell whether an actor is more than idle, well and childless: then it is worth a closer look."""
    if cell.mailbox is not None or cell.active or cell.children or cell.state != "live":
        return True
    rare = cell.rare
    return rare is not None and (bool(rare.held) or was_restarted_lately(cell, rare.restarts, now))


def describe(cell: Cell, below: Rollup, children: tuple[ActorNode, ...]) -> ActorNode:
    """Describe one actor."""
    stats = cell.stats()
    last_exit = stats.last_exit
    return ActorNode(
        path=stats.path,
        name=stats.path.rsplit("/", 1)[-1],
        class_name=stats.class_name,
        state=state_of(cell, stats),
        unhealthy=complaints(cell, stats),
        mailbox=stats.mailbox_depth,
        mailbox_limit=stats.mailbox_limit,
        mailbox_high_water=stats.mailbox_high_water,
        head_age_ms=round(stats.head_age_seconds * 1000),
        messages=stats.messages_in,
        messages_out=stats.messages_out,
        errors=stats.errors,
        dropped=stats.dropped,
        restarts=stats.restarts,
        busy_ms=round(stats.handler_seconds * 1000),
        current=stats.current_handler,
        current_ms=round(stats.current_handler_seconds * 1000),
        started_at=stats.started_at,
        last_exit=f"{last_exit.kind}: {last_exit.detail}" if last_exit else None,
        restart=restart_type(cell),
        supervision=supervision_of(cell),
        process=process_of(cell),
        child_count=stats.children,
        below=below,
        children=children,
    )


def missing(parent_path: str, child: Child) -> ActorNode:
    """Describe an actor that should be there and is not."""
    return ActorNode(
        path=f"{parent_path}/{child.spec.name}",
        name=child.spec.name,
        class_name=child.spec.actor.__name__,
        state=child.state,
        unhealthy=(Unhealthy.DOWN,) if is_down(child) else (),
        mailbox=0,
        mailbox_limit=child.spec.actor.mailbox_limit,
        mailbox_high_water=0,
        head_age_ms=0,
        messages=0,
        messages_out=0,
        errors=0,
        dropped=0,
        restarts=0,
        busy_ms=0,
        current="",
        current_ms=0,
        started_at=0.0,
        last_exit=None,
        restart=child.spec.restart,
        supervision=None,
        process=None,
        child_count=0,
        below=Rollup(
            actors=0, unhealthy=0, mailbox=0, messages=0, errors=0, restarts=0, head_age_ms=0
        ),
    )


def living(child: Child) -> Cell | None:
    """Return the cell that carries a spec out, if there is one that lives."""
    return child.cell if child.cell is not None and child.cell.alive else None


def is_down(child: Child) -> bool:
    """Tell whether an actor should be there and is not; one that ended for good should not."""
    return living(child) is None and child.state is not State.ENDED


def state_of(cell: Cell, stats: CellStats) -> str:
    if is_draining(cell):
        return "draining"
    return STATE_NAMES.get(stats.state, stats.state)


def is_draining(cell: Cell) -> bool:
    return isinstance(cell.instance, SupervisedActor) and cell.instance.is_draining


def complaints(cell: Cell, stats: CellStats) -> tuple[Unhealthy, ...]:
    """List what is wrong with an actor, the worst first."""
    is_held = stats.state in {"stashing", "suspended"}
    supervision = supervision_of(cell)
    found = {
        Unhealthy.CRASHED: stats.state in {"crashed", "restarting"},
        Unhealthy.HUNG: stats.current_handler_seconds > HUNG_SECONDS,
        Unhealthy.MAILBOX_FULL: stats.mailbox_depth >= ALARMING * stats.mailbox_limit,
        Unhealthy.WAITING: stats.head_age_seconds > WAITING_SECONDS and not is_held,
        Unhealthy.INTENSITY: supervision is not None
        and supervision.restarts_used >= ALARMING * supervision.restarts_allowed,
        Unhealthy.RESTARTED: was_restarted_lately(cell, stats.restarts, time.monotonic()),
        Unhealthy.SUSPENDED: stats.state == "suspended",
        Unhealthy.DRAINING: is_draining(cell),
    }
    return tuple(complaint for complaint, is_true in found.items() if is_true)


def was_restarted_lately(cell: Cell, restarts: int, now: float) -> bool:
    return restarts > 0 and now - cell.started_at < RECENT_RESTART_SECONDS


def supervision_of(cell: Cell) -> Supervision | None:
    match cell.instance:
        case Supervisor(spec=SupervisorSpec(strategy=strategy), restarts=log):
            return _supervision(strategy, log)
        case FamilySupervisor(spec=FamilySpec(), restarts=log):
            return _supervision("one_for_one", log)
        case _:
            return None


def _supervision(strategy: str, log: RestartLog) -> Supervision:
    return Supervision(
        strategy=strategy,
        restarts_used=log.used(),
        restarts_allowed=log.intensity.restarts,
        period_seconds=log.intensity.period_seconds,
    )


def restart_type(cell: Cell) -> str:
    """Return the restart type that an actor's supervisor gives it; empty for who has none."""
    match cell.parent.instance if cell.parent else None:
        case Supervisor(children=children):
            found = (child.spec for child in children if child.cell is cell)
            spec: ChildSpec | None = next(found, None)
            return spec.restart if spec else ""
        case FamilySupervisor(spec=family):
            return family.restart
        case _:
            return ""


def process_of(cell: Cell) -> ProcessFigures | None:
    """Measure the process an actor owns; None if there is none, or none any more."""
    pid = cell.instance.process_id() if isinstance(cell.instance, SupervisedActor) else None
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times, memory = process.cpu_times(), process.memory_info()
    except psutil.Error:
        return None
    return ProcessFigures(pid=pid, cpu_seconds=times.user + times.system, rss_bytes=memory.rss)
