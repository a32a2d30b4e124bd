"""What listeners may take home, in SQL."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.persistence.pool import Connection
from veza.persistence.tracks import IS_AUDIBLE

# The one place that decides it: whoever may not hear a track does not download it either.
_IS_ALLOWED: Final = """(
    t.owner_id = $1 OR t.downloads = 'everybody' OR t.downloads = 'followers' AND EXISTS (
        SELECT FROM follows f WHERE f.follower_id = $1 AND f.followed_id = t.owner_id
    )
)"""

_FIND = f"""
    SELECT t.source_key, t.source_bytes, t.filename, t.title, t.artist, {_IS_ALLOWED} AS is_allowed
    FROM tracks t WHERE {IS_AUDIBLE} AND t.id = $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A track's file as it was uploaded, and whether whoever asks may have it."""

    key: str
    size_bytes: int
    filename: str
    title: str
    artist: str
    is_allowed: bool


async def find_original(
    conn: Connection, track_id: UUID, viewer_id: UUID | None
) -> Original | None:
    """Return the file of a track that the viewer may hear; None if there is no such track."""
    row = await conn.fetchrow(_FIND, viewer_id, track_id)
    if row is None:
        return None
    return Original(
        key=row["source_key"],
        size_bytes=row["source_bytes"],
        filename=row["filename"],
        title=row["title"],
        artist=row["artist"],
        is_allowed=row["is_allowed"],
    )
