"""The protocol of the roles service: which there are, who has them, and that somebody gets or loses one.

Key: `("roles", "")`. What a role allows holds from the commit on: every request asks anew.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.persistence.rows import Role, User

ROLES: Final = ("roles", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRoles:
    """List all roles, the least first. Reply: `RolesListed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolesListed:
    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRolesOf:
    """Ask which roles an account was granted. Reply: `RolesOfRead` or `Rejected` (`not_found`)."""

    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RolesOfRead:
    """The account, with the roles that were granted and all that it may do."""

    user: User


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRole:
    """Grant a role, or revoke it, with the audit row. Reply: `RolesOfRead`, also if it was so, or `Rejected`.

    Codes: `not_found` (account or role), `forbidden` (a role that may more than oneself), `last_admin`.
    """

    user_id: UUID
    role: str
    is_granted: bool
    reason: str
    by: User
    request_id: str
