"""Likes and reposts in SQL, and the feed that is made of reposts and uploads. Twice, or not, is harmless."""

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.pool import Connection, fetch_one
from veza.persistence.rows import Author, FeedItem, FeedKind, Mark, MarkedTrack, MarkKind
from veza.persistence.tracks import FROM_TRACKS, IS_AUDIBLE, IS_LISTED, TRACK, track_of

# The row is what decides between two who come at once: the counter follows the rows that came or went.
_COUNTER: Final = """
    UPDATE tracks t SET
        likes = likes {sign} (changed.kind = 'like')::integer,
        reposts = reposts {sign} (changed.kind = 'repost')::integer
    FROM changed WHERE t.id = changed.track_id
"""

_SET: Final = f"""
    WITH changed AS (
        INSERT INTO track_marks (user_id, kind, track_id) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING kind, track_id
    ) {_COUNTER.format(sign="+")}
"""

_TAKE_BACK: Final = f"""
    WITH changed AS (
        DELETE FROM track_marks WHERE user_id = $1 AND kind = $2 AND track_id = $3
        RETURNING kind, track_id
    ) {_COUNTER.format(sign="-")}
"""

_READ: Final = """
    SELECT CASE $2 WHEN 'like' THEN t.likes ELSE t.reposts END AS count, EXISTS (
        SELECT FROM track_marks m WHERE m.user_id = $1 AND m.kind = $2 AND m.track_id = t.id
    ) AS is_set
    FROM tracks t WHERE t.id = $3
"""

_LIST: Final = f"""
    SELECT {TRACK}, m.at {FROM_TRACKS} JOIN track_marks m ON m.track_id = t.id
    WHERE m.user_id = $2 AND m.kind = $3 AND {IS_AUDIBLE}
        AND ($4::timestamptz IS NULL OR (m.at, m.track_id) < ($4, $5::uuid))
    ORDER BY m.at DESC, m.track_id DESC LIMIT $6
"""

_OUT_AT: Final = "greatest(t.created_at, t.release_at)"

_UPLOADS: Final = f"""
    SELECT t.id AS track_id, 'upload' AS kind, t.owner_id AS by_id, {_OUT_AT} AS at FROM tracks t
    WHERE t.owner_id = {{of}} AND {IS_LISTED} AND t.state IN ('playable', 'published')
        AND ($2::timestamptz IS NULL OR ({_OUT_AT}, t.id) < ($2, $3::uuid))
    ORDER BY {_OUT_AT} DESC, t.id DESC LIMIT {{limit}}
"""

_REPOSTS: Final = """
    SELECT m.track_id, 'repost' AS kind, m.user_id AS by_id, m.at FROM track_marks m
    WHERE m.user_id = {of} AND m.kind = 'repost'
        AND ($2::timestamptz IS NULL OR (m.at, m.track_id) < ($2, $3::uuid))
    ORDER BY m.at DESC, m.track_id DESC LIMIT {limit}
"""

# What is shown of a list of candidates, wherever they come from. A track is told once, where it came last.
_SHOWN: Final = f"""
    , latest AS (
        SELECT DISTINCT ON (track_id) * FROM candidates ORDER BY track_id, at DESC, kind DESC
    ), newest AS (
        SELECT * FROM latest ORDER BY at DESC, track_id DESC LIMIT 2 * $4
    )
    SELECT {TRACK}, n.kind, n.at, n.by_id, b.username AS by_name
    {FROM_TRACKS} JOIN newest n ON n.track_id = t.id JOIN users b ON b.id = n.by_id
    WHERE {IS_LISTED} AND t.owner_id <> $1 AND ($2::timestamptz IS NULL OR NOT EXISTS (
        SELECT FROM track_marks m JOIN follows f ON f.followed_id = m.user_id
        WHERE f.follower_id = $1 AND m.track_id = t.id AND m.kind = 'repost'
            AND (m.at, m.track_id) >= ($2, $3)
    ))
    ORDER BY n.at DESC, n.track_id DESC LIMIT $4
"""

_LOOKED_AT: Final = 500

# Among the newest entries of all are mostly enough by those whom one follows: no index of theirs is asked.
# Where the two lists reach back to is sure; what is older may be missing in the one that ends earlier.
_FEED_NEAR: Final = f"""
    WITH uploads AS MATERIALIZED (
        SELECT t.id AS track_id, 'upload' AS kind, t.owner_id AS by_id, {_OUT_AT} AS at FROM tracks t
        WHERE t.state IN ('playable', 'published') AND {_OUT_AT} <= now()
            AND ($2::timestamptz IS NULL OR ({_OUT_AT}, t.id) < ($2, $3::uuid))
        ORDER BY {_OUT_AT} DESC, t.id DESC LIMIT {_LOOKED_AT}
    ), reposts AS MATERIALIZED (
        SELECT m.track_id, 'repost' AS kind, m.user_id AS by_id, m.at FROM track_marks m
        WHERE m.kind = 'repost' AND ($2::timestamptz IS NULL OR (m.at, m.track_id) < ($2, $3::uuid))
        ORDER BY m.at DESC, m.track_id DESC LIMIT {_LOOKED_AT}
    ), sure AS (
        SELECT greatest(
            (SELECT min(at) FROM uploads HAVING count(*) = {_LOOKED_AT}),
            (SELECT min(at) FROM reposts HAVING count(*) = {_LOOKED_AT})
        ) AS since
    ), candidates AS (
        SELECT c.* FROM (SELECT * FROM uploads UNION ALL SELECT * FROM reposts) c CROSS JOIN sure
        WHERE (sure.since IS NULL OR c.at > sure.since)
            AND c.by_id IN (SELECT followed_id FROM follows WHERE follower_id = $1)
    ) {_SHOWN}
"""

# The newest entries of a page are by people whose own newest entry is among as many: one entry of each who
# is followed is read, by an index, and more of those few.
_FEED: Final = f"""
    WITH uploaders AS MATERIALIZED (
        SELECT n.by_id FROM follows f
        CROSS JOIN LATERAL ({_UPLOADS.format(of="f.followed_id", limit=1)}) n
        WHERE f.follower_id = $1 ORDER BY n.at DESC LIMIT $4
    ), reposters AS MATERIALIZED (
        SELECT n.by_id FROM follows f
        CROSS JOIN LATERAL ({_REPOSTS.format(of="f.followed_id", limit=1)}) n
        WHERE f.follower_id = $1 ORDER BY n.at DESC LIMIT $4
    ), candidates AS (
        SELECT n.* FROM uploaders o CROSS JOIN LATERAL ({_UPLOADS.format(of="o.by_id", limit="$4")}) n
        UNION ALL
        SELECT n.* FROM reposters o CROSS JOIN LATERAL ({_REPOSTS.format(of="o.by_id", limit="$4")}) n
    ) {_SHOWN}
"""


async def set_mark(conn: Connection, user_id: UUID, kind: MarkKind, track_id: UUID) -> None:
    """Let somebody like or repost a track that exists."""
    await conn.execute(_SET, user_id, kind, track_id)


async def take_back_mark(conn: Connection, user_id: UUID, kind: MarkKind, track_id: UUID) -> None:
    """Let somebody like or repost a track no more."""
    await conn.execute(_TAKE_BACK, user_id, kind, track_id)


async def read_mark(conn: Connection, user_id: UUID | None, kind: MarkKind, track_id: UUID) -> Mark:
    """Return how many like or repost a track that exists, and whether the viewer does."""
    row = await fetch_one(conn, _READ, user_id, kind, track_id)
    return Mark(count=row["count"], is_set=row["is_set"])


async def list_marked(
    conn: Connection,
    *,
    viewer_id: UUID | None,
    user_id: UUID,
    kind: MarkKind,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> tuple[MarkedTrack, ...]:
    """Return what somebody likes or reposted and the viewer may hear, newest first, older than `before`."""
    rows = await conn.fetch(_LIST, viewer_id, user_id, kind, *(before or (None, None)), limit)
    return tuple(MarkedTrack(track=track_of(row), at=row["at"]) for row in rows)


async def read_feed(
    conn: Connection, viewer_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int
) -> tuple[FeedItem, ...]:
    """Return what those whom one follows uploaded or reposted, newest first, each track once."""
    asked = (viewer_id, *(before or (None, None)), limit)
    rows = await conn.fetch(_FEED_NEAR, *asked)
    if len(rows) < limit:
        rows = await conn.fetch(_FEED, *asked)
    return tuple(_feed_item(row) for row in rows)


def _feed_item(row: asyncpg.Record) -> FeedItem:
    return FeedItem(
        kind=FeedKind(row["kind"]),
        by=Author(id=row["by_id"], name=row["by_name"]),
        track=track_of(row),
        at=row["at"],
    )
