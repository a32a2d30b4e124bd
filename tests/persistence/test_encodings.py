"""A track is encoded anew while it plays; what plays changes at once and as a whole, or not at all."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from veza.persistence import encodings, jobs, renditions, tracks
from veza.persistence.pool import Connection
from veza.persistence.rows import Failure, Job, Segment, Track, TrackState

MakeTrack = Callable[[], Awaitable[tuple[Track, Job]]]
NODE = UUID(int=1)


async def encode(
    conn: Connection, track_id: UUID, generation: int, *rungs: str, sha256: bytes = b"init"
) -> None:
    """Store a rendition of one segment for each rung."""
    for rung in rungs:
        name = renditions.rendition_name(rung, generation)
        await renditions.save_init(
            conn,
            track_id,
            rendition=name,
            generation=generation,
            codecs="mp4a.40.2",
            sample_rate_hz=48_000,
            channels=2,
            bitrate_bps=64_000,
            init_key=f"media/x/{name}/init.mp4",
            init_sha256=sha256,
        )
        await renditions.append_segment(
            conn,
            track_id,
            rendition=name,
            segment=Segment(
                number=0,
                key=f"media/x/{name}/0.mp4",
                sha256=sha256,
                size_bytes=9,
                first_sample=0,
                duration_samples=48_000,
            ),
        )


async def finish(
    conn: Connection, track_id: UUID, job_id: UUID, generation: int, recipe: str
) -> None:
    await tracks.finish_track(
        conn,
        track_id,
        duration_samples=48_000,
        sample_rate_hz=48_000,
        peaks=b"",
        analysis="{}",
        generation=generation,
        recipe=recipe,
    )
    await renditions.supersede(conn, track_id, generation)
    await jobs.finish_job(conn, job_id, node_id=NODE)


async def claim(conn: Connection) -> Job:
    claimed = await jobs.claim_job(conn, node_id=NODE, lease_seconds=30)
    assert claimed is not None
    return claimed.job


@pytest.fixture
async def published(conn: Connection, new_track: MakeTrack) -> Track:
    """A track that plays by its first encoding, made by the recipe `old`."""
    track, _ = await new_track()
    job = await claim(conn)
    assert await encodings.begin_encoding(conn, job.id, "old") == 0
    await encode(conn, track.id, 0, "aac-64", "aac-128")
    await finish(conn, track.id, job.id, 0, "old")
    return track


async def playing(conn: Connection, track_id: UUID) -> list[str]:
    return [rendition.name for rendition in await renditions.load_playing(conn, track_id)]


async def test_a_job_goes_on_by_its_recipe_and_starts_over_by_another(
    conn: Connection, new_track: MakeTrack
) -> None:
    _, job = await new_track()
    await claim(conn)
    assert [
        await encodings.begin_encoding(conn, job.id, recipe) for recipe in ("a", "a", "b", "b", "a")
    ] == [0, 0, 1, 1, 2]


async def test_only_tracks_of_another_recipe_are_outdated_and_each_is_queued_once(
    conn: Connection, published: Track
) -> None:
    assert await encodings.count_outdated(conn, "old") == (1, 0)
    assert await encodings.queue_reencodings(conn, limit=9, other_than="old") == ()
    assert await encodings.count_outdated(conn, "new") == (1, 1)
    assert await encodings.queue_reencodings(conn, limit=9, other_than="new") == (published.id,)
    assert await encodings.queue_reencodings(conn, limit=9, other_than="new") == ()
    job = await claim(conn)
    assert job.track_id == published.id
    assert await encodings.begin_encoding(conn, job.id, "new") == 1


async def test_a_track_that_is_being_made_is_not_encoded_anew(
    conn: Connection, new_track: MakeTrack
) -> None:
    track, _ = await new_track()
    assert await encodings.queue_reencodings(conn, limit=9, track_id=track.id) == ()


async def test_what_is_encoded_anew_goes_behind_what_was_uploaded(
    conn: Connection, published: Track, new_track: MakeTrack
) -> None:
    await encodings.queue_reencodings(conn, limit=9)
    uploaded, _ = await new_track()
    assert (await claim(conn)).track_id == uploaded.id
    assert (await claim(conn)).track_id == published.id


async def test_a_published_track_plays_by_its_old_encoding_until_the_new_one_is_whole(
    conn: Connection, published: Track
) -> None:
    await encodings.queue_reencodings(conn, limit=9)
    job = await claim(conn)
    await encodings.begin_encoding(conn, job.id, "new")
    await encode(conn, published.id, 1, "aac-96", "aac-128", sha256=b"other")
    names = ["aac-96-g1", "aac-128-g1"]
    assert not await tracks.mark_playable(conn, published.id, names, generation=1)
    assert await playing(conn, published.id) == ["aac-128", "aac-64"]
    await finish(conn, published.id, job.id, 1, "new")
    assert await playing(conn, published.id) == ["aac-128-g1", "aac-96-g1"]
    # Whoever plays by the old one goes on.
    old = await renditions.load_rendition(conn, published.id, "aac-64")
    assert old is not None
    assert old.is_complete


async def test_an_old_encoding_is_forgotten_once_its_time_is_over(
    conn: Connection, published: Track
) -> None:
    await encodings.queue_reencodings(conn, limit=9)
    job = await claim(conn)
    await encode(conn, published.id, 1, "aac-96", sha256=b"other")
    assert await renditions.take_superseded(conn, older_than_seconds=0) == ()
    await finish(conn, published.id, job.id, 1, "new")
    assert await renditions.take_superseded(conn, older_than_seconds=60) == ()
    gone = await renditions.take_superseded(conn, older_than_seconds=0)
    assert sorted(gone) == [(published.id, "aac-128"), (published.id, "aac-64")]
    assert await playing(conn, published.id) == ["aac-96-g1"]


async def test_an_encoding_anew_that_fails_leaves_the_track_and_what_plays(
    conn: Connection, published: Track
) -> None:
    await encodings.queue_reencodings(conn, limit=9)
    job = await claim(conn)
    await encode(conn, published.id, 1, "aac-96", sha256=b"other")
    fault = Failure(code="damaged", detail="The file is damaged.")
    await jobs.fail_job(conn, job.id, node_id=NODE, failure=fault)
    track = await tracks.get_track(conn, published.id)
    assert track is not None
    assert (track.state, track.error) == (TrackState.PUBLISHED, None)
    assert await playing(conn, published.id) == ["aac-128", "aac-64"]
    # What it had made is nobody's.
    assert await renditions.take_superseded(conn, older_than_seconds=0) == (
        (published.id, "aac-96-g1"),
    )


async def test_a_retried_job_does_not_go_on_with_what_it_had_made(
    conn: Connection, new_track: MakeTrack
) -> None:
    track, job = await new_track()
    await claim(conn)
    await encodings.begin_encoding(conn, job.id, "a")
    await encode(conn, track.id, 0, "aac-64")
    fault = Failure(code="encoding_differs", detail="It differs.")
    await jobs.fail_job(conn, job.id, node_id=NODE, failure=fault)
    await jobs.retry_job(conn, job.id)
    await claim(conn)
    assert await encodings.begin_encoding(conn, job.id, "a") == 1
    await encode(conn, track.id, 1, "aac-64", sha256=b"other")
    assert await tracks.mark_playable(conn, track.id, ["aac-64-g1"], generation=1)
    assert await playing(conn, track.id) == ["aac-64-g1"]


async def test_what_an_owner_wrote_is_not_overwritten_by_the_file(
    conn: Connection, published: Track
) -> None:
    await tracks.set_probed(conn, published.id, sample_rate_hz=8_000, channels=1, artist="Tag")
    track = await tracks.get_track(conn, published.id)
    assert track is not None
    assert (track.artist, track.duration_ms) == (published.artist, 1_000)
