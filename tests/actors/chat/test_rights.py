"""Who may do what: every role, action and kind of room against a table written down by hand."""

import pytest

from veza.actors.chat.rights import RANKS, STAFF_RANK, Action, may_give, outranks, permits
from veza.persistence.room_rows import Role, RoomKind

ROLES = (Role.READ_ONLY, Role.MEMBER, Role.MODERATOR, Role.ADMIN, Role.OWNER)

# One column a role, in the order of `ROLES`: x may, - may not.
ROOM = {
    Action.READ: "xxxxx",
    Action.REACT: "-xxxx",
    Action.POST: "-xxxx",
    Action.PIN: "--xxx",
    Action.CALL_ROOM: "--xxx",
    Action.ADD_MEMBERS: "--xxx",
    Action.INVITE: "--xxx",
    Action.MODERATE: "--xxx",
    Action.CHANGE_ROOM: "---xx",
    Action.SET_ROLES: "---xx",
    Action.ARCHIVE: "----x",
}
GROUP = {
    **ROOM,
    Action.PIN: "-xxxx",
    Action.CALL_ROOM: "-xxxx",
    Action.ADD_MEMBERS: "-xxxx",
    Action.CHANGE_ROOM: "-xxxx",
}
DIRECT = {
    **dict.fromkeys(Action, "-----"),
    **dict.fromkeys((Action.READ, Action.REACT, Action.POST, Action.PIN), "xxxxx"),
}
TABLES = {
    RoomKind.PUBLIC: ROOM,
    RoomKind.PASSWORD: ROOM,
    RoomKind.PRIVATE: ROOM,
    RoomKind.INVITE_ONLY: ROOM,
    RoomKind.GROUP: GROUP,
    RoomKind.DIRECT: DIRECT,
}
CASES = [
    (kind, action, role, mark == "x")
    for kind, table in TABLES.items()
    for action, marks in table.items()
    for role, mark in zip(ROLES, marks, strict=True)
]


def test_the_table_names_every_kind_action_and_role() -> None:
    assert {(kind, action, role) for kind, action, role, _ in CASES} == {
        (kind, action, role) for kind in RoomKind for action in Action for role in Role
    }


@pytest.mark.parametrize(("kind", "action", "role", "may"), CASES)
def test_each_role_may_what_the_table_says(
    kind: RoomKind, action: Action, role: Role, may: bool
) -> None:
    assert permits(RANKS[role], action, kind, is_archived=False) is may


@pytest.mark.parametrize(("kind", "action", "role", "may"), CASES)
def test_an_archived_room_is_read_and_brought_back_but_nothing_else(
    kind: RoomKind, action: Action, role: Role, may: bool
) -> None:
    left = may and action in {Action.READ, Action.ARCHIVE}

    assert permits(RANKS[role], action, kind, is_archived=True) is left


@pytest.mark.parametrize("action", Action)
def test_administrators_of_the_instance_may_everything_in_a_room(action: Action) -> None:
    assert permits(STAFF_RANK, action, RoomKind.PUBLIC, is_archived=False)


def test_measures_are_taken_only_against_lower_roles_and_those_outside() -> None:
    assert not outranks(RANKS[Role.MODERATOR], Role.MODERATOR)
    assert not outranks(RANKS[Role.MODERATOR], Role.OWNER)
    assert outranks(RANKS[Role.MODERATOR], Role.MEMBER)
    assert outranks(RANKS[Role.MODERATOR], None)


def test_roles_are_given_below_ones_own_and_only_an_owner_hands_the_room_on() -> None:
    assert may_give(RANKS[Role.ADMIN], Role.MODERATOR)
    assert not may_give(RANKS[Role.ADMIN], Role.ADMIN)
    assert not may_give(RANKS[Role.ADMIN], Role.OWNER)
    assert may_give(RANKS[Role.OWNER], Role.OWNER)
