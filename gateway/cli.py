"""The command line: `veza serve` runs a node, `veza ps` looks into one that runs."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import aiohttp
from cyclopts import App, Parameter
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from veza.config.logging import configure_logging
from veza.config.paths import ops_socket
from veza.config.secrets import SecretsFileError
from veza.config.settings import Settings, unknown_variables
from veza.gateway.main import DataInUseError, run
from veza.gateway.ops import version
from veza.supervisors.boot import StartError

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNREACHABLE: Final = 3
ANSWER_SECONDS: Final = 10.0
PIPE_COLUMNS: Final = 240

app = App(
    name="veza", version=version, help="A self-hosted real-time place for people who make music."
)


@app.command
def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    data: Path | None = None,
    demo: bool | None = None,
    public_url: str | None = None,
    registration: str | None = None,
    log_level: str | None = None,
    log_format: str | None = None,
) -> int:
    """Run a node until Ctrl+C.

    Each option can be given as an environment variable too (VEZA_PORT=8081), and so can the settings
    that have no option here: docs/operations.md lists them all.

    Parameters
    ----------
    host
        Address to listen on. Anything but loopback closes registration, unless it is opened.
    port
        Port to listen on; 0 takes a free one.
    data
        Folder for everything the node keeps.
    demo
        Start with synthesised tracks, people and rooms.
    public_url
        The address people reach this node under, if a proxy stands before it.
    registration
        Who may make an account: auto (open on loopback only), open or closed.
    log_level
        debug, info, warning or error.
    log_format
        json, pretty, or auto (pretty on a terminal).

    """
    given = {
        "host": host,
        "port": port,
        "data": data,
        "demo": demo,
        "public_url": public_url,
        "registration": registration,
        "log_level": log_level,
        "log_format": log_format,
    }
    settings = load_settings(**given)
    configure_logging(settings.log_level, settings.log_format)
    try:
        return run(settings, lambda line: print(line, flush=True))  # noqa: T201  # meant for the terminal
    except (DataInUseError, SecretsFileError, StartError, OSError) as error:
        return fail(str(error), EXIT_FAILED)


@app.command
def ps(
    *,
    tree: bool = True,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    data: Path | None = None,
) -> int:
    """Show the actors of the node that runs on this data folder.

    Parameters
    ----------
    tree
        Indent children under their supervisors; without it, a plain list of paths.
    as_json
        Print the snapshot as JSON.
    data
        The node's data folder.

    """
    settings = load_settings(data=data)
    socket = ops_socket(settings.data)
    try:
        snapshot = asyncio.run(fetch(socket, "/ops/tree"))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return fail(f"No node answers on {socket}: {error}", EXIT_UNREACHABLE)
    if as_json:
        sys.stdout.write(json.dumps(snapshot, indent=2) + "\n")
    else:
        # Into a file or a pipe nothing is cut off at a guessed width.
        console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
        console.print(actor_table(snapshot["root"], tree=tree))
    return 0


def load_settings(**given: object) -> Settings:
    """Read the settings; say everything that is wrong with them at once, and end."""
    wrong = unknown_variables(os.environ)
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        wrong += [f"{path_of(item['loc'])}: {item['msg']}" for item in error.errors()]
    except SettingsError as error:
        wrong.append(f"{error}: {error.__cause__}")
    if wrong:
        lines = ["These settings are not valid:", *(f"  {line}" for line in wrong)]
        raise SystemExit(fail("\n".join(lines), EXIT_USAGE))
    return settings


def path_of(location: tuple[int | str, ...]) -> str:
    """Name the setting that an error is about."""
    return ".".join(str(part) for part in location)


def fail(message: str, code: int) -> int:
    """Say what is wrong on standard error."""
    sys.stderr.write(f"veza: {message}\n")
    return code


async def fetch(socket: Path, path: str) -> Any:
    """Ask the node behind a unix socket."""
    connector = aiohttp.UnixConnector(str(socket))
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        session.get(f"http://node{path}") as answer,
    ):
        answer.raise_for_status()
        return await answer.json()


def actor_table(root: dict[str, Any], *, tree: bool) -> Table:
    """Lay a snapshot out, an actor a line."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("ACTOR", no_wrap=True)
    table.add_column("CLASS", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    for name in ("MAILBOX", "HEAD MS", "MESSAGES", "RESTARTS"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("LAST EXIT")
    add_rows(table, root, 0, tree=tree)
    return table


def add_rows(table: Table, node: dict[str, Any], depth: int, *, tree: bool) -> None:
    """Add an actor and all below it."""
    label = "  " * depth + node["name"] if tree else node["path"]
    table.add_row(
        Text(label),
        node["class"],
        node["state"],
        str(node["mailbox"]),
        str(node["head_age_ms"]),
        str(node["messages"]),
        str(node["restarts"]),
        Text(node["last_exit"] or ""),
    )
    for child in node["children"]:
        add_rows(table, child, depth + 1, tree=tree)


def main() -> None:
    """Run the command that the arguments name."""
    sys.exit(app())


if __name__ == "__main__":
    main()
