"""A snapshot of one actor, for the tree view and for metrics."""

import time
from typing import TYPE_CHECKING, NamedTuple

from veza.actors.runtime.exits import ExitReason

if TYPE_CHECKING:
    from veza.actors.runtime.cell import Cell, Letter

STATE_NAMES = {
    "clearing": "restarting",
    "doomed": "exiting",
    "resuming": "restarting",
    "unstashing": "stashing",
    "waking": "resuming",
}


class CellStats(NamedTuple):
    """Counters since the cell was made; times are seconds, `started_at` is seconds since 1970.

    A tuple, because of 100,000 actors each gets one: a frozen dataclass takes five times as long.
    """

    path: str
    name: str
    class_name: str
    state: str
    mailbox_depth: int
    mailbox_limit: int
    mailbox_high_water: int
    head_age_seconds: float
    messages_in: int
    messages_out: int
    errors: int
    dropped: int
    handler_seconds: float
    restarts: int
    started_at: float
    last_exit: ExitReason | None
    current_handler: str
    current_handler_seconds: float
    handlers_in_flight: int
    children: int


def stats_of(cell: "Cell", parent_path: str | None = None) -> CellStats:
    """Take a snapshot; who walks the tree knows the parent's path (a root's is empty) already."""
    rare, now = cell.rare, time.monotonic()
    if parent_path is None:
        parent_path = cell.parent.path if cell.parent else ""
    name = cell.label
    depth, head_at = waiting(cell)
    handler, handler_since = current_handler(cell)
    return CellStats(
        path=f"{parent_path}/{name}",
        name=name,
        class_name=cell.behaviour.name,
        state=described_state(cell, depth),
        mailbox_depth=depth,
        mailbox_limit=cell.behaviour.mailbox_limit,
        mailbox_high_water=max(cell.high_water, depth),
        head_age_seconds=max(0.0, now - head_at) if depth else 0.0,
        messages_in=cell.messages_in,
        messages_out=cell.messages_out,
        errors=rare.errors if rare else 0,
        dropped=rare.dropped if rare else 0,
        handler_seconds=cell.handler_seconds,
        restarts=rare.restarts if rare else 0,
        started_at=time.time() - (now - cell.started_at),
        last_exit=rare.last_exit if rare else None,
        current_handler=handler,
        current_handler_seconds=max(0.0, now - handler_since) if handler else 0.0,
        handlers_in_flight=cell.active,
        children=len(cell.children or ()),
    )


def waiting(cell: "Cell") -> tuple[int, float]:
    """How many letters wait, and since when the oldest does."""
    held = (cell.rare.held if cell.rare else None) or ()
    mailbox = cell.mailbox
    if mailbox is None and not held:
        return 0, 0.0
    depth, head_at = len(held), held[0][4] if held else cell.queued_at
    if mailbox is None:
        return depth, head_at
    in_run_queue = cell.active < cell.behaviour.concurrency and not handles_now(cell)
    if not held and not in_run_queue and mailbox:
        head_at = mailbox[0][4]
    return depth + len(mailbox) + in_run_queue, head_at


def handles_now(cell: "Cell") -> bool:
    current = cell.scheduler.current
    return current is not None and current[0] is cell


def current_handler(cell: "Cell") -> tuple[str, float]:
    """Name the handler that has run longest, by its message's class, and since when."""
    in_flight = cell.rare.in_flight if cell.rare else ()
    current = cell.scheduler.current if handles_now(cell) else None
    if not in_flight and current is None:  # so it is with nearly all
        return "", 0.0
    running: list[tuple[float, Letter]] = [
        (runner.started, runner.letter) for runner in in_flight if runner.letter is not None
    ]
    if current is not None:
        running.append((cell.scheduler.now, current))
    since, letter = min(running, key=lambda each: each[0])
    return letter[1].__class__.__name__, since


def described_state(cell: "Cell", depth: int) -> str:
    """Name the state; a live cell is `idle`, `ready` (letters wait) or `running`."""
    if cell.state != "live":
        return STATE_NAMES.get(cell.state, cell.state)
    if cell.active or handles_now(cell):
        return "running"
    return "ready" if depth else "idle"
