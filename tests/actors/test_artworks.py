"""The picture in a file, or the one its owner chose, is the track's; a bad one does no harm to the music."""

import asyncio
import io

import av
import numpy as np
import pytest
from PIL import Image

from veza.actors.messages.artworks import (
    ArtworkAccepted,
    ArtworkRead,
    ArtworkRemoved,
    ChooseArtwork,
    ReadArtwork,
    RemoveArtwork,
)
from veza.actors.messages.common import RejectCode
from veza.actors.messages.media_keeping import CheckMedia, Shelf
from veza.actors.messages.operator import Drain
from veza.actors.messages.tracks import (
    DescribeJob,
    DescribeTrack,
    JobState,
    PublishUpload,
    TrackState,
    WriteChunk,
)
from veza.config.ids import uuid7

ARTWORKS = ("artworks", "")
RATE = 44_100


def picture(colour: str, size=(900, 600)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "JPEG")
    return file.getvalue()


def bomb() -> bytes:
    """A PNG of a few kilobytes that says it has 400 million pixels."""
    file = io.BytesIO()
    Image.new("1", (8, 8)).save(file, "PNG")
    data = bytearray(file.getvalue())
    data[16:24] = (20_000).to_bytes(4, "big") * 2
    return bytes(data)


def song(art: bytes | None, codec: str = "mjpeg", **tags: str) -> bytes:
    """A FLAC file of a second with tags and a picture."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as out:
        out.metadata.update(tags)
        sound = out.add_stream("flac", rate=RATE)
        sound.layout = "mono"
        if art is not None:
            cover = out.add_stream(codec)
            cover.width, cover.height, cover.pix_fmt = (
                8,
                8,
                "yuvj420p" if codec == "mjpeg" else "rgb24",
            )
            cover.disposition = av.stream.Disposition.attached_pic
            packet = av.Packet(art)
            packet.stream = cover
            packet.is_keyframe = True
        samples = (np.sin(np.arange(RATE) / 20) * 8_000).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
        frame.sample_rate = RATE
        if art is not None:
            out.mux(packet)
        out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    return file.getvalue()


@pytest.fixture
async def ada(world):
    return await world.person("ada")


async def staged(world, data: bytes):
    upload_id = uuid7()
    await world.node.ask(("media", ""), WriteChunk(upload_id=upload_id, offset=0, data=data))
    return upload_id


async def published(world, owner, data: bytes):
    """The track of a file, once it has come to an end."""
    track_id = uuid7()
    publish = PublishUpload(
        track_id=track_id,
        upload_id=await staged(world, data),
        owner=owner,
        title="",
        filename="a.flac",
    )
    await world.node.ask(("catalogue", ""), publish)
    async with asyncio.timeout(60):
        while True:
            command = DescribeTrack(track_id=track_id, viewer_id=owner.id)
            track = (await world.node.ask(("catalogue", ""), command)).track
            if track.state in {TrackState.PUBLISHED, TrackState.FAILED}:
                return track
            await asyncio.sleep(0.02)


async def choose(world, track, who, data: bytes):
    command = ChooseArtwork(
        job_id=uuid7(), track_id=track.id, owner_id=who.id, upload_id=await staged(world, data)
    )
    return await world.node.ask(ARTWORKS, command)


async def ended(world, job, who):
    async with asyncio.timeout(60):
        while True:
            command = DescribeJob(job_id=job.id, viewer_id=who.id)
            job = (await world.node.ask(("jobs", ""), command)).job
            if job.state in {JobState.PUBLISHED, JobState.FAILED}:
                return job
            await asyncio.sleep(0.02)


async def seen(world, track, viewer=None):
    command = ReadArtwork(track_id=track.id, viewer_id=viewer)
    return await world.node.ask(ARTWORKS, command)


def colour_of(data: bytes) -> tuple[int, ...]:
    with Image.open(io.BytesIO(data)) as image:
        assert max(image.size) == 512
        return tuple(round(each / 64) for each in image.convert("RGB").getpixel((256, 100)))


def stored(world, track) -> list[str]:
    folder = world.store._root / "media" / str(track.id) / "artwork"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


async def test_what_a_file_says_of_itself_and_shows_is_the_tracks(world, ada):
    tags = {"artist": "Ada", "album": "Nuits <b>bleues</b>", "genre": "Dub", "track": "3/12"}
    track = await published(world, ada, song(picture("red"), **tags))

    assert (track.artist, track.album) == ("Ada", "Nuits <b>bleues</b>")
    assert (track.genre, track.track_number) == ("Dub", 3)
    read = await seen(world, track)
    assert isinstance(read, ArtworkRead)
    assert read.tag == track.artwork_tag
    assert colour_of(read.data) == (4, 0, 0)
    check = CheckMedia(shelf=Shelf.TRACKS, after=None, is_fast=False)
    checked = await world.node.ask(("media_keeper", ""), check)
    assert checked.bad == ()


@pytest.mark.parametrize(
    "art", [b"no picture" * 100, bomb(), picture("red")[:400]], ids=["text", "bomb", "cut off"]
)
async def test_a_picture_that_is_none_leaves_a_track_that_plays(world, ada, art):
    track = await published(world, ada, song(art))

    assert (track.state, track.artwork_tag) == (TrackState.PUBLISHED, None)
    assert (await seen(world, track)).code is RejectCode.NOT_FOUND


async def test_an_owner_chooses_another_picture_and_takes_it_away(world, ada, pool):
    track = await published(world, ada, song(picture("red")))
    first = await seen(world, track)
    accepted = await choose(world, track, ada, picture("blue", (600, 900)))
    assert isinstance(accepted, ArtworkAccepted)
    assert (await ended(world, accepted.job, ada)).state is JobState.PUBLISHED

    read = await seen(world, track)
    assert read.tag != first.tag
    assert colour_of(read.data) == (0, 0, 4)
    async with asyncio.timeout(20):
        while stored(world, track) != [f"{read.tag}.webp"]:
            await asyncio.sleep(0.01)
    for _twice in range(2):
        removed = await world.node.ask(ARTWORKS, RemoveArtwork(track_id=track.id, owner_id=ada.id))
        assert isinstance(removed, ArtworkRemoved)
    assert (await seen(world, track)).code is RejectCode.NOT_FOUND
    assert stored(world, track) == []


async def test_a_picture_that_comes_too_soon_leaves_nothing_and_a_repeated_one_is_the_same(
    world, ada
):
    track = await published(world, ada, song(None))
    world.node.tell(("dispatcher", ""), Drain())
    first = ChooseArtwork(
        job_id=uuid7(),
        track_id=track.id,
        owner_id=ada.id,
        upload_id=await staged(world, picture("blue")),
    )
    accepted = await world.node.ask(ARTWORKS, first)

    assert (await choose(world, track, ada, picture("red"))).code is RejectCode.INVALID_STATE
    assert await world.node.ask(ARTWORKS, first) == accepted
    assert stored(world, track) == [str(first.job_id)]


async def test_a_chosen_picture_that_is_none_fails_its_job_and_nothing_else(world, ada):
    track = await published(world, ada, song(picture("red")))
    before = await seen(world, track)
    accepted = await choose(world, track, ada, b"no picture at all")

    job = await ended(world, accepted.job, ada)
    assert (job.state, job.error.code) == (JobState.FAILED, "not_a_picture")
    assert await seen(world, track) == before
    async with asyncio.timeout(20):
        described = DescribeTrack(track_id=track.id, viewer_id=ada.id)
        assert (
            await world.node.ask(("catalogue", ""), described)
        ).track.state is TrackState.PUBLISHED


async def test_only_its_owner_chooses_and_only_who_may_hear_a_track_sees_it(world, ada, pool):
    bob = await world.person("bob")
    track = await published(world, ada, song(picture("red")))
    for refused in (
        await choose(world, track, bob, picture("blue")),
        await world.node.ask(ARTWORKS, RemoveArtwork(track_id=track.id, owner_id=bob.id)),
    ):
        assert refused.code is RejectCode.FORBIDDEN
    async with pool.acquire() as conn:
        await conn.execute("UPDATE tracks SET visibility = 'private'")

    assert (await seen(world, track, bob.id)).code is RejectCode.NOT_FOUND
    assert isinstance(await seen(world, track, ada.id), ArtworkRead)
