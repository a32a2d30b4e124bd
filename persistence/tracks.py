"""Tracks, their renditions and segments in SQL.

Whoever encodes calls the functions that write after `jobs.hold_lease`, in the same transaction.
"""

import re
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.errors import AlreadyExistsError, SegmentOrderError
from veza.persistence.jobs import insert_job, newest_job_of_track
from veza.persistence.pool import Connection, fetch_one
from veza.persistence.rows import (
    Author,
    Failure,
    Job,
    Rendition,
    Segment,
    Track,
    TrackState,
)

INIT_NAME: Final = "init.mp4"
_SEGMENT_NAME: Final = re.compile(r"(0|[1-9][0-9]{0,8})\.m4s")

TRACK: Final = """
    t.id, t.owner_id, u.username, t.title, t.artist, t.state, t.duration_samples, t.sample_rate_hz,
    t.peaks IS NOT NULL AS has_waveform, t.analysis, t.plays, t.created_at, j.error_code, j.error_detail
"""
FROM_TRACKS: Final = """
    FROM tracks t JOIN users u ON u.id = t.owner_id
    LEFT JOIN LATERAL (
        SELECT error_code, error_detail FROM jobs WHERE track_id = t.id ORDER BY id DESC LIMIT 1
    ) j ON t.state = 'failed'
"""

_INSERT_TRACK = """
    INSERT INTO tracks
        (id, owner_id, title, artist, filename, state, source_key, source_sha256, source_bytes)
    VALUES ($1, $2, $3, $4, $5, 'processing', $6, $7, $8) ON CONFLICT (id) DO NOTHING
    RETURNING id
"""

_GET_TRACK = f"SELECT {TRACK} {FROM_TRACKS} WHERE t.id = $1"

_LIST_TRACKS = f"""
    SELECT {TRACK} {FROM_TRACKS}
    WHERE (t.state IN ('playable', 'published') OR t.owner_id = $1)
        AND ($2::uuid IS NULL OR t.id < $2)
    ORDER BY t.id DESC LIMIT $3
"""

# The eldest of them: told again, it is the same one.
_FIND_DUPLICATE = """
    SELECT other.id FROM tracks t JOIN tracks other
        ON other.owner_id = t.owner_id AND other.source_sha256 = t.source_sha256
    WHERE t.id = $1 AND (other.created_at, other.id) < (t.created_at, t.id)
    ORDER BY other.created_at, other.id LIMIT 1
"""

_SET_PROBED = """
    UPDATE tracks SET sample_rate_hz = $2, channels = $3, artist = coalesce($4, artist)
    WHERE id = $1
"""

_INSERT_RENDITION = """
    INSERT INTO renditions
        (track_id, name, codecs, sample_rate_hz, channels, bitrate_bps, init_key, init_sha256)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
    RETURNING name
"""

_GET_INIT = "SELECT init_key, init_sha256 FROM renditions WHERE track_id = $1 AND name = $2"

# Only the very next segment of a rendition that may still grow.
_INSERT_SEGMENT = """
    INSERT INTO segments
        (track_id, rendition, number, key, sha256, size_bytes, first_sample, duration_samples)
    SELECT r.track_id, r.name, $3, $4, $5, $6, $7, $8
    FROM renditions r LEFT JOIN LATERAL (
        SELECT number + 1 AS number, first_sample + duration_samples AS first_sample
        FROM segments s WHERE s.track_id = r.track_id AND s.rendition = r.name
        ORDER BY s.number DESC LIMIT 1
    ) next ON true
    WHERE r.track_id = $1 AND r.name = $2 AND NOT r.is_complete
        AND coalesce(next.number, 0) = $3 AND coalesce(next.first_sample, 0) = $7
    ON CONFLICT DO NOTHING
    RETURNING number
"""

_GET_SEGMENT = """
    SELECT key, sha256 FROM segments WHERE track_id = $1 AND rendition = $2 AND number = $3
"""

_MARK_PLAYABLE = """
    UPDATE tracks SET state = 'playable' WHERE id = $1 AND state = 'processing'
        AND NOT EXISTS (
            SELECT FROM unnest($2::text[]) AS wanted (rendition) WHERE NOT EXISTS (
                SELECT FROM segments s
                WHERE s.track_id = $1 AND s.rendition = wanted.rendition AND s.number = 0
            )
        )
    RETURNING id
"""

_LOAD_RENDITIONS = """
    SELECT name, codecs, sample_rate_hz, channels, bitrate_bps, init_key, init_sha256, is_complete
    FROM renditions WHERE track_id = $1 AND ($2::text IS NULL OR name = $2)
    ORDER BY bitrate_bps, name
"""

_LOAD_SEGMENTS = """
    SELECT rendition, number, key, sha256, size_bytes, first_sample, duration_samples
    FROM segments WHERE track_id = $1 AND ($2::text IS NULL OR rendition = $2)
    ORDER BY rendition, number
"""

_FINISH_TRACK = """
    WITH complete AS (UPDATE renditions SET is_complete = true WHERE track_id = $1)
    UPDATE tracks SET state = 'published', duration_samples = $2, sample_rate_hz = $3, peaks = $4,
        analysis = $5
    WHERE id = $1
"""

_DELETE_RENDITIONS = "DELETE FROM renditions WHERE track_id = $1"

_SOURCE_KEY = "SELECT source_key FROM tracks WHERE id = $1"

_READ_WAVEFORM = "SELECT peaks FROM tracks WHERE id = $1"


async def insert_track(
    conn: Connection,
    *,
    track_id: UUID,
    job_id: UUID,
    owner_id: UUID,
    title: str,
    filename: str,
    source_key: str,
    source_sha256: bytes,
    source_bytes: int,
    artist: str = "",
) -> tuple[Track, Job]:
    """Make a track and queue its job in one transaction; the same id again returns what there is.

    Raises `AlreadyExistsError` if the id is that of somebody else's track.
    """
    async with conn.transaction():
        inserted = await conn.fetchval(
            _INSERT_TRACK,
            track_id,
            owner_id,
            title,
            artist,
            filename,
            source_key,
            source_sha256,
            source_bytes,
        )
        if inserted is not None:
            job = await insert_job(conn, job_id=job_id, owner_id=owner_id, track_id=track_id)
        else:
            job = await _first_job(conn, track_id)
        track = track_of(await fetch_one(conn, _GET_TRACK, track_id))
        if track.owner.id != owner_id:
            raise AlreadyExistsError(f"track {track_id} belongs to another account")
        return track, job


async def get_track(conn: Connection, track_id: UUID) -> Track | None:
    """Return a track in whatever state, or None."""
    row = await conn.fetchrow(_GET_TRACK, track_id)
    return None if row is None else track_of(row)


async def find_duplicate(conn: Connection, track_id: UUID) -> UUID | None:
    """Return the owner's eldest track that was made of the same bytes before this one, or None."""
    found: UUID | None = await conn.fetchval(_FIND_DUPLICATE, track_id)
    return found


async def list_tracks(
    conn: Connection, *, viewer_id: UUID | None, before: UUID | None, limit: int
) -> tuple[Track, ...]:
    """Return tracks that can be played, and all of the viewer's own, newest first, older than `before`."""
    return tuple(track_of(row) for row in await conn.fetch(_LIST_TRACKS, viewer_id, before, limit))


async def set_probed(
    conn: Connection,
    track_id: UUID,
    *,
    sample_rate_hz: int,
    channels: int,
    artist: str | None = None,
) -> None:
    """Note what the source turned out to be; an `artist` of None leaves that of the track."""
    await conn.execute(_SET_PROBED, track_id, sample_rate_hz, channels, artist)


async def save_init(
    conn: Connection,
    track_id: UUID,
    *,
    rendition: str,
    codecs: str,
    sample_rate_hz: int,
    channels: int,
    bitrate_bps: int,
    init_key: str,
    init_sha256: bytes,
) -> bool:
    """Open a rendition; return False if it was open, with the same init segment.

    Raises `AlreadyExistsError` if it has another one: encoding anew needs `delete_renditions` first.
    """
    name = await conn.fetchval(
        _INSERT_RENDITION,
        track_id,
        rendition,
        codecs,
        sample_rate_hz,
        channels,
        bitrate_bps,
        init_key,
        init_sha256,
    )
    if name is not None:
        return True
    if (await fetch_one(conn, _GET_INIT, track_id, rendition))["init_sha256"] != init_sha256:
        raise AlreadyExistsError(
            f"rendition {rendition} of track {track_id} has another init segment"
        )
    return False


async def append_segment(
    conn: Connection, track_id: UUID, *, rendition: str, segment: Segment
) -> bool:
    """Add the next segment of a rendition, its file being complete; return False if it is there already.

    Raises `SegmentOrderError` for a hole, an overlap, other bytes under the same number, a rendition
    that is complete or that was never opened.
    """
    number = await conn.fetchval(
        _INSERT_SEGMENT,
        track_id,
        rendition,
        segment.number,
        segment.key,
        segment.sha256,
        segment.size_bytes,
        segment.first_sample,
        segment.duration_samples,
    )
    if number is not None:
        return True
    row = await conn.fetchrow(_GET_SEGMENT, track_id, rendition, segment.number)
    if row is None or row["sha256"] != segment.sha256:
        raise SegmentOrderError(
            f"segment {segment.number} is not the next one of {rendition} of track {track_id}"
        )
    return False


async def mark_playable(conn: Connection, track_id: UUID, renditions: Sequence[str]) -> bool:
    """Let listeners have a track that is processing once every rendition given has its first segment.

    Returns whether this call did it.
    """
    return await conn.fetchval(_MARK_PLAYABLE, track_id, list(renditions)) is not None


async def load_segments(
    conn: Connection, track_id: UUID, *, rendition: str | None = None
) -> tuple[Rendition, ...]:
    """Return a track's renditions, lowest bit rate first, or one of them, with their segments in order."""
    # In this order: a rendition read as complete has all its segments, which are read later.
    renditions = await conn.fetch(_LOAD_RENDITIONS, track_id, rendition)
    segments: dict[str, list[Segment]] = {row["name"]: [] for row in renditions}
    for row in await conn.fetch(_LOAD_SEGMENTS, track_id, rendition):
        if row["rendition"] in segments:
            segments[row["rendition"]].append(_segment(row))
    return tuple(_rendition(row, tuple(segments[row["name"]])) for row in renditions)


async def finish_track(
    conn: Connection,
    track_id: UUID,
    *,
    duration_samples: int,
    sample_rate_hz: int,
    peaks: bytes,
    analysis: str,
) -> Track:
    """Publish a track: all its segments are there. In one transaction with `jobs.finish_job`.

    `peaks`: 8-bit minimum and maximum of each waveform bucket, in turn, two's complement.
    `analysis`: the JSON of what the sound measured, by name.
    """
    await conn.execute(_FINISH_TRACK, track_id, duration_samples, sample_rate_hz, peaks, analysis)
    return track_of(await fetch_one(conn, _GET_TRACK, track_id))


async def delete_renditions(conn: Connection, track_id: UUID) -> None:
    """Forget all renditions, for a job that encodes anew with other settings; their files stay."""
    await conn.execute(_DELETE_RENDITIONS, track_id)


async def source_key(conn: Connection, track_id: UUID) -> str:
    """Return the media key of what was uploaded for a track that exists."""
    return str((await fetch_one(conn, _SOURCE_KEY, track_id))["source_key"])


async def read_waveform(conn: Connection, track_id: UUID) -> bytes | None:
    """Return the peaks as `finish_track` got them; None before, or if there is no such track."""
    peaks: bytes | None = await conn.fetchval(_READ_WAVEFORM, track_id)
    return peaks


async def segment_key(
    conn: Connection, track_id: UUID, rendition: str, name: str
) -> tuple[str, bytes] | None:
    """Return the media key and SHA-256 of `init.mp4` or `<n>.m4s`; None if there is no such segment."""
    if name == INIT_NAME:
        row = await conn.fetchrow(_GET_INIT, track_id, rendition)
    elif match := _SEGMENT_NAME.fullmatch(name):
        row = await conn.fetchrow(_GET_SEGMENT, track_id, rendition, int(match[1]))
    else:
        return None
    return None if row is None else (row[0], row[1])


async def _first_job(conn: Connection, track_id: UUID) -> Job:
    job = await newest_job_of_track(conn, track_id)
    if job is None:
        raise LookupError(f"track {track_id} has no job")
    return job


def track_of(row: asyncpg.Record) -> Track:
    """Return the track of a row with the columns `TRACK`."""
    state = TrackState(row["state"])
    failure = None
    if state is TrackState.FAILED and row["error_code"] is not None:
        failure = Failure(code=row["error_code"], detail=row["error_detail"])
    duration_ms = None
    if row["duration_samples"] is not None:
        duration_ms = round(row["duration_samples"] * 1000 / row["sample_rate_hz"])
    return Track(
        id=row["id"],
        owner=Author(id=row["owner_id"], name=row["username"]),
        title=row["title"],
        artist=row["artist"],
        state=state,
        duration_ms=duration_ms,
        has_waveform=row["has_waveform"],
        analysis=row["analysis"],
        plays=row["plays"],
        error=failure,
        created_at=row["created_at"],
    )


def _segment(row: asyncpg.Record) -> Segment:
    return Segment(
        number=row["number"],
        key=row["key"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        first_sample=row["first_sample"],
        duration_samples=row["duration_samples"],
    )


def _rendition(row: asyncpg.Record, segments: tuple[Segment, ...]) -> Rendition:
    return Rendition(
        name=row["name"],
        codecs=row["codecs"],
        sample_rate_hz=row["sample_rate_hz"],
        channels=row["channels"],
        bitrate_bps=row["bitrate_bps"],
        init_key=row["init_key"],
        init_sha256=row["init_sha256"],
        is_complete=row["is_complete"],
        segments=segments,
    )
