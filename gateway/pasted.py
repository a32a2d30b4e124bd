"""The command line of a running node as its user can paste it: found without PATH, on the right data."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

from veza.config.settings import default_data_dir

MODULE_FILE: Final = "__main__.py"


def top_command(data: Path) -> str:
    """Return the command that watches the node on this data, in words for a shell."""
    return command(program(sys.argv[0], sys.executable, Path.cwd()), data)


def command(words: list[str], data: Path) -> str:
    """Return `top` on this data; the folder that is taken anyway is not named."""
    named = [] if data == default_data_dir().absolute() else ["--data", str(data)]
    return shlex.join([*words, "top", *named])


def program(started_as: str, python: str, here: Path) -> list[str]:
    """Return what starts the command line again, from the name under which this process was started."""
    if Path(started_as).name == MODULE_FILE:
        return [reachable(python, here), "-m", "veza.gateway.cli"]
    return [reachable(started_as, here)]


def reachable(path: str, here: Path) -> str:
    """Return a program's name if a shell finds it by that, else its path, from here if it is below."""
    full = here / path
    if shutil.which(full.name) == str(full):
        return full.name
    # Services are started in the root folder, and nobody looks at them from there.
    if not full.is_relative_to(here) or here == Path(here.anchor):
        return str(full)
    below = full.relative_to(here)
    return str(below) if len(below.parts) > 1 else f"./{below}"
