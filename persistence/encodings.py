"""Which encoding of a track a job makes, and which tracks are to be encoded anew, in SQL."""

from typing import Final
from uuid import UUID

from veza.config.ids import uuid7
from veza.persistence.jobs import insert_job
from veza.persistence.pool import Connection, fetch_one

REENCODING_PRIORITY: Final = -10
"""Whoever uploads goes first: what is encoded anew plays already."""

# Another recipe than that of what is stored does not go on with it.
_BEGIN = """
    UPDATE jobs SET recipe = $2,
        generation = generation + (recipe IS NOT NULL AND recipe <> $2)::integer
    WHERE id = $1 RETURNING generation
"""

_LOCK_PUBLISHED = """
    SELECT t.id, t.owner_id,
        (SELECT max(j.generation) + 1 FROM jobs j WHERE j.track_id = t.id) AS generation
    FROM tracks t
    WHERE t.state = 'published' AND t.id > $1 AND ($2::uuid IS NULL OR t.id = $2)
        AND ($4::text IS NULL OR t.recipe IS DISTINCT FROM $4)
        AND NOT EXISTS (
            SELECT FROM jobs j WHERE j.track_id = t.id AND j.type = 'transcode'
                AND j.state NOT IN ('published', 'failed', 'cancelled')
        )
    ORDER BY t.id LIMIT $3
    FOR UPDATE OF t SKIP LOCKED
"""

BEFORE_ALL: Final = UUID(int=0)

_COUNT_PUBLISHED = """
    SELECT count(*) AS published, count(*) FILTER (WHERE recipe IS DISTINCT FROM $1) AS outdated
    FROM tracks WHERE state = 'published'
"""


async def begin_encoding(conn: Connection, job_id: UUID, recipe: str) -> int:
    """Say by what a held job encodes; return the generation of what it makes.

    A job that goes on by another recipe than it began with starts over, as a generation of its own.
    """
    return int((await fetch_one(conn, _BEGIN, job_id, recipe))["generation"])


async def count_outdated(conn: Connection, recipe: str) -> tuple[int, int]:
    """Return how many tracks are published, and how many of them were made by another recipe."""
    row = await fetch_one(conn, _COUNT_PUBLISHED, recipe)
    return row["published"], row["outdated"]


async def queue_reencodings(
    conn: Connection,
    *,
    limit: int,
    after: UUID = BEFORE_ALL,
    track_id: UUID | None = None,
    other_than: str | None = None,
) -> tuple[UUID, ...]:
    """Queue published tracks to be encoded anew: the first `limit` behind one, by id. Returns which.

    One track, or all; with `other_than` only those that were made by another recipe. Tracks that have a job
    at work are left out.
    """
    async with conn.transaction():
        tracks = await conn.fetch(_LOCK_PUBLISHED, after, track_id, limit, other_than)
        for track in tracks:
            await insert_job(
                conn,
                job_id=uuid7(),
                owner_id=track["owner_id"],
                track_id=track["id"],
                priority=REENCODING_PRIORITY,
                generation=track["generation"],
            )
    return tuple(track["id"] for track in tracks)
