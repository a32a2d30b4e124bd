"""`veza top`: the node once a second, full screen on a terminal, a line a second elsewhere."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Final, TypeAlias

from cyclopts import Parameter, validators
from rich.live import Live
from rich.text import Text

from veza.gateway.cli.client import NodeClient, connected
from veza.gateway.cli.figures import Look, View, actor_rates, after_key, node_rates
from veza.gateway.cli.keyboard import single_keys
from veza.gateway.cli.options import HERE, Where
from veza.gateway.cli.outcome import CommandError, Exit
from veza.gateway.cli.rendering import console, remark, show, show_json_line
from veza.gateway.cli.screen import GAP, Scene, frame, node_facts

LOOK_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 5.0
QUIT: Final = "q"
ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The node did not answer."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key was pressed; an empty one is a screen of another size."""

    key: str


Event: TypeAlias = Look | Lost | Key


async def top(
    *,
    count: Annotated[
        int | None,
        Parameter(validator=validators.Number(gte=1), help="End after so many looks."),
    ] = None,
    where: Where = HERE,
) -> int:
    """Watch the node, once a second.

    On a terminal the keys are told below the table. Elsewhere, and with --json, each second is a line.
    """
    is_screen = sys.stdin.isatty() and sys.stdout.isatty() and not where.as_json
    events: asyncio.Queue[Event] = asyncio.Queue()
    async with connected(where.socket, ANSWER_SECONDS) as client:
        first = await look(client)
        with stop_signals(events):
            async with asyncio.TaskGroup() as group:
                looking = group.create_task(look_on(client, first, events, count))
                if is_screen:
                    code = await draw(events, first)
                else:
                    code = await write_lines(events, as_json=where.as_json)
                looking.cancel()
    return code


async def look(client: NodeClient) -> Look:
    """Ask the node for what is shown."""
    nodes, tree = await asyncio.gather(client.get("nodes"), client.get("tree"))
    return Look(at_seconds=time.monotonic(), node=nodes["data"][0], root=tree["root"])


async def look_on(
    client: NodeClient, first: Look, events: asyncio.Queue[Event], count: int | None
) -> None:
    """Look once a second, and tell what was seen; after `count` looks, to quit."""
    events.put_nowait(first)
    due, looks = asyncio.get_running_loop().time(), 1
    while count is None or looks < count:
        due = max(due + LOOK_SECONDS, asyncio.get_running_loop().time())
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        events.put_nowait(await look_again(client))
        looks += 1
    events.put_nowait(Key(key=QUIT))


async def look_again(client: NodeClient) -> Look | Lost:
    """Look; a node that went away may come back."""
    try:
        return await look(client)
    except CommandError as error:
        return Lost(why=str(error))


@contextmanager
def stop_signals(events: asyncio.Queue[Event]) -> Iterator[None]:
    """Take the signals that end a process for the key that does: so the terminal is put back."""
    loop = asyncio.get_running_loop()

    def press(key: str) -> None:
        events.put_nowait(Key(key=key))

    for number in ENDING_SIGNALS:
        loop.add_signal_handler(number, press, QUIT)
    loop.add_signal_handler(signal.SIGWINCH, press, "")
    try:
        yield
    finally:
        for number in (*ENDING_SIGNALS, signal.SIGWINCH):
            loop.remove_signal_handler(number)


async def draw(events: asyncio.Queue[Event], first: Look) -> int:
    """Draw until somebody quits."""
    scene = scene_of(None, first, View())
    out = console()

    def press(key: str) -> None:
        events.put_nowait(Key(key=key))

    with Live(console=out, screen=True, auto_refresh=False) as live, single_keys(press):
        while (event := await events.get()) != Key(key=QUIT):
            scene = scene_after(scene, event)
            live.update(frame(scene, out.width, out.height), refresh=True)
    return Exit.OK


def scene_of(before: Look | None, now: Look, view: View) -> Scene:
    """Return what there is to draw after a look."""
    return Scene(
        look=now,
        rates=node_rates(before, now),
        actors=actor_rates(before, now),
        view=view,
        lost="",
    )


def scene_after(scene: Scene, event: Event) -> Scene:
    """Return what there is to draw after an event; while paused, what is seen waits."""
    match event:
        case Key():
            return replace(scene, view=after_key(scene.view, event.key))
        case Lost():
            return replace(scene, lost=event.why)
        case Look() if scene.view.is_paused:
            return scene
        case Look():
            return scene_of(scene.look, event, scene.view)


async def write_lines(events: asyncio.Queue[Event], *, as_json: bool) -> int:
    """Write a line for each look; the exit code says whether the last one saw the node."""
    tell: Callable[[Look | None, Look], None] = tell_json if as_json else tell_line
    last: Look | None = None
    is_lost = False
    while (event := await events.get()) != Key(key=QUIT):
        if isinstance(event, Look):
            tell(last, event)
            last, is_lost = event, False
        elif isinstance(event, Lost):
            remark(f"UNREACHABLE {event.why}")
            is_lost = True
    return Exit.UNREACHABLE if is_lost else Exit.OK


def tell_json(_before: Look | None, now: Look) -> None:
    """Write the node's own figures."""
    show_json_line(now.node)


def tell_line(before: Look | None, now: Look) -> None:
    """Write the strip of the full screen in one line."""
    clock = Text(time.strftime("%H:%M:%S"))
    facts = node_facts(now, node_rates(before, now))
    show(Text(GAP).join([clock, *facts]))
