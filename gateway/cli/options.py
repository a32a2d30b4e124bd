"""What commands share on their line: the data folder, JSON, an actor, a reason; and the settings behind."""

import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from cyclopts import Parameter, validators
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from veza.config.paths import ops_socket
from veza.config.settings import Settings, unknown_variables
from veza.gateway.cli.outcome import UsageError

REASON_CHARS: Final = 500
LIST_ENTRIES: Final = 50

ActorName: TypeAlias = Annotated[
    str,
    Parameter(
        help="The actor's path, or the end of it if no other ends so: rooms/0198c2f0-…, catalogue."
        " A name may be cut short, as 0198c2."
    ),
]
Reason: TypeAlias = Annotated[
    str | None,
    Parameter(help="Why; kept in the audit log. On a terminal it is asked for."),
]

Limit: TypeAlias = Annotated[
    int,
    Parameter(
        name=["--limit", "-n"], validator=validators.Number(gte=1), help="How many, at most."
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which node, and who reads the answer."""

    data: Annotated[Path | None, Parameter(help="The node's data folder.")] = None
    as_json: Annotated[
        bool, Parameter(name="--json", negative="", help="Print JSON, for scripts.")
    ] = False
    worker: Annotated[
        int | None, Parameter(help="Which of several workers; by default the first that answers.")
    ] = None

    @property
    def socket(self) -> Path:
        """The unix socket of the node on this data."""
        return node_socket(load_settings(data=self.data).data, self.worker)


HERE: Final = Where()


def node_socket(data: Path, worker: int | None = None) -> Path:
    """Return the socket of a worker; without a number, of the node alone or the first worker that listens."""
    alone = ops_socket(data)
    if worker is not None:
        return ops_socket(data, worker)
    beside = sorted(alone.parent.glob("ops-*.sock"), key=lambda each: (len(each.name), each.name))
    return next((each for each in (alone, *beside) if is_listened_to(each)), alone)


def is_listened_to(path: Path) -> bool:
    """Tell whether a process listens on a unix socket; one that was killed leaves the file."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        return True
    return False


def read_settings(**given: object) -> tuple[Settings | None, list[str]]:
    """Read the settings, if they can be; and say everything that is wrong with them."""
    wrong = unknown_variables(os.environ)
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        return None, wrong + [f"{_named(item['loc'])}: {item['msg']}" for item in error.errors()]
    except SettingsError as error:
        return None, [*wrong, f"{error}: {error.__cause__}"]
    return settings, wrong


def load_settings(**given: object) -> Settings:
    """Read the settings. Raises `UsageError` with everything that is wrong with them."""
    settings, wrong = read_settings(**given)
    if settings is None or wrong:
        lines = ["These settings are not valid:", *(f"  {line}" for line in wrong)]
        raise UsageError("\n".join(lines))
    return settings


def _named(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)


def reason_for(what: str, given: str | None) -> str:
    """Return the reason that was given, or ask for it. Raises `UsageError`."""
    if given is None and sys.stdin.isatty():
        given = Console(stderr=True, highlight=False, markup=False).input(f"Why {what}? ")
    reason = (given or "").strip()
    if not reason:
        raise UsageError("say why with --reason: it is kept in the audit log")
    if len(reason) > REASON_CHARS:
        raise UsageError(f"a reason has at most {REASON_CHARS} characters")
    return reason
