"""The tester's way to a node's operators' socket: figures, the tree, and killing an actor for a fault."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from veza.config.paths import ops_socket
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
    """One node's socket."""

    def __init__(self, data: Path) -> None:
        self.path = ops_socket(data)
        connector = aiohttp.UnixConnector(str(self.path))
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)

    async def close(self) -> None:
        """Let go of the socket."""
        await self._session.close()

    async def get(self, path: str) -> Any:
        """Ask; raises `TargetError`."""
        return await self._call("GET", path, None)

    async def tree(self) -> list[dict[str, Any]]:
        """Return all actors, flat."""
        return list(flat((await self.get("/ops/tree?children=200"))["root"]))

    async def kill(self, pattern: str) -> str | None:
        """Kill the busiest actor whose path ends like this; return its path."""
        found = [each for each in await self.tree() if matches(each["path"], pattern)]
        if not found:
            return None
        path: str = max(found, key=lambda each: each["messages"])["path"]
        body = {"reason": "a fault of a load test"}
        await self._call("POST", f"/ops/actors/{quote(path.lstrip('/'))}/kill", body)
        return path

    async def figures(self) -> dict[str, Any]:
        """Return the node's own figures, and its fullest mailboxes."""
        node = (await self.get("/ops/nodes"))["data"][0]
        waiting = sorted(await self.tree(), key=lambda each: -int(each["mailbox"]))[:TOP]
        return {
            **{name: node[theirs] for name, theirs in FIGURES.items() if theirs in node},
            "mailboxes": [
                {"path": each["path"], "depth": each["mailbox"], "age_ms": each["head_age_ms"]}
                for each in waiting
                if each["mailbox"]
            ],
        }

    async def _call(self, method: str, path: str, body: Any) -> Any:
        try:
            async with self._session.request(method, f"http://node{path}", json=body) as answer:
                if answer.status >= HTTPStatus.BAD_REQUEST:
                    raise TargetError(f"{method} {path} on the ops socket: {answer.status}")
                return await answer.json()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TargetError(f"the ops socket {self.path} does not answer: {error}") from error


def flat(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield an actor and all below it."""
    yield node
    for child in node["children"]:
        yield from flat(child)
