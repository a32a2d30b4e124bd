"""The pictures of tracks in SQL."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.persistence.pool import Connection
from veza.persistence.tracks import IS_AUDIBLE

_SET = """
    UPDATE tracks SET artwork_key = $2, artwork_sha256 = $3, artwork_bytes = $4
"""
_SET_FOUND: Final = f"{_SET} WHERE id = $1 AND state <> 'published'"
_SET_CHOSEN: Final = f"{_SET}, version = version + 1 WHERE id = $1"
_REMOVE: Final = f"{_SET}, version = version + 1 WHERE id = $1 AND artwork_key IS NOT NULL"
_LOCK: Final = "SELECT owner_id, artwork_key FROM tracks WHERE id = $1 FOR UPDATE"

_FIND = f"""
    SELECT t.artwork_key, left(encode(t.artwork_sha256, 'hex'), 16) AS tag FROM tracks t
    WHERE {IS_AUDIBLE} AND t.id = $2 AND t.artwork_key IS NOT NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artwork:
    """Where a track's picture is; `tag` is another for another picture."""

    key: str
    tag: str


def artwork_key(track_id: UUID, sha256: bytes) -> str:
    """Name a picture by what it shows: no other is ever at its place."""
    return f"media/{track_id}/artwork/{sha256[:8].hex()}.webp"


async def set_found(
    conn: Connection, track_id: UUID, *, key: str, sha256: bytes, size_bytes: int
) -> None:
    """Note the picture that was in a track's source; a published track has what its owner chose."""
    await conn.execute(_SET_FOUND, track_id, key, sha256, size_bytes)


async def set_chosen(
    conn: Connection, track_id: UUID, *, key: str, sha256: bytes, size_bytes: int
) -> str | None:
    """Note the picture that a track's owner chose; return where the one before is."""
    before = await conn.fetchrow(_LOCK, track_id)
    await conn.execute(_SET_CHOSEN, track_id, key, sha256, size_bytes)
    return None if before is None else before["artwork_key"]


async def remove_artwork(conn: Connection, track_id: UUID) -> str | None:
    """Forget the picture of a track; return where it was, or None if there was none."""
    before = await conn.fetchrow(_LOCK, track_id)
    await conn.execute(_REMOVE, track_id, None, None, None)
    return None if before is None else before["artwork_key"]


async def find_artwork(conn: Connection, track_id: UUID, viewer_id: UUID | None) -> Artwork | None:
    """Return the picture of a track that the viewer may hear; None if there is none."""
    row = await conn.fetchrow(_FIND, viewer_id, track_id)
    return None if row is None else Artwork(key=row["artwork_key"], tag=row["tag"])
