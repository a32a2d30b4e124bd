"""Accounts and their sessions in SQL. Secrets come in as hashes; this module never sees one in clear.

Functions take the connection first, so that the caller owns the transaction; those that need one of
their own open it, as a savepoint inside the caller's.
"""

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from veza.persistence.errors import (
    EmailTakenError,
    TokenReusedError,
    TokenUnknownError,
    UsernameTakenError,
)
from veza.persistence.pool import Connection, fetch_one
from veza.persistence.rows import Identity, RotatedSession, User

USER_COLUMNS = """
    u.id, u.username, u.email, u.created_at,
    ARRAY(SELECT role FROM user_roles r WHERE r.user_id = u.id) AS roles,
    ARRAY(
        SELECT DISTINCT unnest(o.permissions) FROM roles o
        WHERE o.name = 'user' OR o.name IN (SELECT role FROM user_roles r WHERE r.user_id = u.id)
    ) AS permissions
"""

_INSERT_USER = f"""
    WITH u AS (
        INSERT INTO users (id, username, email, password_hash) VALUES ($1, $2, $3, $4) RETURNING *
    )
    SELECT {USER_COLUMNS} FROM u
"""

_GET_USER = f"SELECT {USER_COLUMNS} FROM users u WHERE u.id = $1"

_HAS_ADMIN = "SELECT EXISTS (SELECT FROM user_roles WHERE role = 'admin')"

_INSERT_SESSION = """
    INSERT INTO auth_sessions (id, user_id, cookie_hash, user_agent, expires_at)
    VALUES ($1, $2, $3, $4, $5)
"""

_INSERT_REFRESH = "INSERT INTO refresh_tokens (token_hash, session_id) VALUES ($1, $2)"

# The update is what decides between two who come at once: the second waits, then finds it used.
_SPEND_REFRESH = """
    UPDATE refresh_tokens t SET used_at = now() FROM auth_sessions s
    WHERE t.token_hash = $1 AND t.used_at IS NULL
        AND s.id = t.session_id AND s.revoked_at IS NULL AND s.expires_at > now()
    RETURNING s.id
"""

_REVOKE_OF_SPENT = """
    UPDATE auth_sessions s SET revoked_at = coalesce(s.revoked_at, now()) FROM refresh_tokens t
    WHERE t.token_hash = $1 AND t.used_at IS NOT NULL AND s.id = t.session_id
    RETURNING s.id
"""

_CHANGE_COOKIE = f"""
    UPDATE auth_sessions s SET cookie_hash = $2 FROM users u
    WHERE s.id = $1 AND u.id = s.user_id
    RETURNING {USER_COLUMNS}, s.id AS session_id, s.expires_at
"""

_CLOSE_SESSION = "UPDATE auth_sessions SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL"

_FIND_SESSIONS = f"""
    SELECT {USER_COLUMNS}, s.id AS session_id, s.expires_at
    FROM auth_sessions s JOIN users u ON u.id = s.user_id
    WHERE s.id = ANY ($1::uuid[]) AND s.revoked_at IS NULL AND s.expires_at > now()
"""

_FIND_COOKIES = f"""
    SELECT {USER_COLUMNS}, s.id AS session_id, s.expires_at, s.cookie_hash
    FROM auth_sessions s JOIN users u ON u.id = s.user_id
    WHERE s.cookie_hash = ANY ($1::bytea[]) AND s.revoked_at IS NULL AND s.expires_at > now()
"""

# Those that were never used go with the next: few at a time, and none that somebody else has in hand.
_FORGET_TICKETS = """
    DELETE FROM realtime_tickets WHERE token_hash IN (
        SELECT token_hash FROM realtime_tickets WHERE expires_at <= now()
        ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
    )
"""

_INSERT_TICKET = """
    INSERT INTO realtime_tickets (token_hash, session_id, expires_at) VALUES ($1, $2, now() + $3)
    RETURNING expires_at
"""

# The delete is what decides between two who come at once: the second waits, then finds nothing.
_SPEND_TICKET = f"""
    WITH spent AS (DELETE FROM realtime_tickets WHERE token_hash = $1 RETURNING *)
    SELECT {USER_COLUMNS}, s.id AS session_id, s.expires_at
    FROM spent t JOIN auth_sessions s ON s.id = t.session_id JOIN users u ON u.id = s.user_id
    WHERE t.expires_at > now() AND s.revoked_at IS NULL AND s.expires_at > now()
"""

# A new link takes the place of all earlier ones.
_INSERT_SETUP = """
    WITH forgotten AS (DELETE FROM setup_tokens)
    INSERT INTO setup_tokens (token_hash, expires_at) VALUES ($1, $2)
"""

_SPEND_SETUP = """
    DELETE FROM setup_tokens WHERE token_hash = $1 RETURNING expires_at > now()
"""


async def insert_user(
    conn: Connection, *, user_id: UUID, username: str, email: str, password_hash: str
) -> User:
    """Make an account. Raises `UsernameTakenError` or `EmailTakenError`."""
    try:
        async with conn.transaction():
            row = await fetch_one(conn, _INSERT_USER, user_id, username, email, password_hash)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "users_username_key":
            raise UsernameTakenError(username) from error
        if error.constraint_name == "users_email_key":
            raise EmailTakenError(email) from error
        raise
    return user_of(row)


async def get_user(conn: Connection, user_id: UUID) -> User | None:
    """Return an account, or None."""
    row = await conn.fetchrow(_GET_USER, user_id)
    return None if row is None else user_of(row)


async def has_admin(conn: Connection) -> bool:
    """Whether anybody is an administrator."""
    return bool(await conn.fetchval(_HAS_ADMIN))


async def open_session(
    conn: Connection,
    *,
    session_id: UUID,
    user_id: UUID,
    cookie_hash: bytes,
    refresh_hash: bytes,
    user_agent: str,
    expires_at: datetime,
) -> None:
    """Open a session with its first cookie and refresh token."""
    async with conn.transaction():
        await conn.execute(
            _INSERT_SESSION, session_id, user_id, cookie_hash, user_agent, expires_at
        )
        await conn.execute(_INSERT_REFRESH, refresh_hash, session_id)


async def rotate_refresh(
    conn: Connection, *, token_hash: bytes, new_token_hash: bytes, new_cookie_hash: bytes
) -> RotatedSession:
    """Spend a refresh token for a new one and a new cookie.

    Raises `TokenUnknownError`, or `TokenReusedError` if it was spent before: then the session has been
    revoked, so do not call this in a transaction that the exception would roll back.
    """
    async with conn.transaction():
        session_id = await conn.fetchval(_SPEND_REFRESH, token_hash)
        if session_id is not None:
            await conn.execute(_INSERT_REFRESH, new_token_hash, session_id)
            row = await fetch_one(conn, _CHANGE_COOKIE, session_id, new_cookie_hash)
            return RotatedSession(
                user=user_of(row), session_id=session_id, expires_at=row["expires_at"]
            )
    revoked_id = await conn.fetchval(_REVOKE_OF_SPENT, token_hash)
    if revoked_id is not None:
        raise TokenReusedError(revoked_id)
    raise TokenUnknownError("no open session has this refresh token")


async def close_session(conn: Connection, session_id: UUID) -> None:
    """End a session, its cookie and refresh tokens with it; harmless the second time."""
    await conn.execute(_CLOSE_SESSION, session_id)


async def find_sessions(conn: Connection, session_ids: list[UUID]) -> dict[UUID, Identity]:
    """Return who sessions belong to, of those that are open."""
    rows = await conn.fetch(_FIND_SESSIONS, session_ids)
    return {row["session_id"]: _identity(row) for row in rows}


async def find_cookies(conn: Connection, cookie_hashes: list[bytes]) -> dict[bytes, Identity]:
    """Return who holds cookies, of those whose session is open."""
    rows = await conn.fetch(_FIND_COOKIES, cookie_hashes)
    return {row["cookie_hash"]: _identity(row) for row in rows}


async def store_ticket(
    conn: Connection, *, token_hash: bytes, session_id: UUID, lifetime: timedelta
) -> datetime:
    """Keep a ticket of a session for a while, and forget those whose time is over; until when."""
    async with conn.transaction():
        await conn.execute(_FORGET_TICKETS)
        row = await fetch_one(conn, _INSERT_TICKET, token_hash, session_id, lifetime)
    expires_at: datetime = row["expires_at"]
    return expires_at


async def spend_ticket(conn: Connection, token_hash: bytes) -> Identity | None:
    """Take a ticket; return whose it was, if it was still good and their session is open."""
    row = await conn.fetchrow(_SPEND_TICKET, token_hash)
    return None if row is None else _identity(row)


async def store_setup_token(conn: Connection, *, token_hash: bytes, expires_at: datetime) -> None:
    """Keep a one-time token that makes the first administrator; it replaces all before it."""
    await conn.execute(_INSERT_SETUP, token_hash, expires_at)


async def spend_setup_token(conn: Connection, token_hash: bytes) -> bool:
    """Spend the token; whether it was good. In a transaction, so that a failed sign-up gives it back."""
    return bool(await conn.fetchval(_SPEND_SETUP, token_hash))


def user_of(row: asyncpg.Record) -> User:
    """Return the account of a row that holds `USER_COLUMNS`."""
    return User(
        id=row["id"],
        username=row["username"],
        email=row["email"],
        roles=frozenset(row["roles"]),
        permissions=frozenset(row["permissions"]),
        created_at=row["created_at"],
    )


def _identity(row: asyncpg.Record) -> Identity:
    return Identity(user=user_of(row), session_id=row["session_id"], expires_at=row["expires_at"])
