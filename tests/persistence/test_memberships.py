"""Pointers, unread counts, listings, invites, requests, blocks and drafts of rooms."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from veza.persistence import memberships, rooms
from veza.persistence.errors import AlreadyExistsError
from veza.persistence.pool import Connection, Pool
from veza.persistence.room_log import LAST_SEQ, append_events, read_events
from veza.persistence.room_rows import (
    EventKind,
    Membership,
    NewEvent,
    Post,
    Room,
    RoomKind,
    RoomSettings,
)
from veza.persistence.rows import Author

MakeAuthor = Callable[[], Awaitable[Author]]
MakeRoom = Callable[[], Awaitable[Room]]
LATER = datetime(2999, 1, 1, tzinfo=UTC)


@pytest.fixture
async def room_id(new_room: MakeRoom) -> UUID:
    return (await new_room()).id


@pytest.fixture
async def author(new_author: MakeAuthor) -> Author:
    return await new_author()


def event(room_id: UUID, kind: EventKind, author: Author, post: Post | None = None) -> NewEvent:
    message_id = uuid4() if kind is EventKind.MESSAGE_POSTED else None
    return NewEvent(
        room_id=room_id,
        kind=kind,
        author=author,
        message_id=message_id,
        details=post,
        fence=LAST_SEQ,
    )


async def membership_of(conn: Connection, user: Author) -> Membership:
    (membership,) = await rooms.list_memberships(conn, user.id, limit=2)
    return membership


@pytest.mark.parametrize("seed", range(5))
async def test_unread_and_mentions_are_what_a_recount_gives(
    conn: Connection, room_id: UUID, new_author: MakeAuthor, seed: int
) -> None:
    dice = random.Random(seed)
    reader, *others = [await new_author() for _ in range(4)]
    await append_events(conn, [event(room_id, EventKind.MEMBER_JOINED, reader)])
    for _ in range(15):
        batch = [_said(dice, room_id, [reader, *others]) for _ in range(dice.randint(1, 8))]
        await append_events(conn, batch)
        if dice.random() < 0.5:
            pointer = dice.randint(0, 80)
            await rooms.move_pointers(conn, [(room_id, reader.id, pointer, None)])
        membership = await membership_of(conn, reader)
        read = await read_events(conn, room_id, after_seq=membership.read_seq, limit=999)
        posts = [each for each in read if each.kind is EventKind.MESSAGE_POSTED]
        calls = [
            each
            for each in posts
            if each.author != reader
            and isinstance(each.details, Post)
            and (each.details.mentions_room or reader.id in each.details.mentions)
        ]
        assert membership.unread == len(posts)
        assert membership.mentions == len(calls)


def _said(dice: random.Random, room_id: UUID, users: list[Author]) -> NewEvent:
    author = dice.choice(users)
    if dice.random() < 0.3:
        kinds = [EventKind.MEMBER_JOINED, EventKind.MEMBER_LEFT]
        return event(room_id, dice.choice(kinds), dice.choice(users[1:]))
    called = tuple(user.id for user in dice.sample(users, dice.randint(0, 3)))
    post = Post(mentions=called, mentions_room=dice.random() < 0.3)
    return event(room_id, EventKind.MESSAGE_POSTED, author, post)


async def test_a_message_that_is_edited_or_deleted_calls_whom_it_calls_now(
    conn: Connection, room_id: UUID, author: Author, new_author: MakeAuthor
) -> None:
    first, second = await new_author(), await new_author()
    joins = [event(room_id, EventKind.MEMBER_JOINED, user) for user in (first, second)]
    post = event(room_id, EventKind.MESSAGE_POSTED, author, Post(mentions=(first.id, uuid4())))
    await append_events(conn, [*joins, post])

    async def mentions() -> list[int]:
        return [(await membership_of(conn, user)).mentions for user in (first, second)]

    async def change(kind: EventKind, said: Post | None) -> None:
        change = NewEvent(
            room_id=room_id, kind=kind, author=author, message_id=post.message_id, details=said
        )
        await append_events(conn, [change])

    assert await mentions() == [1, 0]
    await change(EventKind.MESSAGE_EDITED, Post(mentions=(second.id,)))
    assert await mentions() == [0, 1]
    await change(EventKind.MESSAGE_EDITED, Post(mentions=(first.id,), mentions_room=True))
    assert await mentions() == [1, 1]
    await change(EventKind.MESSAGE_DELETED, None)
    assert await mentions() == [0, 0]


async def test_pointers_move_forward_only_and_not_past_the_newest_event(
    conn: Connection, room_id: UUID, author: Author
) -> None:
    await append_events(conn, [event(room_id, EventKind.MEMBER_JOINED, author)])
    posts = [event(room_id, EventKind.MESSAGE_POSTED, author) for _ in range(4)]
    await append_events(conn, posts)

    async def move(read: int | None, delivered: int | None) -> list[rooms.Pointers]:
        return await rooms.move_pointers(conn, [(room_id, author.id, read, delivered)])

    assert await move(None, 2) == [(room_id, author.id, None, 2)]
    assert await move(3, None) == [(room_id, author.id, 3, 3)]
    assert await move(2, 1) == []
    assert await move(99, None) == [(room_id, author.id, 5, 5)]
    assert await move(99, 99) == []
    assert await rooms.move_pointers(conn, [(uuid4(), author.id, 1, 1)]) == []
    assert await rooms.move_pointers(conn, []) == []


@pytest.mark.parametrize(("is_awaited", "flushed"), [(True, "on"), (False, "off")])
async def test_only_pointers_that_somebody_waits_for_are_flushed(
    conn: Connection, room_id: UUID, author: Author, is_awaited: bool, flushed: str
) -> None:
    await append_events(conn, [event(room_id, EventKind.MEMBER_JOINED, author)])
    await append_events(conn, [event(room_id, EventKind.MESSAGE_POSTED, author)])
    async with conn.transaction():
        await conn.execute("SET LOCAL synchronous_commit = on")
        moved = await rooms.move_pointers(
            conn, [(room_id, author.id, 2, None)], is_awaited=is_awaited
        )
        assert moved == [(room_id, author.id, 2, 2)]
        assert await conn.fetchval("SHOW synchronous_commit") == flushed


async def test_the_same_pointer_twice_in_a_batch_moves_to_the_furthest(
    conn: Connection, room_id: UUID, author: Author
) -> None:
    await append_events(conn, [event(room_id, EventKind.MEMBER_JOINED, author)])
    posts = [event(room_id, EventKind.MESSAGE_POSTED, author) for _ in range(4)]
    await append_events(conn, posts)
    moved = [(room_id, author.id, 4, None), (room_id, author.id, 2, None)]
    assert await rooms.move_pointers(conn, moved) == [(room_id, author.id, 4, 4)]


async def test_pointers_and_leavings_at_once_do_not_lock_up(
    pool: Pool, room_id: UUID, new_author: MakeAuthor
) -> None:
    users = [await new_author() for _ in range(20)]

    async def come_and_go(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(10):
            kinds = (EventKind.MEMBER_JOINED, EventKind.MEMBER_LEFT)
            batch = [event(room_id, dice.choice(kinds), u) for u in dice.sample(users, 20)]
            async with pool.acquire() as conn:
                await append_events(conn, batch)

    async def read(seed: int) -> None:
        dice = random.Random(seed)
        for seq in range(20):
            pointers = [(room_id, u.id, seq * 10, None) for u in dice.sample(users, 20)]
            async with pool.acquire() as conn:
                await rooms.move_pointers(conn, pointers)

    await asyncio.gather(come_and_go(1), come_and_go(2), read(3), read(4))
    async with pool.acquire() as conn:
        snapshot = await rooms.load_snapshot(conn, room_id)
    assert snapshot is not None
    assert snapshot.room.member_count == len(snapshot.members)


async def test_members_are_listed_in_pages(
    conn: Connection, room_id: UUID, new_author: MakeAuthor
) -> None:
    users = sorted([await new_author() for _ in range(5)], key=lambda user: user.id.bytes)
    await append_events(conn, [event(room_id, EventKind.MEMBER_JOINED, user) for user in users])
    first = await rooms.list_members(conn, room_id, after=None, limit=3)
    rest = await rooms.list_members(conn, room_id, after=first[-1].user.id, limit=3)
    assert [member.user for member in first + rest] == users


async def test_only_open_rooms_that_are_not_archived_are_listed(
    conn: Connection, author: Author
) -> None:
    listed = set()
    for kind in RoomKind:
        for is_archived in (False, True):
            settings = RoomSettings(name="A", kind=kind, is_archived=is_archived)
            room = await rooms.insert_room(
                conn, room_id=uuid4(), settings=settings, epoch=uuid4(), creator_id=author.id
            )
            if kind in (RoomKind.PUBLIC, RoomKind.PASSWORD) and not is_archived:
                listed.add(room)
    assert set(await rooms.list_rooms(conn, before=None, limit=20)) == listed


async def test_two_people_have_one_direct_room_whoever_begins(
    pool: Pool, new_author: MakeAuthor
) -> None:
    both = [await new_author(), await new_author()]
    settings = RoomSettings(name="", kind=RoomKind.DIRECT)
    key = ",".join(sorted(str(user.id) for user in both))

    async def begin(creator: Author) -> Room:
        async with pool.acquire() as conn:
            return await rooms.insert_room(
                conn,
                room_id=uuid4(),
                settings=settings,
                epoch=uuid4(),
                creator_id=creator.id,
                direct_key=key,
            )

    assert len(set(await asyncio.gather(*map(begin, both * 3)))) == 1


async def test_a_direct_room_does_not_take_another_rooms_id(
    conn: Connection, room_id: UUID, author: Author
) -> None:
    with pytest.raises(AlreadyExistsError):
        await rooms.insert_room(
            conn,
            room_id=room_id,
            settings=RoomSettings(name="", kind=RoomKind.DIRECT),
            epoch=uuid4(),
            creator_id=author.id,
            direct_key="a,b",
        )


async def test_invites_are_listed_until_they_are_revoked(
    conn: Connection, room_id: UUID, author: Author
) -> None:
    made = [
        await memberships.insert_invite(
            conn,
            code=code,
            room_id=room_id,
            creator_id=author.id,
            max_uses=1,
            expires_at=LATER,
        )
        for code in ("a", "b")
    ]
    assert await memberships.list_invites(conn, room_id, limit=9) == tuple(reversed(made))
    assert await memberships.revoke_invite(conn, room_id, "a")
    assert not await memberships.revoke_invite(conn, room_id, "a")
    assert not await memberships.revoke_invite(conn, uuid4(), "b")
    assert await memberships.list_invites(conn, room_id, limit=9) == (made[1],)
    revoked = await memberships.find_invite(conn, "a")
    assert revoked is not None
    assert revoked.revoked_at is not None
    assert await memberships.find_invite(conn, "c") is None


async def test_a_request_is_made_once_and_can_be_turned_down(
    conn: Connection, room_id: UUID, author: Author
) -> None:
    assert await memberships.insert_request(conn, room_id, author.id, "please")
    assert not await memberships.insert_request(conn, room_id, author.id, "again")
    (request,) = await memberships.list_requests(conn, room_id, limit=9)
    assert (request.user, request.text) == (author, "please")
    assert await memberships.delete_request(conn, room_id, author.id)
    assert not await memberships.delete_request(conn, room_id, author.id)


async def test_blocks_have_a_direction(
    conn: Connection, author: Author, new_author: MakeAuthor
) -> None:
    other, third = await new_author(), await new_author()
    assert await memberships.set_block(conn, author.id, other.id)
    for nobody in (other.id, author.id, uuid4()):
        assert not await memberships.set_block(conn, author.id, nobody)
    assert await memberships.list_blocks(conn, author.id) == (other,)
    assert await memberships.list_blocks(conn, other.id) == ()
    everybody = [author.id, other.id, third.id]
    assert await memberships.blocks_between(conn, everybody) == {(author.id, other.id)}
    assert await memberships.clear_block(conn, author.id, other.id)
    assert not await memberships.clear_block(conn, author.id, other.id)


async def test_the_last_draft_in_a_room_is_kept(
    conn: Connection, room_id: UUID, author: Author
) -> None:
    assert await memberships.get_draft(conn, room_id, author.id) is None
    await memberships.put_draft(conn, room_id, author.id, "one")
    draft = await memberships.put_draft(conn, room_id, author.id, "two")
    assert draft.text == "two"
    assert await memberships.get_draft(conn, room_id, author.id) == draft
    assert await memberships.list_drafts(conn, author.id, limit=9) == (draft,)
    assert await memberships.delete_draft(conn, room_id, author.id)
    assert not await memberships.delete_draft(conn, room_id, author.id)
