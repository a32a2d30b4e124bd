"""A client of the REST interface for many users at once, and how its failures are named."""

import asyncio
from http import HTTPStatus
from ipaddress import IPv4Address, ip_address
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
import orjson

from veza.gateway.load.targets import TargetError, UnreachableError

USERS_PER_ADDRESS: Final = 100
"""A node takes 120 sign-ups a minute from one address; this machine has 16 million of its own."""
FIRST_LOCAL_ADDRESS: Final = IPv4Address("127.0.0.2")
ATTEMPTS: Final = 30


class ApiError(TargetError):
    """A request failed; the text is the problem's code, or says what happened to the connection."""

    def __init__(self, code: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class ApiClient:
    """Requests as users. A user has a token once it is signed in.

    Args:
        url: scheme, host and port.
        users: how many there will be; they come from several addresses where the target is this machine.
        connections: how many connections there may be in all.

    """

    def __init__(self, url: str, *, users: int, connections: int, timeout_seconds: float) -> None:
        self.url = url
        self.tokens: dict[int, str] = {}
        self._pools = 1 + (users - 1) // USERS_PER_ADDRESS
        self._connections = max(1, connections // self._pools)
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._sessions: list[aiohttp.ClientSession] = []

    async def __aenter__(self) -> Self:
        for number in range(self._pools):
            connector = aiohttp.TCPConnector(
                limit=0, local_addr=local_address(self.url, number), force_close=False
            )
            session = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, trace_configs=[staying()]
            )
            self._sessions.append(session)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for session in self._sessions:
            await session.close()

    def session(self, user: int) -> aiohttp.ClientSession:
        """Return the HTTP session that a user's requests go through."""
        return self._sessions[user // USERS_PER_ADDRESS % self._pools]

    async def call(
        self,
        method: str,
        path: str,
        user: int | None = None,
        *,
        body: Any = None,
        form: aiohttp.FormData | None = None,
    ) -> Any:
        """Return a JSON answer; raises `ApiError`. A redirect is a failure, by its status."""
        headers = (
            {} if user not in self.tokens else {"Authorization": f"Bearer {self.tokens[user]}"}
        )
        data = form if form is not None else body and orjson.dumps(body)
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self.session(user or 0).request(
                method, f"{self.url}{path}", data=data, headers=headers, allow_redirects=False
            ) as answer:
                raw = await answer.read()
                if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                    raise problem(answer, raw)
                return orjson.loads(raw) if raw else None
        except TimeoutError as error:
            raise ApiError("timed_out") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ApiError("connection_lost") from error

    async def patient(self, method: str, path: str, user: int, body: Any) -> Any:
        """Ask again when told to slow down: for what is made before a run."""
        for _ in range(ATTEMPTS):
            try:
                return await self.call(method, path, user, body=body)
            except ApiError as error:
                if error.code != "rate_limited":
                    raise
                await asyncio.sleep(max(0.1, error.retry_after_seconds))
        raise TargetError(f"{method} {path}: rate limited for too long")

    async def check(self) -> None:
        """Raise `UnreachableError` unless a node answers."""
        try:
            await self.call("GET", "/version")
        except ApiError as error:
            raise UnreachableError(f"no node answers at {self.url}: {error}") from error


def staying() -> aiohttp.TraceConfig:
    """Return what refuses redirects, which may lead elsewhere: `ws_connect` has no option for that."""

    async def refuse(*_: object) -> None:
        raise aiohttp.ClientConnectionError("a redirect is not followed")

    config = aiohttp.TraceConfig()
    config.on_request_redirect.append(refuse)
    return config


def problem(answer: aiohttp.ClientResponse, raw: bytes) -> ApiError:
    """Name a refusal by its problem code, or by its status."""
    wait = answer.headers.get("Retry-After", "0")
    try:
        code = str(orjson.loads(raw)["code"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        code = f"status_{answer.status}"
    return ApiError(code, float(wait) if wait.isdigit() else 0.0)


def local_address(url: str, number: int) -> tuple[str, int] | None:
    """Return where the requests of a hundred users come from; None leaves it to the system."""
    try:
        host = ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return None
    if not (isinstance(host, IPv4Address) and host.is_loopback):
        return None
    return (str(FIRST_LOCAL_ADDRESS + number), 0)
