"""Renditions of a track and their segments in SQL: one set an encoding, of which one plays.

The first encoding of a track has generation 0. What is encoded anew grows beside what plays, under names
of its own, so that an address always gives the same bytes.

Whoever encodes calls the functions that write after `jobs.hold_lease`, in the same transaction.
"""

import re
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.errors import AlreadyExistsError, SegmentOrderError
from veza.persistence.pool import Connection, fetch_one
from veza.persistence.rows import Rendition, Segment

INIT_NAME: Final = "init.mp4"
_SEGMENT_NAME: Final = re.compile(r"(0|[1-9][0-9]{0,8})\.m4s")

_INSERT_RENDITION = """
    INSERT INTO renditions
        (track_id, name, generation, codecs, sample_rate_hz, channels, bitrate_bps, init_key,
         init_sha256)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
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

_LOAD_RENDITIONS = """
    SELECT name, codecs, sample_rate_hz, channels, bitrate_bps, init_key, init_sha256, is_complete
    FROM renditions WHERE track_id = $1 AND {which}
    ORDER BY bitrate_bps, name
"""
_LOAD_PLAYING = _LOAD_RENDITIONS.format(
    which="generation = (SELECT generation FROM tracks WHERE id = $1)"
)
_LOAD_GENERATION = _LOAD_RENDITIONS.format(which="generation = $2")
_LOAD_ONE = _LOAD_RENDITIONS.format(which="name = $2")

_LOAD_SEGMENTS = """
    SELECT rendition, number, key, sha256, size_bytes, first_sample, duration_samples
    FROM segments WHERE track_id = $1 AND rendition = ANY ($2::text[])
    ORDER BY rendition, number
"""

_SUPERSEDE = """
    UPDATE renditions SET superseded_at = now()
    WHERE track_id = $1 AND generation < $2 AND superseded_at IS NULL
"""

_TAKE_SUPERSEDED = """
    DELETE FROM renditions WHERE superseded_at < now() - make_interval(secs => $1)
    RETURNING track_id, name
"""


def rendition_name(rung: str, generation: int) -> str:
    """Name a rung of one encoding among all renditions of its track."""
    return f"{rung}{_suffix(generation)}"


def media_folder(track_id: UUID, name: str) -> str:
    """Say below which media key a rendition's files are."""
    return f"media/{track_id}/{name}"


def rung_of(name: str, generation: int) -> str:
    """Say which rung of its encoding a rendition is."""
    return name.removesuffix(_suffix(generation))


def _suffix(generation: int) -> str:
    return f"-g{generation}" if generation else ""


async def save_init(
    conn: Connection,
    track_id: UUID,
    *,
    rendition: str,
    generation: int = 0,
    codecs: str,
    sample_rate_hz: int,
    channels: int,
    bitrate_bps: int,
    init_key: str,
    init_sha256: bytes,
) -> bool:
    """Open a rendition; return False if it was open, with the same init segment.

    Raises `AlreadyExistsError` if it has another one: that is for another generation.
    """
    name = await conn.fetchval(
        _INSERT_RENDITION,
        track_id,
        rendition,
        generation,
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


async def load_playing(conn: Connection, track_id: UUID) -> tuple[Rendition, ...]:
    """Return the renditions that a track plays by, lowest bit rate first, with their segments in order."""
    return await _with_segments(conn, track_id, await conn.fetch(_LOAD_PLAYING, track_id))


async def load_generation(
    conn: Connection, track_id: UUID, generation: int
) -> tuple[Rendition, ...]:
    """Return the renditions of one encoding as `load_playing` does, whether it plays or not."""
    rows = await conn.fetch(_LOAD_GENERATION, track_id, generation)
    return await _with_segments(conn, track_id, rows)


async def load_rendition(conn: Connection, track_id: UUID, name: str) -> Rendition | None:
    """Return one rendition with its segments; one that was superseded is there for a while."""
    found = await _with_segments(conn, track_id, await conn.fetch(_LOAD_ONE, track_id, name))
    return found[0] if found else None


async def _with_segments(
    conn: Connection, track_id: UUID, rows: Sequence[asyncpg.Record]
) -> tuple[Rendition, ...]:
    # In this order: a rendition read as complete has all its segments, which are read later.
    segments: dict[str, list[Segment]] = {row["name"]: [] for row in rows}
    for row in await conn.fetch(_LOAD_SEGMENTS, track_id, list(segments)):
        segments[row["rendition"]].append(_segment(row))
    return tuple(_rendition(row, tuple(segments[row["name"]])) for row in rows)


async def supersede(conn: Connection, track_id: UUID, generation: int) -> None:
    """Note that nobody is given the addresses of older encodings than this one any more."""
    await conn.execute(_SUPERSEDE, track_id, generation)


async def take_superseded(
    conn: Connection, *, older_than_seconds: float
) -> tuple[tuple[UUID, str], ...]:
    """Forget renditions that were superseded so long ago; return track and name of each, for its files."""
    rows = await conn.fetch(_TAKE_SUPERSEDED, older_than_seconds)
    return tuple((row["track_id"], row["name"]) for row in rows)


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
