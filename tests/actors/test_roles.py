"""Roles: granted and revoked with their audit row, by nobody who may less; an administrator is left."""

import asyncio
from dataclasses import replace

import pytest

from veza.actors.messages.accounts import ACCOUNTS, ClaimSetup, IssueSetup, RegisterAccount
from veza.actors.messages.audit import AUDIT, ListActs
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.permissions import Permission, holds
from veza.actors.messages.roles import ROLES, ChangeRole, ListRoles, ReadRolesOf, RolesOfRead
from veza.config.ids import uuid7

PASSWORD = "correct horse battery"


class Staff:
    def __init__(self, node):
        self.node = node

    async def join(self, name):
        account = {"username": name, "email": f"{name}@example.org", "user_agent": "test"}
        command = RegisterAccount(**account, password=PASSWORD)
        return (await self.node.ask(ACCOUNTS, command)).user

    async def found(self):
        """The first administrator."""
        token = (await self.node.ask(ACCOUNTS, IssueSetup())).token
        account = {"username": "root", "email": "root@example.org", "user_agent": "test"}
        command = ClaimSetup(**account, password=PASSWORD, token=token)
        return (await self.node.ask(ACCOUNTS, command)).user

    async def change(self, by, user, role, *, is_granted=True):
        command = ChangeRole(
            user_id=user.id,
            role=role,
            is_granted=is_granted,
            reason="A test.",
            by=by,
            request_id="r-1",
        )
        return await self.node.ask(ROLES, command)

    async def now(self, user):
        return (await self.node.ask(ROLES, ReadRolesOf(user_id=user.id))).user

    async def acts(self):
        listed = await self.node.ask(AUDIT, ListActs(limit=50, before_id=None))
        return [
            (act.action, act.actor_name) for act in listed.acts if act.action.startswith("role")
        ]


@pytest.fixture
def staff(world):
    return Staff(world.node)


def code_of(reply):
    assert isinstance(reply, Rejected), reply
    return reply.code


async def test_a_role_and_its_audit_row_come_and_go_together_and_once(staff):
    root, ada = await staff.found(), await staff.join("ada")

    granted = await staff.change(root, ada, "moderator")
    again = await staff.change(root, ada, "moderator")
    assert again == granted
    assert granted.user.roles == {"moderator"}
    assert {"reports:handle", "tracks:upload"} <= granted.user.permissions

    revoked = await staff.change(root, ada, "moderator", is_granted=False)
    await staff.change(root, ada, "moderator", is_granted=False)
    assert revoked == RolesOfRead(user=ada)
    assert await staff.acts() == [("role.revoke", "root"), ("role.grant", "root")]


async def test_of_the_last_two_administrators_who_unmake_each_other_one_is_left(staff):
    root, ada = await staff.found(), await staff.join("ada")
    ada = (await staff.change(root, ada, "admin")).user

    replies = await asyncio.gather(
        staff.change(root, ada, "admin", is_granted=False),
        staff.change(ada, root, "admin", is_granted=False),
        staff.change(root, root, "admin", is_granted=False),
    )

    refused = [each.code for each in replies if isinstance(each, Rejected)]
    left = [each for each in (root, ada) if "admin" in (await staff.now(each)).roles]
    assert len(left) == 1
    assert RejectCode.LAST_ADMIN in refused
    kept = await staff.change(left[0], left[0], "admin", is_granted=False)
    assert code_of(kept) is RejectCode.LAST_ADMIN


async def test_nobody_gives_or_takes_more_than_they_may_themselves(staff):
    root, ada, bob = await staff.found(), await staff.join("ada"), await staff.join("bob")
    moderator = (await staff.change(root, ada, "moderator")).user

    assert code_of(await staff.change(moderator, bob, "admin")) is RejectCode.FORBIDDEN
    assert code_of(await staff.change(moderator, moderator, "ops")) is RejectCode.FORBIDDEN
    taken = await staff.change(moderator, root, "admin", is_granted=False)
    assert code_of(taken) is RejectCode.FORBIDDEN
    assert (await staff.change(moderator, bob, "moderator")).user.roles == {"moderator"}


async def test_what_is_not_there_is_not_granted(staff):
    root, ada = await staff.found(), await staff.join("ada")

    assert code_of(await staff.change(root, ada, "emperor")) is RejectCode.NOT_FOUND
    nobody = replace(ada, id=uuid7())
    assert code_of(await staff.change(root, nobody, "ops")) is RejectCode.NOT_FOUND


async def test_every_permission_of_a_role_is_one_that_is_asked_for(staff):
    listed = (await staff.node.ask(ROLES, ListRoles())).roles

    assert [role.name for role in listed][::6] == ["guest", "admin"]
    granted = {each for role in listed for each in role.permissions}
    assert granted - {"*:*"} <= set(Permission)
    assert all(holds({"*:*"}, each) for each in Permission)


@pytest.mark.parametrize(
    ("granted", "expected"),
    [
        *(("ops:read", True), ("ops:*", True), ("*:read", True), ("*:*", True)),
        *(("ops:act", False), ("*:act", False), ("rooms:*", False)),
    ],
)
def test_a_star_stands_for_any(granted, expected):
    assert holds({granted}, "ops:read") is expected
    assert not holds((), "ops:read")
