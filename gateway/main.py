"""The composition root: one node, started and stopped in mirror order."""

import asyncio
import fcntl
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Final

import structlog
import uvloop
from aiohttp import web

from veza.actors.fanout import FanOut, FanOutLimits
from veza.actors.messages.accounts import ACCOUNTS, IssueSetup, SetupIssued
from veza.config.paths import keys_file, lock_file, ops_socket
from veza.config.secrets import load_keys
from veza.config.settings import Settings
from veza.gateway import workers
from veza.gateway.app import documents, drain, make_app, make_ops_app
from veza.gateway.listener import running
from veza.gateway.pasted import top_command
from veza.gateway.tokens import SigningKeys
from veza.gateway.wire import encode_frame, shape
from veza.supervisors import demo
from veza.supervisors.boot import database, running_node
from veza.supervisors.database import DatabaseKeeper
from veza.supervisors.node import Node

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
# Everybody comes back at once after a restart; whom the kernel drops tries again a second later only.
BACKLOG: Final = 4096
OPEN_FILES: Final = 65_536

log = structlog.get_logger()
Say = Callable[[str], None]


class DataInUseError(Exception):
    """Another node runs on the same data directory."""


def run(settings: Settings, say: Say) -> int:
    """Run a node until it is told to stop; return the process's exit code.

    `say` gets the few lines meant for the person who started it. Raises `DataInUseError`,
    `StartError`, `WorkersError` or `SecretsFileError`.
    """
    if settings.workers > 1:
        workers.check(settings)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    allow_open_files(OPEN_FILES)
    with locked(settings), database(settings) as (dsn, keeper):
        if settings.workers > 1:
            load_keys(keys_file(settings.data))  # made here, or each worker would make its own
            return asyncio.run(workers.supervise(settings, dsn, keeper, say))
        return uvloop.run(serve(settings, dsn, keeper, say))


def allow_open_files(wanted: int) -> None:
    """Raise the soft limit of open files: shells start with 1,024, and each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if resource.RLIM_INFINITY != soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Hold the data directory for this process; the kernel lets go of it however the process ends."""
    path = lock_file(settings.data)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataInUseError(f"another node runs on {settings.data}") from error
        yield
    finally:
        os.close(descriptor)


async def serve(
    settings: Settings,
    dsn: str,
    keeper: DatabaseKeeper,
    say: Say,
    *,
    worker: int = 0,
    on_ready: Callable[[], None] = lambda: None,
) -> int:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends at once.

    `worker` numbers a node that listens beside others on its port; only the first has much to say.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, stop)
    fan_out = FanOut(
        encode_frame,
        asyncio.get_running_loop().call_soon,
        FanOutLimits(outbox_bytes=settings.ws_outbox_bytes),
        shape,
    )
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(running_node(settings, dsn, keeper, fan_out))
        keys = await asyncio.to_thread(load_keys, keys_file(settings.data))
        await asyncio.to_thread(documents, settings)
        app = make_app(
            settings,
            node,
            fan_out,
            SigningKeys(keys.current, keys.by_id),
            shared_rates=node.shared_rates,
            shared_places=node.shared_places,
        )
        address = await stack.enter_async_context(listening(settings, app, worker))
        if worker <= 1:
            await welcome(settings, node, address, say)
        on_ready()
        log.info("node.ready", address=address, pid=os.getpid(), python=sys.version.split()[0])
        await until_stopped((stop, node.drain_wanted), node)
        await drain(app, settings.drain_timeout_seconds / 4)
        return EXIT_FAILED if node.failed.done() else EXIT_OK


def on_signal(stop: asyncio.Event) -> None:
    """Begin to drain; whoever asks twice does not want to wait."""
    if stop.is_set():
        os._exit(EXIT_FAILED)
    stop.set()


async def until_stopped(events: Iterable[asyncio.Event], node: Node) -> None:
    """Wait for a signal, for an operator who drains the node, or for the supervision tree to give up."""
    stopping = [asyncio.ensure_future(event.wait()) for event in events]
    any_of: set[asyncio.Future[Any]] = {*stopping, node.failed}
    await asyncio.wait(any_of, return_when=asyncio.FIRST_COMPLETED)
    for waiting in stopping:
        waiting.cancel()
    if node.failed.done():
        log.error("node.failed", reason=node.failed.result().detail)
    else:
        log.info("node.stopping")


@asynccontextmanager
async def listening(settings: Settings, app: web.Application, worker: int) -> AsyncIterator[str]:
    """Serve HTTP on the configured port, and operators on a unix socket; lend the page's address."""
    async with AsyncExitStack() as stack:
        runner = await stack.enter_async_context(running(app))
        site = web.TCPSite(
            runner,
            settings.host,
            settings.port,
            backlog=BACKLOG,
            reuse_port=worker > 0 or None,
        )
        await site.start()
        ops = await stack.enter_async_context(running(make_ops_app(app)))
        await listen_for_operators(settings, ops, worker)
        yield page_address(settings, runner)


async def listen_for_operators(settings: Settings, runner: web.AppRunner, worker: int) -> None:
    """Open the unix socket in a folder, and as a file, that only the owner may use."""
    path = ops_socket(settings.data, worker)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        await web.UnixSite(runner, str(path)).start()
    finally:
        os.umask(before)


def page_address(settings: Settings, runner: web.AppRunner) -> str:
    """Return the address to open in a browser."""
    if settings.public_url is not None:
        return str(settings.public_url).rstrip("/")
    port = runner.addresses[0][1]
    host = "localhost" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def welcome(settings: Settings, node: Node, address: str, say: Say) -> None:
    """Tell whoever started the node where to go."""
    say(f"Veza is ready   {address}")
    if settings.demo:
        password = await demo.fill(node, settings.data)
        say(f"Demo people:    {', '.join(demo.PEOPLE)}   password: {password}")
    issued = await node.ask(ACCOUNTS, IssueSetup())
    if isinstance(issued, SetupIssued) and issued.token is not None:
        # In the fragment, which browsers do not send: it reaches no log and no proxy.
        say(f"First admin:    {address}/setup#{issued.token}   (one use, valid for an hour)")
    say(f"Look inside:    {top_command(settings.data)}")
    say(f"Data:           {settings.data}   Stop: Ctrl+C")
