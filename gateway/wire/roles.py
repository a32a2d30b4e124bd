"""What is said of roles."""

from typing import Annotated

from pydantic import BeforeValidator

from veza.gateway.values import Body, Reason, View


class RoleView(View):
    """`permissions` are `resource:action`, `*` for any."""

    name: str
    rank: int
    permissions: list[str]


class RolesView(View):
    data: list[RoleView]


class RolesOfView(View):
    """What was granted, and all that follows from it; everybody is a `user` besides."""

    roles: Annotated[list[str], BeforeValidator(sorted)]
    permissions: Annotated[list[str], BeforeValidator(sorted)]


class RoleReason(Body):
    reason: Reason
