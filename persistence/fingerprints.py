"""Acoustic fingerprints of tracks in SQL: whose recordings are worth comparing with one."""

from collections.abc import Sequence
from uuid import UUID

from veza.persistence.pool import Connection

# An encoding anew gives the same recording, by the newest way to fingerprint it.
_SAVE = """
    INSERT INTO track_fingerprints (track_id, frames, keys) VALUES ($1, $2, $3)
    ON CONFLICT (track_id) DO UPDATE SET frames = excluded.frames, keys = excluded.keys
"""

# Of an owner's own tracks any, of others' those that everybody may hear.
_FIND_ALIKE = """
    SELECT f.track_id, f.frames
    FROM track_fingerprints f JOIN tracks t ON t.id = f.track_id
        JOIN tracks mine ON mine.id = $1
    WHERE f.keys && $2::integer[] AND f.track_id <> $1
        AND (t.owner_id = mine.owner_id OR t.state = 'published' AND t.visibility = 'public'
            AND (t.release_at IS NULL OR t.release_at <= now()))
        AND (t.created_at, t.id) < (mine.created_at, mine.id)
    ORDER BY (
        SELECT count(*) FROM unnest(f.keys) AS key WHERE key = ANY ($2::integer[])
    ) DESC, t.created_at, t.id LIMIT $3
"""


async def save_fingerprint(
    conn: Connection, track_id: UUID, *, frames: bytes, keys: Sequence[int]
) -> None:
    """Keep what a track's recording is known by; what was kept before is replaced."""
    await conn.execute(_SAVE, track_id, frames, list(keys))


async def find_alike(
    conn: Connection, track_id: UUID, *, probes: Sequence[int], limit: int
) -> tuple[tuple[UUID, bytes], ...]:
    """Return ids and frames of older tracks that have some of these keys, those with the most first."""
    rows = await conn.fetch(_FIND_ALIKE, track_id, list(probes), limit)
    return tuple((row["track_id"], row["frames"]) for row in rows)
