"""How far the logs of rooms go, many rooms at once."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from veza.persistence.pool import Connection

_SELECT_HEADS: Final = "SELECT room_id, seq FROM room_heads WHERE room_id = ANY($1::uuid[])"


async def read_heads(conn: Connection, room_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return the newest `seq` of each room; rooms that do not exist are left out."""
    rows = await conn.fetch(_SELECT_HEADS, list(room_ids))
    return {row["room_id"]: row["seq"] for row in rows}
