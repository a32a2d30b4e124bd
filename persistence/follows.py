"""Who follows whom, in SQL. Following twice, or not, is harmless."""

from uuid import UUID

import asyncpg

from veza.persistence.errors import AccountUnknownError
from veza.persistence.pool import Connection, fetch_one
from veza.persistence.rows import Author, Following

_FOLLOW = """
    INSERT INTO follows (follower_id, followed_id) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""

_UNFOLLOW = "DELETE FROM follows WHERE follower_id = $1 AND followed_id = $2"

_READ = """
    SELECT count(*) AS followers, coalesce(bool_or(follower_id = $2), false) AS is_following
    FROM follows WHERE followed_id = $1
"""

_LIST_FOLLOWED = """
    SELECT u.id, u.username FROM follows f JOIN users u ON u.id = f.followed_id
    WHERE f.follower_id = $1 AND ($2::uuid IS NULL OR u.id > $2) ORDER BY u.id LIMIT $3
"""


async def follow(conn: Connection, follower_id: UUID, followed_id: UUID) -> None:
    """Let one follow another. Raises `AccountUnknownError` if there is nobody of that id."""
    try:
        await conn.execute(_FOLLOW, follower_id, followed_id)
    except asyncpg.ForeignKeyViolationError as error:
        raise AccountUnknownError(f"there is no account {followed_id}") from error


async def unfollow(conn: Connection, follower_id: UUID, followed_id: UUID) -> None:
    """Let one follow another no more."""
    await conn.execute(_UNFOLLOW, follower_id, followed_id)


async def read_following(conn: Connection, user_id: UUID, viewer_id: UUID) -> Following:
    """Return how many follow somebody, and whether the viewer is one of them."""
    row = await fetch_one(conn, _READ, user_id, viewer_id)
    return Following(followers=row["followers"], is_following=row["is_following"])


async def list_followed(
    conn: Connection, follower_id: UUID, *, after: UUID | None, limit: int
) -> tuple[Author, ...]:
    """Return whom somebody follows, by id, those behind `after`."""
    rows = await conn.fetch(_LIST_FOLLOWED, follower_id, after, limit)
    return tuple(Author(id=row["id"], name=row["username"]) for row in rows)
