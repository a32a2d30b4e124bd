"""A room's events are numbered 1, 2, 3 … whoever writes, and the same message is the same event."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from veza.persistence import rooms
from veza.persistence.bans import delete_ban, store_ban
from veza.persistence.pool import Connection, Pool
from veza.persistence.room_log import LAST_SEQ, append_events, read_events
from veza.persistence.room_rows import (
    EventKind,
    Measure,
    Moderation,
    NewEvent,
    NothingChanged,
    Room,
    RoomEvent,
    StoredEvent,
    Unstored,
)
from veza.persistence.rows import Author

MakeAuthor = Callable[[], Awaitable[Author]]
MakeRoom = Callable[[], Awaitable[Room]]


def message(room_id: UUID, author: Author, text: str = "hello", **more: Any) -> NewEvent:
    message_id = more.pop("message_id", None) or uuid4()
    return NewEvent(
        room_id=room_id,
        kind=EventKind.MESSAGE_POSTED,
        author=author,
        message_id=message_id,
        text=text,
        **more,
    )


def joined(room_id: UUID, author: Author) -> NewEvent:
    return NewEvent(room_id=room_id, kind=EventKind.MEMBER_JOINED, author=author, fence=LAST_SEQ)


def left(room_id: UUID, author: Author) -> NewEvent:
    return NewEvent(room_id=room_id, kind=EventKind.MEMBER_LEFT, author=author, fence=LAST_SEQ)


def kicked(room_id: UUID, by: Author, author: Author) -> NewEvent:
    return NewEvent(
        room_id=room_id,
        kind=EventKind.MEMBER_MODERATED,
        author=by,
        subject=author,
        details=Moderation(measure=Measure.KICK),
        fence=LAST_SEQ,
    )


def stored(result: object, *, is_new: bool) -> RoomEvent:
    assert isinstance(result, StoredEvent)
    assert result.is_new is is_new
    return result.event


async def members_of(conn: Connection, room_id: UUID) -> set[UUID]:
    snapshot = await rooms.load_snapshot(conn, room_id)
    assert snapshot is not None
    assert len(snapshot.members) == snapshot.room.member_count
    return set(snapshot.members)


@pytest.fixture
async def room_id(new_room: MakeRoom) -> UUID:
    return (await new_room()).id


@pytest.fixture
async def author(new_author: MakeAuthor) -> Author:
    return await new_author()


async def test_a_message_gets_the_next_seq_and_reads_back_the_same(
    conn: Connection, room_id: UUID, author: Author
) -> None:
    first, second = message(room_id, author, "one"), message(room_id, author, "zwölf 🎧")
    events = [stored(r, is_new=True) for r in await append_events(conn, [first, second])]
    assert [event.seq for event in events] == [1, 2]
    assert [event.message_id for event in events] == [first.message_id, second.message_id]
    assert events[1].text == "zwölf 🎧"
    assert events[1].author == author
    reply = message(room_id, author, "three", reply_to=first.message_id)
    (result,) = await append_events(conn, [reply])
    events.append(stored(result, is_new=True))
    assert await read_events(conn, room_id, limit=10) == tuple(events)
    room = await rooms.get_room(conn, room_id)
    assert room is not None
    assert room.seq == 3


async def test_nothing_is_appended_by_an_empty_batch(conn: Connection) -> None:
    assert await append_events(conn, []) == []


async def test_the_same_message_again_is_answered_with_the_first(
    conn: Connection, room_id: UUID, author: Author
) -> None:
    event = message(room_id, author, "first")
    (result,) = await append_events(conn, [event])
    again = message(room_id, author, "changed", message_id=event.message_id)
    new = message(room_id, author)
    results = await append_events(conn, [again, new])
    assert stored(results[0], is_new=False) == stored(result, is_new=True)
    assert stored(results[1], is_new=True).seq == 2


async def test_the_same_message_twice_in_a_batch_is_one_event(
    conn: Connection, room_id: UUID, author: Author
) -> None:
    event = message(room_id, author)
    results = await append_events(conn, [event, message(room_id, author), event])
    assert stored(results[2], is_new=False) == stored(results[0], is_new=True)
    assert [event.seq for event in await read_events(conn, room_id, limit=9)] == [1, 2]


async def test_a_message_id_is_a_rooms_own(
    conn: Connection, new_room: MakeRoom, author: Author
) -> None:
    one, other, message_id = (await new_room()).id, (await new_room()).id, uuid4()
    results = await append_events(
        conn,
        [
            message(one, author, message_id=message_id),
            message(other, author, message_id=message_id),
        ],
    )
    assert [stored(result, is_new=True).seq for result in results] == [1, 1]


async def test_what_cannot_be_stored_fails_alone(
    conn: Connection, room_id: UUID, author: Author
) -> None:
    nobody, nowhere = Author(id=uuid4(), name="nobody"), uuid4()
    results = await append_events(
        conn,
        [
            message(room_id, author),
            message(nowhere, author),
            message(room_id, nobody),
            message(room_id, author, "nul \0"),
            message(room_id, author, "half \ud83c"),
            message(room_id, author),
        ],
    )
    assert results[1:5] == [
        Unstored.UNKNOWN_ROOM,
        Unstored.UNKNOWN_AUTHOR,
        Unstored.UNSTORABLE_TEXT,
        Unstored.UNSTORABLE_TEXT,
    ]
    assert stored(results[0], is_new=True).seq == 1
    assert stored(results[5], is_new=True).seq == 2


async def test_nothing_is_stored_for_a_banned_account_but_its_neighbours_and_what_is_done_about_it(
    conn: Connection, room_id: UUID, author: Author, new_author: MakeAuthor
) -> None:
    other = await new_author()
    await append_events(conn, [joined(room_id, author), joined(room_id, other)])
    await store_ban(conn, user_id=author.id, until=None, reason="spam", by_id=other.id)

    results = await append_events(
        conn,
        [
            message(room_id, author),
            left(room_id, author),
            message(room_id, other),
            kicked(room_id, other, author),
        ],
    )

    assert results[:2] == [Unstored.BANNED_AUTHOR] * 2
    assert [stored(each, is_new=True).seq for each in results[2:]] == [3, 4]
    await delete_ban(conn, author.id)
    (result,) = await append_events(conn, [message(room_id, author, fence=LAST_SEQ)])
    assert stored(result, is_new=True).seq == 5


async def test_the_authors_name_is_the_accounts_not_the_senders(
    conn: Connection, room_id: UUID, author: Author
) -> None:
    (result,) = await append_events(conn, [message(room_id, Author(id=author.id, name="admin"))])
    assert stored(result, is_new=True).author == author


async def test_joins_and_leavings_change_the_members(
    conn: Connection, room_id: UUID, author: Author, new_author: MakeAuthor
) -> None:
    other = await new_author()
    results = await append_events(conn, [joined(room_id, author), joined(room_id, other)])
    assert [stored(result, is_new=True).kind for result in results] == [EventKind.MEMBER_JOINED] * 2
    assert await members_of(conn, room_id) == {author.id, other.id}
    await append_events(conn, [left(room_id, author)])
    assert await members_of(conn, room_id) == {other.id}
    room = await rooms.get_room(conn, room_id)
    assert room is not None
    assert (room.seq, room.member_count) == (3, 1)


async def test_a_join_of_a_member_and_a_leaving_of_none_are_no_events(
    conn: Connection, room_id: UUID, author: Author
) -> None:
    events = [left(room_id, author), joined(room_id, author), joined(room_id, author)]
    results = await append_events(conn, events)
    assert results[0] == NothingChanged(head_seq=0)
    assert stored(results[1], is_new=True).seq == 1
    assert results[2] == NothingChanged(head_seq=1)
    assert await append_events(conn, [joined(room_id, author)]) == [NothingChanged(head_seq=1)]
    room = await rooms.get_room(conn, room_id)
    assert room is not None
    assert (room.seq, room.member_count) == (1, 1)


@pytest.mark.parametrize("was_member", [False, True])
@pytest.mark.parametrize("moves", ["jl", "lj", "jlj", "ljl", "jljl", "ljlj"])
async def test_only_the_last_of_several_moves_in_a_batch_counts(
    conn: Connection, room_id: UUID, author: Author, moves: str, *, was_member: bool
) -> None:
    if was_member:
        await append_events(conn, [joined(room_id, author)])
    batch = [joined(room_id, author) if move == "j" else left(room_id, author) for move in moves]
    results = await append_events(conn, batch)
    is_member = moves[-1] == "j"
    room = await rooms.get_room(conn, room_id)
    assert room is not None
    assert await members_of(conn, room_id) == ({author.id} if is_member else set())
    assert room.member_count == is_member
    if is_member:
        joins = [r.event.seq for r in results if isinstance(r, StoredEvent)]
        (membership,) = await rooms.list_memberships(conn, author.id, limit=10)
        assert membership.read_seq == joins[-1]


async def test_events_are_read_from_either_end(
    conn: Connection, room_id: UUID, author: Author
) -> None:
    await append_events(conn, [message(room_id, author) for _ in range(10)])

    async def seqs(**where: int) -> list[int]:
        return [event.seq for event in await read_events(conn, room_id, **where)]

    assert await seqs(limit=3) == [8, 9, 10]
    assert await seqs(before_seq=8, limit=3) == [5, 6, 7]
    assert await seqs(before_seq=2, limit=3) == [1]
    assert await seqs(after_seq=0, limit=3) == [1, 2, 3]
    assert await seqs(after_seq=9, limit=3) == [10]
    assert await seqs(after_seq=10, limit=3) == []
    assert await seqs(after_seq=2, before_seq=5, limit=9) == [3, 4]
    assert await read_events(conn, uuid4(), limit=3) == ()


async def test_two_writers_at_once_leave_no_gap_and_no_message_twice(
    pool: Pool, new_room: MakeRoom, author: Author
) -> None:
    room_ids = [(await new_room()).id for _ in range(5)]
    events = [message(random.choice(room_ids), author, str(number)) for number in range(400)]

    async def write(seed: int) -> list[StoredEvent]:
        order = random.Random(seed).sample(events, len(events))
        results: list[StoredEvent] = []
        async with pool.acquire() as conn:
            while order:
                batch, order = order[:17], order[17:]
                for result in await append_events(conn, batch):
                    assert isinstance(result, StoredEvent)
                    results.append(result)
        return results

    answers = [a for results in await asyncio.gather(write(1), write(2), write(3)) for a in results]
    by_message: dict[UUID | None, set[RoomEvent]] = {}
    for answer in answers:
        by_message.setdefault(answer.event.message_id, set()).add(answer.event)
    assert all(len(told) == 1 for told in by_message.values())
    assert sum(answer.is_new for answer in answers) == len(events)
    async with pool.acquire() as conn:
        for room_id in room_ids:
            log = await read_events(conn, room_id, after_seq=0, limit=1000)
            expected = [event for event in events if event.room_id == room_id]
            assert [event.seq for event in log] == list(range(1, len(expected) + 1))
            assert {e.message_id for e in log} == {event.message_id for event in expected}
            assert all(by_message[e.message_id] == {e} for e in log)
            assert [e.at for e in log] == sorted(e.at for e in log)
            room = await rooms.get_room(conn, room_id)
            assert room is not None
            assert room.seq == len(expected)


async def test_joins_by_two_writers_at_once_are_one_event(
    pool: Pool, room_id: UUID, new_author: MakeAuthor
) -> None:
    authors = [await new_author() for _ in range(20)]

    async def write(seed: int) -> int:
        count = 0
        for author in random.Random(seed).sample(authors, len(authors)):
            async with pool.acquire() as conn:
                (result,) = await append_events(conn, [joined(room_id, author)])
            count += isinstance(result, StoredEvent)
        return count

    assert sum(await asyncio.gather(write(1), write(2), write(3))) == len(authors)
    async with pool.acquire() as conn:
        room = await rooms.get_room(conn, room_id)
        assert room is not None
        assert (room.seq, room.member_count) == (len(authors), len(authors))


async def test_a_batch_whose_transaction_fails_leaves_nothing(
    pool: Pool, room_id: UUID, author: Author
) -> None:
    async def append_and_fail() -> None:
        async with pool.transaction() as conn:
            await append_events(conn, [message(room_id, author)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await append_and_fail()
    async with pool.acquire() as conn:
        assert await read_events(conn, room_id, limit=1) == ()
        (result,) = await append_events(conn, [message(room_id, author)])
        assert stored(result, is_new=True).seq == 1
