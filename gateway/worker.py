"""One worker: a whole node that listens beside others, `python -m veza.gateway.worker NUMBER`.

Its settings are all in its environment; `veza.gateway.workers` starts it. It says `ready` when it is,
and drains when its input ends: then the process that started it is gone.
"""

import asyncio
import os
import signal
import sys

import uvloop

from veza.config.logging import configure_logging
from veza.config.settings import Settings
from veza.gateway.main import EXIT_FAILED, serve
from veza.gateway.workers import READY
from veza.supervisors.boot import StartError
from veza.supervisors.database import DatabaseKeeper


def main() -> int:
    """Run until SIGTERM; return the exit code."""
    number = int(sys.argv[1])
    settings = Settings()
    configure_logging(settings.log_level, settings.log_format)
    if settings.database_url is None:
        raise SystemExit("a worker is started by `veza serve --workers`")
    try:
        return uvloop.run(work(settings, settings.database_url.get_secret_value(), number))
    except (StartError, OSError) as error:
        sys.stderr.write(f"veza: worker {number}: {error}\n")
        return EXIT_FAILED


async def work(settings: Settings, dsn: str, number: int) -> int:
    """Serve, as long as whoever started this lives."""
    loop = asyncio.get_running_loop()

    def orphaned() -> None:
        loop.remove_reader(0)
        signal.raise_signal(signal.SIGTERM)

    loop.add_reader(0, orphaned)
    keeper = DatabaseKeeper(None)
    return await serve(settings, dsn, keeper, say, worker=number, on_ready=close_output)


def say(line: str) -> None:
    """Tell a line to the process that started this, for the person who started that."""
    sys.stdout.write(f"{line}\n")


def close_output() -> None:
    """Say that this node is ready; whatever is printed from now on goes nowhere."""
    sys.stdout.write(READY)
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
