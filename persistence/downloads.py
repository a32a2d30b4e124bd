"""What listeners may take home, in SQL: the file of a track, and copies of it in other codecs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from veza.persistence.pool import Connection
from veza.persistence.tracks import IS_AUDIBLE

ORIGINAL: Final = "original"

# The one place that decides it: whoever may not hear a track does not download it either.
_IS_ALLOWED: Final = """(
    t.owner_id = $1 OR t.downloads = 'everybody' OR t.downloads = 'followers' AND EXISTS (
        SELECT FROM follows f WHERE f.follower_id = $1 AND f.followed_id = t.owner_id
    )
)"""

_FIND = f"""
    SELECT t.title, t.artist, {_IS_ALLOWED} AS is_allowed, t.state = 'published' AS is_published,
        t.source_key, t.source_bytes, t.filename, c.key, c.size_bytes
    FROM tracks t LEFT JOIN copies c ON c.track_id = t.id AND c.format = $3
    WHERE {IS_AUDIBLE} AND t.id = $2
"""

_LIST_COPIES = """
    SELECT w.format, c.size_bytes, (
        SELECT j.state FROM jobs j WHERE j.track_id = $1 AND j.type = 'copy' AND j.format = w.format
        ORDER BY j.id DESC LIMIT 1
    ) AS job_state
    FROM unnest($2::text[]) AS w (format)
    LEFT JOIN copies c ON c.track_id = $1 AND c.format = w.format
"""

_FIND_TO_COPY = """
    SELECT t.id AS track_id, t.source_key, t.title, t.artist, j.format
    FROM jobs j JOIN tracks t ON t.id = j.track_id WHERE j.id = $1 AND j.type = 'copy'
"""

_SAVE_COPY = """
    INSERT INTO copies (track_id, format, key, sha256, size_bytes) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (track_id, format) DO UPDATE SET key = excluded.key, sha256 = excluded.sha256,
        size_bytes = excluded.size_bytes, made_at = now()
"""

_TAKE_EXPIRED = """
    DELETE FROM copies WHERE (track_id, format) IN (
        SELECT track_id, format FROM copies WHERE made_at < now() - make_interval(secs => $1)
        LIMIT $2 FOR UPDATE SKIP LOCKED
    ) RETURNING key
"""


class DownloadState(StrEnum):
    """Where a download is: it can be had, is being made, could not be made, or nobody asked for it yet."""

    READY = "ready"
    MAKING = "making"
    FAILED = "failed"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One way to have a track: `original`, or a format of copies. `size_bytes` is None until it is ready."""

    format: str
    state: DownloadState
    size_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeable:
    """What there is of a track in a format, and whether whoever asks may have it.

    `key` and `size_bytes` are None where there is no such copy. `filename` is that of the upload.
    """

    key: str | None
    size_bytes: int | None
    filename: str
    title: str
    artist: str
    is_allowed: bool
    is_published: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ToCopy:
    """What a job is to copy."""

    track_id: UUID
    source_key: str
    format: str
    title: str
    artist: str


async def find_takeable(
    conn: Connection, track_id: UUID, viewer_id: UUID | None, in_format: str
) -> Takeable | None:
    """Return what there is of a track that the viewer may hear; None if there is no such track."""
    row = await conn.fetchrow(_FIND, viewer_id, track_id, in_format)
    if row is None:
        return None
    is_original = in_format == ORIGINAL
    return Takeable(
        key=row["source_key"] if is_original else row["key"],
        size_bytes=row["source_bytes"] if is_original else row["size_bytes"],
        filename=row["filename"],
        title=row["title"],
        artist=row["artist"],
        is_allowed=row["is_allowed"],
        is_published=row["is_published"],
    )


async def list_copies(
    conn: Connection, track_id: UUID, formats: tuple[str, ...]
) -> tuple[Download, ...]:
    """Return how copies of a track stand."""
    rows = await conn.fetch(_LIST_COPIES, track_id, list(formats))
    return tuple(
        Download(
            format=row["format"],
            state=_state(has_copy=row["size_bytes"] is not None, job_state=row["job_state"]),
            size_bytes=row["size_bytes"],
        )
        for row in rows
    )


def _state(*, has_copy: bool, job_state: str | None) -> DownloadState:
    if has_copy:
        return DownloadState.READY
    if job_state == "failed":
        return DownloadState.FAILED
    # One that was published and is not there any more has expired.
    return DownloadState.NONE if job_state in _OVER else DownloadState.MAKING


_OVER: Final = frozenset({None, "published", "cancelled"})


async def find_to_copy(conn: Connection, job_id: UUID) -> ToCopy | None:
    """Return what a job is to copy, or None if it is about no copy."""
    row = await conn.fetchrow(_FIND_TO_COPY, job_id)
    return None if row is None else ToCopy(**row)


async def save_copy(
    conn: Connection, *, track_id: UUID, in_format: str, key: str, sha256: bytes, size_bytes: int
) -> None:
    """Note a copy that is stored, in one transaction with `jobs.finish_job`."""
    await conn.execute(_SAVE_COPY, track_id, in_format, key, sha256, size_bytes)


async def take_expired(
    conn: Connection, *, older_than_seconds: float, limit: int
) -> tuple[str, ...]:
    """Forget copies that were made so long ago; return their keys, for somebody to delete."""
    rows = await conn.fetch(_TAKE_EXPIRED, older_than_seconds, limit)
    return tuple(row["key"] for row in rows)
