"""An upload becomes a stream, whatever dies on the way, and a bad file ends with a reason."""

import asyncio
import io
import json
import os
import resource
import signal
import wave
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile

from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.jobs import (
    CancelRunning,
    ClaimJob,
    DrainJobs,
    LeaveJob,
    StartJob,
    StoreSegment,
)
from veza.actors.messages.tracks import (
    CancelJob,
    DescribeJob,
    DescribeTrack,
    JobChanged,
    JobState,
    JobType,
    MediaRead,
    PublishUpload,
    ReadAudiowaveform,
    ReadMaster,
    ReadMedia,
    ReadPlaylist,
    ReadWaveform,
    RetryJob,
    TrackState,
    WaveformFormat,
    WriteChunk,
)
from veza.actors.stream_job import ACTIVE, NEXT
from veza.codecs.synthesis import PIECES, render
from veza.config.ids import uuid7

RATE = 44_100
CHUNK = 256 * 1024


def tone(seconds: float) -> bytes:
    """A stereo WAV file with a slow sweep."""
    time = np.arange(round(seconds * RATE)) / RATE
    left = 0.5 * np.sin(2 * np.pi * (220 + 40 * time) * time)
    right = 0.5 * np.sin(2 * np.pi * 330 * time)
    samples = (np.stack([left, right], axis=1) * 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())
    return file.getvalue()


@pytest.fixture
async def alice(world):
    return await world.client("alice")


async def upload(world, owner, data: bytes, filename: str = "My_song.wav"):
    upload_id, track_id = uuid7(), uuid7()
    for offset in range(0, max(1, len(data)), CHUNK):
        chunk = WriteChunk(upload_id=upload_id, offset=offset, data=data[offset : offset + CHUNK])
        await world.node.ask(("media", ""), chunk)
    command = PublishUpload(
        track_id=track_id, upload_id=upload_id, owner=owner, title="", filename=filename
    )
    return await world.node.ask(("catalogue", ""), command)


async def news(client, track_id, *states):
    """The first news of a track's job that has one of these states."""
    return await client.wait_for(
        lambda e: isinstance(e, JobChanged) and e.track.id == track_id and e.job.state in states
    )


async def stream_of(world, track_id) -> dict[str, list[bytes]]:
    """Every rendition's init and segments, as the playlists name them."""
    master = await world.node.ask(
        ("catalogue", ""), ReadMaster(track_id=track_id, query="", is_lossless=True)
    )
    names = [line.split("/")[0] for line in master.text.splitlines() if line.endswith("m3u8")]
    stream = {}
    for name in names:
        read = ReadPlaylist(track_id=track_id, rendition=name, query="")
        playlist = await world.node.ask(("catalogue", ""), read)
        files = ["init.mp4"] + [x for x in playlist.text.splitlines() if x.endswith(".m4s")]
        stream[name] = [await media(world, track_id, name, file) for file in files]
    return stream


async def media(world, track_id, rendition, name) -> bytes:
    read = ReadMedia(track_id=track_id, rendition=rendition, name=name)
    answer = await world.node.ask(("media", ""), read)
    assert isinstance(answer, MediaRead)
    return answer.data


async def published(world, client, data):
    accepted = await upload(world, client.author, data)
    ended = await news(client, accepted.track.id, JobState.PUBLISHED, JobState.FAILED)
    assert ended.job.state is JobState.PUBLISHED, ended.job.error
    return accepted.track.id


def pipelines(world):
    return [c for c in world.node.runtime.tree() if "/pipelines/" in c.path]


async def worker_of(world) -> int:
    """The process id of the one pipeline that runs."""
    while True:
        for cell in pipelines(world):
            pid = cell.instance and cell.instance.inspect()["pid"]
            if pid:
                return pid
        await asyncio.sleep(0.005)


@pytest.fixture
def full_disk():
    """A disk that takes no byte more: what a limit of this process says looks the same to it."""

    @contextmanager
    def full():
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return full


async def actor_of(world, job_id):
    """The cell of a job's actor, once there is one."""
    while True:
        for cell in world.node.runtime.tree():
            if cell.path.endswith(f"/stream_jobs/{job_id}"):
                return cell
        await asyncio.sleep(0.005)


async def has_waiting_parts(job):
    while not (job.instance and job.instance.inspect()["waiting_parts"]):
        await asyncio.sleep(0.005)


async def test_an_upload_becomes_a_stream_that_is_told_of_and_complete(world, alice):
    accepted = await upload(world, alice.author, tone(13))
    assert accepted.track.title == "My song"
    assert accepted.track.state is TrackState.PROCESSING
    done = await news(alice, accepted.track.id, JobState.PUBLISHED)

    assert done.job.progress == 1
    assert done.track.state is TrackState.PUBLISHED
    assert done.track.duration_ms == 13_000
    stream = await stream_of(world, accepted.track.id)
    assert list(stream) == ["aac-64", "aac-128", "flac"]
    read = ReadMaster(track_id=accepted.track.id, query="", is_lossless=False)
    assert "fLaC" not in (await world.node.ask(("catalogue", ""), read)).text
    assert {len(files) for files in stream.values()} == {4}
    waveform = await world.node.ask(("catalogue", ""), ReadWaveform(track_id=accepted.track.id))
    assert 1_000 < len(waveform.buckets) <= 2_048
    read = ReadAudiowaveform(
        track_id=accepted.track.id, samples_per_pixel=1, format=WaveformFormat.BINARY
    )
    fine = (await world.node.ask(("catalogue", ""), read)).data
    assert len(fine) == 24 + 2 * -(-13 * RATE // 64)
    states = [event.job.state for event in alice.of_kind(JobChanged)]
    assert states == sorted(states, key=list(JobState).index)
    await world.node.ended(("stream_job", str(accepted.job.id)))
    assert pipelines(world) == []


async def test_a_track_is_playable_while_later_segments_encode(world, alice):
    accepted = await upload(world, alice.author, tone(60))

    early = await alice.wait_for(
        lambda e: isinstance(e, JobChanged) and e.track.state is TrackState.PLAYABLE
    )
    read = ReadPlaylist(track_id=accepted.track.id, rendition="aac-128", query="sig=x")
    playlist = await world.node.ask(("catalogue", ""), read)

    assert early.job.state is JobState.ENCODING
    assert not playlist.is_complete
    assert "0.m4s?sig=x" in playlist.text
    await news(alice, accepted.track.id, JobState.PUBLISHED)


async def test_a_killed_worker_is_replaced_and_the_stream_is_the_same(world, alice):
    source = tone(40)
    undisturbed = await published(world, alice, source)
    whole = await stream_of(world, undisturbed)
    accepted = await upload(world, alice.author, source)
    await alice.wait_for(
        lambda e: (
            isinstance(e, JobChanged)
            and e.track.id == accepted.track.id
            and e.track.state is TrackState.PLAYABLE
        )
    )

    os.kill(await worker_of(world), signal.SIGKILL)
    done = await news(alice, accepted.track.id, JobState.PUBLISHED, JobState.FAILED)

    assert done.job.state is JobState.PUBLISHED
    assert await stream_of(world, accepted.track.id) == whole
    other = await world.node.ask(
        ("catalogue", ""), DescribeTrack(track_id=undisturbed, viewer_id=None)
    )
    assert done.track.analysis == other.track.analysis
    assert json.loads(done.track.analysis)["loudness"]["integrated_lufs"] < 0


async def test_a_crashed_stream_job_goes_on_from_what_is_stored(world, alice):
    source = tone(30)
    whole = await stream_of(world, await published(world, alice, source))
    accepted = await upload(world, alice.author, source)
    await alice.wait_for(
        lambda e: (
            isinstance(e, JobChanged)
            and e.track.id == accepted.track.id
            and e.track.state is TrackState.PLAYABLE
        )
    )

    world.node.runtime.restart(world.cell(f"stream_jobs/{accepted.job.id}"))
    done = await news(alice, accepted.track.id, JobState.PUBLISHED, JobState.FAILED)

    assert done.job.state is JobState.PUBLISHED, done.job.error
    assert await stream_of(world, accepted.track.id) == whole


@pytest.mark.parametrize(
    "data",
    [b"", b"this is no music\n" * 100, b"\x89PNG\r\n\x1a\n" + bytes(5000)],
    ids=["empty", "text", "picture"],
)
async def test_a_file_that_is_no_audio_fails_with_a_sentence(world, alice, data):
    accepted = await upload(world, alice.author, data, "song.mp3")

    done = await news(alice, accepted.track.id, JobState.FAILED)

    assert done.track.state is TrackState.FAILED
    assert done.job.error.code
    assert done.job.error.detail.endswith(".")
    describe = DescribeJob(job_id=accepted.job.id, viewer_id=alice.author.id)
    described = await world.node.ask(("jobs", ""), describe)
    assert described.job.error == done.job.error


async def test_a_cancelled_job_stops_its_process_and_can_be_retried(world, alice):
    accepted = await upload(world, alice.author, tone(45))
    pid = await worker_of(world)
    cancel = CancelJob(job_id=accepted.job.id, viewer_id=alice.author.id)

    await world.node.ask(("jobs", ""), cancel)
    done = await news(alice, accepted.track.id, JobState.CANCELLED)

    assert done.track.state is TrackState.CANCELLED
    assert await is_gone(pid)
    retry = RetryJob(job_id=accepted.job.id, viewer_id=alice.author.id)
    await world.node.ask(("jobs", ""), retry)
    await news(alice, accepted.track.id, JobState.PUBLISHED)


async def is_gone(pid: int) -> bool:
    async with asyncio.timeout(30):
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            await asyncio.sleep(0.01)


async def test_a_job_that_waits_for_room_on_the_disk_can_be_cancelled(world, alice, full_disk):
    accepted = await upload(world, alice.author, tone(45))
    with full_disk():
        job = await actor_of(world, accepted.job.id)
        await has_waiting_parts(job)
        cancel = CancelJob(job_id=accepted.job.id, viewer_id=alice.author.id)
        await world.node.ask(("jobs", ""), cancel)

        await news(alice, accepted.track.id, JobState.CANCELLED)


async def test_a_job_that_waits_for_room_on_the_disk_goes_on_when_there_is_some(
    world, alice, full_disk
):
    accepted = await upload(world, alice.author, tone(13))
    with full_disk():
        job = await actor_of(world, accepted.job.id)
        await has_waiting_parts(job)

    await news(alice, accepted.track.id, JobState.PUBLISHED)


async def test_a_job_that_is_given_back_at_once_starts_no_encoder(world, alice):
    await world.node.ask(("dispatcher", ""), DrainJobs())
    accepted = await upload(world, alice.author, tone(2))
    claimed = await world.node.ask(("jobs", ""), ClaimJob(types=tuple(JobType)))
    assert claimed.job.id == accepted.job.id
    pipelines_asked = world.cell("pipelines").messages_in

    key = ("stream_job", str(claimed.job.id))
    world.node.tell(key, StartJob())
    world.node.tell(key, LeaveJob())
    await world.node.ended(key)

    assert world.cell("pipelines").messages_in == pipelines_asked
    while (await world.node.ask(("jobs", ""), ClaimJob(types=tuple(JobType)))).job is None:
        await asyncio.sleep(0.005)  # its row was locked just then


async def test_a_job_that_is_cancelled_before_it_has_begun_is_told_as_cancelled(world, alice):
    await world.node.ask(("dispatcher", ""), DrainJobs())
    accepted = await upload(world, alice.author, tone(2))
    claimed = await world.node.ask(("jobs", ""), ClaimJob(types=tuple(JobType)))

    key = ("stream_job", str(claimed.job.id))
    world.node.tell(key, StartJob())
    world.node.tell(key, CancelRunning(job_id=claimed.job.id))

    await news(alice, accepted.track.id, JobState.CANCELLED)


async def test_a_finished_job_cannot_be_cancelled_and_a_strangers_is_not_there(world, alice):
    bob = await world.person("bob")
    accepted = await upload(world, alice.author, tone(2))
    await news(alice, accepted.track.id, JobState.PUBLISHED)

    own = CancelJob(job_id=accepted.job.id, viewer_id=alice.author.id)
    others = CancelJob(job_id=accepted.job.id, viewer_id=bob.id)

    assert (await world.node.ask(("jobs", ""), own)).code is RejectCode.INVALID_STATE
    assert (await world.node.ask(("jobs", ""), others)).code is RejectCode.NOT_FOUND


async def test_an_upload_past_the_limit_is_refused(world, alice):
    chunk = WriteChunk(
        upload_id=uuid7(), offset=world.settings.max_upload_bytes, data=b"one more byte"
    )

    answer = await world.node.ask(("media", ""), chunk)

    assert isinstance(answer, Rejected)
    assert answer.code is RejectCode.PAYLOAD_TOO_LARGE


async def test_an_upload_that_is_not_there_is_not_found(world, alice):
    command = PublishUpload(
        track_id=uuid7(), upload_id=uuid7(), owner=alice.author, title="", filename="song.wav"
    )

    answer = await world.node.ask(("catalogue", ""), command)

    assert isinstance(answer, Rejected)
    assert answer.code is RejectCode.NOT_FOUND


async def test_a_missing_track_is_not_found(world):
    answer = await world.node.ask(
        ("catalogue", ""), DescribeTrack(track_id=uuid7(), viewer_id=None)
    )

    assert answer.code is RejectCode.NOT_FOUND


def test_every_active_state_can_fail_be_cancelled_and_be_given_back():
    endings = {state: {NEXT[key] for key in NEXT if key[0] is state} for state in ACTIVE}

    for state in ACTIVE:
        assert {JobState.FAILED, JobState.CANCELLED, JobState.QUEUED} <= endings[state]
    assert not {JobState.PUBLISHED, JobState.FAILED, JobState.CANCELLED} & {s for s, _ in NEXT}


async def test_who_lost_the_lease_cannot_write_over_what_is_played(world, alice):
    accepted = await upload(world, alice.author, tone(2))
    await news(alice, accepted.track.id, JobState.PUBLISHED)
    before = await stream_of(world, accepted.track.id)
    late = StoreSegment(
        job_id=accepted.job.id,
        track_id=accepted.track.id,
        generation=0,
        rendition="aac-128",
        number=0,
        first_sample=0,
        duration_samples=1,
        renditions=("aac-128",),
        data=b"other bytes",
    )

    answer = await world.node.ask(("segments", ""), late)

    assert answer.code is RejectCode.INVALID_STATE
    assert await stream_of(world, accepted.track.id) == before


async def test_a_recording_that_was_published_before_is_told_to_its_owner_in_whatever_codec(
    world, alice
):
    samples = render(PIECES[1], sample_rate_hz=RATE, seconds=13)
    first, second = io.BytesIO(), io.BytesIO()
    soundfile.write(first, samples, RATE, format="FLAC")
    soundfile.write(second, 0.5 * samples[RATE:], RATE, format="OGG", subtype="VORBIS")

    original = await upload(world, alice.author, first.getvalue())
    alone = await news(alice, original.track.id, JobState.PUBLISHED)
    again = await upload(world, alice.author, second.getvalue())
    told = await news(alice, again.track.id, JobState.PUBLISHED)

    assert (alone.job.sounds_like, told.job.sounds_like) == (None, original.track.id)
