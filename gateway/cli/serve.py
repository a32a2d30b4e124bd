"""`veza serve`: runs a node."""

from pathlib import Path

from veza.config.logging import configure_logging
from veza.config.secrets import SecretsFileError
from veza.gateway.cli.options import load_settings
from veza.gateway.cli.outcome import CommandError
from veza.gateway.main import DataInUseError, run
from veza.gateway.workers import WorkersError
from veza.supervisors.boot import StartError


def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    data: Path | None = None,
    workers: int | None = None,
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
    workers
        How many processes serve the port, each a whole node; more than one need VEZA_REDIS_URL.
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
    settings = load_settings(
        host=host,
        port=port,
        data=data,
        workers=workers,
        demo=demo,
        public_url=public_url,
        registration=registration,
        log_level=log_level,
        log_format=log_format,
    )
    configure_logging(settings.log_level, settings.log_format)
    try:
        return run(settings, lambda line: print(line, flush=True))  # noqa: T201  # meant for the terminal
    except (DataInUseError, SecretsFileError, StartError, WorkersError, OSError) as error:
        raise CommandError(str(error)) from error
