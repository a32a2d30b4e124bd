"""What users chose to be seen as and when they were seen the last time, in SQL."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from veza.persistence.pool import Connection

_LOAD = """
    SELECT user_id, choice, chosen_at, last_seen_at FROM user_presence WHERE user_id = ANY($1::uuid[])
"""

# Rows are locked in order; what is newer stays, whichever node comes last. Nothing is kept of who is gone.
_STORE = """
    INSERT INTO user_presence AS p (user_id, choice, chosen_at, last_seen_at)
    SELECT u.id, coalesce(w.choice, 'online'), coalesce(w.chosen_at, 'epoch'), w.last_seen_at
    FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[])
        AS w (user_id, choice, chosen_at, last_seen_at)
    JOIN users u ON u.id = w.user_id ORDER BY u.id
    ON CONFLICT (user_id) DO UPDATE SET
        choice = CASE WHEN excluded.chosen_at >= p.chosen_at THEN excluded.choice ELSE p.choice END,
        chosen_at = greatest(p.chosen_at, excluded.chosen_at),
        last_seen_at = greatest(p.last_seen_at, excluded.last_seen_at)
"""

_SHARE_A_ROOM = """
    SELECT EXISTS (
        SELECT FROM room_members a JOIN room_members b ON b.room_id = a.room_id
        WHERE a.user_id = $1 AND b.user_id = $2
    ) AND NOT EXISTS (
        SELECT FROM user_blocks
        WHERE (user_id, blocked_id) IN (($1::uuid, $2::uuid), ($2::uuid, $1::uuid))
    )
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPresence:
    """What is kept of a user. Without `chosen_at` nothing was chosen."""

    user_id: UUID
    choice: str | None = None
    chosen_at: datetime | None = None
    last_seen_at: datetime | None = None


async def load_presences(conn: Connection, user_ids: Sequence[UUID]) -> dict[UUID, StoredPresence]:
    """Return what is stored of users, by id; nothing of those who were never seen."""
    rows = await conn.fetch(_LOAD, list(user_ids))
    return {row["user_id"]: StoredPresence(**dict(row)) for row in rows}


async def store_presences(conn: Connection, presences: Iterable[StoredPresence]) -> None:
    """Keep what is newer than what is stored; one row a user."""
    rows = [(p.user_id, p.choice, p.chosen_at, p.last_seen_at) for p in presences]
    if rows:
        await conn.execute(_STORE, *(list(column) for column in zip(*rows, strict=True)))


async def share_a_room(conn: Connection, one: UUID, other: UUID) -> bool:
    """Tell whether two users are members of one room, and neither blocks the other."""
    return bool(await conn.fetchval(_SHARE_A_ROOM, one, other))
