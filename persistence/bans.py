"""Accounts that are shut out, in SQL: a ban, the end of all sessions and the audit row are one commit.

Whoever signs in locks the account's row first (`require_welcome`), and so does a ban: of the two the
second sees what the first did, so that no session is opened beside a ban.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.errors import AccountBannedError
from veza.persistence.pool import Connection
from veza.persistence.rows import AccountBan, Author

# Neither keeps others from writing rows that name the account.
_LOCK_TO_BAN: Final = """
    SELECT u.username, EXISTS (
        SELECT FROM user_roles r WHERE r.user_id = u.id AND r.role = 'admin'
    ) AS is_admin
    FROM users u WHERE u.id = $1 FOR NO KEY UPDATE
"""
_LOCK_TO_SIGN_IN: Final = "SELECT FROM users WHERE id = $1 FOR SHARE"

_UPSERT: Final = """
    INSERT INTO account_bans (user_id, until, reason, by_id) VALUES ($1, $2, $3, $4)
    ON CONFLICT (user_id) DO UPDATE
    SET until = excluded.until, reason = excluded.reason, by_id = excluded.by_id, at = excluded.at
"""

_REVOKE_SESSIONS: Final = """
    UPDATE auth_sessions SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL
"""

_DELETE: Final = "DELETE FROM account_bans WHERE user_id = $1"

_BAN: Final = """
    b.user_id, u.username, b.until, b.reason, b.by_id, o.username AS by_name, b.at
    FROM account_bans b JOIN users u ON u.id = b.user_id LEFT JOIN users o ON o.id = b.by_id
"""

_IN_FORCE: Final = "(b.until IS NULL OR b.until > now())"

_GET: Final = f"SELECT {_BAN} WHERE b.user_id = $1 AND {_IN_FORCE}"

_LIST: Final = f"""
    SELECT {_BAN}
    WHERE {_IN_FORCE} AND ($2::timestamptz IS NULL OR (b.at, b.user_id) < ($2, $3::uuid))
    ORDER BY b.at DESC, b.user_id DESC LIMIT $1
"""

_FIND_ENDED: Final = f"""
    SELECT s.id, EXISTS (
        SELECT FROM account_bans b WHERE b.user_id = s.user_id AND {_IN_FORCE}
    ) AS is_banned
    FROM auth_sessions s
    WHERE s.id = ANY ($1::uuid[]) AND (s.revoked_at IS NOT NULL OR s.expires_at <= now())
"""

_BAN_OF_SESSION: Final = f"""
    SELECT b.until FROM auth_sessions s JOIN account_bans b ON b.user_id = s.user_id
    WHERE {_IN_FORCE} AND (s.id = $1 OR s.cookie_hash = $2)
"""

_BAN_OF_REFRESH: Final = f"""
    SELECT b.until FROM refresh_tokens t JOIN auth_sessions s ON s.id = t.session_id
    JOIN account_bans b ON b.user_id = s.user_id
    WHERE {_IN_FORCE} AND t.token_hash = $1
"""


_BAN_OF_TICKET: Final = f"""
    SELECT b.until FROM realtime_tickets t JOIN auth_sessions s ON s.id = t.session_id
    JOIN account_bans b ON b.user_id = s.user_id
    WHERE {_IN_FORCE} AND t.token_hash = $1 AND t.expires_at > now()
"""


async def lock_to_ban(conn: Connection, user_id: UUID) -> tuple[str, bool] | None:
    """Hold an account for a ban; return its name and whether it is an administrator's, or None."""
    row = await conn.fetchrow(_LOCK_TO_BAN, user_id)
    return None if row is None else (row["username"], row["is_admin"])


async def store_ban(
    conn: Connection, *, user_id: UUID, until: datetime | None, reason: str, by_id: UUID
) -> None:
    """Shut an account out, or change its ban, and end all its sessions."""
    await conn.execute(_UPSERT, user_id, until, reason, by_id)
    await conn.execute(_REVOKE_SESSIONS, user_id)


async def delete_ban(conn: Connection, user_id: UUID) -> bool:
    """Let an account in again; whether there was a ban."""
    return str(await conn.execute(_DELETE, user_id)) != "DELETE 0"


async def get_ban(conn: Connection, user_id: UUID) -> AccountBan | None:
    """Return the ban of an account that is in force."""
    row = await conn.fetchrow(_GET, user_id)
    return None if row is None else _ban(row)


async def list_bans(
    conn: Connection, *, limit: int, before: tuple[datetime, UUID] | None
) -> tuple[AccountBan, ...]:
    """Return bans in force, newest first, those before one if given (its time and account)."""
    return tuple(_ban(row) for row in await conn.fetch(_LIST, limit, *(before or (None, None))))


async def require_welcome(conn: Connection, user_id: UUID) -> None:
    """Hold an account for a sign-in, in its transaction. Raises `AccountBannedError`."""
    await conn.execute(_LOCK_TO_SIGN_IN, user_id)
    # A statement of its own: its snapshot is taken after the lock.
    ban = await get_ban(conn, user_id)
    if ban is not None:
        raise AccountBannedError(ban.until)


async def explain_session(
    conn: Connection, *, session_id: UUID | None = None, cookie_hash: bytes | None = None
) -> None:
    """Say why a session is not open: raises `AccountBannedError` if that is the reason."""
    _raise_if(await conn.fetchrow(_BAN_OF_SESSION, session_id, cookie_hash))


async def explain_refresh(conn: Connection, token_hash: bytes) -> None:
    """Say why a refresh token is not good: raises `AccountBannedError` if that is the reason."""
    _raise_if(await conn.fetchrow(_BAN_OF_REFRESH, token_hash))


async def refuse_ticket(conn: Connection, token_hash: bytes) -> None:
    """Raise `AccountBannedError` if that is whose ticket it is. Before it is spent: then it is gone."""
    _raise_if(await conn.fetchrow(_BAN_OF_TICKET, token_hash))


async def find_ended(conn: Connection, session_ids: Collection[UUID]) -> dict[UUID, bool]:
    """Return which of these sessions are over, and of each whether its account is banned."""
    rows = await conn.fetch(_FIND_ENDED, list(session_ids))
    return {row["id"]: row["is_banned"] for row in rows}


def _raise_if(row: asyncpg.Record | None) -> None:
    if row is not None:
        raise AccountBannedError(row["until"])


def _ban(row: asyncpg.Record) -> AccountBan:
    by = None if row["by_id"] is None else Author(id=row["by_id"], name=row["by_name"])
    return AccountBan(
        user=Author(id=row["user_id"], name=row["username"]),
        until=row["until"],
        reason=row["reason"],
        by=by,
        at=row["at"],
    )
