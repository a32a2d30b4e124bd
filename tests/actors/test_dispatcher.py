"""The dispatcher claims when there is news, holds no more jobs than slots, and misses none."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest

from veza.actors.base import SupervisedActor
from veza.actors.dispatcher import POLL_SECONDS, DispatcherActor
from veza.actors.messages.directory import AwaitEnd, Deliver, Ended
from veza.actors.messages.jobs import ClaimJob, DrainJobs, JobClaimed, JobQueued, JobsDrained
from veza.actors.runtime import AsyncioSystemBase, Cell
from veza.actors.runtime.address import Address


@dataclass
class Queue:
    """What there is to claim, and who waits for what."""

    due: list[UUID] = field(default_factory=list)
    claims: list[Address] = field(default_factory=list)
    mourners: dict[str, Address] = field(default_factory=dict)


class Surroundings(SupervisedActor):
    """Stands in for the directory and the jobs service: it answers when the test says so."""

    def __init__(self, *, queue: Queue) -> None:
        super().__init__()
        self.queue = queue

    def receiveMsg_Deliver(self, message: Deliver, sender: Address) -> None:
        if isinstance(message.message, ClaimJob):
            self.queue.claims.append(sender)

    def receiveMsg_AwaitEnd(self, message: AwaitEnd, sender: Address) -> None:
        self.queue.mourners[message.key[1]] = sender


class World:
    def __init__(self, runtime: AsyncioSystemBase, slots: int) -> None:
        self.runtime = runtime
        self.queue = Queue()
        self.around = runtime.spawn(Surroundings, {"queue": self.queue})
        kwargs = {"directory": self.around, "slots": slots}
        self.dispatcher: Cell = runtime.spawn(DispatcherActor, kwargs)

    async def claim_asked(self) -> None:
        async with asyncio.timeout(POLL_SECONDS / 2):  # by its own doing, not by the next poll
            while not self.queue.claims:
                await asyncio.sleep(0)

    def answer_claim(self, job_id: UUID | None) -> None:
        asker = self.queue.claims.pop()
        self.runtime.send_as(self.around, asker, JobClaimed(job_id=job_id))

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    runtime = AsyncioSystemBase()
    yield World(runtime, slots=2)
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
