"""Which objects of the media store the tables name, in SQL; by page, for there may be very many."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.pool import Connection

BEFORE_ALL: Final = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedObject:
    """An object that a table names. `sha256` and `size_bytes` are None where the table does not know them."""

    key: str
    sha256: bytes | None
    size_bytes: int | None


_OF_TRACKS = """
    SELECT source_key AS key, source_sha256 AS sha256, source_bytes AS size_bytes
    FROM tracks WHERE id = ANY ($1::uuid[])
    UNION ALL
    SELECT init_key, init_sha256, NULL FROM renditions WHERE track_id = ANY ($1::uuid[])
    UNION ALL
    SELECT key, sha256, size_bytes FROM segments WHERE track_id = ANY ($1::uuid[])
    UNION ALL
    SELECT key, sha256, size_bytes FROM copies WHERE track_id = ANY ($1::uuid[])
    UNION ALL
    SELECT artwork_key, artwork_sha256, artwork_bytes FROM tracks
    WHERE id = ANY ($1::uuid[]) AND artwork_key IS NOT NULL
"""

# What has expired is being deleted: it may be there or not.
_OF_ATTACHMENTS = """
    SELECT key, sha256, size_bytes FROM attachments WHERE id = ANY ($1::uuid[])
    UNION ALL
    SELECT thumbnail_key, NULL, NULL FROM attachments
    WHERE id = ANY ($1::uuid[]) AND thumbnail_key IS NOT NULL
"""

_NEXT_TRACKS = "SELECT id FROM tracks WHERE id > $1 ORDER BY id LIMIT $2"

_NEXT_ATTACHMENTS = """
    SELECT id FROM attachments WHERE id > $1 AND state <> 'expired' ORDER BY id LIMIT $2
"""

_KNOWN_KEYS = f"""
    SELECT key FROM ({_OF_TRACKS} UNION ALL {_OF_ATTACHMENTS}) AS named
"""


async def next_tracks(conn: Connection, *, after: UUID, limit: int) -> tuple[UUID, ...]:
    """Return the ids of the next tracks, by id."""
    return tuple(row["id"] for row in await conn.fetch(_NEXT_TRACKS, after, limit))


async def next_attachments(conn: Connection, *, after: UUID, limit: int) -> tuple[UUID, ...]:
    """Return the ids of the next files of messages that have not expired, by id."""
    return tuple(row["id"] for row in await conn.fetch(_NEXT_ATTACHMENTS, after, limit))


async def objects_of_tracks(conn: Connection, ids: Sequence[UUID]) -> tuple[NamedObject, ...]:
    """Return what the tables name of these tracks."""
    return _named(await conn.fetch(_OF_TRACKS, list(ids)))


async def objects_of_attachments(conn: Connection, ids: Sequence[UUID]) -> tuple[NamedObject, ...]:
    """Return what the tables name of these files of messages."""
    return _named(await conn.fetch(_OF_ATTACHMENTS, list(ids)))


async def known_keys(conn: Connection, ids: Sequence[UUID]) -> frozenset[str]:
    """Return all keys that any table names of these tracks and files of messages."""
    return frozenset(row["key"] for row in await conn.fetch(_KNOWN_KEYS, list(ids)))


def _named(rows: Sequence[asyncpg.Record]) -> tuple[NamedObject, ...]:
    return tuple(
        NamedObject(key=row["key"], sha256=row["sha256"], size_bytes=row["size_bytes"])
        for row in rows
    )
