"""Sessions, passwords and second factors in SQL. Of what is secret only hashes come in, but for TOTP's.

A TOTP secret has to be read to compare codes with it (RFC 6238), so it is stored as it is.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from veza.persistence.accounts import USER_COLUMNS, user_of
from veza.persistence.pool import Connection
from veza.persistence.rows import Account, AccountSession

PENDING_MINUTES: Final = 15
"""How long a second factor waits for its first code."""

_ACCOUNT: Final = f"""
    SELECT {USER_COLUMNS}, u.password_hash, t.secret AS totp_secret
    FROM users u LEFT JOIN totp_factors t ON t.user_id = u.id AND t.confirmed_at IS NOT NULL
"""

_FIND_LOGIN: Final = f"""
    {_ACCOUNT} WHERE lower(u.username) = lower($1) OR lower(u.email) = lower($1)
    ORDER BY lower(u.username) = lower($1) DESC LIMIT 1
"""

_GET: Final = f"{_ACCOUNT} WHERE u.id = $1"

_READ_FAILURES: Final = "SELECT failures, failed_at FROM failed_proofs WHERE subject = $1"

_NOTE_FAILURE: Final = """
    INSERT INTO failed_proofs (subject, failures, failed_at) VALUES ($1, 1, now())
    ON CONFLICT (subject) DO UPDATE
    SET failures = failed_proofs.failures + 1, failed_at = now()
"""

_FORGET_FAILURES: Final = "DELETE FROM failed_proofs WHERE subject = $1"

# What nobody comes back to: few at a time, and none that somebody else has in hand.
_FORGET_OLD_FAILURES: Final = """
    DELETE FROM failed_proofs WHERE subject IN (
        SELECT subject FROM failed_proofs WHERE failed_at < now() - interval '1 day'
        ORDER BY failed_at LIMIT 100 FOR UPDATE SKIP LOCKED
    )
"""

_LIST_SESSIONS: Final = """
    SELECT id, user_agent, created_at, expires_at FROM auth_sessions
    WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now()
    ORDER BY created_at DESC, id DESC LIMIT $2
"""

_END_SESSION: Final = """
    UPDATE auth_sessions SET revoked_at = now()
    WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING id
"""

_END_SESSIONS: Final = """
    UPDATE auth_sessions SET revoked_at = now()
    WHERE user_id = $1 AND id IS DISTINCT FROM $2 AND revoked_at IS NULL AND expires_at > now()
    RETURNING id
"""

_REPLACE_HASH: Final = "UPDATE users SET password_hash = $2 WHERE id = $1"

# One that is confirmed stays until it is taken away.
_PLACE_FACTOR: Final = """
    INSERT INTO totp_factors (user_id, secret) VALUES ($1, $2)
    ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, created_at = now(), last_step = 0
    WHERE totp_factors.confirmed_at IS NULL
    RETURNING user_id
"""

_PENDING_SECRET: Final = f"""
    SELECT secret FROM totp_factors
    WHERE user_id = $1 AND confirmed_at IS NULL
        AND created_at > now() - interval '{PENDING_MINUTES} minutes'
    FOR UPDATE
"""

_CONFIRM: Final = "UPDATE totp_factors SET confirmed_at = now(), last_step = $2 WHERE user_id = $1"

# The update is what decides between two who come with one code: the second finds the step taken.
_TAKE_STEP: Final = """
    UPDATE totp_factors SET last_step = $2
    WHERE user_id = $1 AND confirmed_at IS NOT NULL AND last_step < $2 RETURNING user_id
"""

_REMOVE_FACTOR: Final = "DELETE FROM totp_factors WHERE user_id = $1"

_SPEND_CODE: Final = """
    DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2 RETURNING user_id
"""

_FORGET_CODES: Final = "DELETE FROM recovery_codes WHERE user_id = $1"

_INSERT_CODES: Final = """
    INSERT INTO recovery_codes (user_id, code_hash) SELECT $1, unnest($2::bytea[])
"""

_FACTOR_STATE: Final = """
    SELECT EXISTS (
        SELECT FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL
    ) AS is_enabled, (SELECT count(*) FROM recovery_codes WHERE user_id = $1) AS codes_left
"""


async def find_login(conn: Connection, login: str) -> Account | None:
    """Find an account by username or e-mail address, in whatever case.

    Where one account's name is another's address, the name counts.
    """
    return await _account(conn, _FIND_LOGIN, login)


async def get_account(conn: Connection, user_id: UUID) -> Account | None:
    """Return an account with what it is proved by, or None."""
    return await _account(conn, _GET, user_id)


async def _account(conn: Connection, statement: str, key: object) -> Account | None:
    row = await conn.fetchrow(statement, key)
    if row is None:
        return None
    return Account(
        user=user_of(row),
        password_hash=row["password_hash"],
        totp_secret=row["totp_secret"],
    )


async def read_failures(conn: Connection, subject: bytes) -> tuple[int, datetime | None]:
    """Return how often a subject was wrong since it was right, and when the last time."""
    row = await conn.fetchrow(_READ_FAILURES, subject)
    return (0, None) if row is None else (row["failures"], row["failed_at"])


async def note_failure(conn: Connection, subject: bytes) -> None:
    """Count a wrong proof, and forget old ones."""
    await conn.execute(_FORGET_OLD_FAILURES)
    await conn.execute(_NOTE_FAILURE, subject)


async def forget_failures(conn: Connection, subject: bytes) -> None:
    """Begin to count anew."""
    await conn.execute(_FORGET_FAILURES, subject)


async def list_sessions(conn: Connection, user_id: UUID, limit: int) -> tuple[AccountSession, ...]:
    """Return the newest of an account's open sessions."""
    rows = await conn.fetch(_LIST_SESSIONS, user_id, limit)
    return tuple(AccountSession(**dict(row)) for row in rows)


async def end_session(conn: Connection, user_id: UUID, session_id: UUID) -> bool:
    """End one session of an account; whether there was one."""
    return await conn.fetchval(_END_SESSION, user_id, session_id) is not None


async def end_sessions(
    conn: Connection, user_id: UUID, *, but: UUID | None = None
) -> tuple[UUID, ...]:
    """End all sessions of an account but one; return which."""
    return tuple(row["id"] for row in await conn.fetch(_END_SESSIONS, user_id, but))


async def set_password(conn: Connection, user_id: UUID, password_hash: str) -> None:
    """Put another password in the place of an account's."""
    await conn.execute(_REPLACE_HASH, user_id, password_hash)


async def place_factor(conn: Connection, user_id: UUID, secret: str) -> bool:
    """Keep a secret that waits for its first code; False if there is one that had it."""
    return await conn.fetchval(_PLACE_FACTOR, user_id, secret) is not None


async def pending_secret(conn: Connection, user_id: UUID) -> str | None:
    """Return the secret that waits for its first code, locked; None if none does any more."""
    secret: str | None = await conn.fetchval(_PENDING_SECRET, user_id)
    return secret


async def confirm_factor(conn: Connection, user_id: UUID, step: int) -> None:
    """Ask for codes from now on; the one of `step` is used up."""
    await conn.execute(_CONFIRM, user_id, step)


async def take_step(conn: Connection, user_id: UUID, step: int) -> bool:
    """Use up the code of a half minute; False if it, or a later one, was used."""
    return await conn.fetchval(_TAKE_STEP, user_id, step) is not None


async def remove_factor(conn: Connection, user_id: UUID) -> None:
    """Ask for no codes any more; the recovery codes go too."""
    await conn.execute(_REMOVE_FACTOR, user_id)
    await conn.execute(_FORGET_CODES, user_id)


async def spend_recovery_code(conn: Connection, user_id: UUID, code_hash: bytes) -> bool:
    """Use up a recovery code; whether there was one."""
    return await conn.fetchval(_SPEND_CODE, user_id, code_hash) is not None


async def replace_recovery_codes(
    conn: Connection, user_id: UUID, code_hashes: Sequence[bytes]
) -> None:
    """Put new recovery codes in the place of all earlier ones."""
    await conn.execute(_FORGET_CODES, user_id)
    await conn.execute(_INSERT_CODES, user_id, list(code_hashes))


async def factor_state(conn: Connection, user_id: UUID) -> tuple[bool, int]:
    """Return whether codes are asked for, and how many recovery codes are left."""
    row = await conn.fetchrow(_FACTOR_STATE, user_id)
    return (False, 0) if row is None else (row["is_enabled"], row["codes_left"])
