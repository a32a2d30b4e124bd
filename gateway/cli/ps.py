"""`veza ps`: the actors of a node, as a tree or sorted by what is looked for."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import RenderableType
from rich.text import Text

from veza.gateway.cli.client import Json, connected
from veza.gateway.cli.names import everyone, find_actor, is_cut
from veza.gateway.cli.options import HERE, ActorName, Where
from veza.gateway.cli.outcome import Exit
from veza.gateway.cli.rendering import (
    Column,
    console,
    count,
    health,
    lay_out,
    milliseconds,
    number_column,
    remark,
    seconds,
    show,
    show_json,
    size,
)


class Sort(StrEnum):
    """What `ps` can sort by, the most first."""

    MAILBOX = "mailbox"
    AGE = "age"
    MESSAGES = "messages"
    ERRORS = "errors"
    RESTARTS = "restarts"
    BUSY = "busy"
    CPU = "cpu"
    RSS = "rss"


def process_figure(actor: Json, name: str) -> float:
    """Return a figure of the process an actor owns; 0 for who owns none."""
    return float((actor["process"] or {}).get(name, 0))


SORT_KEYS: Final[Mapping[Sort, Callable[[Json], float]]] = {
    Sort.MAILBOX: lambda actor: actor["mailbox"],
    Sort.AGE: lambda actor: actor["head_age_ms"],
    Sort.MESSAGES: lambda actor: actor["messages"],
    Sort.ERRORS: lambda actor: actor["errors"],
    Sort.RESTARTS: lambda actor: actor["restarts"],
    Sort.BUSY: lambda actor: actor["busy_ms"],
    Sort.CPU: lambda actor: process_figure(actor, "cpu_seconds"),
    Sort.RSS: lambda actor: process_figure(actor, "rss_bytes"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of `ps`: an actor, or how many of its children are not shown."""

    label: str
    actor: Json | None


async def ps(
    *,
    tree: Annotated[
        bool | None, Parameter(help="Indent children; the default, unless --sort is given.")
    ] = None,
    sort: Annotated[Sort | None, Parameter(help="Those with the most first.")] = None,
    unhealthy: Annotated[
        bool,
        Parameter(negative="", help="Only those that need a look; exits with 1 if there are any."),
    ] = False,
    search: Annotated[str, Parameter(help="Only those whose path or class has this in it.")] = "",
    under: ActorName = "",
    where: Where = HERE,
) -> int:
    """Show the actors of the node, as a tree or sorted."""
    async with connected(where.socket) as client:
        query = {"under": await find_actor(client, under)} if under else {}
        found = await client.get("tree", **query)
    root = found["root"]
    wanted = [each for each in everyone(root) if is_wanted(each, search, only_unhealthy=unhealthy)]
    is_tree = sort is None if tree is None else tree
    if where.as_json:
        is_all = is_tree and not unhealthy and not search
        show_json(found if is_all else [without_children(each) for each in sorted_by(sort, wanted)])
    elif is_tree:
        show(actor_table(tree_lines(root, {each["path"] for each in wanted}, sort)))
    else:
        lines = [Line(label=each["path"], actor=each) for each in sorted_by(sort, wanted)]
        show(actor_table(lines))
        tell_of_hidden(root)
    return Exit.PROBLEM if unhealthy and wanted else Exit.OK


def is_wanted(actor: Json, search: str, *, only_unhealthy: bool) -> bool:
    """Whether an actor is one that was asked for."""
    if only_unhealthy and not actor["unhealthy"]:
        return False
    return search.lower() in f"{actor['path']} {actor['class']}".lower()


def sorted_by(sort: Sort | None, actors: list[Json]) -> list[Json]:
    """Return the actors with the most first; in the order of the tree if nothing is sorted by."""
    return actors if sort is None else sorted(actors, key=SORT_KEYS[sort], reverse=True)


def without_children(actor: Json) -> Json:
    """Return an actor of a plain list: each is there once."""
    return {name: value for name, value in actor.items() if name != "children"}


def tree_lines(root: Json, wanted: set[str], sort: Sort | None, depth: int = 0) -> Iterator[Line]:
    """Indent the wanted actors under their supervisors, which are shown for that."""
    if not any(actor["path"] in wanted for actor in everyone(root)):
        return
    yield Line(label="  " * depth + root["name"], actor=root)
    for child in sorted_by(sort, root["children"]):
        yield from tree_lines(child, wanted, sort, depth + 1)
    if is_cut(root):
        left = count(root["child_count"] - len(root["children"]))
        yield Line(label=f"{'  ' * (depth + 1)}… {left} more", actor=None)


def tell_of_hidden(root: Json) -> None:
    """Say how many actors a plain list leaves out: nobody should take the rest for all."""
    hidden = root["below"]["actors"] - sum(1 for _ in everyone(root))
    if hidden > 0:
        remark(f"{count(hidden)} actors are not shown: of large families only the first are")


def of_actor(cell: Callable[[Json], Text | str]) -> Callable[[Line], Text | str]:
    """Return the cell of a line; a line without an actor has only its label."""
    return lambda line: "" if line.actor is None else cell(line.actor)


def owned(cell: Callable[[Json], str]) -> Callable[[Line], Text | str]:
    """Return a cell about the process an actor owns; most own none."""
    return of_actor(lambda actor: cell(actor["process"]) if actor["process"] else "")


ACTOR_COLUMNS: Final[tuple[Column[Line], ...]] = (
    Column(title="ACTOR", cell=lambda line: line.label),
    Column(title="CLASS", cell=of_actor(lambda actor: actor["class"]), from_width=125),
    Column(title="STATE", cell=of_actor(lambda actor: actor["state"])),
    Column(title="HEALTH", cell=of_actor(health)),
    number_column("MAILBOX", of_actor(lambda actor: count(actor["mailbox"]))),
    number_column("AGE", of_actor(lambda actor: milliseconds(actor["head_age_ms"]))),
    number_column("MESSAGES", of_actor(lambda actor: count(actor["messages"]))),
    number_column("ERRORS", of_actor(lambda actor: count(actor["errors"])), 90),
    number_column("RESTARTS", of_actor(lambda actor: count(actor["restarts"])), 100),
    number_column("BUSY", of_actor(lambda actor: milliseconds(actor["busy_ms"])), 140),
    number_column("CPU", owned(lambda process: seconds(process["cpu_seconds"])), 160),
    number_column("RSS", owned(lambda process: size(process["rss_bytes"])), 160),
    Column(
        title="LAST EXIT", cell=of_actor(lambda actor: actor["last_exit"] or ""), from_width=180
    ),
)


def actor_table(lines: Iterator[Line] | list[Line]) -> RenderableType:
    """Lay actors out, one a line."""
    return lay_out(ACTOR_COLUMNS, lines, console().width)
