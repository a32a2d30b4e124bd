"""A track appears when it can be played, and its segments only in order and once complete."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from veza.persistence import jobs, renditions, tracks
from veza.persistence.errors import AlreadyExistsError, SegmentOrderError
from veza.persistence.pool import Connection, Pool
from veza.persistence.rows import (
    Author,
    Downloads,
    Job,
    JobState,
    Segment,
    Track,
    TrackState,
    Visibility,
)

MakeAuthor = Callable[[], Awaitable[Author]]
MakeTrack = Callable[[], Awaitable[tuple[Track, Job]]]
NODE = UUID(int=7)


def segment(number: int, sha256: bytes = b"sha") -> Segment:
    return Segment(
        number=number,
        key=f"media/x/aac-64/{number}.m4s",
        sha256=sha256,
        size_bytes=100 + number,
        first_sample=number * 1000,
        duration_samples=1000,
    )


async def insert(conn: Connection, track_id: UUID, owner: Author, title: str) -> tuple[Track, Job]:
    return await tracks.insert_track(
        conn,
        track_id=track_id,
        job_id=uuid4(),
        owner_id=owner.id,
        title=title,
        filename="a.wav",
        source_key="sources/a",
        source_sha256=bytes(32),
        source_bytes=5,
        artist="Somebody",
    )


async def open_rendition(
    conn: Connection, track_id: UUID, name: str = "aac-64", sha256: bytes = b"init"
) -> bool:
    return await renditions.save_init(
        conn,
        track_id,
        rendition=name,
        codecs="mp4a.40.2",
        sample_rate_hz=48_000,
        channels=2,
        bitrate_bps=int(name.removeprefix("aac-")) * 1000,
        init_key=f"media/x/{name}/init.mp4",
        init_sha256=sha256,
    )


async def append(conn: Connection, track_id: UUID, segment: Segment, name: str = "aac-64") -> bool:
    return await renditions.append_segment(conn, track_id, rendition=name, segment=segment)


async def state(conn: Connection, track_id: UUID) -> TrackState:
    track = await tracks.get_track(conn, track_id)
    assert track is not None
    return track.state


async def test_a_new_track_is_processing_and_its_job_queued(
    conn: Connection, new_author: MakeAuthor
) -> None:
    owner = await new_author()
    track, job = await insert(conn, uuid4(), owner, "Dawn")
    assert track == Track(
        id=track.id,
        owner=owner,
        title="Dawn",
        artist="Somebody",
        album="",
        track_number=None,
        genre="",
        artwork_tag=None,
        state=TrackState.PROCESSING,
        duration_ms=None,
        has_waveform=False,
        analysis=None,
        visibility=Visibility.PUBLIC,
        downloads=Downloads.NOBODY,
        release_at=None,
        version=0,
        plays=0,
        likes=0,
        reposts=0,
        comments=0,
        error=None,
        created_at=track.created_at,
    )
    assert abs(datetime.now(UTC) - track.created_at) < timedelta(minutes=1)
    assert (job.state, job.progress, job.type) == (JobState.QUEUED, 0, "transcode")
    assert (job.track_id, job.owner_id) == (track.id, owner.id)
    assert await tracks.get_track(conn, track.id) == track
    assert await tracks.get_track(conn, uuid4()) is None


async def test_a_track_knows_its_source(conn: Connection, new_author: MakeAuthor) -> None:
    track, _ = await insert(conn, uuid4(), await new_author(), "Dawn")
    assert await tracks.source_key(conn, track.id) == "sources/a"
    with pytest.raises(LookupError):
        await tracks.source_key(conn, uuid4())


async def test_making_a_track_again_returns_the_first_one(
    pool: Pool, new_author: MakeAuthor
) -> None:
    owner, track_id = await new_author(), uuid4()

    async def attempt(number: int) -> tuple[Track, Job]:
        async with pool.acquire() as conn:
            return await insert(conn, track_id, owner, f"Title {number}")

    made = await asyncio.gather(*map(attempt, range(6)))
    assert len(set(made)) == 1


async def test_a_track_id_of_somebody_else_is_refused(
    conn: Connection, new_author: MakeAuthor
) -> None:
    track, _ = await insert(conn, uuid4(), await new_author(), "Dawn")
    with pytest.raises(AlreadyExistsError):
        await insert(conn, track.id, await new_author(), "Dusk")


async def test_others_tracks_are_listed_once_playable_ones_own_always(
    conn: Connection, new_track: MakeTrack
) -> None:
    made = [(await new_track())[0] for _ in range(5)]
    states = ["processing", "playable", "published", "failed", "cancelled"]
    for track, name in zip(made, states, strict=True):
        await conn.execute("UPDATE tracks SET state = $2 WHERE id = $1", track.id, name)

    async def listed(
        viewer_id: UUID | None, before: UUID | None = None, limit: int = 9
    ) -> list[str]:
        found = await tracks.list_tracks(conn, viewer_id=viewer_id, before=before, limit=limit)
        return [track.state for track in found]

    assert await listed(None) == ["published", "playable"]
    assert await listed(made[0].owner.id) == ["published", "playable", "processing"]
    assert await listed(made[3].owner.id) == ["failed", "published", "playable"]
    assert await listed(None, limit=1) == ["published"]
    assert await listed(None, before=made[2].id) == ["playable"]


async def test_probing_may_name_the_artist(conn: Connection, new_track: MakeTrack) -> None:
    track, _ = await new_track()
    await tracks.set_probed(conn, track.id, sample_rate_hz=44_100, channels=2, artist="Ada")
    await tracks.set_probed(conn, track.id, sample_rate_hz=44_100, channels=2)
    probed = await tracks.get_track(conn, track.id)
    assert probed is not None
    assert (probed.artist, probed.duration_ms) == ("Ada", None)


async def test_a_rendition_is_opened_once(conn: Connection, new_track: MakeTrack) -> None:
    track, _ = await new_track()
    assert await open_rendition(conn, track.id)
    assert not await open_rendition(conn, track.id)
    with pytest.raises(AlreadyExistsError):
        await open_rendition(conn, track.id, sha256=b"another")


async def test_segments_are_added_in_order_and_repeating_one_is_harmless(
    conn: Connection, new_track: MakeTrack
) -> None:
    track, _ = await new_track()
    await open_rendition(conn, track.id)
    assert await append(conn, track.id, segment(0))
    assert not await append(conn, track.id, segment(0))
    assert await append(conn, track.id, segment(1))
    assert not await append(conn, track.id, segment(0))
    (rendition,) = await renditions.load_playing(conn, track.id)
    assert rendition.segments == (segment(0), segment(1))


@pytest.mark.parametrize(
    "wrong",
    [
        segment(2),
        replace(segment(1), first_sample=999),
        replace(segment(1), first_sample=1001),
        segment(0, b"other bytes"),
    ],
    ids=["hole", "overlap", "gap", "other bytes"],
)
async def test_a_segment_that_is_not_the_next_is_refused(
    conn: Connection, new_track: MakeTrack, wrong: Segment
) -> None:
    track, _ = await new_track()
    await open_rendition(conn, track.id)
    await append(conn, track.id, segment(0))
    with pytest.raises(SegmentOrderError):
        await append(conn, track.id, wrong)


async def test_a_rendition_never_opened_takes_no_segment(
    conn: Connection, new_track: MakeTrack
) -> None:
    track, _ = await new_track()
    with pytest.raises(SegmentOrderError):
        await append(conn, track.id, segment(0))


async def test_of_two_who_add_the_same_segment_at_once_one_does(
    pool: Pool, new_track: MakeTrack
) -> None:
    track, _ = await new_track()
    async with pool.acquire() as conn:
        await open_rendition(conn, track.id)

    async def add(sha256: bytes) -> bool:
        async with pool.acquire() as conn:
            return await append(conn, track.id, segment(0, sha256))

    results = await asyncio.gather(*[add(b"a") for _ in range(5)])
    assert sorted(results) == [False, False, False, False, True]


async def test_a_track_is_playable_once_every_rendition_has_its_first_segment(
    conn: Connection, new_track: MakeTrack
) -> None:
    track, _ = await new_track()
    names = ["aac-64", "aac-128"]
    for name in names:
        await open_rendition(conn, track.id, name)
    await append(conn, track.id, segment(0), "aac-64")
    assert not await tracks.mark_playable(conn, track.id, names)
    assert await state(conn, track.id) is TrackState.PROCESSING
    await append(conn, track.id, segment(0), "aac-128")
    assert await tracks.mark_playable(conn, track.id, names)
    assert not await tracks.mark_playable(conn, track.id, names)
    assert await state(conn, track.id) is TrackState.PLAYABLE


async def test_renditions_come_lowest_bit_rate_first_or_alone(
    conn: Connection, new_track: MakeTrack
) -> None:
    track, _ = await new_track()
    for name in ("aac-256", "aac-64", "aac-128"):
        await open_rendition(conn, track.id, name)
        await append(conn, track.id, segment(0), name)
    await append(conn, track.id, segment(1), "aac-64")
    loaded = await renditions.load_playing(conn, track.id)
    assert [rendition.name for rendition in loaded] == ["aac-64", "aac-128", "aac-256"]
    assert [len(rendition.segments) for rendition in loaded] == [2, 1, 1]
    assert loaded[0].init_key == "media/x/aac-64/init.mp4"
    assert (loaded[0].codecs, loaded[0].bitrate_bps) == ("mp4a.40.2", 64_000)
    assert (loaded[0].sample_rate_hz, loaded[0].channels) == (48_000, 2)
    assert not loaded[0].is_complete
    assert await renditions.load_rendition(conn, track.id, "aac-128") == loaded[1]
    assert await renditions.load_rendition(conn, track.id, "flac") is None
    assert await renditions.load_playing(conn, uuid4()) == ()


async def test_a_finished_track_is_published_with_length_and_waveform_and_grows_no_more(
    pool: Pool, new_track: MakeTrack
) -> None:
    track, _ = await new_track()
    async with pool.transaction() as conn:
        claimed = await jobs.claim_job(conn, node_id=NODE, lease_seconds=30)
        assert claimed is not None
        await open_rendition(conn, track.id)
        await append(conn, track.id, segment(0))
        assert await tracks.read_waveform(conn, track.id) is None
    async with pool.transaction() as conn:
        await jobs.hold_lease(conn, claimed.job.id, node_id=NODE)
        job = await jobs.finish_job(conn, claimed.job.id, node_id=NODE)
        done = await tracks.finish_track(
            conn,
            track.id,
            duration_samples=66_150,
            sample_rate_hz=44_100,
            peaks=b"\x80\x7f",
            analysis='{"loudness": {"range_lu": 0.1, "true_peak_dbtp": null}}',
        )
    assert job.state is JobState.PUBLISHED
    assert (done.state, done.duration_ms, done.has_waveform) == (TrackState.PUBLISHED, 1500, True)
    assert json.loads(done.analysis) == {"loudness": {"range_lu": 0.1, "true_peak_dbtp": None}}
    async with pool.acquire() as conn:
        assert await tracks.read_waveform(conn, track.id) == b"\x80\x7f"
        (rendition,) = await renditions.load_playing(conn, track.id)
        assert rendition.is_complete
        with pytest.raises(SegmentOrderError):
            await append(conn, track.id, segment(1))
        assert not await append(conn, track.id, segment(0))


async def test_media_keys_are_found_by_the_names_in_the_playlist(
    conn: Connection, new_track: MakeTrack
) -> None:
    track, _ = await new_track()
    await open_rendition(conn, track.id)
    await append(conn, track.id, segment(0))

    async def found(name: str, rendition: str = "aac-64") -> tuple[str, bytes] | None:
        return await renditions.segment_key(conn, track.id, rendition, name)

    assert await found("init.mp4") == ("media/x/aac-64/init.mp4", b"init")
    assert await found("0.m4s") == ("media/x/aac-64/0.m4s", b"sha")
    assert await found("1.m4s") is None
    assert await found("0.m4s", "aac-128") is None
    for name in ("00.m4s", "-1.m4s", "0.mp4", "", "../0.m4s", "9999999999.m4s", "0.m4s\n", "٣.m4s"):
        assert await found(name) is None
