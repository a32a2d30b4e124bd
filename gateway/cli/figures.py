"""What `top` counts: two looks at a node, and the rates between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from veza.gateway.cli.client import Json
from veza.gateway.cli.names import everyone


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a node said at `at_seconds` of this machine's monotonic clock."""

    at_seconds: float
    node: Json
    root: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """An actor with what it did a second between two looks. `busy_percent` may pass 100 in a service."""

    actor: Json
    messages_per_second: float
    errors_per_second: float
    busy_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRates:
    """What the node did a second between two looks; 100 percent is one processor core."""

    messages_per_second: float
    errors_per_second: float
    cpu_percent: float


class Order(StrEnum):
    """What `top` sorts by; the value is the key to press."""

    MAILBOX = "m"
    AGE = "a"
    BUSY = "b"
    RESTARTS = "r"
    ERRORS = "e"
    NAME = "n"


ORDERS: Final[Mapping[Order, Callable[[Busy], tuple[float, ...]]]] = {
    Order.MAILBOX: lambda each: (each.actor["mailbox"], each.actor["head_age_ms"]),
    Order.AGE: lambda each: (each.actor["head_age_ms"], each.actor["mailbox"]),
    Order.BUSY: lambda each: (each.busy_percent, each.messages_per_second),
    Order.RESTARTS: lambda each: (each.actor["restarts"],),
    Order.ERRORS: lambda each: (each.errors_per_second, each.actor["errors"]),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What its user wants to see."""

    order: Order = Order.BUSY
    is_only_unhealthy: bool = False
    is_paused: bool = False


def after_key(view: View, key: str) -> View:
    """Return the view after a key; one that means nothing changes nothing."""
    if key == "u":
        return replace(view, is_only_unhealthy=not view.is_only_unhealthy)
    if key == "p":
        return replace(view, is_paused=not view.is_paused)
    return replace(view, order=Order(key)) if key in set(Order) else view


def growth(before: Json | None, now: Json, name: str, elapsed_seconds: float) -> float:
    """Return how much a counter grew a second; 0 at the first look and after it began anew."""
    if before is None or elapsed_seconds <= 0:
        return 0.0
    return max(0.0, float(now[name] - before[name]) / elapsed_seconds)


def node_rates(before: Look | None, now: Look) -> NodeRates:
    """Return the node's rates; none are known at the first look, nor across a restart of the node."""
    then, elapsed = None, 0.0
    if before is not None and before.node["node_id"] == now.node["node_id"]:
        then, elapsed = before.node, now.at_seconds - before.at_seconds
    return NodeRates(
        messages_per_second=growth(then, now.node, "messages", elapsed),
        errors_per_second=growth(then, now.node, "errors", elapsed),
        cpu_percent=100 * growth(then, now.node, "cpu_seconds", elapsed),
    )


def actor_rates(before: Look | None, now: Look) -> list[Busy]:
    """Return all actors that are shown with their rates."""
    elapsed = 0.0 if before is None else now.at_seconds - before.at_seconds
    old = {} if before is None else {actor["path"]: actor for actor in everyone(before.root)}
    return [_busy(old.get(actor["path"]), actor, elapsed) for actor in everyone(now.root)]


def _busy(before: Json | None, now: Json, elapsed_seconds: float) -> Busy:
    if before is not None and before["started_at"] != now["started_at"]:
        before = None
    return Busy(
        actor=now,
        messages_per_second=growth(before, now, "messages", elapsed_seconds),
        errors_per_second=growth(before, now, "errors", elapsed_seconds),
        # Milliseconds of work in a second, in hundredths.
        busy_percent=growth(before, now, "busy_ms", elapsed_seconds) / 10,
    )


def chosen(actors: Sequence[Busy], view: View) -> list[Busy]:
    """Return the actors to show, in the order to show them; equals by their path."""
    shown = [each for each in actors if each.actor["unhealthy"] or not view.is_only_unhealthy]
    shown.sort(key=lambda each: each.actor["path"])
    if view.order in ORDERS:
        shown.sort(key=ORDERS[view.order], reverse=True)
    return shown
