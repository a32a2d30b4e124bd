"""What `veza doctor` looks at, gathered once: node, sockets, database, media, encoder. Nothing is changed."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import aiohttp
import psutil

from veza.config.paths import lock_file
from veza.config.settings import Settings
from veza.gateway.cli.client import connected, reason_of
from veza.gateway.cli.node_checks import Listening, NodeSeen, Readiness, Silence
from veza.gateway.cli.options import node_socket
from veza.gateway.cli.outcome import CommandError
from veza.supervisors.doctor import (
    DatabaseSeen,
    EncoderSeen,
    MediaSeen,
    look_at_database,
    look_at_media,
    try_encoder,
)
from veza.supervisors.shared import RedisSeen, look_at_redis

ANSWER_SECONDS: Final = 5.0
LOCKS: Final = Path("/proc/locks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A node that answers, seen from outside as well."""

    settings: Settings
    node: NodeSeen
    listening: Listening
    ready: Readiness


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything valid settings lead to."""

    settings: Settings
    database: DatabaseSeen
    redis: RedisSeen
    media: MediaSeen
    encoder: EncoderSeen
    node: Running | Silence


async def examine(settings: Settings, worker: int | None = None) -> Surroundings:
    """Look at everything."""
    url = settings.redis_url
    database, redis, media, encoder, node = await asyncio.gather(
        look_at_database(settings),
        look_at_redis(url.get_secret_value() if url else None),
        look_at_media(settings),
        try_encoder(settings),
        look_at_node(settings, worker),
    )
    return Surroundings(
        settings=settings,
        database=database,
        redis=redis,
        media=media,
        encoder=encoder,
        node=node,
    )


async def look_at_node(settings: Settings, worker: int | None) -> Running | Silence:
    """Ask the node on the data folder, if there is one."""
    try:
        async with connected(node_socket(settings.data, worker), ANSWER_SECONDS) as client:
            node = NodeSeen(
                figures=(await client.get("nodes"))["data"][0],
                root=(await client.get("tree"))["root"],
                letters=await client.entries("dead-letters", 1),
                crashes=(await client.get("crashes"))["data"],
            )
    except CommandError as error:
        return Silence(why=str(error), holder_pid=holder_of(lock_file(settings.data)))
    listening = sockets_of(node.figures["pid"])
    ready = await ask_ready(addresses(listening, settings))
    return Running(settings=settings, node=node, listening=listening, ready=ready)


def holder_of(path: Path) -> int | None:
    """Return the process that has the lock on a file; taking it to see would disturb a node that starts."""
    if not path.exists() or not LOCKS.exists():
        return None
    inode = str(path.stat().st_ino)
    for line in LOCKS.read_text().splitlines():
        # "1: FLOCK  ADVISORY  WRITE 4242 fe:00:2146416 0 EOF"; one that waits has "->" behind the number
        words = line.split()
        if words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
            return int(words[4])
    return None


def sockets_of(pid: int) -> Listening:
    """Return where a process and those below it listen."""
    try:
        process = psutil.Process(pid)
        below = [each for child in process.children(recursive=True) for each in _listening(child)]
        return Listening(own=tuple(_listening(process)), below=tuple(below))
    except psutil.Error as error:
        why = type(error).__name__
        return Listening(problem=f"the sockets of process {pid} cannot be seen: {why}")


def _listening(process: psutil.Process) -> Iterator[tuple[str, int]]:
    for each in process.net_connections(kind="tcp"):
        if each.status == psutil.CONN_LISTEN:
            yield each.laddr.ip, each.laddr.port


def addresses(listening: Listening, settings: Settings) -> list[str]:
    """Return where to ask the node from this machine: where it listens, else what the settings say."""
    return [_url(host, port) for host, port in listening.own] or [
        _url(settings.host, settings.port)
    ]


def _url(host: str, port: int) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"  # noqa: PLR2004  # IPv4
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def ask_ready(candidates: Iterable[str]) -> Readiness:
    """Ask the first address whether clients may come."""
    address = next(iter(candidates))
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{address}/readyz") as answer,
        ):
            said: Any = await answer.json(content_type=None)
            return Readiness(address=address, status=answer.status, checks=said["checks"])
    except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{address}/readyz: {reason_of(error)}"
        return Readiness(address=address, problem=problem, checks={})
