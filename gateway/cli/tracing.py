"""`veza trace`: an actor's messages as they are handled."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Annotated, Final

from cyclopts import Parameter
from rich.text import Text

from veza.gateway.cli.client import Json, NodeClient, actor_address, connected
from veza.gateway.cli.names import find_actor
from veza.gateway.cli.options import HERE, ActorName, Limit, Reason, Where, reason_for
from veza.gateway.cli.outcome import Exit
from veza.gateway.cli.rendering import (
    clean,
    clean_lines,
    milliseconds,
    moment,
    remark,
    show,
    show_json_line,
)

POLL_SECONDS: Final = 0.3
MESSAGES: Final = 100
OUTCOME_STYLES: Final = {"failed": "bold red", "refused": "yellow"}


async def trace(
    actor: ActorName,
    /,
    *,
    message_type: Annotated[
        str, Parameter(name="--type", help="Only messages of this class.")
    ] = "",
    limit: Limit = MESSAGES,
    duration: Annotated[
        timedelta,
        Parameter(name="--for", help="How long, as 30s or 1m; a node traces for a minute at most."),
    ] = timedelta(seconds=30),
    bodies: Annotated[
        bool, Parameter(negative="", help="Show what is in the messages, secrets masked.")
    ] = False,
    reason: Reason = None,
    where: Where = HERE,
) -> int:
    """Show an actor's messages as they are handled, until enough came or the time is up.

    Ctrl+C ends the watching. With --json, a line for each message.
    """
    async with connected(where.socket) as client:
        path = await find_actor(client, actor)
        wanted = {
            "reason": reason_for(f"trace {path}", reason),
            "limit": limit,
            "seconds": duration.total_seconds(),
            "type": message_type,
            "with_bodies": bodies,
        }
        started = await client.post(f"{actor_address(path)}/trace", wanted)
        with stop_signal() as stopped:
            await follow(client, started, stopped, as_json=where.as_json)
    return Exit.OK


async def follow(
    client: NodeClient, started: Json, stopped: asyncio.Event, *, as_json: bool
) -> None:
    """Print a trace's messages until it ends or nobody wants to see more."""
    summary = started["trace"]
    remark(f"Tracing {summary['path']}, at most {summary['limit']} messages. Ctrl+C ends it.")
    async for answer in looks(client, started, stopped):
        summary = answer["trace"]
        for message in answer["messages"]:
            show_json_line(message) if as_json else show(*traced(message))
    ended = summary["why_ended"] or "not watched any more; it ends by itself"
    remark(f"{summary['kept']} of {summary['seen']} messages kept: {ended}.")


async def looks(client: NodeClient, started: Json, stopped: asyncio.Event) -> AsyncIterator[Json]:
    """Read a trace again and again, each message once; the last look is after its end."""
    answer, after = started, 0
    while True:
        yield answer
        after = max([after, *(message["number"] for message in answer["messages"])])
        if answer["trace"]["why_ended"] and not answer["messages"]:
            return
        if not answer["messages"]:
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), POLL_SECONDS)
        if stopped.is_set():
            return
        answer = await client.get(f"traces/{started['trace']['trace_id']}", after=after)


def traced(message: Json) -> Iterator[Text]:
    """Show one message in a line, its body below."""
    outcome = message["outcome"]
    yield Text.assemble(
        (f"{message['number']:>4} ", "dim"),
        f"{moment(message['at'])}  ",
        (clean(message["type"]), "bold"),
        f"  from {clean(message['sender']) or '-'}",
        f"  waited {milliseconds(message['wait_ms'])}  ran {milliseconds(message['run_ms'])}  ",
        (clean(outcome), OUTCOME_STYLES.get(outcome, "")),
        f"  request {clean(message['request_id'])}" if message["request_id"] else "",
    )
    if message["body"]:
        yield Text(f"     {clean_lines(message['body'])}", style="dim")


@contextmanager
def stop_signal() -> Iterator[asyncio.Event]:
    """Lend an event that Ctrl+C sets, meanwhile in place of ending the process."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
