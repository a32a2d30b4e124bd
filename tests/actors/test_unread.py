"""What is unread is counted right while many write, edit, delete and read at once, on any device."""

import asyncio
import random
from uuid import uuid4

import pytest

from veza.actors.messages.rooms import (
    ActInRoom,
    DeleteMessage,
    EventStored,
    MarkRead,
    PointerMoved,
    PostMessage,
    ReceiptsMoved,
)
from veza.actors.messages.rooms_service import ListMemberships, MembershipsListed

WRITERS = 6
MESSAGES = 30
ROOMS = 2

# As one would count by hand: messages past the pointer, and those of them that call the reader.
RECOUNT = """
    SELECT m.room_id, m.read_seq,
        (
            SELECT count(*) FROM room_events e
            WHERE e.room_id = m.room_id AND e.seq > m.read_seq AND e.kind = 'message.posted'
        ) AS unread,
        (
            SELECT count(*) FROM room_events e
            LEFT JOIN message_states s ON s.room_id = e.room_id AND s.message_id = e.message_id
            WHERE e.room_id = m.room_id AND e.seq > m.read_seq AND e.kind = 'message.posted'
                AND s.deleted_at IS NULL AND e.author_id <> m.user_id
                AND e.details -> 'mentions' ? m.user_id::text
        ) AS mentions
    FROM room_members m WHERE m.user_id = $1
"""


async def act(world, by, room, what):
    key = ("room", str(room.id))
    return await world.node.ask(key, ActInRoom(by=by, act=what), timeout_seconds=60)


async def write(world, by, room, people, dice):
    """Say things, a third of them to somebody by name, and take some of them back."""
    for n in range(MESSAGES):
        message_id, whom = uuid4(), dice.choice(people)
        text = f"@{whom.name} {n}" if n % 3 == 0 else f"{n}"
        posted = await act(world, by, room, PostMessage(message_id=message_id, text=text))
        assert isinstance(posted, EventStored)
        if dice.random() < 0.2:
            taken_back = await act(world, by, room, DeleteMessage(message_id=message_id))
            assert isinstance(taken_back, EventStored)


async def read(world, by, room, dice):
    """Move one's pointer to and fro, as devices do that know of each other only by the server."""

    for _ in range(MESSAGES):
        seq = dice.randrange(WRITERS * MESSAGES)
        mark = MarkRead(by=by.id, read_seq=seq)
        moved = await world.node.ask(("room", str(room.id)), mark, timeout_seconds=60)
        assert isinstance(moved, PointerMoved)


async def told(world, who):
    listed = await world.node.ask(("arrivals", ""), ListMemberships(user_id=who.id))
    assert isinstance(listed, MembershipsListed)
    return {m.room.id: (m.read_seq, m.unread, m.mentions) for m in listed.memberships}


@pytest.mark.parametrize("seed", [1, 2])
async def test_unread_and_mentions_are_what_a_recount_finds(world, seed):
    dice = random.Random(seed)
    clients = [await world.client(f"person{n}") for n in range(WRITERS)]
    people = [client.author for client in clients]
    rooms = [await world.room(people[0], f"Room {n}") for n in range(ROOMS)]
    for client in clients:
        for room in rooms:
            await client.join(room)

    await asyncio.gather(
        *(write(world, each, room, people, dice) for each in people for room in rooms),
        *(read(world, each, room, dice) for each in people[1:] for room in rooms for _ in range(2)),
    )

    last = PostMessage(message_id=uuid4(), text=f"@{people[1].name} goodbye")
    assert isinstance(await act(world, people[0], rooms[0], last), EventStored)

    for each in people:
        async with world.pool.acquire() as conn:
            counted = {
                row["room_id"]: (row["read_seq"], row["unread"], row["mentions"])
                for row in await conn.fetch(RECOUNT, each.id)
            }
        assert await told(world, each) == counted
    seen = [each for who in people for each in (await told(world, who)).values()]
    assert any(unread for _, unread, _ in seen)
    assert any(mentions for _, _, mentions in seen)


async def test_nobody_is_shown_reading_backwards_by_a_device_that_lags(world):
    ada, bob = await world.client("ada"), await world.client("bob")
    room = await world.room(ada.author)
    for client in (ada, bob):
        await client.join(room)
    for n in range(5):
        post = PostMessage(message_id=uuid4(), text=f"{n}")
        assert isinstance(await act(world, ada.author, room, post), EventStored)

    for seq in (5, 3, 6):
        mark = MarkRead(by=bob.author.id, read_seq=seq)
        assert isinstance(await world.node.ask(("room", str(room.id)), mark), PointerMoved)

    seen = ((bob.author.id, 6),)
    await ada.wait_for(lambda event: isinstance(event, ReceiptsMoved) and event.seqs == seen)
    told = [seq for each in ada.of_kind(ReceiptsMoved) for user, seq in each.seqs]
    assert told == [5, 6]
