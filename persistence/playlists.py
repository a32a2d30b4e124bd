"""Playlists in SQL: who sees them, and what they say of themselves. Their tracks: `playlist_items.py`."""

from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.errors import AccountUnknownError
from veza.persistence.pool import Connection
from veza.persistence.rows import Author, Playlist, PlaylistVisibility

KEPT_DAYS: Final = 30
"""How long a deleted playlist can come back."""

_PLAYLIST: Final = """
    p.id, p.owner_id, u.username, p.title, p.description, p.visibility, p.version, p.created_at,
    p.updated_at, p.deleted_at,
    (SELECT count(*) FROM playlist_items i WHERE i.playlist_id = p.id) AS tracks,
    EXISTS (
        SELECT FROM playlist_collaborators c WHERE c.playlist_id = p.id AND c.user_id = $1
    ) OR p.owner_id = $1 AS is_editable
    FROM playlists p JOIN users u ON u.id = p.owner_id
"""

_IS_OWN: Final = """(p.owner_id = $1 OR EXISTS (
    SELECT FROM playlist_collaborators c WHERE c.playlist_id = p.id AND c.user_id = $1
))"""

# The one place that decides who may see a playlist `p`: whoever `$1` is, or anybody if that is NULL.
_IS_SEEN: Final = f"(p.deleted_at IS NULL AND (p.visibility <> 'private' OR {_IS_OWN}))"

_INSERT: Final = """
    INSERT INTO playlists (id, owner_id, title, description, visibility)
    VALUES ($1, $2, $3, $4, $5)
"""

_GET: Final = f"SELECT {_PLAYLIST} WHERE {_IS_SEEN} AND p.id = $2"

_GET_OWN: Final = f"SELECT {_PLAYLIST} WHERE p.owner_id = $1 AND p.id = $2"

_LIST_PUBLIC: Final = f"""
    SELECT {_PLAYLIST} WHERE p.visibility = 'public' AND p.deleted_at IS NULL
        AND ($2::uuid IS NULL OR p.owner_id = $2) AND ($3::uuid IS NULL OR p.id < $3)
    ORDER BY p.id DESC LIMIT $4
"""

_LIST_OWN: Final = f"""
    SELECT {_PLAYLIST} WHERE {_IS_OWN} AND (p.deleted_at IS NOT NULL) = $2
        AND (NOT $2 OR p.owner_id = $1) AND ($3::uuid IS NULL OR p.id < $3)
    ORDER BY p.id DESC LIMIT $4
"""

_COUNT_OWN: Final = "SELECT count(*) FROM playlists WHERE owner_id = $1"

# One who makes playlists makes them one after the other: their number has a limit.
_LOCK_OWNER: Final = "SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE"

_CHANGE: Final = """
    UPDATE playlists SET title = coalesce($3, title), description = coalesce($4, description),
        visibility = coalesce($5, visibility), version = version + 1, updated_at = now()
    WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL
        AND ($6::integer IS NULL OR version = $6)
    RETURNING id
"""

_DELETE: Final = """
    UPDATE playlists SET deleted_at = now()
    WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL RETURNING id
"""

_RESTORE: Final = f"""
    UPDATE playlists SET deleted_at = NULL, version = version + 1
    WHERE id = $1 AND owner_id = $2 AND deleted_at > now() - interval '{KEPT_DAYS} days'
    RETURNING id
"""

_PURGE: Final = f"""
    DELETE FROM playlists WHERE deleted_at <= now() - interval '{KEPT_DAYS} days'
"""

_ADD_COLLABORATOR: Final = """
    INSERT INTO playlist_collaborators (playlist_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""

_REMOVE_COLLABORATOR: Final = """
    DELETE FROM playlist_collaborators WHERE playlist_id = $1 AND user_id = $2
"""

_LIST_COLLABORATORS: Final = """
    SELECT u.id, u.username FROM playlist_collaborators c JOIN users u ON u.id = c.user_id
    WHERE c.playlist_id = $1 ORDER BY c.added_at, u.id
"""


async def insert_playlist(
    conn: Connection,
    *,
    playlist_id: UUID,
    owner_id: UUID,
    title: str,
    description: str,
    visibility: PlaylistVisibility,
) -> None:
    """Make a playlist with nothing in it."""
    await conn.execute(_INSERT, playlist_id, owner_id, title, description, visibility)


async def count_of(conn: Connection, owner_id: UUID) -> int:
    """Return how many playlists somebody has, the deleted too; nobody else adds one meanwhile."""
    await conn.execute(_LOCK_OWNER, owner_id)
    return int(await conn.fetchval(_COUNT_OWN, owner_id))


async def get_seen(conn: Connection, playlist_id: UUID, viewer_id: UUID | None) -> Playlist | None:
    """Return a playlist that the viewer may see, or None."""
    return _one(await conn.fetchrow(_GET, viewer_id, playlist_id))


async def get_own(conn: Connection, playlist_id: UUID, owner_id: UUID) -> Playlist | None:
    """Return a playlist of one's own, deleted or not, or None."""
    return _one(await conn.fetchrow(_GET_OWN, owner_id, playlist_id))


async def list_public(
    conn: Connection,
    *,
    viewer_id: UUID | None,
    owner_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> tuple[Playlist, ...]:
    """Return playlists for everybody, newest first; of one owner if one is given."""
    return _all(await conn.fetch(_LIST_PUBLIC, viewer_id, owner_id, before, limit))


async def list_own(
    conn: Connection, viewer_id: UUID, *, deleted: bool, before: UUID | None, limit: int
) -> tuple[Playlist, ...]:
    """Return one's own playlists and those one helps to fill, newest first; or one's own deleted ones."""
    return _all(await conn.fetch(_LIST_OWN, viewer_id, deleted, before, limit))


async def change_playlist(
    conn: Connection,
    playlist_id: UUID,
    *,
    owner_id: UUID,
    title: str | None,
    description: str | None,
    visibility: PlaylistVisibility | None,
    if_version: int | None,
) -> bool:
    """Change what is not None; False if it is not one's own, is deleted, or has another version."""
    changed = await conn.fetchval(
        _CHANGE, playlist_id, owner_id, title, description, visibility, if_version
    )
    return changed is not None


async def delete_playlist(conn: Connection, playlist_id: UUID, owner_id: UUID) -> bool:
    """Delete one's own playlist, for now; False if there is none."""
    return await conn.fetchval(_DELETE, playlist_id, owner_id) is not None


async def restore_playlist(conn: Connection, playlist_id: UUID, owner_id: UUID) -> bool:
    """Bring a deleted playlist back; False if there is none, or none any more."""
    return await conn.fetchval(_RESTORE, playlist_id, owner_id) is not None


async def purge_playlists(conn: Connection) -> None:
    """Forget those that can come back no more."""
    await conn.execute(_PURGE)


async def add_collaborator(conn: Connection, playlist_id: UUID, user_id: UUID) -> None:
    """Let somebody fill a playlist, too. Raises `AccountUnknownError`."""
    try:
        await conn.execute(_ADD_COLLABORATOR, playlist_id, user_id)
    except asyncpg.ForeignKeyViolationError as error:
        raise AccountUnknownError(f"there is no account {user_id}") from error


async def remove_collaborator(conn: Connection, playlist_id: UUID, user_id: UUID) -> None:
    """Let somebody fill a playlist no more."""
    await conn.execute(_REMOVE_COLLABORATOR, playlist_id, user_id)


async def list_collaborators(conn: Connection, playlist_id: UUID) -> tuple[Author, ...]:
    """Return who fills a playlist besides its owner, who came first first."""
    rows = await conn.fetch(_LIST_COLLABORATORS, playlist_id)
    return tuple(Author(id=row["id"], name=row["username"]) for row in rows)


def _all(rows: list[asyncpg.Record]) -> tuple[Playlist, ...]:
    return tuple(_of(row) for row in rows)


def _one(row: asyncpg.Record | None) -> Playlist | None:
    return None if row is None else _of(row)


def _of(row: asyncpg.Record) -> Playlist:
    return Playlist(
        id=row["id"],
        owner=Author(id=row["owner_id"], name=row["username"]),
        title=row["title"],
        description=row["description"],
        visibility=PlaylistVisibility(row["visibility"]),
        tracks=row["tracks"],
        is_editable=row["is_editable"] or False,
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        deleted_at=row["deleted_at"],
    )
