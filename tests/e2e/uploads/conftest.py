"""A client of tus, and nodes that take small uploads only, so that their limits are met soon."""

import asyncio
import base64
import hashlib
import io
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

VERSION = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"
MIB = 1024 * 1024
SETTINGS = {
    "VEZA_TRACKS_PER_10_MIN": "100000",
    "VEZA_MAX_UPLOAD_BYTES": str(64 * MIB),
    "VEZA_USER_QUOTA_BYTES": str(256 * MIB),
    "VEZA_UNFINISHED_UPLOADS": "5",
}
ANSWER_SECONDS = 30
PAUSE_SECONDS = 0.01

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Tus:
    """A client of the protocol and of nothing else: what it knows, it was told by headers."""

    person: Any
    location: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str = "", *, status: int, **more: Any) -> Any:
        """One request that must be answered so; returns the body."""
        there, body = await self.send(method, path, **more)
        assert there == status, (there, body)
        return body

    async def send(
        self, method: str, path: str = "", *, data: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """One request; the headers of its answer are kept, its status and body are returned."""
        if data is not None:
            headers.setdefault("Content_Type", BYTES)
        if isinstance(data, bytes):
            data = io.BytesIO(data)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.person.request(
            method, path or self.location, data=data, headers={**VERSION, **named}
        ) as answer:
            assert answer.headers["Tus-Resumable"] == "1.0.0"
            self.headers = dict(answer.headers)
            is_json = answer.content_type.endswith("json")
            return answer.status, await answer.json() if is_json else await answer.text()

    async def create(self, length: int | None, *, data: bytes | None = None, **more: str) -> Self:
        size = {"Upload_Defer_Length": "1"} if length is None else {"Upload_Length": str(length)}
        await self.ask("POST", "/uploads", status=201, data=data, **size, **more)
        self.location = self.headers["Location"]
        return self

    async def patch(self, offset: int, data: Any, status: int = 204, **more: str) -> Any:
        return await self.ask(
            "PATCH", status=status, data=data, **{"Upload_Offset": str(offset), **more}
        )

    async def offset(self) -> int:
        await self.ask("HEAD", status=200)
        assert self.headers["Cache-Control"] == "no-store"
        return int(self.headers["Upload-Offset"])

    async def upload(self, data: bytes, step: int = 8 * MIB) -> None:
        """Go on from wherever the server is until everything is there."""
        at = await self.offset()
        while at < len(data):
            await self.patch(at, data[at : at + step])
            at = int(self.headers["Upload-Offset"])

    async def told(self) -> dict[str, Any]:
        """What the resource is for whoever speaks no tus."""
        told: dict[str, Any] = await self.ask("GET", status=200)
        return told

    @staticmethod
    def checksum(data: bytes, algorithm: str = "sha1") -> dict[str, str]:
        digest = base64.b64encode(hashlib.new(algorithm, data).digest()).decode()
        return {"Upload_Checksum": f"{algorithm} {digest}"}

    async def reached(self, at: int) -> int:
        """Wait until the server has so many bytes; return how many it has."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while (there := await self.offset()) < at:
                await asyncio.sleep(PAUSE_SECONDS)
        return there

    async def halfway(self, data: bytes, at: int) -> Connection:
        """Send a request whose body stops halfway; return its connection, still open."""
        return await self.begun(f"Content-Length: {len(data)}", data[:at])

    async def begun(self, length: str, first: bytes) -> Connection:
        """Send the head of a request by hand, and the first bytes of its body."""
        host, port = self.person.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = [
            f"PATCH {self.location} HTTP/1.1",
            f"Host: {host}:{port}",
            f"Authorization: Bearer {self.person.token}",
            "Tus-Resumable: 1.0.0",
            f"Content-Type: {BYTES}",
            length,
            "Upload-Offset: 0",
        ]
        writer.write("\r\n".join([*head, "", ""]).encode() + first)
        await writer.drain()
        return reader, writer

    def again(self) -> "Tus":
        """The same person at another client; it knows of the upload."""
        return Tus(self.person, self.location)


@pytest.fixture(scope="session")
def node(new_node: Callable[..., Any]) -> Iterator[Any]:
    node = new_node(**SETTINGS).start()
    yield node
    node.stop()


@pytest.fixture(scope="session")
def doomed(new_node: Callable[..., Any]) -> Iterator[Any]:
    """A node that tests end and start again; each leaves it running."""
    node = new_node(**SETTINGS, VEZA_DRAIN_TIMEOUT_SECONDS="2").start()
    yield node
    node.stop()


@pytest.fixture
def client_at(person: Callable[..., Any]) -> Callable[[Any], Awaitable[Tus]]:
    """Make clients of people with a new account on a node."""

    async def make(node: Any) -> Tus:
        return Tus(await (await person(node)).register())

    return make


@pytest.fixture
async def client(node: Any, client_at: Callable[[Any], Awaitable[Tus]]) -> Tus:
    return await client_at(node)


@pytest.fixture
def sources() -> Callable[[Any], dict[str, bytes]]:
    """Give what was uploaded to a node, by track, as it is on disk."""

    def read(node: Any) -> dict[str, bytes]:
        folder = node.data / "media" / "sources"
        return (
            {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}
        )

    return read
