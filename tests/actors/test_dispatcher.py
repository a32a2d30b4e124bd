"""The dispatcher claims when there is news, holds no more jobs than slots, and misses none."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from veza.actors.base import SupervisedActor
from veza.actors.dispatcher import POLL_SECONDS, DispatcherActor
from veza.actors.messages.directory import AwaitEnd, Deliver, Ended
from veza.actors.messages.jobs import (
    ClaimJob,
    DrainJobs,
    JobClaimed,
    JobQueued,
    JobsDrained,
    StartJob,
)
from veza.actors.messages.tracks import Job, JobState, JobType
from veza.actors.runtime import AsyncioSystemBase, Cell
from veza.actors.runtime.address import Address


@dataclass
class Queue:
    """What there is to claim, and who waits for what."""

    due: list[UUID] = field(default_factory=list)
    claims: list[Address] = field(default_factory=list)
    types: tuple[JobType, ...] = ()
    started: list[tuple[str, str]] = field(default_factory=list)
    mourners: dict[str, Address] = field(default_factory=dict)


class Surroundings(SupervisedActor):
    """Stands in for the directory and the jobs service: it answers when the test says so."""

    def __init__(self, *, queue: Queue) -> None:
        super().__init__()
        self.queue = queue

    def receiveMsg_Deliver(self, message: Deliver, sender: Address) -> None:
        if isinstance(message.message, ClaimJob):
            self.queue.claims.append(sender)
            self.queue.types = message.message.types
        elif isinstance(message.message, StartJob):
            self.queue.started.append(message.key)

    def receiveMsg_AwaitEnd(self, message: AwaitEnd, sender: Address) -> None:
        self.queue.mourners[message.key[1]] = sender


def job_of(job_id: UUID, kind: JobType) -> Job:
    moment = datetime.now(UTC)
    return Job(
        id=job_id,
        type=kind,
        state=JobState.QUEUED,
        progress=0.0,
        error=None,
        track_id=job_id,
        attachment_id=None,
        sounds_like=None,
        owner_id=job_id,
        created_at=moment,
        updated_at=moment,
    )


class World:
    def __init__(self, runtime: AsyncioSystemBase, slots: dict[JobType, int]) -> None:
        self.runtime = runtime
        self.queue = Queue()
        self.around = runtime.spawn(Surroundings, {"queue": self.queue})
        kwargs = {"directory": self.around, "slots": slots}
        self.dispatcher: Cell = runtime.spawn(DispatcherActor, kwargs)

    async def claim_asked(self) -> None:
        async with asyncio.timeout(POLL_SECONDS * 0.9):  # by its own doing, not by the next poll
            while not self.queue.claims:
                await asyncio.sleep(0)

    def answer_claim(self, job_id: UUID | None, kind: JobType = JobType.TRANSCODE) -> None:
        asker = self.queue.claims.pop()
        job = None if job_id is None else job_of(job_id, kind)
        self.runtime.send_as(self.around, asker, JobClaimed(job=job))

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    runtime = AsyncioSystemBase()
    yield World(runtime, slots={JobType.TRANSCODE: 2})
    await runtime.shutdown_async(5)


async def test_a_job_queued_while_a_claim_is_under_way_is_claimed_at_once(world: World) -> None:
    await world.claim_asked()

    world.runtime.tell(world.dispatcher, JobQueued())
    await world.settle()
    world.answer_claim(None)

    await world.claim_asked()


async def test_no_more_jobs_are_claimed_than_there_are_slots(world: World) -> None:
    jobs = [uuid4(), uuid4()]
    for job_id in jobs:
        await world.claim_asked()
        world.answer_claim(job_id)
        await world.settle()
    world.runtime.tell(world.dispatcher, JobQueued())
    await world.settle()
    assert world.queue.claims == []

    ended = Ended(key=("stream_job", str(jobs[0])), reason="done")
    world.runtime.send_as(world.around, world.queue.mourners[str(jobs[0])], ended)

    await world.claim_asked()


async def test_a_drain_is_over_when_the_last_job_has_ended(world: World) -> None:
    job_id = uuid4()
    await world.claim_asked()
    world.answer_claim(job_id)
    await world.claim_asked()
    draining = asyncio.ensure_future(world.runtime.request(world.dispatcher, DrainJobs(), 5))
    await world.settle()
    world.answer_claim(None)
    await world.settle()
    assert not draining.done()

    ended = Ended(key=("stream_job", str(job_id)), reason="handed back")
    world.runtime.send_as(world.around, world.queue.mourners[str(job_id)], ended)

    assert await draining == JobsDrained()


async def test_a_job_of_one_type_takes_no_slot_of_another() -> None:
    runtime = AsyncioSystemBase()
    world = World(runtime, {JobType.TRANSCODE: 1, JobType.THUMBNAIL: 1})
    music, picture = uuid4(), uuid4()
    await world.claim_asked()
    assert world.queue.types == (JobType.TRANSCODE, JobType.THUMBNAIL)

    world.answer_claim(music, JobType.TRANSCODE)
    await world.claim_asked()
    assert world.queue.types == (JobType.THUMBNAIL,)
    world.answer_claim(picture, JobType.THUMBNAIL)
    await world.settle()

    assert world.queue.claims == []
    assert world.queue.started == [("stream_job", str(music)), ("thumbnail_job", str(picture))]
    ended = Ended(key=("thumbnail_job", str(picture)), reason="done")
    runtime.send_as(world.around, world.queue.mourners[str(picture)], ended)
    await world.claim_asked()
    assert world.queue.types == (JobType.THUMBNAIL,)
    await runtime.shutdown_async(5)
