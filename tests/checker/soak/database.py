"""The rooms' logs as PostgreSQL has them, read past the node."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import asyncpg
from soak.records import Head, Pointer, Record, Row
from soak.world import Node

CONNECT_SECONDS: Final = 5.0
AWAY: Final = (OSError, IndexError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What reading is refused with while the server is down."""

_ROWS: Final = "SELECT * FROM room_events WHERE room_id = ANY($1::uuid[]) ORDER BY room_id, seq"
_HEADS: Final = "SELECT room_id, seq FROM room_heads WHERE room_id = ANY($1::uuid[])"
_POINTERS: Final = (
    "SELECT room_id, user_id, read_seq FROM room_members WHERE room_id = ANY($1::uuid[])"
)


@asynccontextmanager
async def reading(node: Node) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(node.database_url(), timeout=CONNECT_SECONDS)
    try:
        yield connection
    finally:
        async with asyncio.timeout(CONNECT_SECONDS):
            await connection.close()


async def answers(node: Node) -> bool:
    """Tell whether the server takes connections."""
    try:
        async with reading(node):
            return True
    except AWAY:
        return False


async def heads(node: Node, rooms: Sequence[str]) -> dict[str, int]:
    """Return how far the rooms have come."""
    async with reading(node) as connection:
        rows = await connection.fetch(_HEADS, [UUID(room) for room in rooms])
    return {str(row["room_id"]): row["seq"] for row in rows}


async def read_logs(node: Node, rooms: Sequence[str]) -> list[Record]:
    """Return everything the judge needs of the rooms, of one moment."""
    ids = [UUID(room) for room in rooms]
    async with reading(node) as connection, connection.transaction(isolation="repeatable_read"):
        found: list[Record] = [
            Head(room=str(row["room_id"]), seq=row["seq"])
            for row in await connection.fetch(_HEADS, ids)
        ]
        found += [
            Pointer(room=str(row["room_id"]), user=str(row["user_id"]), seq=row["read_seq"])
            for row in await connection.fetch(_POINTERS, ids)
        ]
        found += [as_row(row) for row in await connection.fetch(_ROWS, ids)]
    return found


def as_row(row: asyncpg.Record) -> Row:
    message_id = row["message_id"]
    return Row(
        room=str(row["room_id"]),
        seq=row["seq"],
        kind=row["kind"],
        author=str(row["author_id"]),
        message_id=None if message_id is None else str(message_id),
        text=row["text"],
    )
