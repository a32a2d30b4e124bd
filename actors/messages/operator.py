"""The protocol of the operator: how ops staff look into a node and act on its actors.

Not in the directory, so that a lost or suspended directory cannot shut its own physicians out: the
node hands these to the operator itself. Replies of a path that names no actor: `Rejected` (`not_found`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from veza.actors.messages.ops import (
    ActorExit,
    ActorNode,
    ClassTotals,
    CrashGroup,
    CrashSeen,
    DeadLetterSeen,
    HandledMessage,
    HandlerAtWork,
    MessageTypeCount,
    TracedMessage,
    TraceSummary,
)


class ActorAction(StrEnum):
    """What may be done to an actor.

    `restart`: a new instance at the same address, the mailbox kept; a supervisor or the directory is made
    anew, with those that depend on it. `stop`: end in order behind the
    messages that wait; its supervisor starts a permanent one again. `kill`: end at once. `suspend`:
    handle nothing until `resume`; what comes waits, bounded as ever. `drain`: take on nothing new and
    end what there is; `resume` takes that back for a supervisor of a family.
    """

    RESTART = "restart"
    STOP = "stop"
    KILL = "kill"
    SUSPEND = "suspend"
    RESUME = "resume"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Who acts: `name` for people, `user_id` of the account (empty on the socket), `via` http or socket."""

    name: str
    user_id: str
    via: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTree:
    """Show the tree below a path (empty: the whole node's). Reply: `TreeRead`.

    Of each actor's children at most `children` are shown: the unhealthy, then those with the most
    waiting, then the busiest; a fixed supervisor's are always all there, in order of start.
    """

    under: str = ""
    children: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeRead:
    root: ActorNode


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadNode:
    """Show the node's figures. Reply: `NodeFigures`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTotals:
    """Sum the actors up by class. Reply: `TotalsRead`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsRead:
    classes: tuple[ClassTotals, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectActor:
    """Show one actor from near. Reply: `ActorInspected`."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorInspected:
    """`recent` is newest first, `exits` too; `state` is what the class declares, secrets masked.

    The last messages of a node's first 2,000 actors are kept always, of others from the first look on
    (`recent_since`).
    """

    actor: ActorNode
    state: Mapping[str, str]
    recent: tuple[HandledMessage, ...]
    recent_since: float
    message_types: tuple[MessageTypeCount, ...]
    handlers: tuple[HandlerAtWork, ...]
    exits: tuple[ActorExit, ...]
    traces: tuple[TraceSummary, ...]
    watched_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActOnActor:
    """Do something to an actor, written down with who and why before it is done. Reply: `ActedOn`.

    Codes: `not_found`, `invalid_state` (the actor cannot take it, as a supervisor cannot be suspended).
    """

    path: str
    action: ActorAction
    by: Operator
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActedOn:
    """`note` says what happens next; `is_audited` is False if only the log could be written."""

    path: str
    action: ActorAction
    note: str
    is_audited: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTrace:
    """Keep the next messages of an actor, `limit` (at most 500) or `seconds` (at most 60) of them.

    Reply: `TraceRead`. Codes: `not_found`, `validation_failed`, `rate_limited` (too many traces).
    """

    path: str
    limit: int
    seconds: float
    message_type: str
    with_bodies: bool
    by: Operator
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTrace:
    """Read a trace's messages past number `after`. Reply: `TraceRead`."""

    trace_id: str
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRead:
    summary: TraceSummary
    messages: tuple[TracedMessage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDeadLetters:
    """List dead letters, newest first, those older than `before_id` if given. Reply: `DeadLettersListed`."""

    limit: int
    before_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettersListed:
    """`total` counts all there ever were, kept or not."""

    letters: tuple[DeadLetterSeen, ...]
    next_before_id: int | None
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDeadLetter:
    """Send a dead letter again. Reply: `DeadLettersSettled`; codes: `not_found`, `invalid_state`."""

    letter_id: int
    by: Operator
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardDeadLetters:
    """Forget dead letters; without ids all that are kept. Reply: `DeadLettersSettled`."""

    letter_ids: tuple[int, ...] | None
    by: Operator
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettersSettled:
    count: int
    is_audited: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCrashes:
    """List crash groups, the latest first. Reply: `CrashesListed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashesListed:
    groups: tuple[CrashGroup, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCrash:
    """Show one group with its newest crashes. Reply: `CrashRead`; code: `not_found`."""

    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashRead:
    group: CrashGroup
    crashes: tuple[CrashSeen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendToActor:
    """Send an actor a message by hand: its class's name and its fields as JSON would have them.

    Reply: `SentToActor`, at once if `timeout_seconds` is 0 (then nothing is waited for). Codes:
    `not_found`, `validation_failed`.
    """

    path: str
    message_type: str
    fields: Mapping[str, object]
    timeout_seconds: float
    by: Operator
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentToActor:
    """`reply_type` is empty if nothing was waited for; `reply` is JSON text, secrets masked."""

    reply_type: str
    reply: str
    is_audited: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Take on nothing new and end what there is, until `Undrain`. Handled by who takes on work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undrain:
    """Take on work again."""
