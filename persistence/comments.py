"""Comments on tracks in SQL. The counter of a track counts those that are not deleted, replies too."""

from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.errors import AlreadyExistsError
from veza.persistence.pool import Connection, fetch_one
from veza.persistence.rows import Author, Comment

_COMMENT: Final = """
    c.id, c.track_id, c.author_id, u.username, c.reply_to, c.at_ms, c.text, c.created_at, c.edited_at,
    c.deleted_at IS NOT NULL AS is_deleted, t.owner_id,
    (SELECT count(*) FROM track_comments r WHERE r.reply_to = c.id AND r.deleted_at IS NULL) AS replies
    FROM track_comments c JOIN users u ON u.id = c.author_id JOIN tracks t ON t.id = c.track_id
"""

_INSERT: Final = """
    WITH added AS (
        INSERT INTO track_comments (id, track_id, author_id, reply_to, at_ms, text)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING RETURNING track_id
    ) UPDATE tracks t SET comments = comments + 1 FROM added WHERE t.id = added.track_id
"""

_GET: Final = f"SELECT {_COMMENT} WHERE c.id = $1"

# Of a thread whose first comment is gone the place stays as long as somebody's reply stands there.
_IS_SHOWN: Final = """(c.deleted_at IS NULL OR EXISTS (
    SELECT FROM track_comments r WHERE r.reply_to = c.id AND r.deleted_at IS NULL
)) AND NOT EXISTS (SELECT FROM user_blocks b WHERE b.user_id = $2 AND b.blocked_id = c.author_id)"""

_NEWEST: Final = f"""
    SELECT {_COMMENT} WHERE c.track_id = $1 AND c.reply_to IS NULL AND {_IS_SHOWN}
        AND ($3::uuid IS NULL OR c.id < $3)
    ORDER BY c.id DESC LIMIT $4
"""

_BY_PLACE: Final = f"""
    SELECT {_COMMENT} WHERE c.track_id = $1 AND c.reply_to IS NULL AND {_IS_SHOWN}
        AND ($3::integer IS NULL OR (c.at_ms, c.id) > ($3, $4::uuid))
    ORDER BY c.at_ms, c.id LIMIT $5
"""

_REPLIES: Final = f"""
    SELECT {_COMMENT} WHERE c.reply_to = $1 AND {_IS_SHOWN} AND ($3::uuid IS NULL OR c.id > $3)
    ORDER BY c.id LIMIT $4
"""

_EDIT: Final = """
    UPDATE track_comments SET text = $2, edited_at = now() WHERE id = $1 AND deleted_at IS NULL
"""

_DELETE: Final = """
    WITH gone AS (
        UPDATE track_comments SET deleted_at = now(), text = ''
        WHERE id = $1 AND deleted_at IS NULL RETURNING track_id
    ) UPDATE tracks t SET comments = comments - 1 FROM gone WHERE t.id = gone.track_id
"""


async def insert_comment(
    conn: Connection,
    *,
    comment_id: UUID,
    track_id: UUID,
    author_id: UUID,
    reply_to: UUID | None,
    at_ms: int,
    text: str,
) -> Comment:
    """Add a comment; the same id again adds nothing. Raises `AlreadyExistsError` if it is somebody else's."""
    await conn.execute(_INSERT, comment_id, track_id, author_id, reply_to, at_ms, text)
    comment = _of(await fetch_one(conn, _GET, comment_id))
    if (comment.track_id, comment.author.id) != (track_id, author_id):
        raise AlreadyExistsError(f"comment {comment_id} is another one")
    return comment


async def get_comment(conn: Connection, comment_id: UUID) -> Comment | None:
    """Return a comment, also one that is deleted; None if there never was one."""
    row = await conn.fetchrow(_GET, comment_id)
    return None if row is None else _of(row)


async def list_newest(
    conn: Connection, track_id: UUID, viewer_id: UUID | None, *, before: UUID | None, limit: int
) -> tuple[Comment, ...]:
    """Return a track's comments that reply to none, newest first, without those of whom one blocks."""
    return _all(await conn.fetch(_NEWEST, track_id, viewer_id, before, limit))


async def list_by_place(
    conn: Connection,
    track_id: UUID,
    viewer_id: UUID | None,
    *,
    after: tuple[int, UUID] | None,
    limit: int,
) -> tuple[Comment, ...]:
    """Return the same in the order in which a player meets them."""
    start = after or (None, None)
    return _all(await conn.fetch(_BY_PLACE, track_id, viewer_id, *start, limit))


async def list_replies(
    conn: Connection, comment_id: UUID, viewer_id: UUID | None, *, after: UUID | None, limit: int
) -> tuple[Comment, ...]:
    """Return the replies to a comment, eldest first, without those of whom one blocks."""
    return _all(await conn.fetch(_REPLIES, comment_id, viewer_id, after, limit))


async def edit_comment(conn: Connection, comment_id: UUID, text: str) -> None:
    """Change what a comment says, unless it is deleted."""
    await conn.execute(_EDIT, comment_id, text)


async def delete_comment(conn: Connection, comment_id: UUID) -> None:
    """Forget what a comment said; harmless the second time."""
    await conn.execute(_DELETE, comment_id)


def _all(rows: list[asyncpg.Record]) -> tuple[Comment, ...]:
    return tuple(map(_of, rows))


def _of(row: asyncpg.Record) -> Comment:
    return Comment(
        id=row["id"],
        track_id=row["track_id"],
        track_owner_id=row["owner_id"],
        author=Author(id=row["author_id"], name=row["username"]),
        reply_to=row["reply_to"],
        at_ms=row["at_ms"],
        text=row["text"],
        replies=row["replies"],
        created_at=row["created_at"],
        edited_at=row["edited_at"],
        is_deleted=row["is_deleted"],
    )
