"""Several nodes on one port of this machine: the small process that owns what they share, and starts them.

It holds the data folder's lock and the private database server, and serves nobody itself. Each worker is a
whole node, `veza.gateway.worker`, in a process and session of its own; the kernel spreads new connections
over those that listen (SO_REUSEPORT). A worker that ends is started again; when too many do, all end.
"""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

import structlog
from pydantic import SecretStr

from veza.config.settings import PREFIX, Settings, as_environment
from veza.supervisors.child_spec import Intensity, RestartLog
from veza.supervisors.database import DatabaseKeeper

MODULE: Final = "veza.gateway.worker"
READY: Final = "ready\n"
"""A worker's last word, before it closes its output."""
INTENSITY: Final = Intensity(restarts=5, period_seconds=60)
RESTART_SECONDS: Final = 0.5
SPARE_SECONDS: Final = 10.0
"""What a worker may take to end beyond its drain timeout, before it is killed."""

log = structlog.get_logger()


class WorkersError(Exception):
    """Several workers cannot be started; the message is for whoever tried."""


async def supervise(
    settings: Settings, dsn: str, keeper: DatabaseKeeper, say: Callable[[str], None]
) -> int:
    """Run workers until SIGTERM or SIGINT, then let them drain; a second signal kills them.

    Return 0, or 1 if they could not be kept running.
    """
    with reserved_port(settings) as port:
        crew = Crew(settings, dsn, port)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, crew.on_signal)
        watching = asyncio.create_task(keeper.watch_server())
        try:
            await crew.run(say)
        finally:
            watching.cancel()
        return 1 if crew.has_failed else 0


def check(settings: Settings) -> None:
    """Refuse workers that could not hear of each other. Raises `WorkersError`."""
    if settings.redis_url is None:
        raise WorkersError(
            f"{settings.workers} workers need a Redis to tell each other what happens: set VEZA_REDIS_URL, or"
            " run one worker, which needs none"
        )


@contextmanager
def reserved_port(settings: Settings) -> Iterator[int]:
    """Hold the port for the workers, without listening on it. Raises `OSError` if another program has it."""
    family, kind, protocol, _name, address = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(address)
        yield holder.getsockname()[1]


def environment(settings: Settings, dsn: str, port: int, number: int) -> dict[str, str]:
    """Return what a worker is started with: these settings, and what its parent settled."""
    settled = {"database_url": SecretStr(dsn), "port": port}
    if number > 1:
        settled["demo"] = False  # one is enough to put it in
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return inherited | as_environment(settings.model_copy(update=settled))


class Crew:
    """The workers of one node's place."""

    def __init__(self, settings: Settings, dsn: str, port: int) -> None:
        self.settings = settings
        self.has_failed = False
        self._environment: Mapping[int, dict[str, str]] = {
            number: environment(settings, dsn, port, number)
            for number in range(1, settings.workers + 1)
        }
        self._processes: dict[int, Process] = {}
        self._restarts = RestartLog(INTENSITY)
        self._ended = asyncio.Event()

    def on_signal(self) -> None:
        """Begin to end; whoever asks twice does not want to wait."""
        if self._ended.is_set():
            self._signal(signal.SIGKILL)
        self._ended.set()

    async def run(self, say: Callable[[str], None]) -> None:
        """Start the workers, and again those that end, until told to stop; then wait for their end."""
        ready = {number: asyncio.get_running_loop().create_future() for number in self._environment}
        keeping = [asyncio.create_task(self._keep(number, told)) for number, told in ready.items()]
        telling = asyncio.create_task(_tell(ready, say))
        ended = asyncio.create_task(self._ended.wait())
        await asyncio.wait({ended, *keeping}, return_when=asyncio.FIRST_COMPLETED)
        self._ended.set()
        telling.cancel()
        self._signal(signal.SIGTERM)
        patience = self.settings.drain_timeout_seconds + SPARE_SECONDS
        _ended, late = await asyncio.wait(keeping, timeout=patience)
        if late:
            self.has_failed = True
            self._signal(signal.SIGKILL)
        await asyncio.gather(*keeping)

    async def _keep(self, number: int, ready: asyncio.Future[str]) -> None:
        while not self._ended.is_set():
            process = await self._start(number)
            told = await _told(process)
            if told is not None and not ready.done():
                ready.set_result(told)
            code = await process.wait()
            self._processes.pop(number, None)
            if self._ended.is_set():
                return
            log.error("worker.ended", worker=number, pid=process.pid, code=code)
            # One that an operator drained ended well; one that never was ready will not be the next time.
            if code != 0 and (not ready.done() or not self._restarts.record()):
                self.has_failed = True
                self._ended.set()
                return
            await asyncio.sleep(RESTART_SECONDS)

    async def _start(self, number: int) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            MODULE,
            str(number),
            stdin=PIPE,  # its end is how a worker learns that this process is gone
            stdout=PIPE,
            env=self._environment[number],
            start_new_session=True,  # Ctrl+C in a terminal is for this process to hand on
        )
        self._processes[number] = process
        if self._ended.is_set():  # it was told too late to be asked with the others
            process.terminate()
        return process

    def _signal(self, number: int) -> None:
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(number)


async def _told(process: Process) -> str | None:
    """Return what a worker says until it is ready; None if it ended before."""
    told = await process.stdout.read() if process.stdout is not None else b""
    lines, is_ready, _nothing = told.decode().rpartition(READY)
    return lines if is_ready else None


async def _tell(ready: Mapping[int, asyncio.Future[str]], say: Callable[[str], None]) -> None:
    """Say what the first worker said, once all of them are ready."""
    told = await asyncio.gather(*ready.values())
    log.info("workers.ready", workers=len(told))
    for line in told[0].splitlines():
        say(line)
