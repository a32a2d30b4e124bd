"""Who may do what in a room: one table of roles and actions, and the rules that need more than it."""

from enum import Enum, auto
from typing import Final

from veza.persistence.room_rows import Role, RoomKind


class Action(Enum):
    """What the table rules on."""

    READ = auto()
    REACT = auto()
    POST = auto()
    PIN = auto()
    CALL_ROOM = auto()
    """Mention everybody at once."""
    ADD_MEMBERS = auto()
    INVITE = auto()
    MODERATE = auto()
    """Change what others wrote; warn, mute, kick and ban them; not be held to slow mode or rules."""
    CHANGE_ROOM = auto()
    SET_ROLES = auto()
    ARCHIVE = auto()


RANKS: Final = {
    Role.READ_ONLY: 0,
    Role.MEMBER: 1,
    Role.MODERATOR: 2,
    Role.ADMIN: 3,
    Role.OWNER: 4,
}
STAFF_RANK: Final = 5
"""Administrators of the instance stand above every owner."""

NEEDED: Final = {
    Action.READ: Role.READ_ONLY,
    Action.REACT: Role.MEMBER,
    Action.POST: Role.MEMBER,
    Action.PIN: Role.MODERATOR,
    Action.CALL_ROOM: Role.MODERATOR,
    Action.ADD_MEMBERS: Role.MODERATOR,
    Action.INVITE: Role.MODERATOR,
    Action.MODERATE: Role.MODERATOR,
    Action.CHANGE_ROOM: Role.ADMIN,
    Action.SET_ROLES: Role.ADMIN,
    Action.ARCHIVE: Role.OWNER,
}
"""The least role for each action."""

AMONG_FRIENDS: Final = {
    Action.PIN: Role.MEMBER,
    Action.CALL_ROOM: Role.MEMBER,
    Action.ADD_MEMBERS: Role.MEMBER,
    Action.CHANGE_ROOM: Role.MEMBER,
}
"""Where a group conversation differs from a room."""

OPEN_KINDS: Final = frozenset({RoomKind.PUBLIC})
"""Rooms that are read without being a member."""

IN_ARCHIVE: Final = frozenset({Action.READ, Action.ARCHIVE})
"""What is left in an archived room."""

IN_DIRECT: Final = frozenset({Action.READ, Action.REACT, Action.POST, Action.PIN})
"""What there is in a conversation of two."""


def permits(rank: int, action: Action, kind: RoomKind, *, is_archived: bool) -> bool:
    """Tell whether a member of a rank may act in a room of a kind."""
    if is_archived and action not in IN_ARCHIVE:
        return False
    if kind is RoomKind.DIRECT:
        return action in IN_DIRECT
    needed = NEEDED[action]
    if kind is RoomKind.GROUP:
        needed = AMONG_FRIENDS.get(action, needed)
    return rank >= RANKS[needed]


def outranks(rank: int, other: Role | None) -> bool:
    """Tell whether somebody may take a measure against another; nobody may against an equal."""
    return other is None or rank > RANKS[other]


def may_give(rank: int, role: Role) -> bool:
    """Tell whether somebody may make another a role: one below their own; an owner also hands the room on."""
    return rank > RANKS[role] or rank >= RANKS[Role.OWNER]
