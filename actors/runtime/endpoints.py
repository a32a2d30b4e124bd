"""The world outside the loop's thread: Thespian's blocking `ask` and `listen`, and who wants no answer."""

import queue
import threading
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from veza.actors.runtime.address import Address
from veza.actors.runtime.thespian_api import Actor, ActorAddress, isInternalActorSystemMessage

if TYPE_CHECKING:
    import asyncio

    from veza.actors.runtime.system import AsyncioSystemBase

Period = timedelta | float | None
UNHEARD_LIMIT: Final = 100_000


class Nobody(Address):
    """The sender of what is told by who wants no answer: answers to it are dropped."""

    __slots__ = ()

    @property
    def path(self) -> str:
        return "/nobody"

    def post(self, message: object, sender: ActorAddress) -> None:
        """Drop it."""


class Endpoint(Address):
    """The address of one outside listener; also what `ActorSystem.private()` hands out.

    Keeps the newest `UNHEARD_LIMIT` messages for it; older ones become dead letters.
    """

    __slots__ = ("_number", "_received", "_system")

    def __init__(self, system: "AsyncioSystemBase", number: int) -> None:
        self._system = system
        self._number = number
        self._received: queue.SimpleQueue[object] = queue.SimpleQueue()

    @property
    def path(self) -> str:
        return f"/external-{self._number}"

    def post(self, message: object, sender: ActorAddress) -> None:
        """Keep it for who listens; outside listeners never learn who spoke."""
        if isInternalActorSystemMessage(message):
            return
        if self._received.qsize() >= UNHEARD_LIMIT:
            with suppress(queue.Empty):  # the listener may be quicker
                oldest = self._received.get_nowait()
                self._system.letters.bury(self, sender, oldest, "nobody listened")
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
