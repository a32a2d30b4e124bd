"""Whose work is kept: the first actors up to a budget, those an operator looks at, those traced."""

from functools import partial
from typing import TYPE_CHECKING, Final

from veza.actors.runtime.observation import Observation
from veza.actors.runtime.trace import ACTOR_ENDED, Describe, Trace

if TYPE_CHECKING:
    from veza.actors.runtime.cell import Cell
    from veza.actors.runtime.timers import Timer, Timers

LOOKED_AT_LIMIT: Final = 1000
TRACES_OF_AN_ACTOR: Final = 4
TRACES_OF_A_SYSTEM: Final = 16


class ActorEndedError(Exception):
    """There is nothing more to see of this actor."""


class TooManyTracesError(Exception):
    """So many traces run already, on the actor or in the system."""


class Observer:
    """The observations of one system: `budget` of them for whoever comes, and those asked for."""

    __slots__ = ("_budgeted", "_looked_at", "_timers", "_traces", "places")

    def __init__(self, timers: "Timers", budget: int) -> None:
        self.places = budget
        self._timers = timers
        self._budgeted: set[Cell] = set()
        self._looked_at: dict[Cell, None] = {}
        self._traces: dict[Trace, Timer] = {}

    def give_place(self, cell: "Cell") -> None:
        """Keep the work of a new actor; called while there are `places`."""
        self.places -= 1
        self._budgeted.add(cell)
        cell.observed = Observation()

    def look(self, cell: "Cell") -> Observation:
        """Keep an actor's work from now on, if it is not kept already."""
        if not cell.alive:
            raise ActorEndedError(cell.path)
        if cell not in self._budgeted:
            self._looked_at.pop(cell, None)
            self._looked_at[cell] = None
        if cell.observed is None:
            cell.observed = Observation()
            if len(self._looked_at) > LOOKED_AT_LIMIT:
                self._look_away()
        return cell.observed

    def _look_away(self) -> None:
        """Forget the actor nobody has looked at for longest; one that is traced stays."""
        oldest = next(
            cell for cell in self._looked_at if cell.observed and not cell.observed.traces
        )
        del self._looked_at[oldest]
        oldest.observed = None

    def forget(self, cell: "Cell") -> None:
        """Free what was kept of an actor that ends."""
        observed, cell.observed = cell.observed, None
        for trace in observed.traces if observed else ():
            trace.stop(ACTOR_ENDED)
        self._looked_at.pop(cell, None)
        if cell in self._budgeted:
            self._budgeted.remove(cell)
            self.places += 1

    def trace(
        self,
        cell: "Cell",
        *,
        limit: int,
        seconds: float,
        message_type: str,
        describe: Describe | None,
    ) -> Trace:
        if limit < 1 or seconds <= 0:
            raise ValueError(f"a trace of {limit} messages in {seconds} s sees nothing")
        observed = self.look(cell)
        if len(self._traces) >= TRACES_OF_A_SYSTEM or len(observed.traces) >= TRACES_OF_AN_ACTOR:
            raise TooManyTracesError(
                f"{len(observed.traces)} of {len(self._traces)} on {cell.path}"
            )
        trace = Trace(
            cell,
            limit=limit,
            seconds=seconds,
            message_type=message_type,
            describe=describe,
            leave=self._leave,
        )
        self._traces[trace] = self._timers.after(seconds, partial(trace.stop, "time"))
        observed.traces += (trace,)
        cell.choose_table()
        return trace

    def _leave(self, trace: Trace) -> None:
        self._traces.pop(trace).cancel()
        observed = trace.cell.observed
        if observed is not None:
            observed.traces = tuple(each for each in observed.traces if each is not trace)
            trace.cell.choose_table()
