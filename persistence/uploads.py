"""Uploads that go on after a break, in SQL: what is on disk for good, and what became of it.

A file follows its row: bytes are written and synced while the row is locked, then the row says so. What a
file holds beyond that was never told to anybody, and is written over.
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.errors import AlreadyExistsError
from veza.persistence.pool import Connection, fetch_one
from veza.persistence.rows import Author, Track, Upload, UploadState, Usage, Visibility
from veza.persistence.tracks import FROM_TRACKS, TRACK, track_of

_FIND_OF_FILE = f"""
    SELECT {TRACK} {FROM_TRACKS} WHERE t.owner_id = $1 AND t.source_sha256 = $2
    ORDER BY t.created_at, t.id LIMIT 1
"""

_UPLOAD: Final = """
    p.id, p.owner_id, u.username, p.track_id, p.length_bytes, p.offset_bytes, p.title, p.filename,
    p.metadata, p.visibility, p.state, p.sha256, p.duplicate_of, p.created_at, p.expires_at,
    p.state = 'open' AND p.expires_at <= now() AS is_expired
"""

# What an account begins is counted by one at a time; others may refer to the account meanwhile.
_LOCK_OWNER: Final = "SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE"

_IS_UNFINISHED: Final = """
    p.owner_id = $1 AND p.state <> 'published' AND (p.state = 'received' OR p.expires_at > now())
"""

_USAGE: Final = f"""
    SELECT
        (SELECT coalesce(sum(source_bytes), 0) FROM tracks WHERE owner_id = $1) AS stored_bytes,
        coalesce(sum(coalesce(length_bytes, $2::bigint)), 0) AS reserved_bytes,
        count(*) AS unfinished
    FROM uploads p WHERE {_IS_UNFINISHED}
"""

_LIST_UNFINISHED: Final = f"""
    SELECT {_UPLOAD} FROM uploads p JOIN users u ON u.id = p.owner_id WHERE {_IS_UNFINISHED}
    ORDER BY p.created_at DESC, p.id DESC
"""

_INSERT: Final = """
    INSERT INTO uploads
        (id, owner_id, track_id, length_bytes, title, filename, metadata, visibility, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9))
    ON CONFLICT (id) DO NOTHING
"""

_GET: Final = f"SELECT {_UPLOAD} FROM uploads p JOIN users u ON u.id = p.owner_id WHERE p.id = $1"

_LOCK: Final = f"{_GET} FOR UPDATE OF p SKIP LOCKED"

_ADVANCE: Final = f"""
    UPDATE uploads p SET
        offset_bytes = $2::bigint, length_bytes = $3::bigint, updated_at = now(),
        expires_at = now() + make_interval(secs => $4),
        state = CASE WHEN $2::bigint = $3::bigint THEN 'received' ELSE 'open' END
    FROM users u WHERE p.id = $1 AND u.id = p.owner_id
    RETURNING {_UPLOAD}
"""

_SET_BACK: Final = """
    UPDATE uploads SET offset_bytes = $2, state = 'open'
    WHERE id = $1 AND state <> 'published' AND offset_bytes > $2
"""

_MARK_PUBLISHED: Final = """
    UPDATE uploads p SET state = 'published', sha256 = t.source_sha256, duplicate_of = $2
    FROM tracks t WHERE p.id = $1 AND t.id = p.track_id AND p.state = 'received'
"""

_LIST_RECEIVED: Final = f"""
    SELECT {_UPLOAD} FROM uploads p JOIN users u ON u.id = p.owner_id
    WHERE p.state = 'received' AND p.updated_at <= now() - make_interval(secs => $1)
    ORDER BY p.updated_at LIMIT $2
"""

_DELETE: Final = "DELETE FROM uploads WHERE id = $1 AND owner_id = $2 AND state <> 'received'"

_DELETE_EXPIRED: Final = """
    DELETE FROM uploads WHERE id IN (
        SELECT id FROM uploads WHERE state <> 'received' AND expires_at <= now()
        ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id
"""

_KNOWN: Final = "SELECT id FROM uploads WHERE id = ANY ($1)"


async def read_usage(conn: Connection, owner_id: UUID, *, unknown_bytes: int) -> Usage:
    """Return what an account has; an upload of a length that is not told yet counts as `unknown_bytes`."""
    row = await fetch_one(conn, _USAGE, owner_id, unknown_bytes)
    return Usage(
        stored_bytes=int(row["stored_bytes"]),
        reserved_bytes=int(row["reserved_bytes"]),
        unfinished=row["unfinished"],
    )


async def lock_owner(conn: Connection, owner_id: UUID) -> None:
    """Let nobody else begin an upload for this account until the transaction ends."""
    await conn.execute(_LOCK_OWNER, owner_id)


async def insert_upload(
    conn: Connection,
    *,
    upload_id: UUID,
    track_id: UUID,
    owner_id: UUID,
    length_bytes: int | None,
    title: str,
    filename: str,
    metadata: str,
    lifetime_seconds: float,
    visibility: Visibility = Visibility.PUBLIC,
) -> Upload:
    """Begin an upload; the same id again returns what there is.

    Raises `AlreadyExistsError` if the id is that of somebody else's upload.
    """
    told = (length_bytes, title, filename, metadata, visibility)
    await conn.execute(_INSERT, upload_id, owner_id, track_id, *told, lifetime_seconds)
    upload = _upload(await fetch_one(conn, _GET, upload_id))
    if upload.owner.id != owner_id:
        raise AlreadyExistsError(f"upload {upload_id} belongs to another account")
    return upload


async def get_upload(conn: Connection, upload_id: UUID) -> Upload | None:
    """Return an upload in whatever state, or None."""
    row = await conn.fetchrow(_GET, upload_id)
    return None if row is None else _upload(row)


async def list_unfinished(conn: Connection, owner_id: UUID) -> tuple[Upload, ...]:
    """Return what an account has begun and not finished, newest first: as many as it may have."""
    return tuple(_upload(row) for row in await conn.fetch(_LIST_UNFINISHED, owner_id))


async def lock_upload(conn: Connection, upload_id: UUID) -> Upload | None:
    """Return an upload that nobody else can change until the transaction ends.

    None if there is none, or somebody else has locked it: nobody waits here while others write.
    """
    row = await conn.fetchrow(_LOCK, upload_id)
    return None if row is None else _upload(row)


async def advance_upload(
    conn: Connection,
    upload: Upload,
    *,
    offset_bytes: int,
    length_bytes: int | None,
    lifetime_seconds: float,
) -> Upload:
    """Note what is on disk now, in the transaction that locked the upload, and let it live on."""
    values = (offset_bytes, length_bytes, lifetime_seconds)
    return _upload(await fetch_one(conn, _ADVANCE, upload.id, *values))


async def set_back(conn: Connection, upload_id: UUID, offset_bytes: int) -> None:
    """Note that the file holds less than was told: it was lost, or restored from an older copy."""
    await conn.execute(_SET_BACK, upload_id, offset_bytes)


async def mark_published(conn: Connection, upload_id: UUID, *, duplicate_of: UUID | None) -> None:
    """Note that the track is there; harmless the second time."""
    await conn.execute(_MARK_PUBLISHED, upload_id, duplicate_of)


async def list_received(
    conn: Connection, *, older_than_seconds: float, limit: int
) -> tuple[Upload, ...]:
    """Return uploads that wait for their track for so long: whoever was to make it has gone."""
    rows = await conn.fetch(_LIST_RECEIVED, older_than_seconds, limit)
    return tuple(_upload(row) for row in rows)


async def delete_upload(conn: Connection, upload_id: UUID, owner_id: UUID) -> bool:
    """Forget an upload, unless its track is being made; the caller drops its file. Returns whether."""
    return str(await conn.execute(_DELETE, upload_id, owner_id)) == "DELETE 1"


async def delete_expired(conn: Connection, *, limit: int) -> tuple[UUID, ...]:
    """Forget uploads whose time is over; the caller drops their files."""
    return tuple(row["id"] for row in await conn.fetch(_DELETE_EXPIRED, limit))


async def known_uploads(conn: Connection, upload_ids: Collection[UUID]) -> frozenset[UUID]:
    """Return which of these there are."""
    return frozenset(row["id"] for row in await conn.fetch(_KNOWN, list(upload_ids)))


def _upload(row: asyncpg.Record) -> Upload:
    return Upload(
        id=row["id"],
        owner=Author(id=row["owner_id"], name=row["username"]),
        track_id=row["track_id"],
        length_bytes=row["length_bytes"],
        offset_bytes=row["offset_bytes"],
        title=row["title"],
        filename=row["filename"],
        metadata=row["metadata"],
        visibility=Visibility(row["visibility"]),
        state=UploadState(row["state"]),
        sha256=row["sha256"],
        duplicate_of=row["duplicate_of"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        is_expired=row["is_expired"],
    )


async def find_track_of_file(conn: Connection, owner_id: UUID, sha256: bytes) -> Track | None:
    """Return the owner's eldest track that was made of these bytes, or None."""
    row = await conn.fetchrow(_FIND_OF_FILE, owner_id, sha256)
    return None if row is None else track_of(row)
