"""The jobs service: what is queued, who holds its lease, and how each job stands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

from veza.actors.database import DatabaseActor
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.directory import Deliver
from veza.actors.messages.jobs import (
    DISPATCHER,
    AdvanceJob,
    Assignment,
    AssignmentLoaded,
    CancelRunning,
    ClaimJob,
    ConfirmCancel,
    FailJob,
    HandBackJob,
    JobAdvanced,
    JobClaimed,
    JobQueued,
    JobsListed,
    ListJobs,
    LoadAssignment,
    ReleaseJob,
    StoredSegment,
)
from veza.actors.messages.tracks import (
    CancelJob,
    DescribeJob,
    DescribeTrackJob,
    Job,
    JobDescribed,
    RetryJob,
    Track,
)
from veza.actors.runtime.address import Address
from veza.persistence import jobs, renditions, tracks
from veza.persistence.encodings import begin_encoding
from veza.persistence.errors import JobStateError, LeaseLostError
from veza.persistence.job_list import list_jobs
from veza.persistence.pool import Connection, Pool


class JobsActor(DatabaseActor):
    """The durable queue. Whoever changes a job says which node it is; without its lease it is refused."""

    def __init__(
        self,
        *,
        pool: Pool,
        directory: Address,
        node_id: UUID,
        lease_seconds: float,
        recipe: str,
    ) -> None:
        super().__init__(pool=pool)
        self.recipe = recipe
        self.directory = directory
        self.node_id = node_id
        self.lease_seconds = lease_seconds

    # --- for owners ---

    async def receiveMsg_DescribeJob(self, command: DescribeJob, _sender: Address) -> JobDescribed:
        async with self.connection() as conn:
            return JobDescribed(job=await owned_job(conn, command.job_id, command.viewer_id))

    async def receiveMsg_DescribeTrackJob(
        self, command: DescribeTrackJob, _sender: Address
    ) -> JobDescribed:
        async with self.connection() as conn:
            job = await jobs.newest_job_of_track(conn, command.track_id)
        return JobDescribed(job=visible(job, command.viewer_id))

    async def receiveMsg_CancelJob(self, command: CancelJob, _sender: Address) -> JobDescribed:
        async with self.transaction() as conn:
            await owned_job(conn, command.job_id, command.viewer_id)
            try:
                job = await jobs.request_cancel(conn, command.job_id)
            except JobStateError as error:
                raise RefusedError(RejectCode.INVALID_STATE, "The job is finished.") from error
        self._tell_dispatcher(CancelRunning(job_id=command.job_id))
        return JobDescribed(job=job)

    async def receiveMsg_RetryJob(self, command: RetryJob, _sender: Address) -> JobDescribed:
        async with self.transaction() as conn:
            await owned_job(conn, command.job_id, command.viewer_id)
            try:
                job = await jobs.retry_job(conn, command.job_id)
            except JobStateError as error:
                raise RefusedError(
                    RejectCode.INVALID_STATE, "Only a failed or cancelled job can be retried."
                ) from error
        self._tell_dispatcher(JobQueued())
        return JobDescribed(job=job)

    # --- for operators ---

    async def receiveMsg_ListJobs(self, command: ListJobs, _sender: Address) -> JobsListed:
        async with self.connection() as conn:
            listed = await list_jobs(
                conn, state=command.state, before=command.before, limit=command.limit
            )
        return JobsListed(jobs=listed)

    # --- for the node's own actors ---

    async def receiveMsg_ClaimJob(self, command: ClaimJob, _sender: Address) -> JobClaimed:
        async with self.connection() as conn:
            claimed = await jobs.claim_job(
                conn,
                node_id=self.node_id,
                lease_seconds=self.lease_seconds,
                types=command.types,
            )
        return JobClaimed(job=claimed.job if claimed else None)

    async def receiveMsg_LoadAssignment(
        self, command: LoadAssignment, _sender: Address
    ) -> AssignmentLoaded:
        async with self._holding(command.job_id) as conn:
            job, track = await job_and_track(conn, command.job_id)
            source_key = await tracks.source_key(conn, track.id)
            generation = await begin_encoding(conn, command.job_id, self.recipe)
            encoded = await renditions.load_generation(conn, track.id, generation)
        stored = tuple(
            StoredSegment(
                rendition=renditions.rung_of(rendition.name, generation),
                number=rendition.segments[-1].number,
            )
            for rendition in encoded
            if rendition.segments
        )
        return AssignmentLoaded(
            assignment=Assignment(
                job=job,
                track=track,
                source_key=source_key,
                stored=stored,
                generation=generation,
                recipe=self.recipe,
            )
        )

    async def receiveMsg_AdvanceJob(self, command: AdvanceJob, _sender: Address) -> JobAdvanced:
        async with self._holding(command.job_id) as conn:
            is_cancel_requested = await jobs.renew_lease(
                conn, command.job_id, node_id=self.node_id, lease_seconds=self.lease_seconds
            )
            await jobs.set_state(
                conn,
                command.job_id,
                node_id=self.node_id,
                state=command.state,
                progress=command.progress,
            )
            stands = await advanced(conn, command.job_id)
        return replace(stands, is_cancel_requested=is_cancel_requested)

    async def receiveMsg_FailJob(self, command: FailJob, _sender: Address) -> JobAdvanced:
        async with self._holding(command.job_id) as conn:
            await jobs.fail_job(conn, command.job_id, node_id=self.node_id, failure=command.failure)
            return await advanced(conn, command.job_id)

    async def receiveMsg_ReleaseJob(self, command: ReleaseJob, _sender: Address) -> JobAdvanced:
        async with self._holding(command.job_id) as conn:
            await jobs.release_job(
                conn, command.job_id, node_id=self.node_id, failure=command.failure
            )
            return await advanced(conn, command.job_id)

    async def receiveMsg_HandBackJob(self, command: HandBackJob, _sender: Address) -> JobAdvanced:
        async with self._holding(command.job_id) as conn:
            await jobs.hand_back_job(conn, command.job_id, node_id=self.node_id)
            return await advanced(conn, command.job_id)

    async def receiveMsg_ConfirmCancel(
        self, command: ConfirmCancel, _sender: Address
    ) -> JobAdvanced:
        async with self._holding(command.job_id) as conn:
            await jobs.cancel_job(conn, command.job_id, node_id=self.node_id)
            return await advanced(conn, command.job_id)

    @asynccontextmanager
    async def _holding(self, job_id: UUID) -> AsyncIterator[Connection]:
        async with self.transaction() as conn, holding(conn, job_id, self.node_id):
            yield conn

    def _tell_dispatcher(self, message: JobQueued | CancelRunning) -> None:
        self.send(self.directory, Deliver(key=DISPATCHER, message=message))


@asynccontextmanager
async def holding(conn: Connection, job_id: UUID, node_id: UUID) -> AsyncIterator[None]:
    """Make sure, until the transaction ends, that a job is this node's; refuse if it is not."""
    try:
        await jobs.hold_lease(conn, job_id, node_id=node_id)
        yield
    except LeaseLostError as error:
        raise RefusedError(RejectCode.INVALID_STATE, "The job is another node's.") from error


async def job_and_track(conn: Connection, job_id: UUID) -> tuple[Job, Track]:
    """Read a job that exists and is about a track, and that."""
    stands = await advanced(conn, job_id)
    if stands.track is None:
        raise LookupError(f"job {job_id} is not about a track")
    return stands.job, stands.track


async def advanced(conn: Connection, job_id: UUID) -> JobAdvanced:
    """Say how a job stands after a change that nobody can cancel any more."""
    job = await jobs.get_job(conn, job_id)
    if job is None:
        raise LookupError(f"job {job_id} is not there")
    track = None if job.track_id is None else await tracks.get_track(conn, job.track_id)
    return JobAdvanced(job=job, track=track, is_cancel_requested=False)


async def owned_job(conn: Connection, job_id: UUID, viewer_id: UUID) -> Job:
    """Read a job; somebody else's is as good as none."""
    return visible(await jobs.get_job(conn, job_id), viewer_id)


def visible(job: Job | None, viewer_id: UUID) -> Job:
    """Return the job if the viewer may know of it; refuse if not."""
    if job is None or job.owner_id != viewer_id:
        raise RefusedError(RejectCode.NOT_FOUND, "There is no such job.")
    return job
