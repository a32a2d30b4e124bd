"""The roles service: grants and revokes in one transaction with their audit row."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from veza.actors.database import DatabaseActor
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.permissions import holds
from veza.actors.messages.roles import (
    ChangeRole,
    ListRoles,
    ReadRolesOf,
    RolesListed,
    RolesOfRead,
)
from veza.actors.runtime.address import Address
from veza.config.ids import uuid7
from veza.persistence import accounts, audit, roles
from veza.persistence.errors import LastAdminError, RoleUnknownError
from veza.persistence.pool import Connection
from veza.persistence.rows import Role


class RolesActor(DatabaseActor):
    """Nobody gives away, or takes, more than they may do themselves."""

    async def receiveMsg_ListRoles(self, _command: ListRoles, _sender: Address) -> RolesListed:
        async with self.connection() as conn:
            return RolesListed(roles=await roles.list_roles(conn))

    async def receiveMsg_ReadRolesOf(self, command: ReadRolesOf, _sender: Address) -> RolesOfRead:
        async with self.connection() as conn:
            return await _read(conn, command.user_id)

    async def receiveMsg_ChangeRole(self, command: ChangeRole, _sender: Address) -> RolesOfRead:
        with refused():
            async with self.transaction() as conn:
                role = await roles.lock_role(conn, command.role)
                _refuse_more_than_own(command, role)
                await _read(conn, command.user_id)
                if await self._change(conn, command, role):
                    await self._note(conn, command)
                return await _read(conn, command.user_id)

    async def _change(self, conn: Connection, command: ChangeRole, role: Role) -> bool:
        if command.is_granted:
            return await roles.grant(conn, command.user_id, role, command.by.id)
        return await roles.revoke(conn, command.user_id, role)

    async def _note(self, conn: Connection, command: ChangeRole) -> None:
        await audit.insert_act(
            conn,
            act_id=uuid7(),
            actor_id=command.by.id,
            actor_name=command.by.username,
            via="http",
            action="role.grant" if command.is_granted else "role.revoke",
            target=f"user {command.user_id}: {command.role}",
            reason=command.reason,
            request_id=command.request_id,
        )


async def _read(conn: Connection, user_id: UUID) -> RolesOfRead:
    user = await accounts.get_user(conn, user_id)
    if user is None:
        raise RefusedError(RejectCode.NOT_FOUND, "There is no such account.")
    return RolesOfRead(user=user)


def _refuse_more_than_own(command: ChangeRole, role: Role) -> None:
    if not all(holds(command.by.permissions, each) for each in role.permissions):
        raise RefusedError(RejectCode.FORBIDDEN, "This role may more than you.")


@contextmanager
def refused() -> Iterator[None]:
    """Turn what the tables do not hold, or must keep, into refusals."""
    try:
        yield
    except RoleUnknownError as error:
        raise RefusedError(RejectCode.NOT_FOUND, "There is no such role.") from error
    except LastAdminError as error:
        detail = "Nobody else could do it: make another administrator first."
        raise RefusedError(RejectCode.LAST_ADMIN, detail) from error
