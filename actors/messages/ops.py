"""What ops staff see of a node: its supervision tree, one actor from near, what failed, its figures.

Times called `at` or ending in `_at` are seconds since 1970; the others say their unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Unhealthy(StrEnum):
    """Why an actor needs a look. The order is that of harm."""

    CRASHED = "crashed"
    HUNG = "hung"
    MAILBOX_FULL = "mailbox_full"
    WAITING = "waiting"
    INTENSITY = "intensity"
    DOWN = "down"
    RESTARTED = "restarted"
    SUSPENDED = "suspended"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """How a supervisor decides: OTP's strategy, and how much of its intensity is used up."""

    strategy: str
    restarts_used: int
    restarts_allowed: int
    period_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFigures:
    """An operating system process that an actor owns. `cpu_seconds` is user and system time."""

    pid: int
    cpu_seconds: float
    rss_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """An actor and all below it, summed; `unhealthy` counts actors, `head_age_ms` is the oldest."""

    actors: int
    unhealthy: int
    mailbox: int
    messages: int
    errors: int
    restarts: int
    head_age_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorNode:
    """One actor and those it supervises. `head_age_ms` is how long its oldest message has waited.

    `restart` is the restart type its supervisor gives it, empty for who has none. `current` is the
    message class being handled for `current_ms`, empty if none is. `busy_ms` is all handler time.
    `children` may be the first of `child_count` only; `below` sums all of them.
    """

    path: str
    name: str
    class_name: str
    state: str
    unhealthy: tuple[Unhealthy, ...]
    mailbox: int
    mailbox_limit: int
    mailbox_high_water: int
    head_age_ms: int
    messages: int
    messages_out: int
    errors: int
    dropped: int
    restarts: int
    busy_ms: int
    current: str
    current_ms: int
    started_at: float
    last_exit: str | None
    restart: str
    supervision: Supervision | None
    process: ProcessFigures | None
    child_count: int
    below: Rollup
    children: tuple["ActorNode", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HandledMessage:
    """One message an actor handled: `wait_ms` in the mailbox, `run_ms` in the handler."""

    message_type: str
    at: float
    wait_ms: float
    run_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTypeCount:
    """How often messages of one type were handled while they were counted, and for how long."""

    message_type: str
    count: int
    run_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerAtWork:
    """A handler that waits or runs just now; `stack` is outermost first, one line a frame."""

    message_type: str
    running_ms: int
    stack: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorExit:
    """One end of an actor's instance. `traceback` is empty unless it crashed or never started."""

    at: float
    kind: str
    detail: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSummary:
    """A trace under way or over. `why_ended` is empty while it runs."""

    trace_id: str
    path: str
    started_at: float
    ends_at: float
    limit: int
    seen: int
    kept: int
    why_ended: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedMessage:
    """One traced message. `number` counts from 1; `outcome` is `ok`, `refused` or `failed`.

    `body` is empty unless bodies were asked for; secrets in it are masked.
    """

    number: int
    message_type: str
    sender: str
    request_id: str
    at: float
    wait_ms: float
    run_ms: float
    outcome: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterSeen:
    """A message no handler saw. `can_replay` is False if its receiver is gone for good."""

    letter_id: int
    at: float
    target: str
    sender: str
    message_type: str
    reason: str
    request_id: str
    body: str
    can_replay: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashGroup:
    """Crashes of one fingerprint: same class, same exception, same place in the code."""

    fingerprint: str
    class_name: str
    error_type: str
    error: str
    command: str
    count: int
    first_at: float
    last_at: float
    last_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashSeen:
    """One crash."""

    at: float
    path: str
    command: str
    error: str
    request_id: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopBlock:
    """The event loop did not turn for `seconds`; `at_work` is whose handler ran, `stack` where."""

    at: float
    seconds: float
    at_work: str
    stack: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BusFigures:
    """How the bus between nodes does; events and news counted from the node's start.

    `dropped` could not be told to the others, `unreadable` messages came from no node of this version,
    `losses` is how often Redis went away. Whatever events were missed are read from the log.
    """

    is_up: bool
    rooms: int
    told: int
    heard: int
    dropped: int
    news_told: int
    news_heard: int
    news_dropped: int
    unreadable: int
    losses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFigures:
    """The node as a whole. `loop_lag_ms` is the newest beat's, `loop_lag_max_ms` the last minute's.

    `gc_pause_max_ms` is the longest pause of the garbage collector in the last minute. `phase` is
    `ready` or `draining`. `spawned`, `messages` and the like count from the node's start. `bus` is None
    on a node that has no others.
    """

    node_id: str
    host: str
    version: str
    python: str
    pid: int
    phase: str
    started_at: float
    now: float
    actors: int
    messages: int
    restarts: int
    errors: int
    run_queue: int
    loop_lag_ms: float
    loop_lag_max_ms: float
    gc_pause_max_ms: float
    cpu_seconds: float
    rss_bytes: int
    open_files: int
    open_files_limit: int
    dead_letters: int
    crashes: int
    database_connections: int
    database_connections_limit: int
    checks: Mapping[str, bool]
    blocks: tuple[LoopBlock, ...]
    bus: BusFigures | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTotals:
    """All actors of one class: those alive now, and what all of them did since the node's start."""

    class_name: str
    alive: int
    mailbox: int
    head_age_seconds: float
    messages: int
    errors: int
    dropped: int
    restarts: int
    busy_seconds: float
