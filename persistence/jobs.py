"""The durable job queue in SQL: any node may take a job, and takes over that of a node that died.

A job and its subject, a track or an attachment, change state together. Where one statement cannot do both
(finishing needs `tracks.finish_track` or `attachments.set_thumbnail`) the caller puts the two into one
transaction.

`node_id` is whoever holds the lease; a fresh id for each claim fences two pipelines of one node from
each other as well. Before a holder writes anything else about the subject it calls `hold_lease` in the same
transaction: then a job taken over cannot be written to by the node that lost it.
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.errors import JobStateError, LeaseLostError
from veza.persistence.pool import Connection, fetch_one
from veza.persistence.rows import ClaimedJob, Failure, Job, JobState, JobType

RUNNING: Final = frozenset({JobState.PROBING, JobState.ENCODING, JobState.PACKAGING})
TOO_MANY_ATTEMPTS: Final = Failure(
    code="too_many_attempts", detail="The encoder stopped unexpectedly each time it tried."
)
THUMBNAIL_ATTEMPTS: Final = 3
"""Fewer than for a track: what takes a decoder down three times would do so a fourth time."""
FIRST_BACKOFF_SECONDS: Final = 2.0
LONGEST_BACKOFF_SECONDS: Final = 300.0

JOB: Final = """
    j.id, j.type, j.state, j.progress, j.error_code, j.error_detail, j.track_id, j.attachment_id,
    j.sounds_like, j.owner_id, j.created_at, j.updated_at
"""
_IS_OPEN = "j.state NOT IN ('published', 'failed', 'cancelled')"
_IS_FREE = "(j.lease_until IS NULL OR j.lease_until < now())"

_INSERT_JOB = """
    INSERT INTO jobs (id, type, state, owner_id, track_id, priority, generation)
    VALUES ($1, 'transcode', 'queued', $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING
"""

_INSERT_THUMBNAIL_JOB = """
    INSERT INTO jobs (id, type, state, owner_id, attachment_id, max_attempts)
    VALUES ($1, 'thumbnail', 'queued', $2, $3, $4) ON CONFLICT (id) DO NOTHING
"""

_INSERT_SIDE_JOB = """
    INSERT INTO jobs (id, type, state, owner_id, track_id, format)
    VALUES ($1, $2, 'queued', $3, $4, $5) ON CONFLICT DO NOTHING
"""

_GET_JOB = f"SELECT {JOB} FROM jobs j WHERE j.id = $1"

_NEWEST_JOB_OF_TRACK = f"""
    SELECT {JOB} FROM jobs j WHERE j.track_id = $1 AND j.type = 'transcode' ORDER BY j.id DESC LIMIT 1
"""

_NEWEST_JOB_OF_ATTACHMENT = f"""
    SELECT {JOB} FROM jobs j WHERE j.attachment_id = $1 ORDER BY j.id DESC LIMIT 1
"""

# Among the most urgent: whose owner has the fewest at work, then whose owner was served longest ago.
_IS_DUE = f"{_IS_OPEN} AND j.run_at <= now() AND {_IS_FREE} AND j.type = ANY ($1::text[])"
_LOCK_DUE = f"""
    WITH waiting AS (
        SELECT DISTINCT j.owner_id FROM jobs j WHERE {_IS_DUE}
    ), held AS (
        SELECT j.owner_id, count(*) AS jobs FROM jobs j
        WHERE {_IS_OPEN} AND NOT {_IS_FREE} AND j.type = ANY ($1::text[]) GROUP BY j.owner_id
    ), shares AS (
        SELECT w.owner_id, coalesce(h.jobs, 0) AS held, (
            SELECT s.claimed_at FROM jobs s
            WHERE s.owner_id = w.owner_id AND s.claimed_at IS NOT NULL AND s.type = ANY ($1::text[])
            ORDER BY s.claimed_at DESC LIMIT 1
        ) AS served_at
        FROM waiting w LEFT JOIN held h ON h.owner_id = w.owner_id
    )
    SELECT j.id, j.attempts, j.max_attempts, j.cancel_requested
    FROM jobs j JOIN shares ON shares.owner_id = j.owner_id
    WHERE {_IS_DUE}
    ORDER BY j.priority DESC, shares.held, shares.served_at NULLS FIRST, j.run_at, j.id LIMIT 1
    FOR UPDATE OF j SKIP LOCKED
"""

_CLAIM = f"""
    UPDATE jobs j SET state = 'queued', progress = 0, attempts = j.attempts + 1, leased_by = $2,
        lease_until = now() + make_interval(secs => $3), claimed_at = now(), updated_at = now()
    FROM jobs k LEFT JOIN tracks t ON t.id = k.track_id
        LEFT JOIN attachments a ON a.id = k.attachment_id
    WHERE j.id = $1 AND k.id = j.id
    RETURNING {JOB}, j.attempts, j.lease_until, coalesce(t.source_key, a.key) AS source_key,
        coalesce(t.filename, a.filename) AS filename
"""

_RENEW_LEASE = """
    UPDATE jobs SET lease_until = now() + make_interval(secs => $3)
    WHERE id = $1 AND leased_by = $2 RETURNING cancel_requested
"""

_HOLD_LEASE = "SELECT id FROM jobs WHERE id = $1 AND leased_by = $2 FOR UPDATE"

_SET_STATE = f"""
    UPDATE jobs j SET state = $3, progress = $4, updated_at = now()
    WHERE j.id = $1 AND j.leased_by = $2 RETURNING {JOB}
"""

_PUBLISH = f"""
    UPDATE jobs j SET state = 'published', progress = 1, error_code = NULL, error_detail = NULL,
        sounds_like = $3, leased_by = NULL, lease_until = NULL, updated_at = now()
    WHERE j.id = $1 AND j.leased_by = $2 RETURNING {JOB}
"""

# 'failed' and 'cancelled' are states of tracks too; an attachment without a thumbnail is 'failed'.
# What plays is not harmed by an encoding anew that came to nothing.
_END = f"""
    WITH ended AS (
        UPDATE jobs j SET state = $3, error_code = $4, error_detail = $5,
            leased_by = NULL, lease_until = NULL, updated_at = now()
        WHERE j.id = $1 AND ($2::uuid IS NULL OR j.leased_by = $2) AND {_IS_OPEN} RETURNING *
    ), moved AS (
        UPDATE tracks SET state = $3 WHERE state <> 'published'
            AND id IN (SELECT track_id FROM ended WHERE type = 'transcode')
    ), dropped AS (
        UPDATE renditions r SET superseded_at = now()
        FROM ended e
        WHERE e.type = 'transcode' AND r.track_id = e.track_id AND r.generation = e.generation
    ), given_up AS (
        UPDATE attachments SET state = 'failed'
        WHERE state = 'processing' AND id IN (SELECT attachment_id FROM ended)
    )
    SELECT {JOB} FROM ended j
"""

_COUNT_ATTEMPTS = """
    SELECT attempts >= max_attempts FROM jobs WHERE id = $1 AND leased_by = $2 FOR UPDATE
"""

# Half of each wait is chance, so that jobs that failed together do not come back together.
_RELEASE = f"""
    UPDATE jobs j SET state = 'queued', progress = 0, error_code = $3, error_detail = $4,
        leased_by = NULL, lease_until = NULL, updated_at = now(), run_at = now() + make_interval(
            secs => least($6, $5 * 2 ^ (j.attempts - 1)) * (0.5 + random() / 2))
    WHERE j.id = $1 AND j.leased_by = $2 RETURNING {JOB}
"""

_HAND_BACK = f"""
    UPDATE jobs j SET state = 'queued', progress = 0, attempts = j.attempts - 1,
        leased_by = NULL, lease_until = NULL, updated_at = now(), run_at = now()
    WHERE j.id = $1 AND j.leased_by = $2 RETURNING {JOB}
"""

_LOCK_OPEN = f"SELECT {_IS_FREE} AS is_free FROM jobs j WHERE j.id = $1 AND {_IS_OPEN} FOR UPDATE"

_REQUEST_CANCEL = f"""
    UPDATE jobs j SET cancel_requested = true, updated_at = now() WHERE j.id = $1 RETURNING {JOB}
"""

_RETRY = f"""
    WITH queued AS (
        UPDATE jobs j SET state = 'queued', progress = 0, attempts = 0, error_code = NULL,
            error_detail = NULL, cancel_requested = false, run_at = now(), updated_at = now(),
            generation = j.generation + (j.recipe IS NOT NULL)::integer, recipe = NULL
        WHERE j.id = $1 AND j.state IN ('failed', 'cancelled') AND NOT EXISTS (
            SELECT FROM attachments a WHERE a.id = j.attachment_id AND a.state = 'expired'
        ) RETURNING *
    ), moved AS (
        UPDATE tracks SET state = 'processing' WHERE state <> 'published'
            AND id IN (SELECT track_id FROM queued WHERE type = 'transcode')
    ), taken_up AS (
        UPDATE attachments SET state = 'processing'
        WHERE id IN (SELECT attachment_id FROM queued)
    )
    SELECT {JOB} FROM queued j
"""


async def insert_job(
    conn: Connection,
    *,
    job_id: UUID,
    owner_id: UUID,
    track_id: UUID,
    priority: int = 0,
    generation: int = 0,
) -> Job:
    """Queue the transcoding of a track; the same id again returns the job there is.

    Raises `JobStateError` if the track has another job that is not finished.
    """
    try:
        async with conn.transaction():
            await conn.execute(_INSERT_JOB, job_id, owner_id, track_id, priority, generation)
    except asyncpg.UniqueViolationError as error:
        raise JobStateError(f"track {track_id} has a job that is not finished") from error
    return job_of(await fetch_one(conn, _GET_JOB, job_id))


async def insert_thumbnail_job(
    conn: Connection, *, job_id: UUID, owner_id: UUID, attachment_id: UUID
) -> Job:
    """Queue the thumbnail of an attachment that has no job; the same id again returns the job there is."""
    await conn.execute(_INSERT_THUMBNAIL_JOB, job_id, owner_id, attachment_id, THUMBNAIL_ATTEMPTS)
    return job_of(await fetch_one(conn, _GET_JOB, job_id))


async def insert_side_job(
    conn: Connection,
    *,
    job_id: UUID,
    job_type: JobType,
    owner_id: UUID,
    track_id: UUID,
    in_format: str | None = None,
) -> None:
    """Queue something that is made of a track beside what plays, unless it is being made already."""
    await conn.execute(_INSERT_SIDE_JOB, job_id, job_type, owner_id, track_id, in_format)


async def get_job(conn: Connection, job_id: UUID) -> Job | None:
    """Return a job, or None."""
    row = await conn.fetchrow(_GET_JOB, job_id)
    return None if row is None else job_of(row)


async def newest_job_of_track(conn: Connection, track_id: UUID) -> Job | None:
    """Return the track's newest job, or None."""
    row = await conn.fetchrow(_NEWEST_JOB_OF_TRACK, track_id)
    return None if row is None else job_of(row)


async def newest_job_of_attachment(conn: Connection, attachment_id: UUID) -> Job | None:
    """Return the attachment's newest job, or None."""
    row = await conn.fetchrow(_NEWEST_JOB_OF_ATTACHMENT, attachment_id)
    return None if row is None else job_of(row)


async def claim_job(
    conn: Connection,
    *,
    node_id: UUID,
    lease_seconds: float,
    types: Collection[JobType] = tuple(JobType),
) -> ClaimedJob | None:
    """Take the most urgent job that is due, or whose holder let its lease run out; None if there is none.

    Only jobs of the given types are looked at. Owners take turns: who uploads an album does not keep others
    waiting for all of it.

    On the way it ends jobs that nobody holds: those to be cancelled, and those that took a node down as
    often as they may. A claimed job is `queued` again, whatever its last holder had come to.
    """
    async with conn.transaction():
        while (due := await conn.fetchrow(_LOCK_DUE, list(types))) is not None:
            if due["cancel_requested"]:
                await _end(conn, due["id"], None, JobState.CANCELLED, None)
            elif due["attempts"] >= due["max_attempts"]:
                await _end(conn, due["id"], None, JobState.FAILED, TOO_MANY_ATTEMPTS)
            else:
                row = await fetch_one(conn, _CLAIM, due["id"], node_id, lease_seconds)
                return _claimed(row)
    return None


async def renew_lease(
    conn: Connection, job_id: UUID, *, node_id: UUID, lease_seconds: float
) -> bool:
    """Keep the job for longer; return whether somebody asked to cancel it. Raises `LeaseLostError`."""
    row = await conn.fetchrow(_RENEW_LEASE, job_id, node_id, lease_seconds)
    if row is None:
        raise _lost(job_id)
    return bool(row["cancel_requested"])


async def hold_lease(conn: Connection, job_id: UUID, *, node_id: UUID) -> None:
    """Make sure that the job is the caller's until its transaction ends. Raises `LeaseLostError`."""
    if await conn.fetchrow(_HOLD_LEASE, job_id, node_id) is None:
        raise _lost(job_id)


async def set_state(
    conn: Connection, job_id: UUID, *, node_id: UUID, state: JobState, progress: float
) -> Job:
    """Tell how far a held job is. Raises `LeaseLostError`."""
    if state not in RUNNING:
        raise ValueError(f"{state} has a function of its own")
    return _held(await conn.fetchrow(_SET_STATE, job_id, node_id, state, progress), job_id)


async def finish_job(
    conn: Connection, job_id: UUID, *, node_id: UUID, sounds_like: UUID | None = None
) -> Job:
    """End a held job well, in one transaction with what it made. Raises `LeaseLostError`."""
    return _held(await conn.fetchrow(_PUBLISH, job_id, node_id, sounds_like), job_id)


async def fail_job(conn: Connection, job_id: UUID, *, node_id: UUID, failure: Failure) -> Job:
    """End a held job, and its subject, for a reason that another attempt would not change."""
    return _held(await _end(conn, job_id, node_id, JobState.FAILED, failure), job_id)


async def cancel_job(conn: Connection, job_id: UUID, *, node_id: UUID) -> Job:
    """End a held job, and its subject, as `request_cancel` asked. Raises `LeaseLostError`."""
    return _held(await _end(conn, job_id, node_id, JobState.CANCELLED, None), job_id)


async def release_job(conn: Connection, job_id: UUID, *, node_id: UUID, failure: Failure) -> Job:
    """Put a held job back after a fault that may pass; the last attempt ends it with `failure`.

    It is due again after 2, 4, 8 seconds and so on, at most 300, of which up to half is left out by
    chance. Raises `LeaseLostError`.
    """
    async with conn.transaction():
        if await conn.fetchval(_COUNT_ATTEMPTS, job_id, node_id):
            return await fail_job(conn, job_id, node_id=node_id, failure=failure)
        row = await conn.fetchrow(
            _RELEASE,
            job_id,
            node_id,
            failure.code,
            failure.detail,
            FIRST_BACKOFF_SECONDS,
            LONGEST_BACKOFF_SECONDS,
        )
        return _held(row, job_id)


async def hand_back_job(conn: Connection, job_id: UUID, *, node_id: UUID) -> Job:
    """Put a held job back because the node stops: due at once, and the attempt does not count."""
    return _held(await conn.fetchrow(_HAND_BACK, job_id, node_id), job_id)


async def request_cancel(conn: Connection, job_id: UUID) -> Job:
    """Cancel a job: at once if nobody holds it, else its holder learns of it from `renew_lease`.

    Raises `JobStateError` if it is finished.
    """
    async with conn.transaction():
        row = await conn.fetchrow(_LOCK_OPEN, job_id)
        if row is None:
            raise JobStateError(f"job {job_id} is finished")
        if row["is_free"]:
            return _held(await _end(conn, job_id, None, JobState.CANCELLED, None), job_id)
        return job_of(await fetch_one(conn, _REQUEST_CANCEL, job_id))


async def retry_job(conn: Connection, job_id: UUID) -> Job:
    """Queue a failed or cancelled job anew, from the start, with all its attempts. Raises `JobStateError`."""
    try:
        async with conn.transaction():
            row = await conn.fetchrow(_RETRY, job_id)
    except asyncpg.UniqueViolationError as error:
        raise JobStateError("its subject has another job that is not finished") from error
    if row is None:
        raise JobStateError(f"job {job_id} has neither failed nor been cancelled")
    return job_of(row)


async def _end(
    conn: Connection, job_id: UUID, node_id: UUID | None, state: JobState, failure: Failure | None
) -> asyncpg.Record | None:
    code, detail = (failure.code, failure.detail) if failure else (None, None)
    return await conn.fetchrow(_END, job_id, node_id, state, code, detail)


def _held(row: asyncpg.Record | None, job_id: UUID) -> Job:
    if row is None:
        raise _lost(job_id)
    return job_of(row)


def _lost(job_id: UUID) -> LeaseLostError:
    return LeaseLostError(f"job {job_id} is held by another node, or by none")


def _claimed(row: asyncpg.Record) -> ClaimedJob:
    return ClaimedJob(
        job=job_of(row),
        attempt=row["attempts"],
        lease_until=row["lease_until"],
        source_key=row["source_key"],
        filename=row["filename"],
    )


def job_of(row: asyncpg.Record) -> Job:
    """Return the job of a row with the columns `JOB`."""
    state = JobState(row["state"])
    failure = None
    if state is JobState.FAILED:
        failure = Failure(code=row["error_code"], detail=row["error_detail"])
    return Job(
        id=row["id"],
        type=JobType(row["type"]),
        state=state,
        progress=row["progress"],
        error=failure,
        track_id=row["track_id"],
        attachment_id=row["attachment_id"],
        sounds_like=row["sounds_like"],
        owner_id=row["owner_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
