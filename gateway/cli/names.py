"""Which actor is meant: a full path, the end of one, or a name cut short; never a guess between two."""

from collections.abc import Iterator, Sequence
from typing import Final

from veza.gateway.cli.client import Json, NodeClient, actor_address
from veza.gateway.cli.outcome import RefusalError, UsageError

CANDIDATES_SHOWN: Final = 10


def everyone(actor: Json) -> Iterator[Json]:
    """Walk an actor and all that are shown below it, parents first."""
    yield actor
    for child in actor["children"]:
        yield from everyone(child)


def ends_with(path: str, wanted: str) -> bool:
    """Whether whole names at the end of the path are the wanted ones."""
    return f"/{path.strip('/')}".endswith(f"/{wanted.strip('/')}")


def is_short_for(path: str, wanted: str) -> bool:
    """Whether the wanted name is cut short, and the path ends with the whole one."""
    *above, last = wanted.strip("/").split("/")
    head, _, name = path.rpartition("/")
    return name.startswith(last) and (not above or ends_with(head, "/".join(above)))


def is_cut(actor: Json) -> bool:
    """Whether an actor has children that are not shown."""
    return bool(actor["child_count"] > len(actor["children"]))


async def find_actor(client: NodeClient, wanted: str) -> str:
    """Return the path that is meant. Raises `UsageError` if it is none, or more than one."""
    wanted = wanted.rstrip("….").strip()
    if not wanted.strip("/"):
        raise UsageError("name an actor")
    if wanted.startswith("/"):
        return wanted.rstrip("/")
    shown = list(everyone((await client.get("tree"))["root"]))
    cut = [actor["path"] for actor in shown if is_cut(actor)]
    hidden = list(hidden_paths(cut, wanted))
    exact = {actor["path"] for actor in shown if ends_with(actor["path"], wanted)}
    exact |= {path for path in hidden if await is_there(client, path)}
    if exact:
        return the_one(wanted, sorted(exact))
    if hidden:
        families = ", ".join(path.rpartition("/")[0] for path in hidden)
        raise UsageError(
            f"no actor is called {wanted}, and what it may be short for cannot be told:"
            f" not all children of {families} are shown; write the whole name"
        )
    short = [actor["path"] for actor in shown if is_short_for(actor["path"], wanted)]
    return the_one(wanted, sorted(short))


def hidden_paths(cut: Sequence[str], wanted: str) -> Iterator[str]:
    """Name the paths that would be meant if an actor that is not shown were."""
    *above, last = wanted.split("/")
    for parent in cut:
        if not above or ends_with(parent, "/".join(above)):
            yield f"{parent}/{last}"


async def is_there(client: NodeClient, path: str) -> bool:
    """Ask whether there is an actor of that path."""
    try:
        await client.get(actor_address(path))
    except RefusalError as error:
        if error.problem == "not_found":
            return False
        raise
    return True


def the_one(wanted: str, candidates: Sequence[str]) -> str:
    """Return the only candidate. Raises `UsageError` that lists them."""
    if not candidates:
        raise UsageError(f"no actor is called {wanted}: `veza ps --search` looks for one")
    if len(candidates) == 1:
        return candidates[0]
    lines = [f"{wanted} may be each of these:", *candidates[:CANDIDATES_SHOWN]]
    if len(candidates) > CANDIDATES_SHOWN:
        lines.append(f"and {len(candidates) - CANDIDATES_SHOWN} more")
    raise UsageError("\n  ".join(lines))
