"""Addresses for roles: which there are, who has them, and for administrators to change that."""

from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.permissions import Permission
from veza.actors.messages.roles import (
    ROLES,
    ChangeRole,
    ListRoles,
    ReadRolesOf,
    RolesListed,
    RolesOfRead,
)
from veza.gateway.answers import json_answer
from veza.gateway.endpoints import Access, Endpoints
from veza.gateway.errors import expect
from veza.gateway.keys import ACTORS, CONNECTIONS, REQUEST_ID
from veza.gateway.wire.moderation import UnbanQuery
from veza.gateway.wire.roles import RoleReason, RolesOfView, RolesView, RoleView

routes = Endpoints("roles")


@routes.declare(
    "GET",
    "/roles",
    access=Access.SIGNED_IN,
    needs=Permission.ROLES_READ,
    answers={200: RolesView},
)
async def list_roles(request: web.Request) -> web.Response:
    """List all roles and what they allow, the least first."""
    listed = expect(await request.app[ACTORS].ask(ROLES, ListRoles()), RolesListed).roles
    return json_answer(request, RolesView(data=[RoleView.of(role) for role in listed]))


@routes.declare(
    "GET",
    "/users/{user_id}/roles",
    access=Access.SIGNED_IN,
    needs=Permission.ROLES_READ,
    answers={200: RolesOfView},
)
async def show_roles_of(request: web.Request, user_id: UUID) -> web.Response:
    """Tell which roles an account was granted."""
    return await _answer(request, ReadRolesOf(user_id=user_id))


@routes.declare(
    "PUT",
    "/users/{user_id}/roles/{role}",
    access=Access.SIGNED_IN,
    needs=Permission.ROLES_GRANT,
    answers={200: RolesOfView},
)
async def grant_role(
    request: web.Request, user_id: UUID, role: str, body: RoleReason, who: Identified
) -> web.Response:
    """Grant an account a role; it holds for its next request, and for its open sockets at once."""
    return await _change(request, who, user_id, role, reason=body.reason, is_granted=True)


@routes.declare(
    "DELETE",
    "/users/{user_id}/roles/{role}",
    access=Access.SIGNED_IN,
    needs=Permission.ROLES_GRANT,
    answers={200: RolesOfView},
)
async def revoke_role(
    request: web.Request, user_id: UUID, role: str, query: UnbanQuery, who: Identified
) -> web.Response:
    """Take a role from an account, unless nobody would be left to administer the instance."""
    return await _change(request, who, user_id, role, reason=query.reason, is_granted=False)


async def _change(
    request: web.Request,
    who: Identified,
    user_id: UUID,
    role: str,
    *,
    reason: str,
    is_granted: bool,
) -> web.Response:
    command = ChangeRole(
        user_id=user_id,
        role=role,
        is_granted=is_granted,
        reason=reason,
        by=who.user,
        request_id=request[REQUEST_ID],
    )
    return await _answer(request, command)


async def _answer(request: web.Request, command: object) -> web.Response:
    user = expect(await request.app[ACTORS].ask(ROLES, command), RolesOfRead).user
    # Other nodes look for themselves (`lookout.py`).
    request.app[CONNECTIONS].take_permissions(user.id, user.permissions)
    return json_answer(request, RolesOfView.of(user))
