"""What owners change of their tracks, in SQL."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson

from veza.persistence.pool import Connection
from veza.persistence.rows import Credit, Downloads, Licence, Visibility

CLEARABLE: Final = frozenset({"release_at", "track_number", "bpm", "key"})
"""What a track may be without: it is out at once, of no place in an album, of the tempo and key measured."""

# Fewer may hear it from now on: what was signed before is not good any more.
_CHANGE = """
    UPDATE tracks SET title = coalesce($4, title), artist = coalesce($5, artist),
        album = coalesce($6, album), genre = coalesce($7, genre),
        track_number = CASE WHEN 'track_number' = ANY ($17) THEN NULL ELSE coalesce($8, track_number) END,
        visibility = coalesce($9::text, visibility), downloads = coalesce($10, downloads),
        release_at = CASE WHEN 'release_at' = ANY ($17) THEN NULL
            ELSE coalesce($11::timestamptz, release_at) END,
        description = coalesce($12, description), credits = coalesce($13, credits),
        licence = coalesce($14, licence),
        own_bpm = CASE WHEN 'bpm' = ANY ($17) THEN NULL ELSE coalesce($15, own_bpm) END,
        own_key = CASE WHEN 'key' = ANY ($17) THEN NULL ELSE coalesce($16, own_key) END,
        version = version + 1,
        playback_version = playback_version + coalesce(
            $9 IN ('followers', 'private') AND $9 <> visibility OR $11::timestamptz > now(), false
        )::integer
    WHERE id = $1 AND owner_id = $2 AND ($3::integer IS NULL OR version = $3)
    RETURNING id
"""

_DROP_TAGS = "DELETE FROM track_tags WHERE track_id = $1 AND tag <> ALL ($2::text[])"

_ADD_TAGS = """
    INSERT INTO track_tags (track_id, tag) SELECT $1, tag FROM unnest($2::text[]) AS tag
    ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackEdit:
    """What an owner changes of a track. None stays as it is, unless `clears` names it (`CLEARABLE`)."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    genre: str | None = None
    track_number: int | None = None
    visibility: Visibility | None = None
    downloads: Downloads | None = None
    release_at: datetime | None = None
    description: str | None = None
    credits: tuple[Credit, ...] | None = None
    tags: tuple[str, ...] | None = None
    licence: Licence | None = None
    bpm: float | None = None
    key: str | None = None
    clears: frozenset[str] = frozenset()


async def change_track(
    conn: Connection, track_id: UUID, edit: TrackEdit, *, owner_id: UUID, if_version: int | None
) -> bool:
    """Change one's own track, in a transaction.

    Returns False if it is not one's own, or has another version than `if_version`.
    """
    changed = await conn.fetchval(
        _CHANGE,
        track_id,
        owner_id,
        if_version,
        edit.title,
        edit.artist,
        edit.album,
        edit.genre,
        edit.track_number,
        edit.visibility,
        edit.downloads,
        edit.release_at,
        edit.description,
        None if edit.credits is None else orjson.dumps(edit.credits).decode(),
        edit.licence,
        edit.bpm,
        edit.key,
        list(edit.clears),
    )
    if changed is None:
        return False
    # One at a time: who changes a track holds its row.
    if edit.tags is not None:
        await conn.execute(_DROP_TAGS, track_id, list(edit.tags))
        await conn.execute(_ADD_TAGS, track_id, list(edit.tags))
    return True
