"""What operators see of the job queue in SQL."""

from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.jobs import JOB, job_of
from veza.persistence.pool import Connection
from veza.persistence.rows import Author, JobState, QueuedJob

# Two statements: the primary key orders all states, `jobs_state_idx` one, whatever plan is kept.
_LIST = f"""
    SELECT {JOB}, j.priority, j.attempts, j.max_attempts, j.run_at, j.leased_by, j.lease_until,
        j.cancel_requested, u.username, coalesce(
            (SELECT t.title FROM tracks t WHERE t.id = j.track_id),
            (SELECT a.filename FROM attachments a WHERE a.id = j.attachment_id)
        ) AS title
    FROM jobs j JOIN users u ON u.id = j.owner_id
    WHERE j.id < $2 AND {{of_state}} ORDER BY j.id DESC LIMIT $1
"""
_LIST_ALL = _LIST.format(of_state="true")
_LIST_STATE = _LIST.format(of_state="j.state = $3")
_PAST_ALL_IDS: Final = UUID(int=2**128 - 1)


async def list_jobs(
    conn: Connection, *, state: JobState | None, before: UUID | None, limit: int
) -> tuple[QueuedJob, ...]:
    """Return jobs of a state, or of all, newest first: those made before one."""
    start = before or _PAST_ALL_IDS
    if state is None:
        rows = await conn.fetch(_LIST_ALL, limit, start)
    else:
        rows = await conn.fetch(_LIST_STATE, limit, start, state)
    return tuple(_queued(row) for row in rows)


def _queued(row: asyncpg.Record) -> QueuedJob:
    return QueuedJob(
        job=job_of(row),
        owner=Author(id=row["owner_id"], name=row["username"]),
        title=row["title"],
        priority=row["priority"],
        attempts=row["attempts"],
        max_attempts=row["max_attempts"],
        run_at=row["run_at"],
        leased_by=row["leased_by"],
        lease_until=row["lease_until"],
        is_cancel_requested=row["cancel_requested"],
    )
