"""The actors of each class summed up, in slices; what they did only ever grows."""

import time
from dataclasses import replace

from veza.actors.messages.ops import ClassTotals
from veza.actors.runtime import AsyncioSystemBase, Cell
from veza.actors.runtime.behaviour import Behaviour
from veza.actors.runtime.lifecycle import has_held
from veza.actors.runtime.stats import waiting
from veza.supervisors.pace import Pace


class _Sum:
    """One class while it is being added up, from what its ended actors did."""

    __slots__ = ("done", "head_age", "mailbox")

    def __init__(self, behaviour: Behaviour) -> None:
        self.done = replace(behaviour.ended)
        self.mailbox = 0
        self.head_age = 0.0

    def add(self, cell: Cell) -> None:
        self.done.add(cell)
        if cell.mailbox is None and not has_held(cell):
            return
        depth, since = waiting(cell)
        if depth:
            self.mailbox += depth
            self.head_age = max(self.head_age, time.monotonic() - since)


class Totals:
    """Reads the totals of one system again and again."""

    def __init__(self, runtime: AsyncioSystemBase) -> None:
        self._runtime = runtime
        self._told: dict[str, ClassTotals] = {}

    async def read(self) -> tuple[ClassTotals, ...]:
        """Sum up. An actor that ends meanwhile may be missed, so nothing is told less than before."""
        behaviours = {each.name: each for each in self._runtime.behaviours()}
        sums = {name: _Sum(each) for name, each in behaviours.items()}
        pace = Pace()
        for cell in self._runtime.tree():
            found = sums.get(cell.behaviour.name)
            if found is not None:
                found.add(cell)
            await pace.step()
        for name, found in sums.items():
            self._told[name] = self._grown(name, found, behaviours[name].alive)
        return tuple(self._told.values())

    def _grown(self, name: str, found: _Sum, alive: int) -> ClassTotals:
        now = ClassTotals(
            class_name=name,
            alive=alive,
            mailbox=found.mailbox,
            head_age_seconds=found.head_age,
            messages=found.done.messages_in,
            errors=found.done.errors,
            dropped=found.done.dropped,
            restarts=found.done.restarts,
            busy_seconds=found.done.handler_seconds,
        )
        before = self._told.get(name, now)
        return replace(
            now,
            messages=max(now.messages, before.messages),
            errors=max(now.errors, before.errors),
            dropped=max(now.dropped, before.dropped),
            restarts=max(now.restarts, before.restarts),
            busy_seconds=max(now.busy_seconds, before.busy_seconds),
        )
