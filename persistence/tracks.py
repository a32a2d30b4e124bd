"""Tracks in SQL.

Whoever encodes calls the functions that write after `jobs.hold_lease`, in the same transaction.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from veza.persistence.errors import AlreadyExistsError
from veza.persistence.jobs import insert_job, newest_job_of_track
from veza.persistence.pool import Connection, fetch_one
from veza.persistence.rows import (
    Author,
    Credit,
    Downloads,
    Failure,
    Job,
    Licence,
    Track,
    TrackState,
    Visibility,
)

TRACK: Final = """
    t.id, t.owner_id, u.username, t.title, t.artist, t.album, t.track_number, t.genre,
    left(encode(t.artwork_sha256, 'hex'), 16) AS artwork_tag, t.state, t.duration_samples, t.sample_rate_hz,
    t.peaks IS NOT NULL AS has_waveform, t.analysis, t.plays, t.likes, t.reposts, t.comments, t.created_at,
    t.visibility, t.release_at, t.downloads, t.version, j.error_code, j.error_detail,
    t.description, t.credits, t.licence, t.bpm, t.key,
    ARRAY(SELECT g.tag FROM track_tags g WHERE g.track_id = t.id ORDER BY g.tag) AS tags
"""
FROM_TRACKS: Final = """
    FROM tracks t JOIN users u ON u.id = t.owner_id
    LEFT JOIN LATERAL (
        SELECT error_code, error_detail FROM jobs
        WHERE track_id = t.id AND type = 'transcode' ORDER BY id DESC LIMIT 1
    ) j ON t.state = 'failed'
"""

_INSERT_TRACK = """
    INSERT INTO tracks
        (id, owner_id, title, artist, filename, state, source_key, source_sha256, source_bytes,
         visibility)
    VALUES ($1, $2, $3, $4, $5, 'processing', $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING
    RETURNING id
"""

# The one place that decides who may hear a track `t`: whoever `$1` is, or anybody if that is NULL.
IS_AUDIBLE: Final = """(
    t.owner_id = $1 OR t.state IN ('playable', 'published')
    AND (t.release_at IS NULL OR t.release_at <= now())
    AND (t.visibility IN ('public', 'unlisted') OR t.visibility = 'followers' AND EXISTS (
        SELECT FROM follows f WHERE f.follower_id = $1 AND f.followed_id = t.owner_id
    ))
)"""
IS_LISTED: Final = f"{IS_AUDIBLE} AND (t.visibility <> 'unlisted' OR t.owner_id = $1)"

_GET_TRACK = f"SELECT {TRACK} {FROM_TRACKS} WHERE t.id = $1"

_GET_AUDIBLE = f"SELECT {TRACK} {FROM_TRACKS} WHERE {IS_AUDIBLE} AND t.id = $2"

_LIST_TRACKS = f"""
    SELECT {TRACK} {FROM_TRACKS}
    WHERE {IS_LISTED} AND ($2::uuid IS NULL OR t.id < $2)
    ORDER BY t.id DESC LIMIT $3
"""

_END_PLAYBACK = """
    UPDATE tracks SET playback_version = playback_version + 1 WHERE id = $1 AND owner_id = $2
    RETURNING playback_version
"""

_PLAYBACK_VERSION = "SELECT playback_version FROM tracks WHERE id = $1"

# The eldest of them: told again, it is the same one.
_FIND_DUPLICATE = """
    SELECT other.id FROM tracks t JOIN tracks other
        ON other.owner_id = t.owner_id AND other.source_sha256 = t.source_sha256
    WHERE t.id = $1 AND (other.created_at, other.id) < (t.created_at, t.id)
    ORDER BY other.created_at, other.id LIMIT 1
"""

_SET_PROBED = """
    UPDATE tracks SET sample_rate_hz = $2, channels = $3, artist = coalesce($4, artist),
        album = coalesce($5, album), genre = coalesce($6, genre),
        track_number = coalesce($7, track_number)
    WHERE id = $1 AND state <> 'published'
"""

_MARK_PLAYABLE = """
    UPDATE tracks SET state = 'playable', generation = $3
    WHERE id = $1 AND (state = 'processing' OR state = 'playable' AND generation < $3)
        AND NOT EXISTS (
            SELECT FROM unnest($2::text[]) AS wanted (rendition) WHERE NOT EXISTS (
                SELECT FROM segments s
                WHERE s.track_id = $1 AND s.rendition = wanted.rendition AND s.number = 0
            )
        )
    RETURNING id
"""

_FINISH_TRACK = """
    WITH complete AS (
        UPDATE renditions SET is_complete = true WHERE track_id = $1 AND generation = $6
    )
    UPDATE tracks SET state = 'published', duration_samples = $2, sample_rate_hz = $3, peaks = $4,
        analysis = $5, generation = $6, recipe = $7
    WHERE id = $1
"""

_SOURCE_KEY = "SELECT source_key FROM tracks WHERE id = $1"

_SAVE_WAVEFORM = """
    INSERT INTO track_waveforms (track_id, sample_rate_hz, samples_per_pixel, peaks)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (track_id) DO UPDATE SET sample_rate_hz = excluded.sample_rate_hz,
        samples_per_pixel = excluded.samples_per_pixel, peaks = excluded.peaks
"""

_READ_FINE_WAVEFORM = """
    SELECT sample_rate_hz, samples_per_pixel, peaks FROM track_waveforms WHERE track_id = $1
"""

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
    visibility: Visibility = Visibility.PUBLIC,
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
            visibility,
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


async def get_audible_track(
    conn: Connection, track_id: UUID, viewer_id: UUID | None
) -> Track | None:
    """Return a track that the viewer may hear, or anybody if that is None; None if there is no such track."""
    row = await conn.fetchrow(_GET_AUDIBLE, viewer_id, track_id)
    return None if row is None else track_of(row)


async def end_playback(conn: Connection, track_id: UUID, owner_id: UUID) -> int | None:
    """End all addresses of one's own track that were signed so far; return the version of those to come."""
    version: int | None = await conn.fetchval(_END_PLAYBACK, track_id, owner_id)
    return version


async def playback_version(conn: Connection, track_id: UUID) -> int | None:
    """Return what a playback address must be signed with; None if there is no such track."""
    version: int | None = await conn.fetchval(_PLAYBACK_VERSION, track_id)
    return version


async def find_duplicate(conn: Connection, track_id: UUID) -> UUID | None:
    """Return the owner's eldest track that was made of the same bytes before this one, or None."""
    found: UUID | None = await conn.fetchval(_FIND_DUPLICATE, track_id)
    return found


async def list_tracks(
    conn: Connection, *, viewer_id: UUID | None, before: UUID | None, limit: int
) -> tuple[Track, ...]:
    """Return tracks that the viewer may find, and all of their own, newest first, older than `before`."""
    return tuple(track_of(row) for row in await conn.fetch(_LIST_TRACKS, viewer_id, before, limit))


async def set_probed(
    conn: Connection,
    track_id: UUID,
    *,
    sample_rate_hz: int,
    channels: int,
    artist: str | None = None,
    album: str | None = None,
    genre: str | None = None,
    track_number: int | None = None,
) -> None:
    """Note what the source turned out to be, and what it says of itself: None leaves what the track has.

    A published track is what its owner made of it, and is left as it is.
    """
    await conn.execute(
        _SET_PROBED, track_id, sample_rate_hz, channels, artist, album, genre, track_number
    )


async def mark_playable(
    conn: Connection, track_id: UUID, renditions: Sequence[str], *, generation: int = 0
) -> bool:
    """Let listeners have a track that is processing once every rendition given has its first segment.

    One that plays by an earlier encoding that came to no end goes on with this one; a published one goes on
    with what it has. Returns whether this call changed something.
    """
    changed = await conn.fetchval(_MARK_PLAYABLE, track_id, list(renditions), generation)
    return changed is not None


async def finish_track(
    conn: Connection,
    track_id: UUID,
    *,
    duration_samples: int,
    sample_rate_hz: int,
    peaks: bytes,
    analysis: str,
    generation: int = 0,
    recipe: str | None = None,
) -> Track:
    """Publish a track by the encoding of this generation: all its segments are there.

    In one transaction with `jobs.finish_job`.

    `peaks`: 8-bit minimum and maximum of each waveform bucket, in turn, two's complement.
    `analysis`: the JSON of what the sound measured, by name.
    """
    await conn.execute(
        _FINISH_TRACK,
        track_id,
        duration_samples,
        sample_rate_hz,
        peaks,
        analysis,
        generation,
        recipe,
    )
    return track_of(await fetch_one(conn, _GET_TRACK, track_id))


async def source_key(conn: Connection, track_id: UUID) -> str:
    """Return the media key of what was uploaded for a track that exists."""
    return str((await fetch_one(conn, _SOURCE_KEY, track_id))["source_key"])


async def read_waveform(conn: Connection, track_id: UUID) -> bytes | None:
    """Return the peaks as `finish_track` got them; None before, or if there is no such track."""
    peaks: bytes | None = await conn.fetchval(_READ_WAVEFORM, track_id)
    return peaks


async def _first_job(conn: Connection, track_id: UUID) -> Job:
    job = await newest_job_of_track(conn, track_id)
    if job is None:
        raise LookupError(f"track {track_id} has no job")
    return job


async def save_waveform(
    conn: Connection,
    track_id: UUID,
    *,
    sample_rate_hz: int,
    samples_per_pixel: int,
    peaks: bytes,
) -> None:
    """Keep a waveform as fine as there is one; what was kept before is replaced."""
    await conn.execute(_SAVE_WAVEFORM, track_id, sample_rate_hz, samples_per_pixel, peaks)


async def read_fine_waveform(conn: Connection, track_id: UUID) -> tuple[int, int, bytes] | None:
    """Return sample rate, samples a pixel and peaks as `save_waveform` got them, or None."""
    row = await conn.fetchrow(_READ_FINE_WAVEFORM, track_id)
    return None if row is None else (row[0], row[1], row[2])


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
        album=row["album"],
        track_number=row["track_number"],
        genre=row["genre"],
        artwork_tag=row["artwork_tag"],
        state=state,
        duration_ms=duration_ms,
        has_waveform=row["has_waveform"],
        analysis=row["analysis"],
        visibility=Visibility(row["visibility"]),
        downloads=Downloads(row["downloads"]),
        release_at=row["release_at"],
        version=row["version"],
        plays=row["plays"],
        likes=row["likes"],
        reposts=row["reposts"],
        comments=row["comments"],
        error=failure,
        created_at=row["created_at"],
        description=row["description"],
        credits=tuple(Credit(**credit) for credit in orjson.loads(row["credits"])),
        tags=tuple(row["tags"]),
        licence=Licence(row["licence"]),
        bpm=row["bpm"],
        key=row["key"],
    )
