"""The actor runtime: Thespian's actors on the node's event loop."""

from veza.actors.runtime.address import path_of
from veza.actors.runtime.cell import Cell
from veza.actors.runtime.context import NO_REQUEST, RequestContext, request_context
from veza.actors.runtime.exits import ActorStopped, ChildExit, ExitReason, ExitRecord
from veza.actors.runtime.inspection import exits_of
from veza.actors.runtime.letters import CrashRecord, DeadLetter
from veza.actors.runtime.stats import CellStats
from veza.actors.runtime.system import AsyncioSystemBase
from veza.actors.runtime.watchdog import Watchdog

__all__ = [
    "NO_REQUEST",
    "ActorStopped",
    "AsyncioSystemBase",
    "Cell",
    "CellStats",
    "ChildExit",
    "CrashRecord",
    "DeadLetter",
    "ExitReason",
    "ExitRecord",
    "RequestContext",
    "Watchdog",
    "exits_of",
    "path_of",
    "request_context",
]
