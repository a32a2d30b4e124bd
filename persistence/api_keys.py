"""Keys for programs in SQL. A key comes in as its hash; those of banned accounts are nobody's."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from veza.persistence.accounts import USER_COLUMNS, user_of
from veza.persistence.pool import Connection, fetch_one
from veza.persistence.rows import ApiKey, KeyHolder

_KEY: Final = "id, name, hint, scopes, created_at, expires_at, last_used_at"

# One who makes keys makes them one after the other: their number has a limit.
_LOCK_OWNER: Final = "SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE"

_COUNT: Final = "SELECT count(*) FROM api_keys WHERE user_id = $1"

_INSERT: Final = f"""
    INSERT INTO api_keys (id, user_id, name, key_hash, hint, scopes, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {_KEY}
"""

_LIST: Final = f"SELECT {_KEY} FROM api_keys WHERE user_id = $1 ORDER BY id DESC"

_DELETE: Final = "DELETE FROM api_keys WHERE user_id = $1 AND id = $2 RETURNING id"

_FIND: Final = f"""
    SELECT {USER_COLUMNS}, k.key_hash, k.id AS key_id, k.scopes, k.expires_at
    FROM api_keys k JOIN users u ON u.id = k.user_id
    WHERE k.key_hash = ANY ($1::bytea[]) AND (k.expires_at IS NULL OR k.expires_at > now())
        AND NOT EXISTS (
            SELECT FROM account_bans b
            WHERE b.user_id = k.user_id AND (b.until IS NULL OR b.until > now())
        )
"""

_TOUCH: Final = """
    UPDATE api_keys SET last_used_at = date_trunc('hour', now())
    WHERE key_hash = ANY ($1::bytea[])
        AND (last_used_at IS NULL OR last_used_at < date_trunc('hour', now()))
"""


async def count_keys(conn: Connection, user_id: UUID) -> int:
    """Return how many keys somebody has; nobody adds one meanwhile, in a transaction."""
    await conn.execute(_LOCK_OWNER, user_id)
    return int(await conn.fetchval(_COUNT, user_id))


async def insert_key(
    conn: Connection,
    *,
    key_id: UUID,
    user_id: UUID,
    name: str,
    key_hash: bytes,
    hint: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
) -> ApiKey:
    """Keep a key."""
    row = await fetch_one(
        conn, _INSERT, key_id, user_id, name, key_hash, hint, list(scopes), expires_at
    )
    return ApiKey(**dict(row))


async def list_keys(conn: Connection, user_id: UUID) -> tuple[ApiKey, ...]:
    """Return somebody's keys, also those that have expired, newest first."""
    return tuple(ApiKey(**dict(row)) for row in await conn.fetch(_LIST, user_id))


async def delete_key(conn: Connection, user_id: UUID, key_id: UUID) -> bool:
    """End one of somebody's keys; whether there was one."""
    return await conn.fetchval(_DELETE, user_id, key_id) is not None


async def find_keys(conn: Connection, hashes: Collection[bytes]) -> dict[bytes, KeyHolder]:
    """Return who holds keys, of those that are good, and note that these were used."""
    rows = await conn.fetch(_FIND, list(hashes))
    await conn.execute(_TOUCH, [row["key_hash"] for row in rows])
    return {
        row["key_hash"]: KeyHolder(
            user=user_of(row),
            key_id=row["key_id"],
            scopes=frozenset(row["scopes"]),
            expires_at=row["expires_at"],
        )
        for row in rows
    }
