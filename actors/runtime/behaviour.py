"""What the runtime needs to know of an actor class, worked out once for each class."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from veza.actors.runtime.thespian_api import Actor, ActorAddress, ActorExitRequest

if TYPE_CHECKING:
    from veza.actors.runtime.cell import Cell

Handler = Callable[[Any, Any, ActorAddress], object]
AsyncHandler = Callable[[Any, Any, ActorAddress], Awaitable[object]]

HANDLER_PREFIX = "receiveMsg_"

SLOT_MESSAGES: Final = 16
QUICK_SECONDS: Final = 0.000_006_25
"""A slot is time for so many letters of so long; one of 16 is a tenth of a millisecond."""


@dataclass(slots=True)
class Totals:
    """What actors did, summed."""

    messages_in: int = 0
    errors: int = 0
    dropped: int = 0
    restarts: int = 0
    handler_seconds: float = 0.0

    def add(self, cell: "Cell") -> None:
        self.messages_in += cell.messages_in
        self.handler_seconds += cell.handler_seconds
        if cell.rare is not None:
            self.errors += cell.rare.errors
            self.dropped += cell.rare.dropped
            self.restarts += cell.rare.restarts


class Behaviour:
    """One actor class: its handlers by message class, its limits, and how it fails.

    `alive` counts its actors; `ended` sums up what those did that have ended, so that with the living
    ones' counters a class's totals never fall.
    """

    __slots__ = (
        "actor_class",
        "alive",
        "asynchronous",
        "awaited",
        "batch_limit",
        "concurrency",
        "counter",
        "crash_on_error",
        "dispatches",
        "ended",
        "init_names",
        "mailbox_limit",
        "name",
        "slot_messages",
        "stash_until_ready",
        "stops_in_order",
        "supervises",
        "table",
        "when_full",
    )

    def __init__(self, actor_class: type[Actor], control: Mapping[type, Handler]) -> None:
        def declared(name: str, default: Any) -> Any:
            return getattr(actor_class, name, default)

        self.actor_class = actor_class
        self.name = actor_class.__name__
        self.counter = 0
        self.alive = 0
        self.ended = Totals()
        self.dispatches: bool = declared("dispatches_by_type", False)
        self.crash_on_error: bool = declared("crash_on_error", False)
        self.supervises: bool = declared("supervises", False)
        in_order: bool | None = declared("stops_in_order", None)
        self.stops_in_order = self.supervises if in_order is None else in_order
        self.mailbox_limit: int = declared("mailbox_limit", 1_000_000)
        self.slot_messages: int = declared("slot_messages", SLOT_MESSAGES)
        self.when_full: str = declared("when_full", "drop")
        self.batch_limit: int = declared("batch_limit", 0)
        self.concurrency: int = 1 if self.batch_limit else declared("concurrency", 1)
        self.stash_until_ready: frozenset[type] | None = declared("stash_until_ready", None)
        self.init_names = frozenset(inspect.signature(actor_class.__init__).parameters)
        self.table: dict[type, Handler] = dict(control) if self.dispatches else {}
        self.awaited: dict[type, AsyncHandler] = {}
        self.asynchronous = self.batch_limit > 0 or has_async_handlers(actor_class)

    def resolve(self, message_class: type) -> bool:
        """Find the handler of a message class not seen before; say whether there is one."""
        for each in message_class.__mro__:
            handler = getattr(self.actor_class, HANDLER_PREFIX + each.__name__, None)
            if handler is None:
                continue
            if inspect.iscoroutinefunction(handler):
                self.awaited[message_class] = handler
            else:
                self.table[message_class] = handler
            return True
        return False

    def own_exit_handler(self) -> Handler | None:
        return getattr(self.actor_class, HANDLER_PREFIX + ActorExitRequest.__name__, None)


def has_async_handlers(actor_class: type[Actor]) -> bool:
    """Tell whether the class awaits anywhere in handling messages."""
    return any(
        inspect.iscoroutinefunction(getattr(actor_class, name, None))
        for name in dir(actor_class)
        if name == "receiveMessage" or name.startswith(HANDLER_PREFIX)
    )
