"""The tracks of playlists in SQL. Whoever changes an order locks its playlist first, so that it stays one."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.pool import Connection
from veza.persistence.rows import Author, PlaylistItem
from veza.persistence.tracks import FROM_TRACKS, IS_AUDIBLE, IS_LISTED, TRACK, track_of

_LOCK: Final = "SELECT FROM playlists WHERE id = $1 FOR NO KEY UPDATE"

# A track that the viewer may not hear leaves its place, and nothing of itself.
_LIST: Final = f"""
    SELECT i.id AS item_id, i.rank, i.added_by, a.username AS added_by_name, i.added_at,
        k.*
    FROM playlist_items i LEFT JOIN users a ON a.id = i.added_by
    LEFT JOIN LATERAL (
        SELECT {TRACK} {FROM_TRACKS} WHERE t.id = i.track_id AND {IS_AUDIBLE}
    ) k ON true
    WHERE i.playlist_id = $2 AND ($3::text IS NULL OR i.rank > $3 COLLATE "C")
        AND ($5::uuid[] IS NULL OR i.id = ANY ($5))
    ORDER BY i.rank LIMIT $4
"""

_NEIGHBOURS: Final = """
    SELECT i.rank, (
        SELECT min(n.rank) FROM playlist_items n WHERE n.playlist_id = i.playlist_id AND n.rank > i.rank
    ) AS next_rank
    FROM playlist_items i WHERE i.playlist_id = $1 AND i.id = $2
"""

_ENDS: Final = """
    SELECT min(rank) AS first, max(rank) AS last, count(*) AS items
    FROM playlist_items WHERE playlist_id = $1
"""

_INSERT: Final = """
    INSERT INTO playlist_items (id, playlist_id, track_id, rank, added_by)
    SELECT item, $2, track, rank, $5
    FROM unnest($1::uuid[], $3::uuid[], $4::text[]) AS new (item, track, rank)
"""

_MOVE: Final = "UPDATE playlist_items SET rank = $3 WHERE playlist_id = $1 AND id = $2"

_REMOVE: Final = "DELETE FROM playlist_items WHERE playlist_id = $1 AND id = $2 RETURNING id"

_TOUCH: Final = "UPDATE playlists SET updated_at = now() WHERE id = $1"

_IDS: Final = "SELECT id FROM playlist_items WHERE playlist_id = $1 ORDER BY rank"

_RERANK: Final = """
    UPDATE playlist_items i SET rank = new.rank
    FROM unnest($2::uuid[], $3::text[]) AS new (id, rank)
    WHERE i.playlist_id = $1 AND i.id = new.id
"""

_AUDIBLE: Final = f"SELECT t.id FROM tracks t WHERE t.id = ANY ($2::uuid[]) AND {IS_AUDIBLE}"

_COPY: Final = f"""
    INSERT INTO playlist_items (id, playlist_id, track_id, rank, added_by)
    SELECT gen_random_uuid(), $3, i.track_id, i.rank, $1
    FROM playlist_items i JOIN tracks t ON t.id = i.track_id
    WHERE i.playlist_id = $2 AND {IS_AUDIBLE}
"""

# Of each name the newest track that has it; what is unlisted is found by its address only.
_MATCH: Final = f"""
    SELECT w.place, (
        SELECT t.id FROM tracks t JOIN users u ON u.id = t.owner_id
        WHERE lower(t.title) = lower(w.title)
            AND lower(w.artist) IN (lower(t.artist), lower(u.username), '') AND {IS_LISTED}
        ORDER BY t.created_at DESC, t.id DESC LIMIT 1
    ) AS id
    FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS w (title, artist, place)
"""


async def lock_order(conn: Connection, playlist_id: UUID) -> None:
    """Wait for other changes of a playlist's order, and make them wait for this transaction."""
    await conn.execute(_LOCK, playlist_id)


async def list_items(
    conn: Connection,
    playlist_id: UUID,
    viewer_id: UUID | None,
    *,
    after: str | None = None,
    only: Sequence[UUID] | None = None,
    limit: int,
) -> tuple[PlaylistItem, ...]:
    """Return tracks in order: those behind the rank `after`, and of these `only` some, if so."""
    rows = await conn.fetch(_LIST, viewer_id, playlist_id, after, limit, only)
    return tuple(_item(row) for row in rows)


async def gap_behind(
    conn: Connection, playlist_id: UUID, item_id: UUID
) -> tuple[str, str | None] | None:
    """Return the rank of an item and of the next, if there is one; None if there is no such item."""
    row = await conn.fetchrow(_NEIGHBOURS, playlist_id, item_id)
    return None if row is None else (row["rank"], row["next_rank"])


async def ends(conn: Connection, playlist_id: UUID) -> tuple[str | None, str | None, int]:
    """Return the first and the last rank, and how many items there are."""
    row = await conn.fetchrow(_ENDS, playlist_id)
    return (None, None, 0) if row is None else (row["first"], row["last"], row["items"])


async def insert_items(
    conn: Connection,
    playlist_id: UUID,
    item_ids: Sequence[UUID],
    track_ids: Sequence[UUID],
    ranks: Sequence[str],
    added_by: UUID,
) -> None:
    """Add tracks that exist, each at its rank."""
    await conn.execute(_INSERT, item_ids, playlist_id, track_ids, ranks, added_by)
    await conn.execute(_TOUCH, playlist_id)


async def move_item(conn: Connection, playlist_id: UUID, item_id: UUID, rank: str) -> None:
    """Give an item another rank."""
    await conn.execute(_MOVE, playlist_id, item_id, rank)
    await conn.execute(_TOUCH, playlist_id)


async def remove_item(conn: Connection, playlist_id: UUID, item_id: UUID) -> bool:
    """Take an item out; whether there was one."""
    was_there = await conn.fetchval(_REMOVE, playlist_id, item_id) is not None
    if was_there:
        await conn.execute(_TOUCH, playlist_id)
    return was_there


async def ids_in_order(conn: Connection, playlist_id: UUID) -> tuple[UUID, ...]:
    """Return all items of a playlist, to rank them anew."""
    return tuple(row["id"] for row in await conn.fetch(_IDS, playlist_id))


async def rerank(
    conn: Connection, playlist_id: UUID, item_ids: Sequence[UUID], ranks: Sequence[str]
) -> None:
    """Give items other ranks, in a transaction: two may have the same one meanwhile."""
    await conn.execute("SET CONSTRAINTS ALL DEFERRED")
    await conn.execute(_RERANK, playlist_id, item_ids, ranks)


async def audible_of(
    conn: Connection, track_ids: Sequence[UUID], viewer_id: UUID | None
) -> frozenset[UUID]:
    """Return which of some tracks the viewer may hear."""
    return frozenset(row["id"] for row in await conn.fetch(_AUDIBLE, viewer_id, track_ids))


async def copy_items(conn: Connection, playlist_id: UUID, copy_id: UUID, viewer_id: UUID) -> None:
    """Put into a playlist all that the viewer may hear of another."""
    await conn.execute(_COPY, viewer_id, playlist_id, copy_id)


async def find_by_name(
    conn: Connection, names: Sequence[tuple[str, str]], viewer_id: UUID
) -> tuple[UUID | None, ...]:
    """Return for each title and artist (may be empty) the newest such track that the viewer may find."""
    titles, artists = [title for title, _ in names], [artist for _, artist in names]
    rows = await conn.fetch(_MATCH, viewer_id, titles, artists)
    return tuple(row["id"] for row in sorted(rows, key=lambda row: int(row["place"])))


def _item(row: asyncpg.Record) -> PlaylistItem:
    added_by = row["added_by"]
    return PlaylistItem(
        id=row["item_id"],
        rank=row["rank"],
        track=None if row["id"] is None else track_of(row),
        added_by=added_by and Author(id=added_by, name=row["added_by_name"]),
        added_at=row["added_at"],
    )
