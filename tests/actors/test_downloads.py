"""A copy is made once for all who may have it; what becomes of it never touches the track it is of."""

import asyncio
import io
import os
import signal
import wave

import av
import numpy as np
import pytest

from veza.actors.downloads import SweepCopies
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.downloads import (
    CopyFormat,
    CopyRequested,
    DownloadOpened,
    DownloadState,
    ListDownloads,
    OpenDownload,
    RequestCopy,
)
from veza.actors.messages.jobs import JobQueued
from veza.actors.messages.media_keeping import CheckMedia, Shelf
from veza.actors.messages.operator import ListCrashes, ReadCrash
from veza.actors.messages.tracks import PublishUpload, TrackState, WriteChunk
from veza.config.ids import uuid7
from veza.persistence.staging import Staging

DOWNLOADS = ("downloads", "")
RATE, SECONDS = 44_100, 2


def tone() -> bytes:
    time = np.arange(SECONDS * RATE) / RATE
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((np.sin(880 * np.pi * time) * 8_000).astype("<i2").tobytes())
    return file.getvalue()


@pytest.fixture
async def ada(world):
    return await world.person("ada")


@pytest.fixture
async def bob(world):
    return await world.person("bob")


@pytest.fixture
async def track(world, ada, pool):
    """A published track that everybody may have."""
    upload_id, track_id = uuid7(), uuid7()
    await world.node.ask(("media", ""), WriteChunk(upload_id=upload_id, offset=0, data=tone()))
    publish = PublishUpload(
        track_id=track_id, upload_id=upload_id, owner=ada, title="A tone", filename="tone.wav"
    )
    await world.node.ask(("catalogue", ""), publish)
    async with asyncio.timeout(60):
        while await state_of(pool) is not TrackState.PUBLISHED:
            await asyncio.sleep(0.02)
    await let(pool, "everybody")
    return track_id


async def let(pool, downloads: str) -> None:
    async with pool.acquire() as conn:
        await conn.execute("UPDATE tracks SET downloads = $1", downloads)


async def state_of(pool) -> TrackState:
    async with pool.acquire() as conn:
        return TrackState(await conn.fetchval("SELECT state FROM tracks"))


async def ask(world, track_id, who, kind=CopyFormat.MP3):
    command = RequestCopy(job_id=uuid7(), track_id=track_id, by=who.id, format=kind)
    return await world.node.ask(DOWNLOADS, command)


async def opened(world, track_id, who, kind=CopyFormat.MP3):
    command = OpenDownload(track_id=track_id, viewer_id=who.id, format=kind)
    return await world.node.ask(DOWNLOADS, command)


async def until(world, track_id, state: DownloadState) -> None:
    """Wait until the MP3 copy is in a state."""
    async with asyncio.timeout(60):
        while True:
            listed = await world.node.ask(
                DOWNLOADS, ListDownloads(track_id=track_id, viewer_id=None)
            )
            if {each.format: each.state for each in listed.downloads}["mp3"] is state:
                return
            await asyncio.sleep(0.02)


async def jobs(pool) -> list[tuple[str, str, str | None]]:
    async with pool.acquire() as conn:
        rows = await conn.fetch(
            "SELECT u.username, j.state, j.error_code FROM jobs j JOIN users u ON u.id = j.owner_id"
            " WHERE j.type = 'copy' ORDER BY j.id"
        )
    return [tuple(row) for row in rows]


async def test_a_copy_is_made_once_for_all_and_is_the_track(world, track, ada, bob, pool):
    assert (await opened(world, track, bob)).code is RejectCode.NOT_READY
    first = await ask(world, track, bob)
    assert isinstance(first, CopyRequested)
    await ask(world, track, ada)
    await until(world, track, DownloadState.READY)
    again = await ask(world, track, ada)

    copy = await opened(world, track, bob)
    assert again.download.size_bytes == copy.size_bytes == copy.place.stat().st_size
    with av.open(str(copy.place)) as container:
        assert container.metadata["title"] == "A tone"
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples == SECONDS * RATE
    assert await jobs(pool) == [("bob", "published", None)]
    check = CheckMedia(shelf=Shelf.TRACKS, after=None, is_fast=False)
    assert (await world.node.ask(("media_keeper", ""), check)).bad == ()
    assert list(world.store.staging._folder.iterdir()) == []


async def test_only_those_may_ask_who_may_have_it(world, track, ada, bob, pool):
    await let(pool, "nobody")

    for refused in (await ask(world, track, bob), await opened(world, track, bob)):
        assert isinstance(refused, Rejected)
        assert refused.code is RejectCode.FORBIDDEN
    assert isinstance(await ask(world, track, ada), CopyRequested)
    assert (await ask(world, uuid7(), ada)).code is RejectCode.NOT_FOUND
    async with pool.acquire() as conn:
        await conn.execute("UPDATE tracks SET state = 'processing'")
    assert (await ask(world, track, ada, CopyFormat.OPUS)).code is RejectCode.NOT_READY


async def test_a_copy_that_cannot_be_made_says_so_and_harms_nothing(world, track, ada, pool):
    world.store.put(f"sources/{track}", b"no sound at all" * 100)

    await ask(world, track, ada)
    await until(world, track, DownloadState.FAILED)
    assert await jobs(pool) == [("ada", "failed", "not_audio")]
    assert await state_of(pool) is TrackState.PUBLISHED
    async with pool.acquire() as conn:
        assert (
            await conn.fetchval("SELECT count(*) FROM renditions WHERE superseded_at IS NOT NULL")
            == 0
        )

    world.store.put(f"sources/{track}", tone())
    assert (await ask(world, track, ada)).download.state is DownloadState.MAKING
    await until(world, track, DownloadState.READY)


async def test_a_copy_whose_process_is_killed_is_made_by_another(world, track, ada, pool):
    await ask(world, track, ada, CopyFormat.OPUS)
    os.kill((await copying(world)).instance.process_id(), signal.SIGKILL)
    async with asyncio.timeout(60):
        while not isinstance(await opened(world, track, ada, CopyFormat.OPUS), DownloadOpened):
            world.node.tell(("dispatcher", ""), JobQueued())  # it is due again before the next poll
            await asyncio.sleep(0.05)
    assert await jobs(pool) == [("ada", "published", None)]


async def copying(world):
    """The actor that copies, once its process is there."""
    async with asyncio.timeout(30):
        while True:
            for cell in world.node.runtime.tree():
                if "/copy_jobs/" in cell.path and cell.instance and cell.instance.process_id():
                    return cell
            await asyncio.sleep(0)


class Forgetful(Staging):
    """A folder that once loses an upload just before it is whole."""

    has_forgotten = False

    def cut(self, upload_id, size_bytes) -> None:
        if not self.has_forgotten:
            self.has_forgotten = True
            self.drop(upload_id)
        super().cut(upload_id, size_bytes)


async def test_a_copy_whose_pieces_are_gone_is_begun_anew(world, track, ada, pool, tmp_path):
    world.store.staging = Forgetful(tmp_path / "staging")
    await ask(world, track, ada)
    async with asyncio.timeout(60):
        while not isinstance(await opened(world, track, ada), DownloadOpened):
            world.node.tell(("dispatcher", ""), JobQueued())
            await asyncio.sleep(0.05)

    assert world.store.staging.has_forgotten
    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT attempts FROM jobs WHERE type = 'copy'") == 2


async def test_a_copier_that_speaks_nonsense_is_a_crash_with_its_cause(world, track, ada):
    await ask(world, track, ada)
    cell = await copying(world)
    cell.instance.process._credit = 0  # as if it had been allowed less than it was told

    async with asyncio.timeout(30):
        while not (groups := (await world.node.operate(ListCrashes())).groups):
            await asyncio.sleep(0.02)
    read = await world.node.operate(ReadCrash(fingerprint=groups[0].fingerprint))
    assert groups[0].error_type == "WorkerBrokenError"
    assert "more segments than it had credit for" in read.crashes[0].traceback


async def test_a_copy_that_is_old_goes_and_is_made_anew(world, track, ada, pool):
    await ask(world, track, ada)
    await until(world, track, DownloadState.READY)
    place = (await opened(world, track, ada)).place
    async with pool.acquire() as conn:
        await conn.execute("UPDATE copies SET made_at = now() - interval '31 days'")

    world.node.tell(DOWNLOADS, SweepCopies())
    await until(world, track, DownloadState.NONE)
    async with asyncio.timeout(20):
        while place.exists():
            await asyncio.sleep(0.01)
    await ask(world, track, ada)
    await until(world, track, DownloadState.READY)
