"""A job has one holder at a time, outlives its node, and takes its track along when it ends."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from veza.persistence import job_list, jobs, tracks
from veza.persistence.errors import JobStateError, LeaseLostError
from veza.persistence.job_list import list_jobs
from veza.persistence.pool import Connection, Pool
from veza.persistence.rows import ClaimedJob, Failure, Job, JobState, Track, TrackState

MakeTrack = Callable[[], Awaitable[tuple[Track, Job]]]
NODE = UUID(int=1)
OTHER = UUID(int=2)
FAULT = Failure(code="encoder_crashed", detail="The encoder crashed.")


async def claim(conn: Connection, node_id: UUID = NODE, lease_seconds: float = 30) -> ClaimedJob:
    claimed = await jobs.claim_job(conn, node_id=node_id, lease_seconds=lease_seconds)
    assert claimed is not None
    return claimed


async def track_state(conn: Connection, job: Job) -> TrackState:
    track = await tracks.get_track(conn, job.track_id)
    assert track is not None
    return track.state


async def make_due(conn: Connection, job_id: UUID) -> None:
    await conn.execute("UPDATE jobs SET run_at = now() WHERE id = $1", job_id)


async def test_a_claimed_job_tells_what_its_holder_needs(
    conn: Connection, new_track: MakeTrack
) -> None:
    _, job = await new_track()
    claimed = await claim(conn)
    assert claimed.job.id == job.id
    assert (claimed.attempt, claimed.source_key, claimed.filename) == (1, "sources/1", "a.flac")
    assert claimed.lease_until > claimed.job.updated_at + timedelta(seconds=29)


async def test_nothing_is_claimed_where_nothing_waits(conn: Connection) -> None:
    assert await jobs.claim_job(conn, node_id=NODE, lease_seconds=30) is None


async def test_a_held_job_is_nobody_elses(conn: Connection, new_track: MakeTrack) -> None:
    await new_track()
    await claim(conn)
    assert await jobs.claim_job(conn, node_id=OTHER, lease_seconds=30) is None


async def test_jobs_go_by_priority_then_by_age(conn: Connection, new_track: MakeTrack) -> None:
    first, second, urgent = [(await new_track())[1] for _ in range(3)]
    await conn.execute("UPDATE jobs SET priority = 1 WHERE id = $1", urgent.id)
    claimed = [(await claim(conn)).job.id for _ in range(3)]
    assert claimed == [urgent.id, first.id, second.id]


async def test_owners_take_turns_however_much_one_has_queued(
    conn: Connection, new_track: MakeTrack
) -> None:
    made = [await new_track() for _ in range(5)]
    (busy, _), (other, _), *albums = made
    for track, job in albums:
        for table, row in (("tracks", track.id), ("jobs", job.id)):
            await conn.execute(
                f"UPDATE {table} SET owner_id = $1 WHERE id = $2", busy.owner.id, row
            )
    await conn.execute(
        "UPDATE jobs SET run_at = run_at - interval '9 s' WHERE track_id <> $1", other.id
    )
    owners = [(await claim(conn)).job.owner_id for _ in made]
    assert owners == [busy.owner.id, other.owner.id, *[busy.owner.id] * 3]


async def test_who_was_served_longest_ago_is_next_when_nothing_is_at_work(
    conn: Connection, new_track: MakeTrack
) -> None:
    made = [await new_track() for _ in range(2)]
    for track, _ in made:
        job = (await claim(conn)).job
        assert job.track_id == track.id
    for _, job in reversed(made):
        await jobs.hand_back_job(conn, job.id, node_id=NODE)
    assert [(await claim(conn)).job.track_id for _ in made] == [track.id for track, _ in made]


async def test_many_nodes_at_once_each_get_another_job(pool: Pool, new_track: MakeTrack) -> None:
    made = [(await new_track())[1].id for _ in range(6)]

    async def one(number: int) -> ClaimedJob | None:
        async with pool.acquire() as conn:
            return await jobs.claim_job(conn, node_id=UUID(int=number), lease_seconds=30)

    claimed = await asyncio.gather(*map(one, range(8)))
    assert sorted(c.job.id for c in claimed if c is not None) == made


async def test_an_expired_lease_is_anybodys_and_the_loser_can_do_nothing(
    conn: Connection, new_track: MakeTrack
) -> None:
    await new_track()
    lost = await claim(conn, NODE, lease_seconds=0)
    taken = await claim(conn, OTHER)
    assert (taken.job.id, taken.attempt, taken.job.state) == (lost.job.id, 2, JobState.QUEUED)
    job_id = lost.job.id
    for attempt in (
        jobs.renew_lease(conn, job_id, node_id=NODE, lease_seconds=30),
        jobs.hold_lease(conn, job_id, node_id=NODE),
        jobs.set_state(conn, job_id, node_id=NODE, state=JobState.ENCODING, progress=0.5),
        jobs.finish_job(conn, job_id, node_id=NODE),
        jobs.fail_job(conn, job_id, node_id=NODE, failure=FAULT),
        jobs.cancel_job(conn, job_id, node_id=NODE),
        jobs.release_job(conn, job_id, node_id=NODE, failure=FAULT),
        jobs.hand_back_job(conn, job_id, node_id=NODE),
    ):
        with pytest.raises(LeaseLostError):
            await attempt
    unchanged = await jobs.get_job(conn, job_id)
    assert unchanged == taken.job
    await jobs.hold_lease(conn, job_id, node_id=OTHER)


async def test_a_renewed_lease_does_not_expire(conn: Connection, new_track: MakeTrack) -> None:
    await new_track()
    claimed = await claim(conn, lease_seconds=0)
    assert not await jobs.renew_lease(conn, claimed.job.id, node_id=NODE, lease_seconds=30)
    assert await jobs.claim_job(conn, node_id=OTHER, lease_seconds=30) is None


async def test_a_held_lease_cannot_be_taken_until_the_transaction_ends(
    pool: Pool, new_track: MakeTrack
) -> None:
    await new_track()
    async with pool.acquire() as conn:
        claimed = await claim(conn, lease_seconds=0)
    async with pool.transaction() as holder:
        await jobs.hold_lease(holder, claimed.job.id, node_id=NODE)
        async with pool.acquire() as conn:
            assert await jobs.claim_job(conn, node_id=OTHER, lease_seconds=30) is None
    async with pool.acquire() as conn:
        assert (await claim(conn, OTHER)).job.id == claimed.job.id


async def test_the_holder_tells_state_and_progress(conn: Connection, new_track: MakeTrack) -> None:
    await new_track()
    job_id = (await claim(conn)).job.id
    job = await jobs.set_state(conn, job_id, node_id=NODE, state=JobState.ENCODING, progress=0.25)
    assert (job.state, job.progress) == (JobState.ENCODING, 0.25)
    assert await jobs.get_job(conn, job_id) == job
    assert await jobs.newest_job_of_track(conn, job.track_id) == job


async def test_an_end_cannot_be_set_as_a_state(conn: Connection, new_track: MakeTrack) -> None:
    _, job = await new_track()
    with pytest.raises(ValueError, match="failed"):
        await jobs.set_state(conn, job.id, node_id=NODE, state=JobState.FAILED, progress=1)


async def test_unknown_jobs_and_tracks_have_none(conn: Connection) -> None:
    assert await jobs.get_job(conn, uuid4()) is None
    assert await jobs.newest_job_of_track(conn, uuid4()) is None


async def test_a_failed_job_fails_its_track_for_the_same_reason(
    conn: Connection, new_track: MakeTrack
) -> None:
    await new_track()
    job_id = (await claim(conn)).job.id
    job = await jobs.fail_job(conn, job_id, node_id=NODE, failure=FAULT)
    assert (job.state, job.error) == (JobState.FAILED, FAULT)
    track = await tracks.get_track(conn, job.track_id)
    assert track is not None
    assert (track.state, track.error) == (TrackState.FAILED, FAULT)
    assert await jobs.claim_job(conn, node_id=NODE, lease_seconds=30) is None


async def test_a_job_that_took_its_node_down_as_often_as_it_may_fails(
    conn: Connection, new_track: MakeTrack
) -> None:
    _, made = await new_track()
    for attempt in range(1, 6):
        assert (await claim(conn, lease_seconds=0)).attempt == attempt
    assert await jobs.claim_job(conn, node_id=NODE, lease_seconds=30) is None
    job = await jobs.get_job(conn, made.id)
    assert job is not None
    assert (job.state, job.error) == (JobState.FAILED, jobs.TOO_MANY_ATTEMPTS)
    assert await track_state(conn, job) is TrackState.FAILED


async def test_a_released_job_waits_longer_each_time_and_fails_at_the_last(
    conn: Connection, new_track: MakeTrack
) -> None:
    await new_track()
    for longest in (2, 4, 8, 16):
        job_id = (await claim(conn)).job.id
        job = await jobs.release_job(conn, job_id, node_id=NODE, failure=FAULT)
        assert (job.state, job.error) == (JobState.QUEUED, None)
        assert await jobs.claim_job(conn, node_id=NODE, lease_seconds=30) is None
        wait = await conn.fetchval("SELECT run_at - updated_at FROM jobs WHERE id = $1", job_id)
        assert longest / 2 <= wait.total_seconds() <= longest
        await make_due(conn, job_id)
    job_id = (await claim(conn)).job.id
    job = await jobs.release_job(conn, job_id, node_id=NODE, failure=FAULT)
    assert (job.state, job.error) == (JobState.FAILED, FAULT)
    assert await track_state(conn, job) is TrackState.FAILED


async def test_a_job_handed_back_is_due_at_once_and_lost_no_attempt(
    conn: Connection, new_track: MakeTrack
) -> None:
    await new_track()
    claimed = await claim(conn)
    job = await jobs.hand_back_job(conn, claimed.job.id, node_id=NODE)
    assert job.state is JobState.QUEUED
    assert (await claim(conn, OTHER)).attempt == 1


async def test_a_waiting_job_is_cancelled_at_once(conn: Connection, new_track: MakeTrack) -> None:
    _, made = await new_track()
    job = await jobs.request_cancel(conn, made.id)
    assert job.state is JobState.CANCELLED
    assert await track_state(conn, job) is TrackState.CANCELLED
    assert await jobs.claim_job(conn, node_id=NODE, lease_seconds=30) is None


async def test_a_held_job_is_cancelled_by_its_holder(
    conn: Connection, new_track: MakeTrack
) -> None:
    await new_track()
    job_id = (await claim(conn)).job.id
    assert (await jobs.request_cancel(conn, job_id)).state is JobState.QUEUED
    assert await jobs.renew_lease(conn, job_id, node_id=NODE, lease_seconds=30)
    job = await jobs.cancel_job(conn, job_id, node_id=NODE)
    assert (job.state, job.error) == (JobState.CANCELLED, None)
    assert await track_state(conn, job) is TrackState.CANCELLED


async def test_a_job_to_be_cancelled_ends_though_its_holder_died(
    conn: Connection, new_track: MakeTrack
) -> None:
    await new_track()
    job_id = (await claim(conn)).job.id
    await jobs.request_cancel(conn, job_id)
    await conn.execute("UPDATE jobs SET lease_until = now() - interval '1 s'")
    assert await jobs.claim_job(conn, node_id=OTHER, lease_seconds=30) is None
    job = await jobs.get_job(conn, job_id)
    assert job is not None
    assert job.state is JobState.CANCELLED


async def test_a_finished_job_cannot_be_cancelled(conn: Connection, new_track: MakeTrack) -> None:
    await new_track()
    job_id = (await claim(conn)).job.id
    job = await jobs.finish_job(conn, job_id, node_id=NODE)
    assert (job.state, job.progress) == (JobState.PUBLISHED, 1)
    with pytest.raises(JobStateError):
        await jobs.request_cancel(conn, job_id)


async def test_a_failed_job_can_be_queued_anew_with_all_its_attempts(
    conn: Connection, new_track: MakeTrack
) -> None:
    await new_track()
    job_id = (await claim(conn)).job.id
    await jobs.fail_job(conn, job_id, node_id=NODE, failure=FAULT)
    job = await jobs.retry_job(conn, job_id)
    assert (job.state, job.error, job.progress) == (JobState.QUEUED, None, 0)
    assert await track_state(conn, job) is TrackState.PROCESSING
    assert (await claim(conn)).attempt == 1


async def test_a_cancelled_job_can_be_queued_anew_and_is_not_cancelled_again(
    conn: Connection, new_track: MakeTrack
) -> None:
    await new_track()
    job_id = (await claim(conn)).job.id
    await jobs.request_cancel(conn, job_id)
    await jobs.cancel_job(conn, job_id, node_id=NODE)
    await jobs.retry_job(conn, job_id)
    await claim(conn)
    assert not await jobs.renew_lease(conn, job_id, node_id=NODE, lease_seconds=30)


async def test_a_job_under_way_cannot_be_retried(conn: Connection, new_track: MakeTrack) -> None:
    _, job = await new_track()
    with pytest.raises(JobStateError):
        await jobs.retry_job(conn, job.id)


async def test_a_track_has_one_open_job(conn: Connection, new_track: MakeTrack) -> None:
    track, job = await new_track()
    with pytest.raises(JobStateError):
        await jobs.insert_job(conn, job_id=uuid4(), owner_id=job.owner_id, track_id=track.id)
    same = await jobs.insert_job(conn, job_id=job.id, owner_id=job.owner_id, track_id=track.id)
    assert same == job
    await jobs.request_cancel(conn, job.id)
    newer = UUID(int=job.id.int + 1)
    await jobs.insert_job(conn, job_id=newer, owner_id=job.owner_id, track_id=track.id)
    with pytest.raises(JobStateError):
        await jobs.retry_job(conn, job.id)
    newest = await jobs.newest_job_of_track(conn, track.id)
    assert newest is not None
    assert newest.id == newer


async def test_operators_list_everybodys_jobs_newest_first(
    conn: Connection, new_track: MakeTrack
) -> None:
    made = [(await new_track())[1] for _ in range(3)]
    claimed = await claim(conn)
    held = await list_jobs(conn, state=None, before=made[1].id, limit=5)

    listed = await list_jobs(conn, state=None, before=None, limit=2)
    assert [each.job.id for each in listed] == [made[2].id, made[1].id]
    assert (listed[0].owner.id, listed[0].title) == (made[2].owner_id, "A track")
    assert (listed[0].attempts, listed[0].leased_by) == (0, None)
    assert [each.job.id for each in held] == [claimed.job.id]
    assert (held[0].attempts, held[0].leased_by) == (1, NODE)
    assert held[0].lease_until == claimed.lease_until


async def test_operators_list_jobs_of_one_state(conn: Connection, new_track: MakeTrack) -> None:
    made = [(await new_track())[1] for _ in range(3)]
    ended = await claim(conn)
    await jobs.fail_job(conn, ended.job.id, node_id=NODE, failure=FAULT)

    failed = await list_jobs(conn, state=JobState.FAILED, before=None, limit=5)
    queued = await list_jobs(conn, state=JobState.QUEUED, before=made[2].id, limit=5)

    assert [(each.job.id, each.job.error) for each in failed] == [(ended.job.id, FAULT)]
    assert [each.job.id for each in queued] == [made[1].id]


async def test_lists_of_jobs_read_only_what_they_show(
    conn: Connection, new_track: MakeTrack
) -> None:
    _track, job = await new_track()
    await conn.execute(
        """INSERT INTO jobs (id, type, state, owner_id, track_id)
           SELECT gen_random_uuid(), 'transcode', CASE n % 100 WHEN 0 THEN 'failed' ELSE 'published' END,
           $1, $2 FROM generate_series(1, 5000) n""",
        job.owner_id,
        job.track_id,
    )
    await conn.execute("ANALYZE jobs")
    newest = (50, UUID(int=2**128 - 1))
    for query, arguments, index in (
        (job_list._LIST_ALL, newest, "jobs_pkey"),
        (job_list._LIST_STATE, (*newest, "failed"), "jobs_state_idx"),
    ):
        plan = "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN {query}", *arguments))

        assert re.search(rf"Index Scan (Backward )?using {index}", plan)
        assert "Sort" not in plan
