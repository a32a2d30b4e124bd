"""The servers under measurement, each a process of its own on core 0: a node and its peers."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

HERE = Path(__file__).parent
SERVER_CORE, LOAD_CORE = 0, 1
NO_LIMITS = {
    "VEZA_BCRYPT_COST": "4",
    "VEZA_MESSAGE_RATE_PER_10S": "10000000",
    "VEZA_MESSAGE_BURST": "10000000",
    "VEZA_WS_FRAMES_PER_5S": "10000000",
    "VEZA_CONNECTIONS_PER_USER": "100000",
    "VEZA_ROOMS_PER_HOUR": "100000",
}


class Server:
    """A process that says its address in a line of its own, at the end of it, and what it costs."""

    def __init__(self, command: list[str], environ: dict[str, str], ready: str) -> None:
        self.command = command
        self.environ = environ
        self.ready = ready
        self.address = ""

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            env=os.environ | self.environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.decode().startswith(self.ready):
                self.address = line.decode().split()[-1]
                break
        else:
            raise RuntimeError(f"{self.command} did not start")
        pin(self.process.pid, SERVER_CORE)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        await self.process.wait()

    def cpu_seconds(self) -> float:
        """User and system time of the process itself, without PostgreSQL.

        By the scheduler's nanoseconds: /proc/PID/stat samples at ticks, and so does a load by the clock.
        """
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((each / "schedstat").read_text().split()[0]) for each in threads) / 1e9

    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) * 1024


def pin(pid: int, core: int) -> None:
    """Keep all threads of a process on one core, where there is more than one."""
    if (os.cpu_count() or 1) > 1:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def veza(data: Path) -> Server:
    """A node on an empty data folder, its limits of rate out of the way."""
    command = [sys.executable, "-m", "veza.gateway.cli", "serve", "--port", "0"]
    return Server([*command, "--data", str(data)], NO_LIMITS, "Veza is ready")


def plain_aiohttp() -> Server:
    """`await ws.send_str` for each member, as most would write it."""
    return Server([sys.executable, str(HERE / "chat_aiohttp.py")], {}, "ready")


def node_ws(folder: Path) -> Server | None:
    """The same on Node's `ws`, which is installed into the folder; None without node and npm."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run([*install, "--prefix", str(folder), "ws@8"], check=True)
    shutil.copy(HERE / "chat_ws.mjs", folder)
    return Server(["node", str(folder / "chat_ws.mjs")], {}, "ready")


def scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="veza-bench-")
