"""The PostgreSQL of a run: its process, and the rooms' logs as it has them, read past the nodes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
from soak.records import Head, Pointer, Record, Row

from veza.persistence.postgres import EmbeddedPostgres
from veza.persistence.postgres.launcher import socket_dsn
from veza.persistence.postgres.postmaster import is_postmaster, read_pid_file

CONNECT_SECONDS: Final = 5.0
AWAY: Final = (OSError, IndexError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What reading is refused with while the server is down."""
SOCKET_LINE: Final = 4
"""Where `postmaster.pid` names the folder of the socket."""

_HEADS: Final = "SELECT room_id, seq FROM room_heads WHERE room_id = ANY($1::uuid[])"
_POINTERS: Final = (
    "SELECT room_id, user_id, read_seq FROM room_members WHERE room_id = ANY($1::uuid[])"
)
_ROWS: Final = "SELECT * FROM room_events WHERE room_id = ANY($1::uuid[]) ORDER BY room_id, seq"


class Database:
    """A server in a folder. Without `server` it is a node's, which starts it again by itself."""

    def __init__(self, folder: Path, server: EmbeddedPostgres | None) -> None:
        self._folder = folder
        self._server = server

    @property
    def _cluster(self) -> Path:
        link = self._folder / "moved-to"
        return (link.readlink() if link.is_symlink() else self._folder.resolve()) / "cluster"

    def postmaster(self) -> int | None:
        """Return the server's process, if it runs."""
        pid_file = read_pid_file(self._cluster)
        if pid_file is None or not is_postmaster(pid_file.pid, self._cluster):
            return None
        return pid_file.pid

    def bring_back(self) -> None:
        """Start it again, if nobody else does."""
        if self._server is not None and not self._server.is_running:
            self._server.start()

    async def answers(self) -> bool:
        """Tell whether it takes connections."""
        try:
            async with self.reading():
                return True
        except AWAY:
            return False

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend a connection. Raises one of `AWAY`."""
        lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        if not lines[SOCKET_LINE]:
            raise ConnectionRefusedError("the server has not made its socket yet")
        url = socket_dsn(Path(lines[SOCKET_LINE]))
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
        try:
            yield connection
        finally:
            await connection.close(timeout=CONNECT_SECONDS)

    async def heads(self, rooms: Sequence[str]) -> dict[str, int]:
        """Return how far the rooms have come."""
        async with self.reading() as connection:
            rows = await connection.fetch(_HEADS, [UUID(room) for room in rooms])
        return {str(row["room_id"]): row["seq"] for row in rows}

    async def logs(self, rooms: Sequence[str]) -> list[Record]:
        """Return everything the judge needs of the rooms, of one moment."""
        ids = [UUID(room) for room in rooms]
        async with (
            self.reading() as connection,
            connection.transaction(isolation="repeatable_read"),
        ):
            heads = await connection.fetch(_HEADS, ids)
            pointers = await connection.fetch(_POINTERS, ids)
            rows = await connection.fetch(_ROWS, ids)
        return [
            *(Head(room=str(row["room_id"]), seq=row["seq"]) for row in heads),
            *(
                Pointer(room=str(row["room_id"]), user=str(row["user_id"]), seq=row["read_seq"])
                for row in pointers
            ),
            *map(as_row, rows),
        ]


def as_row(row: asyncpg.Record) -> Row:
    return Row(
        room=str(row["room_id"]),
        seq=row["seq"],
        kind=row["kind"],
        author=str(row["author_id"]),
        message_id=as_id(row["message_id"]),
        text=row["text"],
        subject=as_id(row.get("subject_id")),
    )


def as_id(value: object) -> str | None:
    return None if value is None else str(value)
