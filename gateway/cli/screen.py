"""What `top` draws: the node in a strip, actors to the end of the screen, the keys below."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from veza.gateway.cli.client import Json
from veza.gateway.cli.figures import Busy, Look, NodeRates, Order, View, chosen
from veza.gateway.cli.names import everyone
from veza.gateway.cli.node_checks import FULL_SHARE, SLOW_LOOP_MS
from veza.gateway.cli.rendering import (
    BAD,
    Column,
    clean,
    count,
    health,
    lay_out,
    milliseconds,
    number_column,
    rate,
    seconds,
    since,
    size,
)

GAP: Final = "   "
HEAD_LINE: Final = 1
KEYS: Final = "m mailbox a age b busy r restarts e errors n name  u unhealthy p pause q quit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What there is to draw. `lost` says why the node does not answer, and is empty while it does."""

    look: Look
    rates: NodeRates
    actors: Sequence[Busy]
    view: View
    lost: str


def fact(name: str, value: str, *, is_bad: bool = False) -> Text:
    """Return one figure of the strip; a bad one is marked, not only coloured."""
    mark = "!" if is_bad else ""
    return Text.assemble((f"{name} ", "dim"), (f"{mark}{value}", "bold red" if is_bad else "bold"))


def node_facts(look: Look, rates: NodeRates) -> Iterator[Text]:
    """Say how the node is, in the order of what one looks for first.

    Marked is what is wrong now by the rules of the doctor, not what was wrong once.
    """
    node = look.node
    yield Text(clean(f"veza {node['version']} on {node['host']}"), style="bold")
    yield fact("pid", str(node["pid"]))
    failing = [name for name, holds in node["checks"].items() if not holds]
    phase = ", ".join([node["phase"], *(f"{name} fails" for name in failing)])
    yield fact("phase", clean(phase), is_bad=bool(failing) or node["phase"] != "ready")
    yield fact("up", seconds(since(node["started_at"])))
    yield fact("actors", count(node["actors"]))
    yield unhealthy(look.root)
    yield fact("msgs/s", rate(rates.messages_per_second))
    yield fact("errors/s", rate(rates.errors_per_second))
    lag, worst = milliseconds(node["loop_lag_ms"]), milliseconds(node["loop_lag_max_ms"])
    yield fact("loop lag", f"{lag} (max {worst})", is_bad=node["loop_lag_ms"] > SLOW_LOOP_MS)
    yield fact("gc", milliseconds(node["gc_pause_max_ms"]))
    yield fact("cpu", f"{rates.cpu_percent:.0f} %")
    yield fact("rss", size(node["rss_bytes"]))
    yield bounded("files", node["open_files"], node["open_files_limit"])
    yield fact("conns", count(node["connections"]))
    yield fact("dead letters", count(node["dead_letters"]))
    yield fact("crashes", count(node["crashes"]))
    used, most = node["database_connections"], node["database_connections_limit"]
    yield fact("db pool", f"{used}/{most}")


def unhealthy(root: Json) -> Text:
    """Return how many actors are ill, marked as bad only if one of them is, and not if all of it passes."""
    ill = root["below"]["unhealthy"]
    if any(not BAD.isdisjoint(actor["unhealthy"]) for actor in everyone(root)):
        return fact("unhealthy", count(ill), is_bad=True)
    mark, style = ("~", "yellow") if ill else ("", "bold")
    return Text.assemble(("unhealthy ", "dim"), (f"{mark}{count(ill)}", style))


def bounded(name: str, used: int, most: int) -> Text:
    """Return a figure that has a bound; near it, it is bad."""
    return fact(name, f"{count(used)}/{count(most)}", is_bad=used > FULL_SHARE * most)


def packed(texts: Iterable[Text], width: int) -> list[Text]:
    """Fill lines of this width with whole texts."""
    lines: list[Text] = []
    for text in texts:
        if lines and len(lines[-1]) + len(GAP) + len(text) <= width:
            lines[-1] = Text.assemble(lines[-1], GAP, text)
        else:
            lines.append(text)
    return lines


def of_actor(cell: Callable[[Busy], str]) -> Callable[[Busy], Text | str]:
    """Return the cell of a figure: one that is nothing steps back."""
    return lambda each: (
        Text(text, style="dim" if text == "0" else "") if (text := cell(each)) else ""
    )


def short(path: str) -> str:
    """Return a path without what all have in common; it still names the actor to every command."""
    return path.removeprefix("/veza/").removeprefix("root/")


COLUMNS: Final[tuple[Column[Busy], ...]] = (
    Column(title="ACTOR", cell=lambda each: short(each.actor["path"])),
    Column(title="CLASS", cell=lambda each: each.actor["class"], from_width=140),
    Column(title="HEALTH", cell=lambda each: health(each.actor)),
    number_column("MAILBOX", of_actor(lambda each: count(each.actor["mailbox"]))),
    number_column("AGE", of_actor(lambda each: milliseconds(each.actor["head_age_ms"]))),
    number_column("MSGS/S", of_actor(lambda each: rate(each.messages_per_second))),
    number_column("BUSY %", of_actor(lambda each: rate(each.busy_percent))),
    number_column("ERR/S", of_actor(lambda each: rate(each.errors_per_second)), 90),
    number_column("RESTARTS", of_actor(lambda each: count(each.actor["restarts"])), 100),
    Column(title="HANDLING", cell=lambda each: each.actor["current"], from_width=120),
)


def frame(scene: Scene, width: int, height: int) -> RenderableType:
    """Draw a screen of so many lines, none wider than this."""
    strip = [*packed(node_facts(scene.look, scene.rates), width), notice(scene)]
    keys = Text(KEYS, style="dim")
    for line in (*strip, keys):
        line.no_wrap, line.overflow = True, "crop"
    rows = chosen(scene.actors, scene.view)
    room = max(1, height - len(strip) - HEAD_LINE - 1)
    table = lay_out(COLUMNS, rows[:room], width)
    blanks = [Text()] * (room - len(rows))
    return Group(*strip, table, *blanks, keys)


def notice(scene: Scene) -> Text:
    """Say what the table shows: its order, what it leaves out, and whether it is of now."""
    view = scene.view
    words = [f"by {Order(view.order).name.lower()}"]
    words += ["unhealthy only"] if view.is_only_unhealthy else []
    words += ["PAUSED"] if view.is_paused else []
    if scene.lost:
        return Text(f"UNREACHABLE, trying again: {clean(scene.lost)}", style="bold red")
    return Text(f"{len(chosen(scene.actors, view))} actors, {', '.join(words)}", style="italic")
