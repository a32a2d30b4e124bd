"""The ways into rooms, driven by messages: one conversation for two, and bounds on what anybody heaps up."""

import asyncio
from uuid import uuid4

import pytest

from veza.actors.chat import ways as service
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.rooms import JoinRoom, ReadEvents, RoomAdded, RoomKind, RoomSettings
from veza.actors.messages.rooms_service import CreateRoom, HashRoomPassword
from veza.actors.messages.sessions import RoomEntered, SubscribeRoom
from veza.actors.messages.ways import (
    BlockUser,
    ConversationOpened,
    CreateInvite,
    DraftChanged,
    DraftsListed,
    InvitesListed,
    KeepDraft,
    ListDrafts,
    ListInvites,
    OpenDirect,
    RequestMade,
    RequestToJoin,
    WayDone,
)
from veza.actors.shared_rates import JOIN_QUOTA, JOIN_WINDOW_SECONDS
from veza.config.ids import uuid7
from veza.persistence.room_log import append_events
from veza.persistence.room_rows import EventKind, Measure, Moderation, NewEvent, StoredEvent

STRANGERS = """
    INSERT INTO users (id, username, email, password_hash)
    SELECT gen_random_uuid(), 'extra' || n, 'extra' || n || '@example.org', 'hash'
    FROM generate_series(1, $1) n RETURNING id
"""


@pytest.fixture
async def alice(world):
    return await world.client("alice")


@pytest.fixture
async def bob(world):
    return await world.client("bob")


@pytest.fixture
async def room(world, alice):
    return await world.room(alice.author)


async def ask(world, command):
    return await world.node.ask(("ways", ""), command)


async def strangers(world, count):
    async with world.pool.acquire() as conn:
        return [row["id"] for row in await conn.fetch(STRANGERS, count)]


def refusal(reply):
    assert isinstance(reply, Rejected)
    return reply.code


async def test_two_who_open_their_conversation_at_once_are_in_the_same_one(world, alice, bob):
    pairs = [(alice.author, bob.author.id), (bob.author, alice.author.id)] * 5
    opened = await asyncio.gather(
        *(ask(world, OpenDirect(room_id=uuid7(), creator=by, other_id=to)) for by, to in pairs)
    )

    assert all(isinstance(each, ConversationOpened) for each in opened)
    assert len({each.room.id for each in opened}) == 1
    assert sum(each.is_new for each in opened) == 1
    room_id = opened[0].room.id
    read = await world.node.ask(("room_log", ""), ReadEvents(room_id=room_id, limit=9))
    assert len(read.events) == 2
    for client in (alice, bob):
        added = await client.wait_for(lambda event: isinstance(event, RoomAdded))
        assert added.room.member_count == 2
        assert len(client.of_kind(RoomAdded)) == 1


async def test_who_blocks_is_found_in_no_new_conversation(world, alice, bob):
    block = BlockUser(user_id=alice.author.id, blocked_id=bob.author.id)
    assert isinstance(await ask(world, block), WayDone)

    for by, to in ((alice, bob), (bob, alice)):
        direct = OpenDirect(room_id=uuid7(), creator=by.author, other_id=to.author.id)
        assert refusal(await ask(world, direct)) is RejectCode.BLOCKED


async def test_a_room_has_so_many_invitations_and_each_code_is_another(world, alice, room):
    made = CreateInvite(room_id=room.id, creator_id=alice.author.id)
    codes = {(await ask(world, made)).invite.code for _ in range(service.MAX_INVITES)}

    assert len(codes) == service.MAX_INVITES
    assert refusal(await ask(world, made)) is RejectCode.INVALID_STATE
    listed = await ask(world, ListInvites(room_id=room.id))
    assert isinstance(listed, InvitesListed)
    assert {invite.code for invite in listed.invites} == codes


async def test_no_more_ask_to_be_let_in_than_moderators_read(world, alice, bob, room):
    async with world.pool.acquire() as conn:
        await conn.executemany(
            "INSERT INTO room_join_requests (room_id, user_id, text) VALUES ($1, $2, '')",
            [(room.id, each) for each in await strangers(world, service.MAX_REQUESTS - 1)],
        )
    carol = await world.person("carol")

    request = RequestToJoin(room_id=room.id, user=bob.author, text="please")
    assert isinstance(await ask(world, request), WayDone)
    made = await alice.wait_for(lambda event: isinstance(event, RequestMade))
    late = RequestToJoin(room_id=room.id, user=carol, text="")

    assert (made.user, made.text) == (bob.author, "please")
    assert refusal(await ask(world, late)) is RejectCode.ROOM_FULL
    assert not bob.of_kind(RequestMade)


async def test_so_many_are_blocked_and_one_of_them_again_is_no_more(world, alice):
    others = await strangers(world, service.MAX_BLOCKED + 1)
    async with world.pool.acquire() as conn:
        await conn.executemany(
            "INSERT INTO user_blocks (user_id, blocked_id) VALUES ($1, $2)",
            [(alice.author.id, each) for each in others[:-1]],
        )

    again = BlockUser(user_id=alice.author.id, blocked_id=others[0])
    one_more = BlockUser(user_id=alice.author.id, blocked_id=others[-1])

    assert isinstance(await ask(world, again), WayDone)
    assert refusal(await ask(world, one_more)) is RejectCode.INVALID_STATE


async def test_the_newest_drafts_are_kept_and_told_to_their_writer_alone(world, alice, bob):
    async with world.pool.acquire() as conn:
        await conn.execute(
            """
            WITH made AS (
                INSERT INTO rooms (id, epoch, created_by, name, kind)
                SELECT gen_random_uuid(), gen_random_uuid(), $1, 'Cellar', 'public'
                FROM generate_series(1, $2) RETURNING id
            )
            INSERT INTO drafts (user_id, room_id, text, updated_at)
            SELECT $1, id, 'old', now() - interval '1 day' FROM made
            """,
            alice.author.id,
            service.MAX_DRAFTS,
        )
    room = await world.room(alice.author)

    await ask(world, KeepDraft(room_id=room.id, user_id=alice.author.id, text="new"))
    told = await alice.wait_for(lambda event: isinstance(event, DraftChanged))
    listed = await ask(world, ListDrafts(user_id=alice.author.id))

    assert told == DraftChanged(room_id=room.id, text="new")
    assert isinstance(listed, DraftsListed)
    assert len(listed.drafts) == service.MAX_DRAFTS
    assert listed.drafts[0].text == "new"
    assert not bob.of_kind(DraftChanged)


async def test_nobody_blocks_themselves_or_somebody_who_is_not_there(world, alice):
    who = alice.author.id

    itself = await ask(world, BlockUser(user_id=who, blocked_id=who))
    nobody = await ask(world, BlockUser(user_id=who, blocked_id=uuid4()))

    assert refusal(itself) is RejectCode.INVALID_STATE
    assert refusal(nobody) is RejectCode.NOT_FOUND


async def test_joining_is_limited_over_the_socket_and_coming_back_is_not(world, alice, bob):
    made = [await world.room(alice.author, f"Room {number}") for number in range(JOIN_QUOTA + 1)]
    for room in made[:-1]:
        assert isinstance(await bob.join(room), RoomEntered)

    refused = await bob.join(made[-1])
    assert refused.code is RejectCode.RATE_LIMITED
    assert 0 < refused.retry_after_seconds <= JOIN_WINDOW_SECONDS / JOIN_QUOTA
    again = await bob.again()
    for room in made[:-1]:
        assert isinstance(await again.join(room), RoomEntered)
    assert isinstance(await alice.join(made[-1]), RoomEntered)


async def test_a_join_that_is_decided_again_counts_once(world, alice, bob):
    carl = await world.person("carl")
    made = [await world.room(alice.author, f"Room {number}") for number in range(JOIN_QUOTA)]
    ban = Moderation(measure=Measure.BAN)
    async with world.pool.acquire() as conn:
        for room in made:
            assert isinstance(await alice.join(room), RoomEntered)
            # As another node would: this one's room does not know that rights were taken.
            behind = NewEvent(
                room_id=room.id,
                kind=EventKind.MEMBER_MODERATED,
                author=alice.author,
                subject=carl,
                details=ban,
                fence=room.seq,
            )
            (stored,) = await append_events(conn, [behind])
            assert isinstance(stored, StoredEvent)

    for room in made:
        assert isinstance(await bob.join(room), RoomEntered)


async def test_who_guesses_a_rooms_password_over_the_socket_is_stopped(world, alice, bob):
    hashed = await world.node.ask(("rooms", ""), HashRoomPassword(password="sesame"))
    settings = RoomSettings(
        name="Cellar", kind=RoomKind.PASSWORD, password_hash=hashed.password_hash
    )
    create = CreateRoom(room_id=uuid7(), creator=alice.author, settings=settings)
    room = (await world.node.ask(("rooms", ""), create)).room

    codes = []
    for number in range(JOIN_QUOTA + 1):
        frame_id = bob.frame_id()
        guess = JoinRoom(password=str(number))
        bob.tell(SubscribeRoom(frame_id=frame_id, room_id=room.id, since=None, join=guess))
        codes.append((await bob.answer(frame_id)).code)

    assert codes == [RejectCode.WRONG_ROOM_PASSWORD] * JOIN_QUOTA + [RejectCode.RATE_LIMITED]
