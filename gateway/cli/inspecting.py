"""`veza inspect`: one actor from near."""

from collections.abc import Iterator
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from veza.gateway.cli.client import Json, actor_address, connected
from veza.gateway.cli.names import find_actor
from veza.gateway.cli.options import HERE, ActorName, Where
from veza.gateway.cli.outcome import Exit
from veza.gateway.cli.rendering import (
    Column,
    clean,
    clean_lines,
    count,
    facts,
    heading,
    health,
    lay_out,
    milliseconds,
    moment,
    number_column,
    seconds,
    show,
    show_json,
    since,
    size,
)

RECENT_COLUMNS: Final[tuple[Column[Json], ...]] = (
    Column(title="AT", cell=lambda message: moment(message["at"])),
    Column(title="TYPE", cell=lambda message: message["type"]),
    number_column("WAITED", lambda message: milliseconds(message["wait_ms"])),
    number_column("RAN", lambda message: milliseconds(message["run_ms"])),
)
TYPE_COLUMNS: Final[tuple[Column[Json], ...]] = (
    Column(title="TYPE", cell=lambda kind: kind["type"]),
    number_column("COUNT", lambda kind: count(kind["count"])),
    number_column("RAN", lambda kind: milliseconds(kind["run_ms"])),
    number_column("EACH", lambda kind: milliseconds(kind["run_ms"] / max(1, kind["count"]))),
)
EXIT_COLUMNS: Final[tuple[Column[Json], ...]] = (
    Column(title="AT", cell=lambda end: moment(end["at"])),
    Column(title="KIND", cell=lambda end: end["kind"]),
    Column(title="DETAIL", cell=lambda end: end["detail"], is_cut=False),
)
TRACE_COLUMNS: Final[tuple[Column[Json], ...]] = (
    Column(title="TRACE", cell=lambda trace: trace["trace_id"]),
    Column(title="STARTED", cell=lambda trace: moment(trace["started_at"])),
    number_column("KEPT", lambda trace: f"{trace['kept']}/{trace['limit']}"),
    Column(title="ENDED", cell=lambda trace: trace["why_ended"] or "runs"),
)
CHILD_COLUMNS: Final[tuple[Column[Json], ...]] = (
    Column(title="NAME", cell=lambda child: child["name"]),
    Column(title="CLASS", cell=lambda child: child["class"]),
    Column(title="STATE", cell=lambda child: child["state"]),
    Column(title="HEALTH", cell=health),
    number_column("MAILBOX", lambda child: count(child["mailbox"])),
    number_column("MESSAGES", lambda child: count(child["messages"])),
    number_column("RESTARTS", lambda child: count(child["restarts"])),
)


async def inspect(actor: ActorName, /, *, where: Where = HERE) -> int:
    """Show one actor from near: state, last messages, exits, handlers at work."""
    async with connected(where.socket) as client:
        found = await client.get(actor_address(await find_actor(client, actor)))
    if where.as_json:
        show_json(found)
    else:
        show(*portrait(found))
    return Exit.OK


def portrait(found: Json) -> Iterator[RenderableType]:
    """Show what there is to say of one actor; parts that are empty are left out."""
    actor = found["actor"]
    yield Text(clean(actor["path"]), style="bold")
    yield facts(about(actor))
    if found["state"]:
        yield heading("State")
        yield facts(found["state"].items())
    for handler in found["handlers"]:
        yield heading(f"At work for {milliseconds(handler['running_ms'])}: {handler['type']}")
        yield Text(clean_lines("\n".join(handler["stack"])))
    tables: tuple[tuple[str, list[Json], tuple[Column[Json], ...]], ...] = (
        ("Children", actor["children"], CHILD_COLUMNS),
        ("Messages by type", found["message_types"], TYPE_COLUMNS),
        (
            f"Last messages (kept since {moment(found['recent_since'])})",
            found["recent"],
            RECENT_COLUMNS,
        ),
        ("Exits", found["exits"], EXIT_COLUMNS),
        ("Traces", found["traces"], TRACE_COLUMNS),
    )
    for title, rows, columns in tables:
        if rows:
            yield heading(title)
            yield lay_out(columns, rows)
    if found["watched_by"]:
        yield heading("Watched by")
        yield Text(clean_lines("\n".join(found["watched_by"])))
    last = next((end for end in found["exits"] if end["traceback"]), None)
    if last is not None:
        yield heading(f"Traceback of {moment(last['at'])}")
        yield Text(clean_lines(last["traceback"].rstrip()))


def about(actor: Json) -> Iterator[tuple[str, Any]]:
    """Name an actor's figures, each with its bound where it has one."""
    yield "class", actor["class"]
    yield "state", actor["state"]
    yield "health", health(actor)
    yield "alive for", seconds(since(actor["started_at"]))
    yield "restart type", actor["restart"] or None
    yield "mailbox", mailbox_of(actor)
    yield "messages", f"{count(actor['messages'])} in, {count(actor['messages_out'])} out"
    yield "went wrong", f"{count(actor['errors'])} errors, {count(actor['dropped'])} dropped"
    yield "busy", f"{milliseconds(actor['busy_ms'])} in all"
    if actor["current"]:
        yield "handling", f"{actor['current']} for {milliseconds(actor['current_ms'])}"
    yield "restarts", count(actor["restarts"])
    yield "last exit", actor["last_exit"]
    if actor["supervision"]:
        yield "supervision", strategy_of(actor["supervision"])
    if actor["process"]:
        yield "process", process_of(actor["process"])
    below = f"{count(actor['below']['actors'])} actors in all"
    yield "children", f"{count(actor['child_count'])} ({below})"


def mailbox_of(actor: Json) -> str:
    """Say how full a mailbox is and was."""
    filled = f"{count(actor['mailbox'])} of {count(actor['mailbox_limit'])}"
    most, age = count(actor["mailbox_high_water"]), milliseconds(actor["head_age_ms"])
    return f"{filled} (at most {most} so far), oldest {age}"


def strategy_of(supervision: Json) -> str:
    """Say how a supervisor decides, and how near it is to giving up."""
    used = f"{supervision['restarts_used']} of {supervision['restarts_allowed']}"
    within = f"{supervision['period_seconds']:g} s"
    return f"{supervision['strategy']}, {used} restarts used within {within}"


def process_of(process: Json) -> str:
    """Say what an actor's process uses."""
    used = f"{seconds(process['cpu_seconds'])} CPU, {size(process['rss_bytes'])}"
    return f"pid {process['pid']}, {used}"
