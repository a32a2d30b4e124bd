"""The actor runtime: Thespian's actors on the node's event loop."""

from veza.actors.runtime.address import path_of
from veza.actors.runtime.cell import Cell
from veza.actors.runtime.context import NO_REQUEST, RequestContext, request_context
from veza.actors.runtime.exits import ActorStopped, ChildExit, ExitReason, ExitRecord
from veza.actors.runtime.inspection import exits_of
from veza.actors.runtime.letters import CrashCause, CrashRecord, DeadLetter, Letters
from veza.actors.runtime.observation import Counted, Handled, Observation
from veza.actors.runtime.observer import ActorEndedError, TooManyTracesError
from veza.actors.runtime.stacks import BusyHandler, busy_handlers
from veza.actors.runtime.stats import CellStats
from veza.actors.runtime.system import AsyncioSystemBase
from veza.actors.runtime.trace import Trace, TraceEntry
from veza.actors.runtime.watchdog import Blockage, Watchdog

__all__ = [
    "NO_REQUEST",
    "ActorEndedError",
    "ActorStopped",
    "AsyncioSystemBase",
    "Blockage",
    "BusyHandler",
    "Cell",
    "CellStats",
    "ChildExit",
    "Counted",
    "CrashCause",
    "CrashRecord",
    "DeadLetter",
    "ExitReason",
    "ExitRecord",
    "Handled",
    "Letters",
    "Observation",
    "RequestContext",
    "TooManyTracesError",
    "Trace",
    "TraceEntry",
    "Watchdog",
    "busy_handlers",
    "exits_of",
    "path_of",
    "request_context",
]
