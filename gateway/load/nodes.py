"""Nodes of the tester's own: limits raised, on loopback, with data that goes when they go."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import veza.gateway
from veza.config.settings import PREFIX, Settings
from veza.gateway.load.scenario import Scenario
from veza.gateway.load.targets import TargetError

READY: Final = "Veza is ready"
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 40.0
SERVE: Final = "import sys; from veza.gateway.cli import main; sys.argv[0] = 'veza'; main()"
RAISED: Final[dict[str, Any]] = {
    "bcrypt_cost": 4,
    "message_rate_per_10s": 1_000_000,
    "message_burst": 1_000_000,
    "connections_per_user": 100,
    "rooms_per_hour": 1_000_000,
    "reactions_per_min": 1_000_000,
    "tracks_per_10_min": 1_000_000,
    "log_level": "error",
    "log_format": "json",
    "drain_timeout_seconds": 10.0,
}
"""What own nodes are started with: the load is meant to meet the code, not its politeness."""
KEPT_VARIABLES: Final = frozenset({"VEZA_PG_BIN"})


@dataclass(frozen=True, slots=True)
class OwnNode:
    """A node in a process of its own."""

    url: str
    pid: int
    data: Path


def own_settings(scenario: Scenario, data: Path) -> Settings:
    """Return the settings of an own node; nothing of the caller's environment reaches it."""
    values = {**RAISED, **scenario.settings, "data": data, "host": "127.0.0.1", "port": 0}
    return Settings(_env_prefix="VEZA_LOAD_NOTHING_", **values)  # type: ignore[call-arg]  # pydantic-settings takes it


@contextmanager
def data_folder(given: Path | None) -> Iterator[Path]:
    """Lend the given folder, or a temporary one that is removed afterwards."""
    if given is not None:
        given.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield given
        return
    with TemporaryDirectory(prefix="veza-load-") as folder:
        # Root lends PostgreSQL another account, which must get through.
        Path(folder).chmod(0o711)
        yield Path(folder)


@asynccontextmanager
async def own_node(settings: Settings) -> AsyncIterator[OwnNode]:
    """Start `veza serve` and lend it once it is ready; end it and what it started afterwards."""
    log = settings.data / "load-node.log"
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SERVE, "serve"),
            env=variables(settings),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            # Ctrl+C on the terminal is for the tester, which then stops the node itself.
            start_new_session=True,
        )
    try:
        url = await address(process, log)
        yield OwnNode(url, process.pid, settings.data)
    finally:
        await stop(process)


def variables(settings: Settings) -> dict[str, str]:
    """Return a node's environment: ours without its settings, then those of this node."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(PREFIX) or name in KEPT_VARIABLES
    }
    dumped = settings.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    given = {f"{PREFIX}{name.upper()}": as_text(value) for name, value in dumped.items()}
    return {**inherited, **import_path(), **given}


def as_text(value: Any) -> str:
    """Write a setting as its variable has it."""
    return value if isinstance(value, str) else json.dumps(value)


def import_path() -> dict[str, str]:
    """Let a child find `veza` where this process found it: a bare checkout is not installed."""
    root = Path(str(veza.gateway.__file__)).parents[2]
    if not (root / "veza").exists():
        return {}
    before = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(root), *([before] if before else [])])}


async def address(process: asyncio.subprocess.Process, log: Path) -> str:
    """Wait for the line that says where the node is. Raises `TargetError`."""
    if process.stdout is None:
        raise TargetError("the node's output cannot be read")
    try:
        async with asyncio.timeout(START_SECONDS):
            async for line in process.stdout:
                if line.decode().startswith(READY):
                    return line.decode().split()[-1]
    except TimeoutError as error:
        raise TargetError(f"the node was not ready after {START_SECONDS:.0f} s") from error
    said = await asyncio.to_thread(log.read_text, "utf-8", "replace")
    raise TargetError(f"the node did not start: {said[-2000:]}")


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ask a node to end, and end it if it does not."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
