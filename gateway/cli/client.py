"""The node behind its unix socket: asks, and says in words why there is no answer."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import aiohttp
from yarl import URL

from veza.gateway.cli.outcome import CommandError, RefusalError, UnreachableError, UsageError

ANSWER_SECONDS: Final = 10.0
PAGE_ENTRIES: Final = 100

Json: TypeAlias = dict[str, Any]
"""An object as the node tells it: what is not shown is handed on as it came."""


class NodeClient:
    """Speaks to one node. Each call raises `UnreachableError`, or what the node refused it with."""

    def __init__(self, session: aiohttp.ClientSession, socket: Path) -> None:
        self._session = session
        self._socket = socket

    async def get(self, path: str, **query: str | int) -> Json:
        """Ask for what is at an address."""
        return await self._ask("GET", path, query=query)

    async def post(self, path: str, body: Mapping[str, object]) -> Json:
        """Have something done."""
        return await self._ask("POST", path, body=body)

    async def entries(self, path: str, limit: int) -> list[Json]:
        """Read a list, page by page, up to so many entries."""
        found: list[Json] = []
        query: dict[str, str | int] = {}
        while len(found) < limit:
            page = await self.get(path, limit=min(PAGE_ENTRIES, limit - len(found)), **query)
            found += page["data"]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        return found[:limit]

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Json:
        url = URL(f"http://node/ops/{path}", encoded=True)
        try:
            async with self._session.request(method, url, params=query, json=body) as answer:
                content = await answer.json(content_type=None)
                status = answer.status
        except TimeoutError as error:
            raise UnreachableError(
                f"The node on {self._socket} does not answer within {ANSWER_SECONDS:.0f} s"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(
                f"No node answers on {self._socket}: {reason_of(error)}"
            ) from error
        except ValueError as error:
            raise RefusalError("unreadable", f"The node answers no JSON to /ops/{path}") from error
        if status >= HTTPStatus.BAD_REQUEST:
            raise refusal(content)
        return dict(content)


def refusal(problem: Json) -> CommandError:
    """Turn a problem (RFC 9457) into what is said of it; with the fields that are wrong, if told."""
    detail = str(problem.get("detail") or problem.get("title") or "The node refused")
    fields = [
        f"  {field.get('pointer', '')}: {field.get('detail', '')}"
        for field in problem.get("errors") or ()
    ]
    if fields:
        return UsageError("\n".join([detail, *fields]))
    return RefusalError(str(problem.get("code", "")), detail)


def reason_of(error: Exception) -> str:
    """Say why a connection failed, without the library's words around it."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def actor_address(path: str) -> str:
    """Return the address of an actor, below /ops/."""
    return f"actors/{quote(path.lstrip('/'))}"


@asynccontextmanager
async def connected(
    socket: Path, timeout_seconds: float = ANSWER_SECONDS
) -> AsyncIterator[NodeClient]:
    """Lend a client of the node on this socket; that there is one shows at the first question."""
    connector = aiohttp.UnixConnector(str(socket))
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield NodeClient(session, socket)
