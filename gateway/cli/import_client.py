"""Somebody's account on a server, for uploads: waits out restarts, busy moments and the end of a token."""

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from io import BufferedReader
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import aiohttp

from veza.gateway import tus_headers as tus
from veza.gateway.cli.client import Json, reason_of, refusal
from veza.gateway.cli.outcome import CommandError, RefusalError, UnreachableError

API: Final = "/api/v1"
PIECE_BYTES: Final = 1024 * 1024
SILENCE_SECONDS: Final = 90.0
"""A connection that carries nothing for so long is lost. With the last byte the server hashes a file."""
GIVE_UP_SECONDS: Final = 300.0
"""A server that says nothing for so long does not restart, it is gone."""
WAITS_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
CHANGED: Final = "it was changed while it was sent"
GONE: Final = frozenset({"not_found", "upload_expired"})
LASTING: Final = frozenset({"storage_full"})
"""Marked as retryable, but not by waiting a little."""

T = TypeVar("T")
Sent = Callable[[int], None]
"""Is told how many bytes of a file are on their way or there."""


class PassingError(Exception):
    """It may do well later, after so many seconds if the server said when."""

    def __init__(self, reason: str, wait_seconds: float | None = None, *, is_silence: bool) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds
        self.is_silence = is_silence


class ChangedError(OSError):
    """The file is no longer what it was when it was examined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A success."""

    headers: Mapping[str, str]
    body: Json


class Account:
    """Speaks as somebody to one server. `waits` is told why nothing moves at the moment."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        waits: Callable[[str], None],
        *,
        give_up_seconds: float = GIVE_UP_SECONDS,
    ) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._waits = waits
        self._give_up_seconds = give_up_seconds
        self._tokens: Json = {}
        self._heard_at = time.monotonic()

    async def sign_in(self, login: str, password: str) -> None:
        """Begin a session. Raises `RefusalError`, `UnreachableError`."""
        body = {"login": login, "password": password}
        self._tokens = (await self.call("POST", "/auth/login", json=body)).body

    async def sign_out(self) -> None:
        """End the session; it ends by itself if the server is away."""
        try:
            await self._once("POST", f"{API}/auth/logout")
        except (PassingError, CommandError):
            return

    async def call(self, method: str, path: str, **options: Any) -> Answer:
        """Ask until there is an answer. Raises `RefusalError`, `UnreachableError`."""
        return await self.patiently(lambda: self._once(method, API + path, **options))

    async def patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until it does well, or is refused for good, or nobody has answered for too long."""
        failures = 0
        while True:
            try:
                return await attempt()
            except PassingError as error:
                silence_seconds = time.monotonic() - self._heard_at
                if error.is_silence and silence_seconds > self._give_up_seconds:
                    raise UnreachableError(f"{self._url}: {error}") from error
                wait = error.wait_seconds
                if wait is None:
                    wait = WAITS_SECONDS[min(failures, len(WAITS_SECONDS) - 1)]
                failures += 1
                self._waits(f"{error}; going on in {wait:.0f} s")
                await asyncio.sleep(wait)

    async def _once(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Answer:
        token = self._tokens.get("access_token")
        signed = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with self._session.request(
                method, self._url + path, headers={**signed, **(headers or {})}, **options
            ) as answer:
                content = await answer.read()
                body = await answer.json(content_type=None) if content else {}
        except ValueError:
            body = {}  # a proxy's page; its status tells enough
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise PassingError(f"no answer: {reason_of(error)}", is_silence=True) from error
        self._heard_at = time.monotonic()
        if answer.status == HTTPStatus.UNAUTHORIZED and token and path != f"{API}/auth/refresh":
            await self._refresh()
            raise PassingError("the session goes on", 0.0, is_silence=False)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise _failure(answer.status, body)
        return Answer(headers=answer.headers, body=body)

    async def _refresh(self) -> None:
        """Trade the refresh token for new ones."""
        body = {"refresh_token": self._tokens["refresh_token"]}
        self._tokens = (await self._once("POST", f"{API}/auth/refresh", json=body)).body

    # --- uploads ---

    async def begin(self, size_bytes: int, metadata: Mapping[str, str]) -> str:
        """Begin an upload; return its address."""
        told = {
            tus.LENGTH.name: str(size_bytes),
            tus.METADATA.name: ",".join(f"{name} {encoded(metadata[name])}" for name in metadata),
        }
        answer = await self.call("POST", "/uploads", headers={**_VERSION, **told})
        return urlsplit(answer.headers["Location"]).path

    async def arrived(self, location: str) -> int | None:
        """Return how many bytes of an upload the server has; None if it knows of no such upload."""
        try:
            answer = await self.call("GET", location.removeprefix(API), headers=_VERSION)
        except RefusalError as error:
            if error.problem in GONE:
                return None
            raise
        return int(answer.headers[tus.OFFSET.name])

    async def outcome(self, location: str) -> Json:
        """Return what became of an upload that is whole."""

        async def ask() -> Json:
            body = (await self._once("GET", location)).body
            if body["track"] is None:
                raise PassingError("the server makes the track", is_silence=False)
            return body

        return await self.patiently(ask)

    async def send(self, location: str, file: BufferedReader, size_bytes: int, sent: Sent) -> None:
        """Send what is missing of a file; after each break, on from where the server is."""

        async def attempt() -> None:
            offset = await self.arrived(location)
            if offset is None:
                raise RefusalError("upload_expired", "The upload has expired")
            sent(offset)
            if offset == size_bytes:
                return
            if os.fstat(file.fileno()).st_size != size_bytes:
                raise ChangedError(0, CHANGED)
            headers = {
                tus.OFFSET.name: str(offset),
                "Content-Type": tus.CONTENT_TYPE,
                "Content-Length": str(size_bytes - offset),
            }
            body = _pieces(file, offset, sent)
            await self._once("PATCH", location, headers={**_VERSION, **headers}, data=body)

        await self.patiently(attempt)

    async def forget(self, location: str) -> None:
        """Have the server forget an upload."""
        await self.call("DELETE", location.removeprefix(API), headers=_VERSION)


_VERSION: Final = {tus.RESUMABLE.name: tus.VERSION}


def _failure(status: int, body: Json) -> Exception:
    """Tell what passes from what is refused to one file, and from what ends it all: nobody is signed in."""
    wait_ms = body.get("retry_after_ms")
    code = str(body.get("code", ""))
    is_passing = body.get("retryable") or status in _PASSING_STATUS or code == "upload_offset"
    if is_passing and code not in LASTING:
        detail = str(body.get("title") or f"status {status}")
        wait = None if wait_ms is None else wait_ms / 1000
        return PassingError(detail, wait, is_silence=False)
    words = str(refusal(body or {"detail": f"The server answered {status}"}))
    return CommandError(words) if status == HTTPStatus.UNAUTHORIZED else RefusalError(code, words)


_PASSING_STATUS: Final = frozenset({502, 503, 504})


async def _pieces(file: BufferedReader, offset: int, sent: Sent) -> AsyncIterator[bytes]:
    """Yield a file's bytes from there on."""
    await asyncio.to_thread(file.seek, offset)
    while data := await asyncio.to_thread(file.read, PIECE_BYTES):
        yield data
        offset += len(data)
        sent(offset)


def encoded(text: str) -> str:
    """Return a value of `Upload-Metadata`."""
    return base64.b64encode(text.encode()).decode()
