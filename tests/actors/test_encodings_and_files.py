"""Rows and files of a track never disagree, wherever a node stops; what plays is one whole encoding."""

import asyncio
import io
import threading
import wave
from contextlib import asynccontextmanager
from hashlib import sha256

import numpy as np
import pytest

from veza.actors.messages.jobs import JobQueued
from veza.actors.messages.operator import Drain
from veza.actors.messages.tracks import (
    DescribeTrack,
    DescribeTrackJob,
    JobState,
    PublishUpload,
    ReadMaster,
    ReadMedia,
    ReadPlaylist,
    RetryJob,
    TrackState,
    WriteChunk,
)
from veza.codecs.pipeline import InitReady, SegmentReady, encode
from veza.config.ids import uuid7
from veza.config.settings import Settings
from veza.persistence import encodings, renditions
from veza.persistence.local_store import LocalMediaStore
from veza.persistence.s3_store import S3MediaStore

RATE = 44_100
DISPATCHER = ("dispatcher", "")


def tone(seconds: float) -> bytes:
    """A mono WAV file that is no two seconds the same."""
    time = np.arange(round(seconds * RATE)) / RATE
    samples = (np.sin(2 * np.pi * (220 + 40 * time) * time) * 16_000).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())
    return file.getvalue()


def encoded(source: bytes) -> list[bytes]:
    """What the only rung of a ladder of 64 kbit/s is to be."""
    events = encode(io.BytesIO(source), ladder_kbps=(64,))
    return [event.data for event in events if isinstance(event, InitReady | SegmentReady)]


class Gate:
    """Makes of a store one in which one write of a track stops, before or after it, until it is let go on."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.stopped = threading.Event()
        self.may_go_on = threading.Event()
        self.steps_left = -1

    def stop_at(self, step: int) -> None:
        self.stopped.clear()
        self.may_go_on.clear()
        self.steps_left = step

    def put(self, key: str, data: bytes) -> None:
        if key.startswith("media/"):
            self._step()
        super().put(key, data)
        if key.startswith("media/"):
            self._step()

    def _step(self) -> None:
        self.steps_left -= 1
        if self.steps_left == -1:
            self.stopped.set()
            self.may_go_on.wait(60)


class GatedFolder(Gate, LocalMediaStore):
    pass


class GatedBucket(Gate, S3MediaStore):
    pass


@pytest.fixture
def running(world, pool, tmp_path):
    """Run another node on the database and the folder of `world`."""

    @asynccontextmanager
    async def run(store=None, **settings):
        told = Settings(data=tmp_path, bcrypt_cost=4, ladder_lossless=False, **settings)
        node = type(world)(pool, tmp_path / "media", told, store=store)
        await node.node.start()
        try:
            yield node
        finally:
            assert await node.node.stop(60) == []

    return run


@pytest.fixture
async def alice(world):
    """A person of a world that itself works on no job."""
    world.node.tell(DISPATCHER, Drain())
    return await world.person("alice")


async def upload(node, owner, data: bytes):
    upload_id = uuid7()
    await node.node.ask(("media", ""), WriteChunk(upload_id=upload_id, offset=0, data=data))
    command = PublishUpload(
        track_id=uuid7(), upload_id=upload_id, owner=owner, title="", filename="song.wav"
    )
    return await node.node.ask(("catalogue", ""), command)


async def ended(node, owner, track_id):
    """The newest job of a track, once it has come to an end."""
    async with asyncio.timeout(60):
        while True:
            command = DescribeTrackJob(track_id=track_id, viewer_id=owner.id)
            job = (await node.node.ask(("jobs", ""), command)).job
            if job.state in {JobState.PUBLISHED, JobState.FAILED, JobState.CANCELLED}:
                return job
            await asyncio.sleep(0.01)


async def state_of(node, track_id) -> TrackState:
    return (
        await node.node.ask(("catalogue", ""), DescribeTrack(track_id=track_id, viewer_id=None))
    ).track.state


async def playing(node, track_id) -> dict[str, list[bytes]]:
    """The bytes of every rendition that the master playlist names."""
    master = await node.node.ask(
        ("catalogue", ""), ReadMaster(track_id=track_id, query="", is_lossless=True)
    )
    names = [line.split("/")[0] for line in master.text.splitlines() if line.endswith("m3u8")]
    return {name: await rendition(node, track_id, name) for name in names}


async def rendition(node, track_id, name: str) -> list[bytes]:
    read = ReadPlaylist(track_id=track_id, rendition=name, query="")
    playlist = await node.node.ask(("catalogue", ""), read)
    files = ["init.mp4", *(x for x in playlist.text.splitlines() if x.endswith(".m4s"))]
    reads = [ReadMedia(track_id=track_id, rendition=name, name=file) for file in files]
    return [(await node.node.ask(("media", ""), one)).data for one in reads]


async def check_files(pool, store, track_id) -> None:
    """Every row's file is there and is what the row says."""
    async with pool.acquire() as conn:
        for one in await renditions.load_generation(conn, track_id, 0):
            assert sha256(store.read(one.init_key)).digest() == one.init_sha256
            for segment in one.segments:
                data = store.read(segment.key)
                assert (sha256(data).digest(), len(data)) == (segment.sha256, segment.size_bytes)


# One rung and two segments: three files, and a step before and after each.
@pytest.mark.parametrize("step", range(6))
async def test_a_node_that_stops_at_any_step_leaves_what_another_finishes(
    world, running, alice, pool, tmp_path, step
):
    gate = GatedFolder(tmp_path / "media")
    gate.stop_at(step)
    source = tone(8)
    async with running(store=gate, encoders=1, ladder_kbps=(64,)) as stops:
        accepted = await upload(stops, alice, source)
        assert await asyncio.to_thread(gate.stopped.wait, 60)
        await check_files(pool, world.store, accepted.track.id)
        async with running(ladder_kbps=(64,)) as other:
            async with pool.acquire() as conn:
                await conn.execute("UPDATE jobs SET lease_until = now() - interval '1 s'")
            other.node.tell(DISPATCHER, JobQueued())
            job = await ended(other, alice, accepted.track.id)
            assert job.state is JobState.PUBLISHED, job.error
            finished = await playing(other, accepted.track.id)
            assert finished == {"aac-64": encoded(source)}
            # The one that stopped goes on, as if nothing had been, and is refused.
            gate.may_go_on.set()
            await stops.node.ended(("stream_job", str(job.id)))
            assert await playing(other, accepted.track.id) == finished
            await check_files(pool, world.store, accepted.track.id)


async def test_a_bucket_that_stays_away_ends_a_job_with_that_reason_and_a_retry_is_done(
    running, alice, bucket, pool, tmp_path
):
    gate = GatedBucket(bucket.described(), tmp_path / "media")
    gate.stop_at(3)  # behind the first segment
    source = tone(8)
    async with running(store=gate, ladder_kbps=(64,), job_lease_seconds=1.0) as node:
        track_id = (await upload(node, alice, source)).track.id
        assert await asyncio.to_thread(gate.stopped.wait, 60)
        async with pool.acquire() as conn:
            await conn.execute("UPDATE jobs SET max_attempts = 1")
        bucket.stop()
        gate.may_go_on.set()
        # The first time the bucket is away for a segment, the second time for the source.
        for is_back in (False, True):
            job = await ended(node, alice, track_id)
            assert (job.state, job.error.code) == (JobState.FAILED, "storage_unavailable")
            if is_back:
                bucket.start()
            await node.node.ask(("jobs", ""), RetryJob(job_id=job.id, viewer_id=alice.id))
        job = await ended(node, alice, track_id)
        assert job.state is JobState.PUBLISHED, job.error
        assert list((await playing(node, track_id)).values()) == [encoded(source)]


async def test_a_track_is_encoded_anew_by_another_ladder_while_it_plays(
    world, running, alice, pool
):
    async with running(ladder_kbps=(64,)) as old:
        track_id = (await upload(old, alice, tone(8))).track.id
        await ended(old, alice, track_id)
        before = await playing(old, track_id)
    async with running(ladder_kbps=(96, 128)) as new, pool.acquire() as conn:
        assert await encodings.queue_reencodings(conn, limit=9) == (track_id,)
        new.node.tell(DISPATCHER, JobQueued())
        while "aac-64" in (heard := await playing(new, track_id)):
            assert heard == before
            assert await state_of(new, track_id) is TrackState.PUBLISHED
        assert (await ended(new, alice, track_id)).state is JobState.PUBLISHED
        assert list(await playing(new, track_id)) == ["aac-96-g1", "aac-128-g1"]
        # Whoever had the old address goes on by it.
        assert await rendition(new, track_id, "aac-64") == before["aac-64"]


async def test_an_encoding_anew_that_comes_to_nothing_is_not_heard_of(world, running, alice, pool):
    async with running(ladder_kbps=(64,)) as old:
        track_id = (await upload(old, alice, tone(2))).track.id
        await ended(old, alice, track_id)
        before = await playing(old, track_id)
    world.store.put(f"sources/{track_id}", b"what was a song")
    async with running(ladder_kbps=(96,)) as new, pool.acquire() as conn:
        await encodings.queue_reencodings(conn, limit=9)
        new.node.tell(DISPATCHER, JobQueued())
        assert (await ended(new, alice, track_id)).state is JobState.FAILED
        assert await state_of(new, track_id) is TrackState.PUBLISHED
        assert await playing(new, track_id) == before


async def test_a_job_that_goes_on_under_another_ladder_makes_that_one_and_nothing_else(
    world, running, alice, pool, tmp_path
):
    gate = GatedFolder(tmp_path / "media")
    gate.stop_at(5)  # the first segment is stored
    async with running(store=gate, encoders=1, ladder_kbps=(64,)) as stops:
        accepted = await upload(stops, alice, tone(20))
        assert await asyncio.to_thread(gate.stopped.wait, 60)
        async with running(ladder_kbps=(96,)) as other, pool.acquire() as conn:
            await conn.execute("UPDATE jobs SET lease_until = now() - interval '1 s'")
            other.node.tell(DISPATCHER, JobQueued())
            job = await ended(other, alice, accepted.track.id)
            assert job.state is JobState.PUBLISHED, job.error
            assert list(await playing(other, accepted.track.id)) == ["aac-96-g1"]
            gate.may_go_on.set()
            await stops.node.ended(("stream_job", str(job.id)))
