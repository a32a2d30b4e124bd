"""Finding tracks, people, playlists, rooms and tags in SQL, in whatever spelling comes near.

What is asked for is folded as the columns are (migration 0026). A score is of the words that fit, by where
they stand, of how near the spelling is, and a little of how much something is heard; it orders the pages.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.pool import Connection
from veza.persistence.rows import Author, Licence, Track
from veza.persistence.tracks import FROM_TRACKS, IS_LISTED, TRACK, track_of

_IS_OUT: Final = f"t.state IN ('playable', 'published') AND {IS_LISTED}"

# Of those that fit so many are scored: who asks for a word that thousands have wants the well-known ones.
_SCORED: Final = 500

_ASKED: Final = """
    asked AS (
        SELECT veza_fold($2) AS text,
            websearch_to_tsquery('veza_fr', veza_fold($2))
                || websearch_to_tsquery('veza_en', veza_fold($2)) AS words
    )
"""

_FITS: Final = f"""
    {_IS_OUT}
    AND ($3::text IS NULL OR veza_fold(t.genre) = veza_fold($3))
    AND ($4::text IS NULL OR EXISTS (
        SELECT FROM track_tags g WHERE g.track_id = t.id AND g.tag = $4
    ))
    AND ($5::double precision IS NULL OR t.bpm >= $5)
    AND ($6::double precision IS NULL OR t.bpm <= $6)
    AND ($7::text IS NULL OR t.key = $7)
    AND ($8::integer IS NULL OR t.duration_samples * 1000 >= $8::bigint * t.sample_rate_hz)
    AND ($9::integer IS NULL OR t.duration_samples * 1000 <= $9::bigint * t.sample_rate_hz)
    AND ($10::text IS NULL OR t.licence = $10)
"""

_KNOWN: Final = "t.plays + 3 * t.likes"

_PAGE: Final = f"""
    , scored AS (
        SELECT t.id, (
            ts_rank(t.words, a.words) + word_similarity(a.text, t.folded) + 0.05 * ln(1 + {_KNOWN})
        )::double precision AS score
        FROM fitting f JOIN tracks t ON t.id = f.id CROSS JOIN asked a
    ), page AS (
        SELECT * FROM scored s
        WHERE $11::double precision IS NULL OR (s.score, s.id) < ($11, $12::uuid)
        ORDER BY s.score DESC, s.id DESC LIMIT $13
    )
    SELECT {TRACK}, s.score {FROM_TRACKS} JOIN page s ON s.id = t.id ORDER BY s.score DESC, s.id DESC
"""

_FIND_TRACKS: Final = f"""
    WITH {_ASKED}, fitting AS (
        (
            SELECT t.id FROM tracks t WHERE t.words @@ (SELECT words FROM asked) AND {_FITS}
            ORDER BY {_KNOWN} DESC LIMIT {_SCORED}
        ) UNION (
            SELECT t.id FROM users o JOIN tracks t ON t.owner_id = o.id
            WHERE o.folded = (SELECT text FROM asked) AND {_FITS}
            ORDER BY {_KNOWN} DESC LIMIT {_SCORED}
        )
    ) {_PAGE}
"""

_FIND_NEAR: Final = f"""
    WITH {_ASKED}, fitting AS (
        SELECT t.id FROM tracks t WHERE t.folded %> (SELECT text FROM asked) AND {_FITS}
        LIMIT {_SCORED}
    ) {_PAGE}
"""

# Of the letters of a word, by threes, so many are in the other: "noctrune" is near "nocturne".
_LOOSELY: Final = "SET LOCAL pg_trgm.word_similarity_threshold = 0.35"

_FIND_PEOPLE: Final = """
    SELECT u.id, u.username AS name, u.score FROM (
        SELECT u.id, u.username, (
            similarity(u.folded, $1) + (u.folded LIKE $2)::integer
        )::double precision AS score
        FROM users u WHERE u.folded % $1 OR u.folded LIKE $2
    ) u
    WHERE $3::double precision IS NULL OR (u.score, u.id) < ($3, $4::uuid)
    ORDER BY u.score DESC, u.id DESC LIMIT $5
"""

_FIND_NAMED: Final = """
    SELECT p.id, p.{name} AS name, p.score FROM (
        SELECT p.id, p.{name}, word_similarity(veza_fold($1), p.folded)::double precision AS score
        FROM {table} p WHERE p.folded %> veza_fold($1) AND {is_found}
    ) p
    WHERE $2::double precision IS NULL OR (p.score, p.id) < ($2, $3::uuid)
    ORDER BY p.score DESC, p.id DESC LIMIT $4
"""

_FIND_PLAYLISTS: Final = _FIND_NAMED.format(
    table="playlists",
    name="title",
    is_found="p.visibility = 'public' AND p.deleted_at IS NULL",
)

_FIND_ROOMS: Final = _FIND_NAMED.format(
    table="rooms", name="name", is_found="p.kind IN ('public', 'password') AND NOT p.is_archived"
)

_SUGGEST_TRACKS: Final = f"""
    SELECT t.id, t.title AS name FROM tracks t WHERE t.folded LIKE $2 AND {_IS_OUT}
    ORDER BY t.plays DESC, t.id DESC LIMIT $3
"""

_SUGGEST_NEAR: Final = f"""
    SELECT t.id, t.title AS name FROM (
        SELECT t.* FROM tracks t WHERE t.folded %> $2 AND {_IS_OUT} LIMIT {_SCORED}
    ) t
    ORDER BY word_similarity($2, t.folded) DESC, t.plays DESC, t.id DESC LIMIT $3
"""

_SUGGEST_PEOPLE: Final = """
    SELECT u.id, u.username AS name FROM users u WHERE u.folded LIKE $1 OR u.folded % $2
    ORDER BY u.folded LIKE $1 DESC, similarity(u.folded, $2) DESC, u.id LIMIT $3
"""

# A tag that only what is not public has is nobody's business.
_SUGGEST_TAGS: Final = f"""
    SELECT g.tag FROM (SELECT DISTINCT tag FROM track_tags WHERE tag LIKE $2) g
    WHERE EXISTS (
        SELECT FROM track_tags h JOIN tracks t ON t.id = h.track_id
        WHERE h.tag = g.tag AND {_IS_OUT} AND t.visibility = 'public'
    )
    ORDER BY g.tag LIMIT $3
"""

_FOLD: Final = "SELECT veza_fold($1)"

_TAGS: Final = f"""
    SELECT g.tag, count(*) AS tracks FROM track_tags g JOIN tracks t ON t.id = g.track_id
    WHERE {_IS_OUT} AND t.visibility = 'public' GROUP BY g.tag ORDER BY tracks DESC, g.tag LIMIT $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFilter:
    """What found tracks must be besides; None is anything. Lengths are in milliseconds."""

    genre: str | None = None
    tag: str | None = None
    bpm_min: float | None = None
    bpm_max: float | None = None
    key: str | None = None
    duration_min_ms: int | None = None
    duration_max_ms: int | None = None
    licence: Licence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTrack:
    track: Track
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundName:
    """A person, a playlist or a room, by its name."""

    id: UUID
    name: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TagUse:
    """A tag, and how many tracks have it."""

    tag: str
    tracks: int


Behind = tuple[float, UUID] | None
"""The last one of the page before: its score and id."""


async def find_tracks(
    conn: Connection,
    text: str,
    viewer_id: UUID | None,
    *,
    only: TrackFilter,
    is_near: bool,
    behind: Behind,
    limit: int,
) -> tuple[FoundTrack, ...]:
    """Return tracks that the viewer may find, the best first: with the words, or near them in spelling."""
    filters = (
        *(only.genre, only.tag, only.bpm_min, only.bpm_max, only.key),
        *(only.duration_min_ms, only.duration_max_ms, only.licence),
    )
    statement = _FIND_NEAR if is_near else _FIND_TRACKS
    async with conn.transaction():
        await conn.execute(_LOOSELY)
        rows = await conn.fetch(
            statement, viewer_id, text, *filters, *(behind or (None, None)), limit
        )
    return tuple(FoundTrack(track=track_of(row), score=row["score"]) for row in rows)


async def find_people(
    conn: Connection, text: str, *, behind: Behind, limit: int
) -> tuple[FoundName, ...]:
    """Return people whose names begin so or come near."""
    folded, prefix = await _folded(conn, text)
    return _names(await conn.fetch(_FIND_PEOPLE, folded, prefix, *(behind or (None, None)), limit))


async def find_playlists(
    conn: Connection, text: str, *, behind: Behind, limit: int
) -> tuple[FoundName, ...]:
    """Return public playlists whose titles come near."""
    return _names(await conn.fetch(_FIND_PLAYLISTS, text, *(behind or (None, None)), limit))


async def find_rooms(
    conn: Connection, text: str, *, behind: Behind, limit: int
) -> tuple[FoundName, ...]:
    """Return rooms that are listed and whose names come near."""
    return _names(await conn.fetch(_FIND_ROOMS, text, *(behind or (None, None)), limit))


async def suggest(
    conn: Connection, text: str, viewer_id: UUID | None, limit: int
) -> tuple[tuple[Author, ...], tuple[Author, ...], tuple[str, ...]]:
    """Return what somebody may be about to type: tracks and people by id and name, and tags."""
    folded, prefix = await _folded(conn, text)
    tracks = await conn.fetch(_SUGGEST_TRACKS, viewer_id, prefix, limit)
    if not tracks:
        async with conn.transaction():
            await conn.execute(_LOOSELY)
            tracks = await conn.fetch(_SUGGEST_NEAR, viewer_id, folded, limit)
    people = await conn.fetch(_SUGGEST_PEOPLE, prefix, folded, limit)
    tags = await conn.fetch(_SUGGEST_TAGS, None, _escaped(text.lower()) + "%", limit)
    return (
        tuple(Author(id=row["id"], name=row["name"]) for row in tracks),
        tuple(Author(id=row["id"], name=row["name"]) for row in people),
        tuple(row["tag"] for row in tags),
    )


async def list_tags(conn: Connection, limit: int) -> tuple[TagUse, ...]:
    """Return the tags that most public tracks have."""
    return tuple(TagUse(**dict(row)) for row in await conn.fetch(_TAGS, None, limit))


async def _folded(conn: Connection, text: str) -> tuple[str, str]:
    """Return a text as the columns have it, and what LIKE takes for all that begins with it."""
    folded = str(await conn.fetchval(_FOLD, text))
    return folded, _escaped(folded) + "%"


def _escaped(text: str) -> str:
    """Return a text as LIKE takes it for itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _names(rows: list[asyncpg.Record]) -> tuple[FoundName, ...]:
    return tuple(FoundName(**dict(row)) for row in rows)
