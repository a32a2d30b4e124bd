"""One node: the actor system with its supervision tree, and the way in from outside.

`start` and `stop` are mirror images. While it runs, `ask` and `tell` reach any actor by its key.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from structlog.contextvars import get_contextvars

from veza.actors.base import SupervisedActor
from veza.actors.messages.common import Gone, Key, Ready
from veza.actors.messages.directory import AwaitEnd, Deliver, Ended
from veza.actors.messages.jobs import DISPATCHER, DrainJobs
from veza.actors.messages.ops import BusFigures
from veza.actors.runtime import (
    AsyncioSystemBase,
    Cell,
    ChildExit,
    ExitReason,
    RequestContext,
    request_context,
)
from veza.actors.runtime.address import Address
from veza.actors.runtime.garbage import GarbageKeeper
from veza.actors.runtime.watchdog import Watchdog
from veza.actors.shared_places import LocalPlaces, SharedPlaces
from veza.actors.shared_rates import LocalRates, SharedRates
from veza.supervisors.child_spec import SupervisorSpec
from veza.supervisors.figures import DatabaseUse, Figures
from veza.supervisors.operator import NodeAccess, OperatorActor
from veza.supervisors.supervisor import Supervisor

FOREVER_SECONDS: Final = 10 * 365 * 24 * 3600.0
DEFAULT_ASK_SECONDS: Final = 10.0
RECENT_BUDGET: Final = 2_000
"""How many actors keep their last messages without being asked: about 7 KB each."""


class NodeFailedError(Exception):
    """The root supervisor gave up: the node must end, and whoever runs it starts another."""


class Guardian(SupervisedActor):
    """The parent of the root and of the operator: the end of either is the end of the node.

    `ready` is set when the start is over, well or not.
    """

    def __init__(
        self, *, node: NodeAccess, ready: asyncio.Event, failed: asyncio.Future[ExitReason]
    ) -> None:
        super().__init__()
        self.ready = ready
        self.failed = failed
        self.operator = self.spawn(OperatorActor, {"node": node}, name="operator")

    def receiveMsg_Ready(self, _message: Ready, sender: Address) -> None:
        if sender is not self.operator:
            self.ready.set()

    def receiveMsg_ChildExit(self, message: ChildExit, _sender: Address) -> None:
        if not self.failed.done():
            self.failed.set_result(message.reason)
        self.ready.set()


class Node:
    """The actors of one process, on the event loop it is made on."""

    def __init__(
        self,
        spec: SupervisorSpec,
        checks: Mapping[str, Callable[[], bool]] | None = None,
        *,
        node_id: str = "",
        database_use: Callable[[], DatabaseUse] = DatabaseUse,
        bus: Callable[[], BusFigures | None] = lambda: None,
        shared_rates: SharedRates | None = None,
        shared_places: SharedPlaces | None = None,
    ) -> None:
        self.shared_rates = shared_rates or LocalRates()
        self.shared_places = shared_places or LocalPlaces()
        self.spec = spec
        self.checks = dict(checks or {})
        self.runtime = AsyncioSystemBase(recent_budget=RECENT_BUDGET)
        self.failed: asyncio.Future[ExitReason] = asyncio.get_running_loop().create_future()
        self.drain_wanted = asyncio.Event()
        self.garbage = GarbageKeeper(lambda: self.runtime.alive_count)
        self._watchdog = Watchdog(self.runtime)
        self._figures = Figures(
            self.runtime, self._watchdog, self.garbage, node_id, database_use, bus
        )
        self._ready = asyncio.Event()
        self._root: Cell | None = None
        self._operator: Cell | None = None
        self._directory: Cell | None = None
        self._is_stopping = False

    async def start(self) -> None:
        """Start every actor of the tree, in order; return when all are ready.

        Raises `NodeFailedError` if the root gives up meanwhile.
        """
        self._watchdog.start()
        kwargs = {"node": self._access(), "ready": self._ready, "failed": self.failed}
        guardian = self.runtime.spawn(Guardian, kwargs, name="veza")
        self._operator = next(iter(guardian.children or ()))
        self._root = self.runtime.spawn(
            Supervisor, {"spec": self.spec, "refs": {}}, parent=guardian, name=self.spec.name
        )
        await self._ready.wait()
        if self.failed.done():
            raise NodeFailedError(self.failed.result().detail)

    async def stop(self, timeout_seconds: float) -> list[str]:
        """Give jobs back, then stop every actor, in reverse order; return who had to be killed."""
        self._is_stopping = True
        # What operators held back ends in order too, and nobody waits for a dispatcher that is held.
        for cell in self.runtime.tree():
            self.runtime.resume(cell)
        await self.ask(DISPATCHER, DrainJobs(), timeout_seconds / 2)
        killed = await self.runtime.shutdown_async(timeout_seconds)
        # Its last beat is answered by the loop, which must go on meanwhile.
        await asyncio.to_thread(self._watchdog.stop)
        return killed

    async def ask(
        self, key: Key, command: object, timeout_seconds: float = DEFAULT_ASK_SECONDS
    ) -> object:
        """Return the reply, or `Rejected`, `Crashed`, `Busy`, `TimedOut` or `Gone`."""
        carry_request_id()
        return await self._ask(key, command, timeout_seconds)

    async def _ask(self, key: Key, command: object, timeout_seconds: float) -> object:
        """Ask on behalf of whatever is being handled: an actor's request id is not this task's."""
        directory = self._find_directory()
        if directory is None:
            return Gone(command=type(command).__name__)
        deliver = Deliver(key=key, message=command)
        return await self.runtime.request(directory, deliver, timeout_seconds)

    def tell(self, key: Key, command: object) -> None:
        """Send a command that has no reply; one that comes all the same is dropped."""
        directory = self._find_directory()
        if directory is not None:
            carry_request_id()
            deliver = Deliver(key=key, message=command)
            self.runtime.post_from_outside(directory, deliver, self.runtime.nobody)

    async def ended(self, key: Key) -> str:
        """Wait until no actor of the key is alive; return the reason."""
        directory = self._find_directory()
        if directory is None:
            return "the node is stopping"
        reply = await self.runtime.request(directory, AwaitEnd(key=key), FOREVER_SECONDS)
        return reply.reason if isinstance(reply, Ended) else "its supervisor was lost"

    async def operate(
        self, command: object, timeout_seconds: float = DEFAULT_ASK_SECONDS
    ) -> object:
        """Ask the operator, which needs neither the directory nor the database."""
        if self._operator is None:
            return Gone(command=type(command).__name__)
        carry_request_id()
        return await self.runtime.request(self._operator, command, timeout_seconds)

    def health(self) -> Mapping[str, bool]:
        """Return what must hold before this node can serve, by name."""
        is_up = self._ready.is_set() and not self.failed.done()
        checked = {name: check() for name, check in self.checks.items()}
        return {"actors": is_up, "not_draining": not self._is_stopping, **checked}

    def _access(self) -> NodeAccess:
        return NodeAccess(
            root=self._find_root,
            ask=self._ask,
            figures=lambda totals: self._figures.read(
                totals,
                self.health(),
                is_draining=self._is_stopping or self.drain_wanted.is_set(),
            ),
            drain=self.drain_wanted.set,
        )

    def _find_root(self) -> Cell:
        if self._root is None:
            raise RuntimeError("the node is not started")
        return self._root

    def _find_directory(self) -> Cell | None:
        if self._directory is None or not self._directory.alive:
            children = self._root.children if self._root else None
            cells = (cell for cell in children or () if cell.name == "directory")
            self._directory = next(cells, None)
        return self._directory


def carry_request_id() -> None:
    """Let the id that this task's log lines carry travel on with what it sends to actors."""
    request_id = str(get_contextvars().get("request_id", ""))
    if request_id != request_context.get().request_id:
        request_context.set(RequestContext(request_id=request_id))
