"""Plain messages are posted in one call; what is in the way of one leaves its whole room to the rules."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from veza.persistence import memberships
from veza.persistence.bans import store_ban
from veza.persistence.pool import Connection
from veza.persistence.room_log import LAST_SEQ, append_events, read_events
from veza.persistence.room_posts import post_plain
from veza.persistence.room_rows import EventKind, NewEvent, Post, Room, StoredEvent
from veza.persistence.rows import Author

MakeAuthor = Callable[[], Awaitable[Author]]
MakeRoom = Callable[[], Awaitable[Room]]


_EVENTS = """
    SELECT seq, kind, author_id, message_id, text, reply_to, thread_id, subject_id, details, messages
    FROM room_events WHERE room_id = $1 ORDER BY seq
"""
_HEAD = "SELECT seq, member_count, fence_seq, messages FROM room_heads WHERE room_id = $1"
_READ = """
    SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)
    FROM pg_stat_xact_user_tables WHERE relname = 'room_events'
"""


class World:
    """Two rooms and two people."""

    def __init__(self, conn: Connection, rooms: tuple[UUID, UUID], people: tuple[Author, Author]):
        self.conn = conn
        self.room_id, self.other_room_id = rooms
        self.author, self.other = people

    def message(self, text: str = "hello", **more: Any) -> NewEvent:
        given = {
            "room_id": self.room_id,
            "author": self.author,
            "message_id": uuid4(),
            "text": text,
            "fence": LAST_SEQ,
        }
        return NewEvent(kind=EventKind.MESSAGE_POSTED, **(given | more))

    def left(self) -> NewEvent:
        return NewEvent(
            room_id=self.room_id,
            kind=EventKind.MEMBER_LEFT,
            author=self.author,
            fence=LAST_SEQ,
        )

    async def post(self, *events: NewEvent) -> dict[int, StoredEvent]:
        return await post_plain(self.conn, events)

    async def rows(self, room_id: UUID) -> list[tuple[object, ...]]:
        """Return what the tables hold of a room, without its id and the times."""
        events = await self.conn.fetch(_EVENTS, room_id)
        return [tuple(row) for row in (*events, *await self.conn.fetch(_HEAD, room_id))]


@pytest.fixture
async def world(conn: Connection, new_room: MakeRoom, new_author: MakeAuthor) -> World:
    rooms = ((await new_room()).id, (await new_room()).id)
    return World(conn, rooms, (await new_author(), await new_author()))


async def test_messages_are_stored_in_the_order_given_room_by_room(world: World) -> None:
    events = [
        world.message(room_id=room_id, text=f"{number}")
        for number in range(3)
        for room_id in (world.other_room_id, world.room_id)
    ]
    stored = await world.post(*events)
    assert [stored[place].event.seq for place in range(6)] == [1, 1, 2, 2, 3, 3]
    for first, room_id in enumerate((world.other_room_id, world.room_id)):
        log = await read_events(world.conn, room_id, limit=10)
        assert log == tuple(stored[place].event for place in range(first, 6, 2))
        assert [event.text for event in log] == ["0", "1", "2"]


async def test_both_ways_leave_the_same_rows(world: World) -> None:
    ids = [uuid4() for _ in range(3)]
    # Leaving a room one is not in is no event, but takes all that comes with it the general way.
    for room_id, more in ((world.room_id, [world.left()]), (world.other_room_id, [])):
        posts = [
            world.message(room_id=room_id, message_id=ids[0], fence=0),
            world.message(room_id=room_id, message_id=ids[1], author=world.other),
        ]
        await append_events(world.conn, [*more, *posts])
        reply = world.message(room_id=room_id, message_id=ids[2], reply_to=ids[0])
        await append_events(world.conn, [*more, reply])
    rows = await world.rows(world.room_id)
    assert rows == await world.rows(world.other_room_id)
    assert len(rows) == 4


async def test_what_is_more_than_a_plain_message_takes_its_room_the_general_way(
    world: World,
) -> None:
    root = world.message()
    assert len(await world.post(root)) == 1
    twice = world.message()
    for others in (
        [world.left()],
        [world.message(thread_id=root.message_id)],
        [world.message(details=Post(mentions=(world.other.id,)))],
        [world.message(message_id=None)],
        [world.message(text="\x00")],
        [twice, twice],
    ):
        batch = [world.message(), *others, world.message(room_id=world.other_room_id)]
        stored = await world.post(*batch)
        assert set(stored) == {len(batch) - 1}


async def test_what_stands_in_the_way_of_one_message_takes_its_room_the_general_way(
    world: World, new_author: MakeAuthor
) -> None:
    banned, blocking = await new_author(), await new_author()
    await store_ban(world.conn, user_id=banned.id, until=None, reason="", by_id=None)
    await memberships.set_block(world.conn, blocking.id, world.author.id)
    kept, gone = world.message(), world.message()
    await world.post(kept, gone)
    delete = replace(world.left(), kind=EventKind.MESSAGE_DELETED, message_id=gone.message_id)
    leaving = [
        replace(world.left(), kind=kind) for kind in (EventKind.MEMBER_JOINED, world.left().kind)
    ]
    await append_events(world.conn, [delete, *leaving])
    for wrong in (
        world.message(author=Author(id=uuid4(), name="nobody")),
        world.message(author=banned),
        world.message(message_id=kept.message_id),
        world.message(reply_to=gone.message_id),
        world.message(reply_to=uuid4()),
        world.message(peer=blocking.id),
        world.message(author=blocking, peer=world.author.id),
        world.message(fence=4),
    ):
        stored = await world.post(
            world.message(), wrong, world.message(room_id=world.other_room_id)
        )
        assert set(stored) == {2}
    assert await world.post(world.message(room_id=uuid4())) == {}
    fine = world.message(reply_to=kept.message_id, peer=world.other.id, fence=5)
    assert set(await world.post(fine)) == {0}


async def test_posting_reads_few_rows_of_a_long_log(world: World) -> None:
    # On one connection: it keeps the plan that it made while the log was short.
    await world.post(world.message())
    first = world.message()
    await world.post(first, *(world.message() for _ in range(2000)))
    async with world.conn.transaction():
        before = await world.conn.fetchval(_READ)
        await world.post(
            world.message(reply_to=first.message_id), *(world.message() for _ in range(20))
        )
        assert await world.conn.fetchval(_READ) - before < 100
