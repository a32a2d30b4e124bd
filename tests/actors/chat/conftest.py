"""Rooms in memory: a state with a few people of every role in it."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from veza.actors.chat.room_state import RoomState
from veza.persistence.room_rows import Role, Room, RoomKind, RoomSettings, RoomSnapshot
from veza.persistence.rows import Author

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROOM_ID = UUID(int=7)
PEOPLE = {
    name: Author(id=UUID(int=number), name=name)
    for number, name in enumerate(
        ("owner", "admin", "moderator", "member", "read_only", "stranger"), 1
    )
}


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def people() -> dict[str, Author]:
    """One person of each role, named after it, and a stranger."""
    return PEOPLE


@pytest.fixture
def make_state():
    """Make the state of a room of a kind."""

    def make(kind: RoomKind = RoomKind.PUBLIC, *, is_archived: bool = False) -> RoomState:
        settings = RoomSettings(name="Kitchen", kind=kind, is_archived=is_archived)
        room = Room(
            id=ROOM_ID,
            kind=kind,
            name="Kitchen",
            epoch=UUID(int=9),
            seq=5,
            member_count=5,
            created_at=NOW,
            is_archived=is_archived,
        )
        members = {person.id: Role(name) for name, person in PEOPLE.items() if name != "stranger"}
        snapshot = RoomSnapshot(
            room=room, settings=settings, fence=3, members=members, mutes={}, bans={}
        )
        return RoomState(snapshot)

    return make
