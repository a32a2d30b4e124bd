"""The tester's way to a node's operators' socket: figures, the tree, and killing an actor for a fault."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from veza.gateway.cli.client import NodeClient, actor_address, connected
from veza.gateway.cli.names import everyone
from veza.gateway.cli.options import node_socket
from veza.gateway.cli.outcome import CommandError
from veza.gateway.load.targets import TargetError, matches

ANSWER_SECONDS: Final = 5.0
TOP: Final = 3
FIGURES: Final = {
    "loop_lag_ms": "loop_lag_ms",
    "actors": "actors",
    "messages": "messages",
    "restarts": "restarts",
    "database": "database_connections",
    "rss_bytes": "rss_bytes",
}
"""What a sample takes of a node's own figures, by the name it has there."""


class OpsSocket:
    """One node's socket. Each call raises `TargetError` if the node does not answer or refuses."""

    def __init__(self, client: NodeClient) -> None:
        self._client = client

    async def tree(self) -> list[dict[str, Any]]:
        """Return all actors, flat."""
        with told_as_target_error():
            return list(everyone((await self._client.get("tree", children=200))["root"]))

    async def kill(self, pattern: str) -> str | None:
        """Kill the busiest actor whose path ends like this; return its path."""
        found = [each for each in await self.tree() if matches(each["path"], pattern)]
        if not found:
            return None
        path: str = max(found, key=lambda each: each["messages"])["path"]
        body = {"reason": "a fault of a load test"}
        with told_as_target_error():
            await self._client.post(f"{actor_address(path)}/kill", body)
        return path

    async def figures(self) -> dict[str, Any]:
        """Return the node's own figures, and its fullest mailboxes."""
        with told_as_target_error():
            node = (await self._client.get("nodes"))["data"][0]
        waiting = sorted(await self.tree(), key=lambda each: -int(each["mailbox"]))[:TOP]
        return {
            **{name: node[theirs] for name, theirs in FIGURES.items() if theirs in node},
            "mailboxes": [
                {"path": each["path"], "depth": each["mailbox"], "age_ms": each["head_age_ms"]}
                for each in waiting
                if each["mailbox"]
            ],
        }


@asynccontextmanager
async def opened_socket(data: Path) -> AsyncIterator[OpsSocket]:
    """Lend the socket of the node on this data."""
    async with connected(node_socket(data), ANSWER_SECONDS) as client:
        yield OpsSocket(client)


@contextmanager
def told_as_target_error() -> Iterator[None]:
    """Turn what a command would end with into what a target does."""
    try:
        yield
    except CommandError as error:
        raise TargetError(f"the operators' socket: {error}") from error
