"""What a run is done to: a node of its own and its PostgreSQL, as processes that can be killed or stopped."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from veza.config.paths import ops_socket, postgres_folder
from veza.config.settings import Settings
from veza.gateway.cli.client import actor_address, connected
from veza.gateway.cli.names import everyone
from veza.gateway.load.nodes import RAISED, SERVE, address, stop, variables
from veza.persistence.postgres.postmaster import is_postmaster, read_pid_file

LOG: Final = "node.log"
ANSWER_SECONDS: Final = 10.0
DAY_SECONDS: Final = 86_400
SOCKET_LINE: Final = 4
"""Where `postmaster.pid` names the folder of the socket."""


class Node:
    """One node: always the same data and, from its first start on, the same port."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.url = ""
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

    @property
    def has_ended(self) -> bool:
        """Whether it ended without being killed by us."""
        return self._process is not None and self._process.returncode is not None

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        with self.log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", SERVE, "serve"),
                env=variables(self._settings()),
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
            "data": self.data,
            "host": "127.0.0.1",
            "port": self._port,
        }
        return Settings(_env_prefix="VEZA_SOAK_NOTHING_", **values)

    # --- its actors ---

    async def actors(self, kind: str) -> list[str]:
        """Return the paths of the actors of a class, in order."""
        async with connected(ops_socket(self.data), ANSWER_SECONDS) as client:
            found = everyone((await client.get("tree", children=200))["root"])
            return sorted(each["path"] for each in found if each["class"] == kind)

    async def kill_actor(self, path: str) -> None:
        async with connected(ops_socket(self.data), ANSWER_SECONDS) as client:
            await client.post(f"{actor_address(path)}/kill", {"reason": "a fault of a soak test"})

    # --- its database ---

    @property
    def _cluster(self) -> Path:
        home = postgres_folder(self.data)
        link = home / "moved-to"
        return (link.readlink() if link.is_symlink() else home) / "cluster"

    def postmaster(self) -> int | None:
        """Return the process of the database server, if it runs."""
        pid_file = read_pid_file(self._cluster)
        if pid_file is None or not is_postmaster(pid_file.pid, self._cluster.resolve()):
            return None
        return pid_file.pid

    def database_url(self) -> str:
        """Return where the database listens now. Raises `OSError` or `IndexError` if it does not run."""
        lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        return f"postgresql://veza@/postgres?host={lines[SOCKET_LINE]}"


@asynccontextmanager
async def own_node(data: Path) -> AsyncIterator[Node]:
    """Lend a running node, and end it afterwards."""
    node = Node(data)
    try:
        await node.start()
        yield node
    finally:
        await node.stop()


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
