"""What the project's actors subclass: dispatch by message class, the crash rule, bounded mailboxes.

An actor answers, refuses (`RefusedError`), or dies. A handler is `receiveMsg_<ClassName>(self,
message, sender)`; what it returns, if not None, is sent to the sender.
"""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from veza.actors.runtime.behaviour import HANDLER_PREFIX, SLOT_MESSAGES
from veza.actors.runtime.cell import Cell
from veza.actors.runtime.exits import ExitReason
from veza.actors.runtime.system import AsyncioSystemBase
from veza.actors.runtime.thespian_api import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    WakeupMessage,
)

DEFAULT_TIMEOUT_SECONDS = 10.0
WhenFull = Literal["busy", "drop", "close"]


class SupervisedActor(Actor):
    """A state machine: synchronous handlers that never wait.

    `supervises`: a child that crashes stays, with its mailbox, until this actor restarts or buries
    it; when this actor ends, its children end one by one, newest first (unless `stops_in_order`
    is False: then all at once).
    `slot_messages`: about how many messages it handles before others have their turn; more only
    for one with quick handlers that many wait for.
    `mailbox_limit`, `when_full`: `busy` answers `Busy`, `drop` counts a dead letter, `close` ends
    the actor. `stash_until_ready`: None = ready once constructed; otherwise the message classes
    that are handled before `become_ready` is called, while all others wait.
    """

    dispatches_by_type: ClassVar[bool] = True
    crash_on_error: ClassVar[bool] = True
    may_wait: ClassVar[bool] = False
    supervises: ClassVar[bool] = False
    stops_in_order: ClassVar[bool | None] = None
    slot_messages: ClassVar[int] = SLOT_MESSAGES
    mailbox_limit: ClassVar[int] = 1024
    when_full: ClassVar[WhenFull] = "busy"
    stash_until_ready: ClassVar[frozenset[type] | None] = None

    is_draining = False
    """Takes on nothing new; set by those that handle `Drain`."""

    _myRef: Cell  # noqa: N815  # Thespian's name

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        never = {"on_stop", HANDLER_PREFIX + ActorExitRequest.__name__}
        for name in dir(cls):
            if not inspect.iscoroutinefunction(getattr(cls, name)):
                continue
            if name in never or (name.startswith(HANDLER_PREFIX) and not cls.may_wait):
                raise TypeError(f"{cls.__name__}.{name} must not be `async`")

    @property
    def runtime(self) -> AsyncioSystemBase:
        return self._myRef.scheduler.system

    @property
    def cell(self) -> Cell:
        return self._myRef

    def send(self, target: ActorAddress, message: object) -> None:
        """Send and forget."""
        cell = self._myRef
        cell.messages_out += 1
        if type(target) is Cell:
            target.post(message, cell)
        else:
            cell.scheduler.system.post(target, message, cell)

    def send_always(self, target: ActorAddress, message: object) -> None:
        """Send news that must arrive: a full mailbox takes it too. Only for what is bounded otherwise."""
        cell = self._myRef
        cell.messages_out += 1
        if isinstance(target, Cell):
            target.post_always(message, cell)
        else:
            cell.scheduler.system.post(target, message, cell)

    def forward(self, target: ActorAddress, message: object, sender: ActorAddress) -> None:
        """Pass a message on; the answer goes to `sender`, not here."""
        self._myRef.messages_out += 1
        self.runtime.send_as(sender, target, message)

    def wakeup_after(self, seconds: float, payload: object = None) -> None:
        """Get `payload` as a message from oneself later (without one: a `WakeupMessage`)."""
        message = WakeupMessage(seconds) if payload is None else payload
        self.runtime.deliver_later(self._myRef, seconds, message)

    def ask_later(
        self,
        target: ActorAddress,
        message: object,
        tag: object,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        """Ask and go on. Later exactly one `Answer` with this tag comes, unless restarted first."""
        self.runtime.ask_later(self._myRef, target, message, tag, timeout_seconds)

    async def ask(
        self,
        target: ActorAddress,
        message: object,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> object:
        """Ask and wait, in an `async` handler."""
        self._myRef.messages_out += 1
        return await self.runtime.request(target, message, timeout_seconds)

    def spawn(
        self,
        actor_class: type[Actor],
        kwargs: Mapping[str, object] | None = None,
        *,
        name: str = "",
        shutdown_seconds: float | None = None,
    ) -> Cell:
        """Start a child. If it cannot start, a `ChildExit` follows."""
        return self.runtime.spawn(
            actor_class,
            kwargs or {},
            parent=self._myRef,
            name=name,
            shutdown_seconds=shutdown_seconds,
        )

    def watch(self, target: ActorAddress) -> None:
        """Get one `ActorStopped` when that actor is gone for good (at once if it is already)."""
        self.runtime.watch(self._myRef, target)

    def become_ready(self) -> None:
        """From now on all messages are handled, those that waited first; the parent is told."""
        self.runtime.lifecycle.become_ready(self._myRef)

    def stop_self(self, detail: str = "normal") -> None:
        """End in order, after the messages that wait already (also with no time to stop)."""
        self._myRef.more().stop_reason = ExitReason(kind="normal", detail=detail)
        self.runtime.lifecycle.stop(self._myRef, self._myRef)

    def on_stop(self) -> None:
        """Give back what the actor holds. Called once for every end; must not wait."""

    def process_id(self) -> int | None:
        """Name the operating system process that the actor owns, if it owns one now."""
        return None

    def inspect(self) -> Mapping[str, object]:
        """Show operators something of the state: no secrets, no message texts."""
        return {}


class ServiceActor(SupervisedActor):
    """A service: `async` handlers, up to `concurrency` at once, no mutable state between them.

    An unexpected exception fails that request only. With `batch_limit` > 0, `receive_batch` gets
    everything that waits (up to the limit) at once, one batch at a time.
    """

    crash_on_error: ClassVar[bool] = False
    may_wait: ClassVar[bool] = True
    concurrency: ClassVar[int] = 16
    batch_limit: ClassVar[int] = 0
