"""What ops staff see of a node: a snapshot of its supervision tree."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorNode:
    """One actor and those it supervises. `head_age_ms` is how long its oldest message has waited."""

    path: str
    name: str
    class_name: str
    state: str
    mailbox: int
    mailbox_limit: int
    head_age_ms: int
    messages: int
    errors: int
    restarts: int
    last_exit: str | None
    children: tuple["ActorNode", ...] = ()
