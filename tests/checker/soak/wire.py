"""The way between nodes and PostgreSQL, where answers can be lost: committed, and nobody was told.

A kill of the server rarely meets the moment between a commit and its answer. Here it is met each time.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from veza.persistence.postgres.home import SOCKET_NAME
from veza.persistence.postgres.launcher import socket_dsn

CHUNK_BYTES: Final = 65_536
COMMITTED: Final = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""CommandComplete of a COMMIT (PostgreSQL documentation, 53.7)."""


class Wire:
    """Hands on everything, unless it was told to lose the next answers.

    `to_lose`: of so many commits the answer is not handed on; the connection ends instead.
    """

    def __init__(self, target: Path) -> None:
        self.to_lose = 0
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()

    async def lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Lead one connection to the server and back, until either side ends it."""
        with suppress(OSError):
            server_reader, server_writer = await asyncio.open_unix_connection(str(self._target))
            self._open |= {writer, server_writer}
            ways = [self._there(reader, server_writer), self._back(server_reader, writer)]
            tasks = [asyncio.create_task(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            server_writer.transport.abort()
            self._open -= {writer, server_writer}
        writer.transport.abort()

    def cut(self) -> int:
        """End all connections; return how many there were."""
        count = len(self._open) // 2
        for writer in self._open:
            writer.transport.abort()
        return count

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if self.to_lose and COMMITTED in chunk:
                self.to_lose -= 1
                return
            writer.write(chunk)
            await writer.drain()


@asynccontextmanager
async def wired(url: str, folder: Path) -> AsyncIterator[tuple[Wire, str]]:
    """Lend a wire to the server at a DSN of a unix socket, and the DSN that leads over it."""
    (host,) = parse_qs(urlsplit(url).query)["host"]
    folder.mkdir(mode=0o700)
    wire = Wire(Path(host) / SOCKET_NAME)
    server = await asyncio.start_unix_server(wire.lead, str(folder / SOCKET_NAME))
    try:
        yield wire, socket_dsn(folder)
    finally:
        server.close()
        wire.cut()
