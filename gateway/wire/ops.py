"""What ops staff see over HTTP: actors from near and far, what failed, the node's figures, who did what."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field

from veza.actors.messages.operator import ActorAction
from veza.actors.messages.ops import Unhealthy
from veza.gateway.values import Time, View
from veza.gateway.wire.views import AuthorView, JobView

ClassName = Annotated[str, Field(serialization_alias="class")]
MessageType = Annotated[str, Field(serialization_alias="type")]

# --- actors ---


class SupervisionView(View):
    strategy: str
    restarts_used: int
    restarts_allowed: int
    period_seconds: float


class ProcessView(View):
    pid: int
    cpu_seconds: float
    rss_bytes: int


class BelowView(View):
    """An actor and all below it, summed."""

    actors: int
    unhealthy: int
    mailbox: int
    messages: int
    errors: int
    restarts: int
    head_age_ms: int


class ActorFieldsView(View):
    """What is told of one actor wherever actors are shown; `below` sums it and all below it."""

    path: str
    name: str
    class_name: ClassName
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
    started_at: Time
    last_exit: str | None
    restart: str
    supervision: SupervisionView | None
    process: ProcessView | None
    child_count: int
    below: BelowView


class ActorView(ActorFieldsView):
    """One actor; `children` may be the first of `child_count` only, `below` sums all of them."""

    children: "list[ActorView]"


class ActorRowView(ActorFieldsView):
    """One actor of the flat list that `tree.flat_rows` makes; the root has no parent."""

    parent: str | None


class TreeView(View):
    """What `tree.tree_json` writes."""

    node: str
    root: ActorView


class HandledView(View):
    message_type: MessageType
    at: Time
    wait_ms: float
    run_ms: float


class TypeCountView(View):
    message_type: MessageType
    count: int
    run_ms: float


class HandlerView(View):
    message_type: MessageType
    running_ms: int
    stack: tuple[str, ...]


class ExitView(View):
    at: Time
    kind: str
    detail: str
    traceback: str


class TraceSummaryView(View):
    trace_id: str
    path: str
    started_at: Time
    ends_at: Time
    limit: int
    seen: int
    kept: int
    why_ended: str


class InspectedView(View):
    """One actor from near; its children come without theirs."""

    actor: ActorView
    state: dict[str, str]
    recent: tuple[HandledView, ...]
    recent_since: Time
    message_types: tuple[TypeCountView, ...]
    handlers: tuple[HandlerView, ...]
    exits: tuple[ExitView, ...]
    traces: tuple[TraceSummaryView, ...]
    watched_by: tuple[str, ...]


class ActedView(View):
    """`note` says what happens next; `is_audited` is false if only the log could be written."""

    path: str
    action: ActorAction
    note: str
    is_audited: bool


class TracedView(View):
    number: int
    message_type: MessageType
    sender: str
    request_id: str
    at: Time
    wait_ms: float
    run_ms: float
    outcome: str
    body: str


class TraceView(View):
    trace: Annotated[TraceSummaryView, Field(validation_alias="summary")]
    messages: tuple[TracedView, ...]


class SentView(View):
    """`reply` is JSON text, secrets masked; without a reply both are empty."""

    reply_type: str
    reply: str
    is_audited: bool


# --- failures ---


class DeadLetterView(View):
    letter_id: int
    at: Time
    target: str
    sender: str
    message_type: MessageType
    reason: str
    request_id: str
    body: str
    can_replay: bool


class DeadLetterPage(View):
    """`total` counts all there ever were."""

    data: list[DeadLetterView]
    next_cursor: str | None
    total: int


class SettledView(View):
    count: int
    is_audited: bool


class CrashGroupView(View):
    fingerprint: str
    class_name: ClassName
    error_type: str
    error: str
    command: str
    count: int
    first_at: Time
    last_at: Time
    last_path: str


class CrashPage(View):
    """`total` counts all crashes there ever were."""

    data: list[CrashGroupView]
    next_cursor: None = None
    total: int


class CrashView(View):
    at: Time
    path: str
    command: str
    error: str
    request_id: str
    traceback: str


class CrashDetailView(View):
    group: CrashGroupView
    crashes: tuple[CrashView, ...]


# --- the node ---


class BlockView(View):
    at: Time
    seconds: float
    at_work: str
    stack: str


class BusView(View):
    """How the bus between nodes does; what is counted, is counted from the node's start."""

    is_up: bool
    rooms: int
    told: int
    heard: int
    dropped: int
    unreadable: int
    losses: int


class NodeFiguresView(View):
    """One node's figures; what is counted, is counted from its start."""

    node_id: str
    host: str
    version: str
    python: str
    pid: int
    phase: str
    started_at: Time
    now: Time
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
    checks: dict[str, bool]
    bus: BusView | None = None
    connections: int = 0


class NodeView(NodeFiguresView):
    """One node's figures, and what held up its loop."""

    blocks: tuple[BlockView, ...]

    @classmethod
    def at(cls, figures: object, connections: int) -> Self:
        """Put the gateway's own figure to those of the actors."""
        return cls.of(figures).model_copy(update={"connections": connections})


class NodePage(View):
    data: list[NodeView]
    next_cursor: None = None


class ConnectionView(View):
    """One WebSocket; `session` is the id of its session actor, `address` is masked."""

    connection_id: int
    user: AuthorView | None
    session: str | None
    address: str
    opened_at: Time
    idle_ms: int
    queue_bytes: int


class ConnectionPage(View):
    data: list[ConnectionView]
    next_cursor: str | None


class QueuedJobView(JobView):
    """Anybody's job; `leased_by` is the holder's id until `lease_until`."""

    owner: AuthorView
    title: str
    priority: int
    attempts: int
    max_attempts: int
    run_at: Time
    leased_by: UUID | None
    lease_until: Time | None
    is_cancel_requested: bool

    @classmethod
    def of(cls, value: Any) -> Self:
        """Fill the fields from a queued job and the job in it."""
        of_job = {name: getattr(value.job, name) for name in JobView.model_fields}
        others = cls.model_fields.keys() - JobView.model_fields.keys()
        return cls.model_validate(of_job | {name: getattr(value, name) for name in others})


class QueuedJobPage(View):
    data: list[QueuedJobView]
    next_cursor: str | None


class ActView(View):
    """One line of the audit log; `actor_id` is null for whoever held the unix socket."""

    act_id: UUID
    at: Time
    actor_id: UUID | None
    actor_name: str
    via: str
    action: str
    target: str
    reason: str
    request_id: str


class ActPage(View):
    data: list[ActView]
    next_cursor: str | None
