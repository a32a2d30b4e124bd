"""The command line: `veza serve` runs a node, the other commands look into one that runs and act on it.

Commands are named here and imported when they are used: the whole gateway takes most of a second.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from cyclopts import App

from veza.gateway.cli.outcome import CommandError, Exit

COMMANDS: Final = {
    "serve": "serve:serve",
    "ps": "ps:ps",
    "top": "top:top",
    "inspect": "inspecting:inspect",
    "trace": "tracing:trace",
    "restart": "acting:restart",
    "stop": "acting:stop",
    "kill": "acting:kill",
    "suspend": "acting:suspend",
    "resume": "acting:resume",
    "drain": "acting:drain",
    "dead-letters": "dead_letters:app",
    "crashes": "crashes:app",
    "connections": "listing:connections",
    "audit": "listing:audit",
    "doctor": "doctor:doctor",
}
"""Where each command is: the module of this package, and the function or the group of commands in it."""


def version() -> str:
    """Return the installed version."""
    return str(import_module("veza.gateway.ops").version())


app = App(
    name="veza",
    version=version,
    help="A self-hosted real-time place for people who make music.",
    help_format="plaintext",
)
for number, (name, place) in enumerate(COMMANDS.items()):
    app.command(f"veza.gateway.cli.{place}", name=name, sort_key=number)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name, and end the process with its exit code."""
    try:
        app(arguments)
    except CommandError as error:
        sys.stderr.write(f"veza: {error}\n")
        sys.exit(error.code)
    except BrokenPipeError:
        # `veza ps --json | head`: whoever read has seen enough, and nothing more may be flushed to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.OK)
