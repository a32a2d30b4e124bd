"""Roles in SQL: who has which, and that an administrator is left whatever two of them do at once."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final
from uuid import UUID

from veza.persistence.accounts import USER_COLUMNS, user_of
from veza.persistence.errors import LastAdminError, RoleUnknownError
from veza.persistence.pool import Connection
from veza.persistence.rows import Role, User

# Changes of one role wait for each other, so that the last two who have it cannot both lose it.
_LOCK: Final = "SELECT name, rank, permissions FROM roles WHERE name = $1 FOR NO KEY UPDATE"

_LIST: Final = "SELECT name, rank, permissions FROM roles ORDER BY rank, name"

_NOTE_CHANGE: Final = "UPDATE users SET roles_changed_at = now() WHERE id = $1"

_CHANGED: Final = f"""
    SELECT {USER_COLUMNS} FROM users u
    WHERE u.roles_changed_at > now() - $2::interval AND EXISTS (
        SELECT FROM auth_sessions s WHERE s.user_id = u.id AND s.id = ANY ($1::uuid[])
    )
"""

_GRANT: Final = """
    INSERT INTO user_roles (user_id, role, granted_by) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING RETURNING role
"""

_REVOKE: Final = "DELETE FROM user_roles WHERE user_id = $1 AND role = $2 RETURNING role"

_HAS_HOLDER: Final = "SELECT EXISTS (SELECT FROM user_roles WHERE role = $1)"


async def list_roles(conn: Connection) -> tuple[Role, ...]:
    """Return all roles, the least first."""
    return tuple(Role(**dict(row)) for row in await conn.fetch(_LIST))


async def lock_role(conn: Connection, name: str) -> Role:
    """Return a role, to be granted or revoked in this transaction. Raises `RoleUnknownError`."""
    row = await conn.fetchrow(_LOCK, name)
    if row is None:
        raise RoleUnknownError(name)
    return Role(**dict(row))


async def grant(conn: Connection, user_id: UUID, role: Role, by_id: UUID | None) -> bool:
    """Give an account a locked role; False if it has it."""
    is_new = await conn.fetchval(_GRANT, user_id, role.name, by_id) is not None
    if is_new:
        await conn.execute(_NOTE_CHANGE, user_id)
    return is_new


async def revoke(conn: Connection, user_id: UUID, role: Role) -> bool:
    """Take a locked role from an account; False if it has it not.

    Raises `LastAdminError` if nobody would be left who may do everything: roll back then.
    """
    if await conn.fetchval(_REVOKE, user_id, role.name) is None:
        return False
    if "*:*" in role.permissions and not await conn.fetchval(_HAS_HOLDER, role.name):
        raise LastAdminError(role.name)
    await conn.execute(_NOTE_CHANGE, user_id)
    return True


async def changed_lately(
    conn: Connection, session_ids: Collection[UUID], within: timedelta
) -> tuple[User, ...]:
    """Return whose roles have changed, of those whose sessions these are."""
    rows = await conn.fetch(_CHANGED, list(session_ids), within)
    return tuple(user_of(row) for row in rows)
