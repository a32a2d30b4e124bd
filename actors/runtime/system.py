"""The system base: Thespian's interface and ours, over one scheduler on one event loop."""

import asyncio
import logging.config
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import TypeVar

from veza.actors.messages.common import Gone
from veza.actors.runtime.address import Address
from veza.actors.runtime.cell import Cell
from veza.actors.runtime.classic_system import ClassicSystem
from veza.actors.runtime.context import RequestContext, request_context
from veza.actors.runtime.control import Finish, Resume
from veza.actors.runtime.deadlines import Deadlines
from veza.actors.runtime.delivery import Delivery
from veza.actors.runtime.endings import NO_KWARGS
from veza.actors.runtime.endpoints import Endpoint, LoopThread, Nobody, Period
from veza.actors.runtime.exits import ExitReason
from veza.actors.runtime.inbox import Inbox, running_loop
from veza.actors.runtime.inspection import Inspection, subtree
from veza.actors.runtime.letters import Letters
from veza.actors.runtime.lifecycle import Lifecycle
from veza.actors.runtime.observer import Observer
from veza.actors.runtime.reply import FutureReply, ReplyAddress, TaggedReply
from veza.actors.runtime.scheduler import Scheduler
from veza.actors.runtime.slices import Slices
from veza.actors.runtime.sources import read_source
from veza.actors.runtime.thespian_api import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    ChildActorExited,
    DeadEnvelope,
    InvalidActorAddress,
    Thespian_StatusReq,
    WakeupMessage,
)
from veza.actors.runtime.timers import Timers
from veza.actors.runtime.wakeup import WakeUp

Result = TypeVar("Result")

SHUTDOWN_SECONDS = 5.0
NEVER_DEAD_LETTERS = (ChildActorExited, DeadEnvelope, Finish, Resume, WakeupMessage)
SHUTTING_DOWN = ExitReason(kind="shutdown", detail="the system shuts down")


class AsyncioSystemBase(Inspection):
    """Actors on one asyncio loop. Hand it to `ActorSystem(systemBase=..., transientUnique=True)`.

    With a loop (given, or running now) everything runs on it and is called from its thread; without
    one a private loop is started in a thread of its own, and other threads use it through Thespian.
    Of so many actors as `recent_budget` says, the first alive, the last messages are kept.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        capabilities: Mapping[str, object] | None = None,
        log_defs: dict[str, object] | None = None,
        recent_budget: int = 0,
    ) -> None:
        if log_defs:
            logging.config.dictConfig(log_defs)
        self._thread: LoopThread | None = None
        given = loop or running_loop()
        self.loop = given or asyncio.new_event_loop()
        self.address = ActorAddress("/ActorSys")
        self.letters = Letters()
        self.timers = Timers(self.loop)
        self.observer = Observer(self.timers, recent_budget)
        self.slices = Slices(self.loop)
        self.deadlines = Deadlines(self.timers, self.slices)
        self.scheduler = Scheduler(self, self.loop)
        self.delivery = self.scheduler.delivery = Delivery(self)
        self.lifecycle = Lifecycle(self)
        self.classic = ClassicSystem(self, capabilities or {})
        self._ended: dict[Cell, asyncio.Future[None]] = {}
        self._closed = False
        self._closing: asyncio.Task[None] | asyncio.Task[list[str]] | None = None
        self._endpoints = 1
        self._outside = Endpoint(self, 0)
        self.nobody = Nobody()
        self._inbox = Inbox(self.loop)
        self.thread_id = threading.get_ident()
        if given is None:
            self._thread = LoopThread(self.loop)
            self.thread_id = self._thread.start()

    # What the project's own code uses, on the loop's thread.

    def spawn(
        self,
        actor_class: type[Actor],
        kwargs: Mapping[str, object] = NO_KWARGS,
        *,
        parent: Cell | None = None,
        name: str = "",
        shutdown_seconds: float | None = None,
    ) -> Cell:
        """Start an actor with keyword arguments.

        With `shutdown_seconds` it is killed if it has not ended so long after it was asked to.
        If its constructor raises, so does this; with a parent, that gets a `ChildExit` instead.
        """
        cell = self.lifecycle.create(actor_class, kwargs, parent, name)
        if shutdown_seconds is not None:
            cell.more().shutdown_seconds = shutdown_seconds
        self.lifecycle.start(cell)
        return cell

    def post(self, target: ActorAddress, message: object, sender: ActorAddress) -> None:
        """Send, as whom you like."""
        if message.__class__ is Thespian_StatusReq and isinstance(target, Cell) and target.alive:
            self.classic.answer_status(target, sender)
        elif isinstance(target, Address):
            target.post(message, sender)
        else:
            self.classic.post_to_system(target, message, sender)

    def send_as(self, sender: ActorAddress, target: ActorAddress, message: object) -> None:
        """Pass a message on, so that the answer goes straight to who asked."""
        if isinstance(sender, ReplyAddress):
            sender.move_to(target)
        self.post(target, message, sender)

    async def request(
        self, target: ActorAddress, message: object, timeout_seconds: float
    ) -> object:
        """Ask, and wait for the one answer: the reply, `Busy`, `Crashed`, `Gone` or `TimedOut`."""
        reply = FutureReply(self, target, message.__class__.__name__, timeout_seconds)
        reply.future = future = self.loop.create_future()
        self.post(target, message, reply)
        try:
            return await future
        finally:
            if not reply.settled:
                reply.settle(Gone(command=reply.command))

    def ask_later(
        self, asker: Cell, target: ActorAddress, message: object, tag: object, timeout: float
    ) -> None:
        reply = TaggedReply(asker, target, message.__class__.__name__, tag, timeout)
        asker.messages_out += 1
        self.post(target, message, reply)

    def stop(self, cell: Cell) -> None:
        """Ask an actor to end, behind the messages that wait already.

        One with no time to stop (`shutdown_seconds` 0) is killed instead.
        """
        self.lifecycle.stop(cell, self.address)

    def kill(self, cell: Cell, detail: str = "killed") -> None:
        """End an actor and its children, newest first; handlers that wait are cancelled.

        A few end at once, many in slices; none of its own messages is handled any more either way.
        """
        self.lifecycle.kill(cell, detail)

    def restart(self, cell: Cell) -> bool:
        """Make a new instance at the same address, mailbox kept; what runs is torn down first.

        If it has many children, that takes some turns of the loop, in which messages wait.
        False, and nothing is done, if the actor is ending or has ended.
        """
        return self.lifecycle.restart(cell)

    def bury(self, cell: Cell) -> None:
        """Give up on a crashed actor that its parent will not restart."""
        self.lifecycle.bury(cell)

    def watch(self, watcher: Cell, target: ActorAddress) -> None:
        if not isinstance(target, Cell):
            raise InvalidActorAddress(target, "no actor of this system, so it cannot be watched")
        self.lifecycle.watch(watcher, target)

    async def shutdown_async(self, timeout_seconds: float) -> list[str]:
        """End all actors, newest first, children before parents; return who had to be killed."""
        deadline = time.monotonic() + timeout_seconds
        killed: list[str] = []
        self.lifecycle.overdue.clear()
        while self.lifecycle.roots:
            root = next(reversed(self.lifecycle.roots))
            ended = self._ended.setdefault(root, self.loop.create_future())
            root.more().stop_reason = SHUTTING_DOWN
            self.stop(root)
            if root.alive:
                await asyncio.wait([ended], timeout=max(0.0, deadline - time.monotonic()))
            if root.alive:
                killed += [cell.path for cell in subtree(root)]
                self.kill(root, "did not stop in time")
            if root.alive:
                await ended
        await self._close()
        return [*self.lifecycle.overdue, *killed]

    async def _close(self) -> None:
        self._closed = True
        self._inbox.close()
        self.classic.sources.close()
        self.timers.close()
        await self.scheduler.close()

    # Thespian's interface.

    def newPrimaryActor(
        self,
        actor_class: type[Actor] | str,
        requirements: object,
        global_name: str | None,
        source_hash: str | None = None,
    ) -> ActorAddress:
        if self._closed:
            raise RuntimeError("the actor system was shut down")
        return self._on_loop(
            partial(self.classic.create, None, actor_class, requirements, global_name, source_hash)
        )

    def tell(self, target: ActorAddress, message: object) -> None:
        self._outside.tell(target, message)

    def ask(self, target: ActorAddress, message: object, timeout: Period) -> object:
        return self._outside.ask(target, message, timeout)

    def listen(self, timeout: Period) -> object:
        return self._outside.listen(timeout)

    def external_clone(self) -> Endpoint:
        self._endpoints += 1
        return Endpoint(self, self._endpoints)

    def shutdown(self) -> None:
        """End everything; waits for it, unless called on the loop's own thread."""
        if self._on_own_thread():
            for root in reversed(tuple(self.lifecycle.roots)):
                self.kill(root, "the system shuts down")
            self.slices.finish()
            self._closing = self.loop.create_task(self._close())
            return
        if not self._closed:
            ending = self.shutdown_async(SHUTDOWN_SECONDS)
            asyncio.run_coroutine_threadsafe(ending, self.loop).result()
        if self._thread is not None:
            self._thread.stop()

    def updateCapability(self, name: str, value: object = None) -> None:
        self._on_loop(partial(self.classic.update_capability, name, value))

    def loadActorSource(self, source: object) -> str:
        source_hash, data = read_source(source)
        self._on_loop(partial(self.classic.sources.submit, source_hash, data))
        return source_hash

    def unloadActorSource(self, source_hash: str) -> None:
        self._on_loop(partial(self.classic.sources.unload, source_hash))

    # What cells and their neighbours call.

    def send_for(self, cell: Cell, target: ActorAddress, message: object) -> None:
        """Thespian's `send`: also to actors of another system, also from an actor's own thread."""
        cell.messages_out += 1
        if isinstance(target, Cell) and target.scheduler is not self.scheduler:
            target.scheduler.system.post_from_outside(target, message, cell)
        else:
            self.post_from_outside(target, message, cell)

    def post_from_outside(
        self, target: ActorAddress, message: object, sender: ActorAddress
    ) -> None:
        """Post from any thread; an outside one waits while too many messages do (`Inbox`)."""
        if self._on_own_thread():
            self.post(target, message, sender)
        elif not self._closed:
            request = request_context.get()
            self._inbox.put(partial(self._post_in, request, target, message, sender))

    def _post_in(
        self,
        request: RequestContext,
        target: ActorAddress,
        message: object,
        sender: ActorAddress,
    ) -> None:
        request_context.set(request)
        self.post(target, message, sender)

    def wake_later(self, cell: Cell, period: timedelta | float, payload: object) -> None:
        seconds = period.total_seconds() if isinstance(period, timedelta) else period
        self.deliver_later(cell, seconds, WakeupMessage(period, payload))

    def deliver_later(self, cell: Cell, seconds: float, message: object) -> None:
        self.timers.after(seconds, WakeUp(cell, message))

    def dead_letter(
        self, target: ActorAddress, sender: ActorAddress, message: object, why: str
    ) -> None:
        """Keep a message nobody handled, and tell Thespian's dead letter handler."""
        if isinstance(message, NEVER_DEAD_LETTERS):
            return
        if not isinstance(message, ActorExitRequest):
            self.letters.bury(target, sender, message, why)
        self.classic.tell_undertaker(target, message)

    def forget(self, cell: Cell) -> None:
        """Free the name and the offices of a cell that has ended."""
        self.classic.forget(cell)
        ended = self._ended.pop(cell, None)
        if ended is not None and not ended.done():
            ended.set_result(None)

    def refuse_to_block(self) -> None:
        if self._on_own_thread():
            raise RuntimeError("blocking on the event loop's own thread: use `await request(...)`")

    def shut_down_soon(self) -> None:
        """End the system, as an actor asked, after its handler."""
        self._closing = self.loop.create_task(self.shutdown_async(SHUTDOWN_SECONDS))

    # Inside.

    def _on_own_thread(self) -> bool:
        return threading.get_ident() == self.thread_id

    def _on_loop(self, function: "partial[Result]") -> Result:
        return function() if self._on_own_thread() else self._inbox.call(function)
