"""The world outside the loop's thread: Thespian's blocking `ask` and `listen`, and the way in."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from veza.actors.runtime.address import Address
from veza.actors.runtime.thespian_api import Actor, ActorAddress, isInternalActorSystemMessage

if TYPE_CHECKING:
    import asyncio

    from veza.actors.runtime.system import AsyncioSystemBase

Result = TypeVar("Result")
Period = timedelta | float | None


class Inbox:
    """Calls from other threads: a lock-free deque, and one wake-up of the loop a batch."""

    def __init__(self, loop: "asyncio.AbstractEventLoop") -> None:
        self._loop = loop
        self._calls: deque[Callable[[], object]] = deque()
        self._woken = False

    def put(self, call: Callable[[], object]) -> None:
        self._calls.append(call)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._run)

    def call(self, function: Callable[[], Result]) -> Result:
        """Run a function on the loop's thread and wait for what it returns or raises."""
        done: Future[Result] = Future()

        def run() -> None:
            try:
                done.set_result(function())
            except BaseException as error:  # noqa: BLE001  # raised again in the calling thread
                done.set_exception(error)

        self.put(run)
        return done.result()

    def _run(self) -> None:
        """`_woken` falls first: a call put in after that wakes the loop again."""
        self._woken = False
        calls = self._calls
        for _ in range(len(calls)):
            calls.popleft()()


class Endpoint(Address):
    """The address of one outside listener; also what `ActorSystem.private()` hands out."""

    __slots__ = ("_number", "_received", "_system")

    def __init__(self, system: "AsyncioSystemBase", number: int) -> None:
        self._system = system
        self._number = number
        self._received: queue.SimpleQueue[object] = queue.SimpleQueue()

    @property
    def path(self) -> str:
        return f"/external-{self._number}"

    def post(self, message: object, sender: ActorAddress) -> None:
        del sender  # Thespian's outside listeners never learn who spoke
        if not isInternalActorSystemMessage(message):
            self._received.put(message)

    def tell(self, target: ActorAddress, message: object) -> None:
        self._system.post_from_outside(target, message, self)

    def ask(self, target: ActorAddress, message: object, timeout: Period) -> object:
        self._system.refuse_to_block()
        self.tell(target, message)
        return self.listen(timeout)

    def listen(self, timeout: Period) -> object:
        """Wait for the next message from anybody; None when the time is up."""
        self._system.refuse_to_block()
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        deadline = None if seconds is None else time.monotonic() + seconds
        try:
            if deadline is None:
                return self._received.get()
            return self._received.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None

    def newPrimaryActor(
        self,
        actor_class: type[Actor] | str,
        requirements: object,
        global_name: str | None,
        source_hash: str | None = None,
    ) -> ActorAddress:
        return self._system.newPrimaryActor(actor_class, requirements, global_name, source_hash)

    def exit_context(self) -> None:
        """Nothing to give back: the endpoint goes with its last reference."""


class LoopThread:
    """A private event loop in a thread of its own, for users without one."""

    def __init__(self, loop: "asyncio.AbstractEventLoop") -> None:
        self._loop = loop
        self._thread = threading.Thread(target=self._run, name="veza-actors", daemon=True)

    def start(self) -> int:
        """Start it; return the thread's id."""
        self._thread.start()
        ident = self._thread.ident
        if ident is None:
            raise RuntimeError("the loop's thread did not start")
        return ident

    def _run(self) -> None:
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
