"""The cell: an actor's control block, which is also its address."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from veza.actors.runtime.address import Address
from veza.actors.runtime.behaviour import Behaviour, Handler
from veza.actors.runtime.context import RequestContext, request_context
from veza.actors.runtime.exits import ExitReason, ExitRecord
from veza.actors.runtime.reference import Reference
from veza.actors.runtime.stats import CellStats, stats_of
from veza.actors.runtime.thespian_api import Actor, ActorAddress

if TYPE_CHECKING:
    from veza.actors.runtime.grace import Grace
    from veza.actors.runtime.observation import Observation
    from veza.actors.runtime.reply import ReplyAddress
    from veza.actors.runtime.runner import Runner
    from veza.actors.runtime.scheduler import Scheduler

Letter = tuple["Cell", object, ActorAddress, RequestContext, float]
"""(target, message, sender, request, when sent): what queues hold; made once, never copied."""

LIVE: Final = "live"
STASHING: Final = "stashing"
EXITING: Final = "exiting"
CRASHED: Final = "crashed"
RESUMING: Final = "resuming"
UNSTASHING: Final = "unstashing"
SUSPENDED: Final = "suspended"
WAKING: Final = "waking"
CLEARING: Final = "clearing"
"""Its children are being killed, before it crashes or is restarted."""
DOOMED: Final = "doomed"
"""Its children are being killed, before it is."""
DEAD: Final = "dead"

NO_HANDLERS: Final[dict[type, Handler]] = {}
"""The table of a cell that is not live: its letters take the slow way, which knows states."""

EMPTY: Final[deque[Letter]] = deque(maxlen=0)
"""Marks a cell whose one letter is in the run queue: no mailbox of its own. Never filled."""

KEPT_EXITS: Final = 8

get_request = request_context.get


class Rare:
    """What most cells never need; made on first use, so that an idle actor stays small."""

    __slots__ = (
        "dropped",
        "errors",
        "exits",
        "fate",
        "global_name",
        "grace",
        "held",
        "in_flight",
        "ready_told",
        "requirements",
        "restarts",
        "shutdown_seconds",
        "source_hash",
        "stop_reason",
        "watched_files",
        "watchers",
        "watching",
    )

    def __init__(self) -> None:
        self.errors = 0
        self.dropped = 0
        self.restarts = 0
        self.shutdown_seconds: float | None = None
        self.ready_told = False
        self.exits: tuple[ExitRecord, ...] = ()
        self.stop_reason: ExitReason | None = None
        self.fate: Callable[[], None] | None = None
        self.grace: Grace | None = None
        self.held: deque[Letter] | None = None
        self.in_flight: dict[Runner, None] = {}
        self.watchers: dict[Cell, None] = {}
        self.watching: dict[Cell, None] = {}
        self.watched_files: tuple[int, ...] = ()
        self.global_name: str | None = None
        self.source_hash: str | None = None
        self.requirements: object = None

    @property
    def last_exit(self) -> ExitReason | None:
        return self.exits[0].reason if self.exits else None

    def note_exit(self, reason: ExitReason) -> None:
        """Keep why an instance ended; to bury a crashed actor is not another end."""
        if reason is not self.last_exit:
            record = ExitRecord(at=time.time(), reason=reason)
            self.exits = (record, *self.exits[: KEPT_EXITS - 1])


class Cell(Reference):
    """One actor: mailbox, instance, counters and place in the tree.

    `mailbox` is None while nothing waits: the next letter goes straight into the run queue.
    Otherwise one letter is in the run queue (or all handlers are busy) and others follow here.
    """

    __slots__ = (
        "active",
        "asked",
        "behaviour",
        "children",
        "handler_seconds",
        "high_water",
        "incarnation",
        "instance",
        "kwargs",
        "mailbox",
        "messages_in",
        "messages_out",
        "name",
        "observed",
        "parent",
        "queued_at",
        "rare",
        "scheduler",
        "started_at",
        "state",
        "table",
    )

    def __init__(
        self,
        scheduler: "Scheduler",
        behaviour: Behaviour,
        parent: "Cell | None",
        name: str | int,
        kwargs: Mapping[str, object],
    ) -> None:
        self.scheduler = scheduler
        self.behaviour = behaviour
        self.parent = parent
        self.name = name
        self.kwargs = kwargs
        self.table = NO_HANDLERS
        self.state: str = STASHING
        self.instance: Actor | None = None
        self.mailbox: deque[Letter] | None = None
        self.children: dict[Cell, None] | None = None
        self.rare: Rare | None = None
        self.asked: set[ReplyAddress] | None = None
        self.observed: Observation | None = None
        self.active = 0
        self.incarnation = 0
        self.messages_in = 0
        self.messages_out = 0
        self.high_water = 0
        self.handler_seconds = 0.0
        self.queued_at = 0.0
        self.started_at = scheduler.now

    def post(self, message: object, sender: ActorAddress) -> None:
        """Put a message into the mailbox; a full one is answered as the class says."""
        scheduler = self.scheduler
        mailbox = self.mailbox
        if mailbox is None:
            if not scheduler.armed:
                scheduler.arm(self)
            now = scheduler.now
            self.mailbox = EMPTY
            self.queued_at = now
            scheduler.ready.append((self, message, sender, get_request(), now))
        elif len(mailbox) < self.behaviour.mailbox_limit:
            letter = (self, message, sender, get_request(), scheduler.now)
            if mailbox is EMPTY:
                self.mailbox = mailbox = scheduler.new_mailbox()
            mailbox.append(letter)
        else:
            scheduler.delivery.overflow(self, message, sender)

    def post_always(
        self, message: object, sender: ActorAddress, request: RequestContext | None = None
    ) -> None:
        """Post what the bound does not hold for: exits, timers, answers to own questions."""
        scheduler = self.scheduler
        mailbox = self.mailbox
        if mailbox is None and not scheduler.armed:
            scheduler.arm(self)
        letter = (self, message, sender, request or get_request(), scheduler.now)
        if mailbox is None:
            self.mailbox = EMPTY
            self.queued_at = scheduler.now
            scheduler.ready.append(letter)
            return
        if mailbox is EMPTY:
            self.mailbox = mailbox = scheduler.new_mailbox()
        mailbox.append(letter)

    def reply(self, sender: ActorAddress, message: object) -> None:
        self.messages_out += 1
        if isinstance(sender, Address):
            sender.post(message, self)
        else:
            self.scheduler.system.post(sender, message, self)

    def choose_table(self) -> None:
        """Let letters take the quick way if nothing is to be known or decided of each."""
        traced = self.observed is not None and self.observed.traces
        is_quick = self.state is LIVE and not traced
        self.table = self.behaviour.table if is_quick else NO_HANDLERS

    def more(self) -> Rare:
        """Return the rarely needed part, made now if it is not there yet."""
        if self.rare is None:
            self.rare = Rare()
        return self.rare

    @property
    def label(self) -> str:
        """The last part of its path."""
        return self.name if isinstance(self.name, str) else f"{self.behaviour.name}-{self.name}"

    @property
    def path(self) -> str:
        return f"{self.parent.path if self.parent else ''}/{self.label}"

    @property
    def alive(self) -> bool:
        return self.state is not DEAD

    def stats(self, parent_path: str | None = None) -> CellStats:
        return stats_of(self, parent_path)

    @property
    def address(self) -> "Cell":
        return self

    @property
    def globalName(self) -> str | None:
        return self.rare.global_name if self.rare else None
