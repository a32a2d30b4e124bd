"""Rooms are made once, listed newest first, and know their members."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from veza.persistence import rooms
from veza.persistence.errors import AlreadyExistsError
from veza.persistence.pool import Connection, Pool
from veza.persistence.room_log import append_events
from veza.persistence.room_rows import (
    EventKind,
    Membership,
    NewEvent,
    Role,
    Room,
    RoomKind,
    RoomSettings,
)
from veza.persistence.rows import Author

MakeAuthor = Callable[[], Awaitable[Author]]
MakeRoom = Callable[[], Awaitable[Room]]


async def make(conn: Connection, room_id: UUID, creator: Author, name: str = "Mixing") -> Room:
    return await rooms.insert_room(
        conn,
        room_id=room_id,
        settings=RoomSettings(name=name, kind=RoomKind.PUBLIC),
        epoch=uuid4(),
        creator_id=creator.id,
    )


async def test_a_new_room_is_empty(conn: Connection, new_author: MakeAuthor) -> None:
    room = await make(conn, uuid4(), await new_author())
    assert (room.name, room.kind, room.seq, room.member_count) == ("Mixing", RoomKind.PUBLIC, 0, 0)
    assert await rooms.get_room(conn, room.id) == room


async def test_an_unknown_room_is_none(conn: Connection) -> None:
    assert await rooms.get_room(conn, uuid4()) is None
    assert await rooms.load_snapshot(conn, uuid4()) is None


async def test_making_a_room_again_returns_the_first_one(
    pool: Pool, new_author: MakeAuthor
) -> None:
    creator, room_id = await new_author(), uuid4()

    async def attempt(number: int) -> Room:
        async with pool.acquire() as conn:
            return await make(conn, room_id, creator, f"Name {number}")

    made = await asyncio.gather(*map(attempt, range(6)))
    assert len(set(made)) == 1


async def test_a_room_id_of_somebody_else_is_refused(
    conn: Connection, new_author: MakeAuthor
) -> None:
    room = await make(conn, uuid4(), await new_author())
    with pytest.raises(AlreadyExistsError):
        await make(conn, room.id, await new_author())
    assert await rooms.get_room(conn, room.id) == room


async def test_rooms_are_listed_newest_first_in_pages(conn: Connection, new_room: MakeRoom) -> None:
    made = [await new_room() for _ in range(5)]
    newest_first = tuple(reversed(made))
    assert await rooms.list_rooms(conn, before=None, limit=10) == newest_first
    assert await rooms.list_rooms(conn, before=None, limit=2) == newest_first[:2]
    assert await rooms.list_rooms(conn, before=made[3].id, limit=2) == newest_first[2:4]
    assert await rooms.list_rooms(conn, before=made[0].id, limit=2) == ()


async def test_a_membership_tells_what_is_unread_since_the_join(
    conn: Connection, new_room: MakeRoom, new_author: MakeAuthor
) -> None:
    older, newer, foreign = [await new_room() for _ in range(3)]
    author, other = await new_author(), await new_author()

    def event(room: Room, kind: EventKind, who: Author) -> NewEvent:
        message_id = uuid4() if kind is EventKind.MESSAGE_POSTED else None
        return NewEvent(room_id=room.id, kind=kind, author=who, message_id=message_id)

    await append_events(
        conn,
        [
            event(older, EventKind.MESSAGE_POSTED, other),
            event(older, EventKind.MEMBER_JOINED, author),
            event(newer, EventKind.MEMBER_JOINED, author),
            event(foreign, EventKind.MEMBER_JOINED, other),
            event(older, EventKind.MESSAGE_POSTED, other),
        ],
    )
    in_newer, in_older = [await rooms.get_room(conn, room.id) for room in (newer, older)]
    assert in_newer is not None
    assert in_older is not None
    assert await rooms.list_memberships(conn, author.id, limit=10) == (
        Membership(room=in_newer, role=Role.MEMBER, read_seq=1, unread=0),
        Membership(room=in_older, role=Role.MEMBER, read_seq=2, unread=1),
    )
    assert await rooms.list_memberships(conn, uuid4(), limit=10) == ()
