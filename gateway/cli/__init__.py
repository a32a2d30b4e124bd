"""The command line: `veza serve` runs a node, the other commands look into one that runs and act on it.

Commands are named here and imported when they are used: the whole gateway takes most of a second.
"""

import os
import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import App

from veza.config.version import version
from veza.gateway.cli.outcome import CommandError, Exit

COMMANDS: Final = {
    "serve": "veza.gateway.cli.serve:serve",
    "ps": "veza.gateway.cli.ps:ps",
    "top": "veza.gateway.cli.top:top",
    "inspect": "veza.gateway.cli.inspecting:inspect",
    "trace": "veza.gateway.cli.tracing:trace",
    "restart": "veza.gateway.cli.acting:restart",
    "stop": "veza.gateway.cli.acting:stop",
    "kill": "veza.gateway.cli.acting:kill",
    "suspend": "veza.gateway.cli.acting:suspend",
    "resume": "veza.gateway.cli.acting:resume",
    "drain": "veza.gateway.cli.acting:drain",
    "dead-letters": "veza.gateway.cli.dead_letters:app",
    "crashes": "veza.gateway.cli.crashes:app",
    "connections": "veza.gateway.cli.listing:connections",
    "audit": "veza.gateway.cli.listing:audit",
    "doctor": "veza.gateway.cli.doctor:doctor",
    "media": "veza.gateway.cli.media:app",
    "import": "veza.gateway.cli.import_command:import_",
    "load": "veza.gateway.load.commands:load",
}
"""Where each command is: a module, and the function or the group of commands in it."""


app = App(
    name="veza",
    version=version,
    help="A self-hosted real-time place for people who make music.",
    help_format="plaintext",
)
for number, (name, place) in enumerate(COMMANDS.items()):
    app.command(place, name=name, sort_key=number)


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
