"""Ways into rooms and what users keep about them, in SQL: invites, requests to join, blocks and drafts."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from veza.persistence.pool import Connection, fetch_one
from veza.persistence.rows import Author

_INVITE = "code, room_id, created_by, max_uses, uses, expires_at, revoked_at, created_at"

_INSERT_INVITE = f"""
    INSERT INTO room_invites (code, room_id, created_by, max_uses, expires_at)
    VALUES ($1, $2, $3, $4, $5) RETURNING {_INVITE}
"""

_OPENS = """
    revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
        AND (max_uses IS NULL OR uses < max_uses)
"""

_LIST_INVITES = f"""
    SELECT {_INVITE} FROM room_invites WHERE room_id = $1 AND {_OPENS}
    ORDER BY created_at DESC, code LIMIT $2
"""

_FIND_OPEN_INVITE = f"SELECT {_INVITE} FROM room_invites WHERE code = $1 AND {_OPENS}"

_REVOKE_INVITE = """
    UPDATE room_invites SET revoked_at = now()
    WHERE room_id = $1 AND code = $2 AND revoked_at IS NULL RETURNING code
"""

_FIND_INVITE = f"SELECT {_INVITE} FROM room_invites WHERE code = $1"

_COUNT_REQUESTS = "SELECT count(*) FROM room_join_requests WHERE room_id = $1"

_FIND_REQUEST = """
    SELECT q.room_id, q.user_id, u.username, q.text, q.at
    FROM room_join_requests q JOIN users u ON u.id = q.user_id
    WHERE q.room_id = $1 AND q.user_id = $2
"""

_INSERT_REQUEST = """
    INSERT INTO room_join_requests (room_id, user_id, text) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING RETURNING user_id
"""

_LIST_REQUESTS = """
    SELECT q.room_id, q.user_id, u.username, q.text, q.at
    FROM room_join_requests q JOIN users u ON u.id = q.user_id
    WHERE q.room_id = $1 ORDER BY q.at, q.user_id LIMIT $2
"""

_DELETE_REQUEST = """
    DELETE FROM room_join_requests WHERE room_id = $1 AND user_id = $2 RETURNING user_id
"""

_SET_BLOCK = """
    INSERT INTO user_blocks (user_id, blocked_id) SELECT $1, id FROM users WHERE id = $2 AND id <> $1
    ON CONFLICT DO NOTHING RETURNING blocked_id
"""

_CLEAR_BLOCK = """
    DELETE FROM user_blocks WHERE user_id = $1 AND blocked_id = $2 RETURNING blocked_id
"""

_LIST_BLOCKS = """
    SELECT b.blocked_id, u.username FROM user_blocks b JOIN users u ON u.id = b.blocked_id
    WHERE b.user_id = $1 ORDER BY b.at DESC, b.blocked_id
"""

_BLOCKED_BY = """
    SELECT user_id, blocked_id FROM user_blocks WHERE user_id = ANY($1::uuid[])
    ORDER BY at DESC, blocked_id
"""

_BLOCKS_BETWEEN = """
    SELECT user_id, blocked_id FROM user_blocks
    WHERE user_id = ANY($1::uuid[]) AND blocked_id = ANY($1::uuid[])
"""

_PUT_DRAFT = """
    INSERT INTO drafts (room_id, user_id, text) VALUES ($1, $2, $3)
    ON CONFLICT (user_id, room_id) DO UPDATE SET text = excluded.text, updated_at = now()
    RETURNING room_id, text, updated_at
"""

_GET_DRAFT = "SELECT room_id, text, updated_at FROM drafts WHERE room_id = $1 AND user_id = $2"

_LIST_DRAFTS = """
    SELECT room_id, text, updated_at FROM drafts WHERE user_id = $1
    ORDER BY updated_at DESC, room_id LIMIT $2
"""

_TRIM_DRAFTS = """
    DELETE FROM drafts WHERE user_id = $1 AND room_id IN (
        SELECT room_id FROM drafts WHERE user_id = $1 ORDER BY updated_at DESC, room_id OFFSET $2
    )
"""

_FIND_USERS = "SELECT id, username FROM users WHERE id = ANY($1::uuid[])"

_DELETE_DRAFT = "DELETE FROM drafts WHERE room_id = $1 AND user_id = $2 RETURNING room_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """A code that lets in whoever has it: `max_uses` times, until it expires or is revoked."""

    code: str
    room_id: UUID
    created_by: UUID
    max_uses: int | None
    uses: int
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRequest:
    """Somebody who asks to be let in, and what they say."""

    room_id: UUID
    user: Author
    text: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a user began to write in a room."""

    room_id: UUID
    text: str
    updated_at: datetime


async def insert_invite(
    conn: Connection,
    *,
    code: str,
    room_id: UUID,
    creator_id: UUID,
    max_uses: int | None,
    expires_at: datetime | None,
) -> Invite:
    """Make an invite. Uses are counted by the joins that name it (`room_log.append_events`)."""
    row = await fetch_one(conn, _INSERT_INVITE, code, room_id, creator_id, max_uses, expires_at)
    return Invite(**dict(row))


async def list_invites(conn: Connection, room_id: UUID, *, limit: int) -> tuple[Invite, ...]:
    """Return a room's invites that still let somebody in, newest first."""
    rows = await conn.fetch(_LIST_INVITES, room_id, limit)
    return tuple(Invite(**dict(row)) for row in rows)


async def revoke_invite(conn: Connection, room_id: UUID, code: str) -> bool:
    """Let nobody in by it any more; return whether it was there and not revoked."""
    return await conn.fetchrow(_REVOKE_INVITE, room_id, code) is not None


async def find_invite(conn: Connection, code: str) -> Invite | None:
    """Return an invite, whether it still lets anybody in or not; None if there is none such."""
    row = await conn.fetchrow(_FIND_INVITE, code)
    return None if row is None else Invite(**dict(row))


async def find_open_invite(conn: Connection, code: str) -> Invite | None:
    """Return an invite that still lets somebody in, or None."""
    row = await conn.fetchrow(_FIND_OPEN_INVITE, code)
    return None if row is None else Invite(**dict(row))


async def count_requests(conn: Connection, room_id: UUID) -> int:
    """Return how many ask to be let in."""
    count: int = await conn.fetchval(_COUNT_REQUESTS, room_id)
    return count


async def find_request(conn: Connection, room_id: UUID, user_id: UUID) -> JoinRequest | None:
    """Return what somebody said who asks to be let in, or None."""
    row = await conn.fetchrow(_FIND_REQUEST, room_id, user_id)
    return None if row is None else _request(row)


async def insert_request(conn: Connection, room_id: UUID, user_id: UUID, text: str) -> bool:
    """Ask to be let in; return False if the user had asked already."""
    return await conn.fetchrow(_INSERT_REQUEST, room_id, user_id, text) is not None


async def list_requests(conn: Connection, room_id: UUID, *, limit: int) -> tuple[JoinRequest, ...]:
    """Return who asks to be let in, the first one first. Joining ends a request."""
    return tuple(_request(row) for row in await conn.fetch(_LIST_REQUESTS, room_id, limit))


async def delete_request(conn: Connection, room_id: UUID, user_id: UUID) -> bool:
    """Turn a request down or take it back; return whether there was one."""
    return await conn.fetchrow(_DELETE_REQUEST, room_id, user_id) is not None


async def set_block(conn: Connection, user_id: UUID, blocked_id: UUID) -> bool:
    """Block an account; return False if it is blocked already, unknown, or the user's own."""
    return await conn.fetchrow(_SET_BLOCK, user_id, blocked_id) is not None


async def clear_block(conn: Connection, user_id: UUID, blocked_id: UUID) -> bool:
    """Block an account no more; return whether it was."""
    return await conn.fetchrow(_CLEAR_BLOCK, user_id, blocked_id) is not None


async def list_blocks(conn: Connection, user_id: UUID) -> tuple[Author, ...]:
    """Return whom a user blocks, the newest first."""
    rows = await conn.fetch(_LIST_BLOCKS, user_id)
    return tuple(Author(id=row["blocked_id"], name=row["username"]) for row in rows)


async def blocked_by(conn: Connection, user_ids: Collection[UUID]) -> dict[UUID, tuple[UUID, ...]]:
    """Return whom each of some users blocks, the newest first."""
    found: dict[UUID, tuple[UUID, ...]] = dict.fromkeys(user_ids, ())
    for row in await conn.fetch(_BLOCKED_BY, list(user_ids)):
        found[row["user_id"]] += (row["blocked_id"],)
    return found


async def blocks_between(
    conn: Connection, user_ids: Iterable[UUID]
) -> frozenset[tuple[UUID, UUID]]:
    """Return who blocks whom among some accounts."""
    rows = await conn.fetch(_BLOCKS_BETWEEN, list(user_ids))
    return frozenset((row["user_id"], row["blocked_id"]) for row in rows)


async def put_draft(conn: Connection, room_id: UUID, user_id: UUID, text: str) -> Draft:
    """Keep what a user began to write in a room, in place of what was kept."""
    return Draft(**dict(await fetch_one(conn, _PUT_DRAFT, room_id, user_id, text)))


async def get_draft(conn: Connection, room_id: UUID, user_id: UUID) -> Draft | None:
    """Return what a user began to write in a room, or None."""
    row = await conn.fetchrow(_GET_DRAFT, room_id, user_id)
    return None if row is None else Draft(**dict(row))


async def list_drafts(conn: Connection, user_id: UUID, *, limit: int) -> tuple[Draft, ...]:
    """Return a user's drafts, the newest first."""
    return tuple(Draft(**dict(row)) for row in await conn.fetch(_LIST_DRAFTS, user_id, limit))


async def trim_drafts(conn: Connection, user_id: UUID, *, keep: int) -> None:
    """Forget all but a user's newest drafts."""
    await conn.execute(_TRIM_DRAFTS, user_id, keep)


async def find_users(conn: Connection, user_ids: Iterable[UUID]) -> dict[UUID, Author]:
    """Return those of some accounts that there are."""
    rows = await conn.fetch(_FIND_USERS, list(user_ids))
    return {row["id"]: Author(id=row["id"], name=row["username"]) for row in rows}


async def delete_draft(conn: Connection, room_id: UUID, user_id: UUID) -> bool:
    """Forget a draft; return whether there was one."""
    return await conn.fetchrow(_DELETE_DRAFT, room_id, user_id) is not None


def _request(row: asyncpg.Record) -> JoinRequest:
    return JoinRequest(
        room_id=row["room_id"],
        user=Author(id=row["user_id"], name=row["username"]),
        text=row["text"],
        at=row["at"],
    )
