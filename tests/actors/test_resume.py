"""`resume`: a client goes on in many rooms at once, misses nothing, hears nothing twice, and joins none."""

import asyncio
from uuid import uuid4

import pytest

from veza.actors.messages.bus import HeadMoved
from veza.actors.messages.common import Busy, RejectCode, Rejected
from veza.actors.messages.room_log import AppendEvent
from veza.actors.messages.rooms import (
    ActInRoom,
    EventStored,
    Measure,
    ModerateMember,
    PostMessage,
    RoomEvent,
)
from veza.actors.messages.sessions import (
    ActDone,
    CommandFailed,
    DoInRoom,
    Position,
    ResumeRooms,
    RoomEntered,
    RoomsResumed,
    SubscribeRoom,
)
from veza.actors.resuming import REPLAY_EVENTS, Resumption
from veza.actors.room_follower import MAX_ROOMS
from veza.actors.topics import room_topic
from veza.config.ids import uuid7
from veza.persistence.room_rows import EventKind, NewEvent


@pytest.fixture
async def alice(world):
    return await world.client("alice")


@pytest.fixture
async def bob(world):
    return await world.client("bob")


@pytest.fixture
async def rooms(world, alice, bob):
    """Rooms that both are in."""
    made = [await world.room(alice.author, f"Room {number}") for number in range(3)]
    for room in made:
        await alice.join(room)
        await bob.join(room)
    return made


def send(room, text, frame_id):
    act = PostMessage(message_id=uuid4(), text=text)
    return DoInRoom(frame_id=frame_id, room_id=room.id, act=act)


async def say(client, room, *texts):
    for text in texts:
        client.tell(send(room, text, frame_id := client.frame_id()))
    assert isinstance(await client.answer(frame_id), ActDone)


def position(client, room):
    """Where the client's copy of a room ends."""
    entered = [e for e in client.of_kind(RoomEntered) if e.room.id == room.id]
    heard = [e.seq for e in client.of_kind(RoomEvent) if e.room_id == room.id]
    return Position(epoch=room.epoch, seq=max([entered[-1].room.seq, *heard]))


async def resume(client, positions):
    client.tell(ResumeRooms(frame_id="resume", positions=positions))
    return await client.answer("resume")


def events(client, room):
    return [e for e in client.of_kind(RoomEvent) if e.room_id == room.id]


def texts(client, room):
    return [e.text for e in events(client, room) if e.kind is EventKind.MESSAGE_POSTED]


def is_whole(client, room, since):
    seqs = [event.seq for event in events(client, room)]
    return seqs == list(range(since.seq + 1, since.seq + 1 + len(seqs)))


async def heard(client, room, text):
    await client.wait_for(
        lambda e: isinstance(e, RoomEvent) and (e.room_id, e.text) == (room.id, text)
    )


async def test_one_frame_goes_on_in_many_rooms_with_what_was_missed_first_and_once(
    alice, bob, rooms
):
    positions = {room.id: position(bob, room) for room in rooms}
    back = await bob.again()
    for room in rooms[:2]:
        await say(alice, room, "missed 1", "missed 2")

    resumed = await resume(back, positions)
    for room in rooms:
        await say(alice, room, "live")
        await heard(back, room, "live")

    assert {each.room.id: each.recovered for each in resumed.rooms} == {r.id: True for r in rooms}
    assert [texts(back, room) for room in rooms] == [
        ["missed 1", "missed 2", "live"],
        ["missed 1", "missed 2", "live"],
        ["live"],
    ]
    assert all(is_whole(back, room, positions[room.id]) for room in rooms)
    assert back.events.index(resumed) == 0


async def test_what_is_said_while_rooms_are_resumed_is_heard_once(world, alice, bob, rooms):
    positions = {room.id: position(bob, room) for room in rooms}
    for attempt in range(5):
        back = await bob.again()
        for number in range(30):
            for room in rooms:
                alice.tell(send(room, f"{attempt} {number}", f"s-{attempt}-{number}-{room.id}"))
            if number == 10:
                back.tell(ResumeRooms(frame_id="resume", positions=positions))
            await asyncio.sleep(0)
        for room in rooms:
            await heard(back, room, f"{attempt} 29")
            assert is_whole(back, room, positions[room.id])
        bob = back


async def test_the_position_is_what_the_room_has_told_not_what_is_committed(
    world, alice, bob, rooms
):
    room, since = rooms[0], position(bob, rooms[0])
    elsewhere = NewEvent(
        room_id=room.id,
        kind=EventKind.MESSAGE_POSTED,
        author=alice.author,
        message_id=uuid4(),
        text="stored by another node",
    )
    stored = await world.node.ask(("room_writer", ""), AppendEvent(event=elsewhere))
    back = await bob.again()

    resumed = await resume(back, {room.id: since})
    before = texts(back, room)
    world.node.tell(("room", str(room.id)), HeadMoved(seq=stored.result.event.seq))
    await say(alice, room, "after")
    await heard(back, room, "after")

    assert resumed.rooms[0].room.seq == since.seq
    assert before == []
    assert texts(back, room) == ["stored by another node", "after"]


async def test_what_the_hub_keeps_no_more_comes_from_the_log_room_by_room(alice, bob, rooms):
    positions = {room.id: position(bob, room) for room in rooms}
    many = [str(number) for number in range(520)]  # more than the hub keeps
    for room in rooms[:2]:
        await say(alice, room, *many)
    back = await bob.again()

    resumed = await resume(back, positions)
    await say(alice, rooms[1], "live")
    await heard(back, rooms[1], "live")
    await heard(back, rooms[0], many[-1])

    assert all(each.recovered for each in resumed.rooms)
    assert texts(back, rooms[0]) == many
    assert texts(back, rooms[1]) == [*many, "live"]


async def test_who_was_kicked_meanwhile_is_not_told_of_the_room_and_does_not_come_back(
    world, alice, bob, rooms
):
    positions = {room.id: position(bob, room) for room in rooms}
    kicked = rooms[0]
    kick = ModerateMember(user_id=bob.author.id, measure=Measure.KICK)
    done = await world.node.ask(("room", str(kicked.id)), ActInRoom(by=alice.author, act=kick))
    assert isinstance(done, EventStored)
    back = await bob.again()

    resumed = await resume(back, positions)
    for room in rooms:
        await say(alice, room, "live")
    await heard(back, rooms[2], "live")

    assert {each.room.id for each in resumed.rooms} == {rooms[1].id, rooms[2].id}
    assert events(back, kicked) == []
    refused = await world.node.ask(
        ("room", str(kicked.id)),
        ActInRoom(by=bob.author, act=PostMessage(message_id=uuid4(), text="I am here")),
    )
    assert isinstance(refused, Rejected)


async def test_who_is_put_out_while_the_room_is_asked_hears_nothing(world, bob, rooms):
    room, since = rooms[0], position(bob, rooms[0])
    back = await bob.again()
    cell, topic = world.cell(f"rooms/{room.id}"), room_topic(room.id)
    world.node.runtime.suspend(cell)
    back.tell(ResumeRooms(frame_id="resume", positions={room.id: since}))
    while not world.fan_out.is_held(topic, back.outbox):
        await asyncio.sleep(0)

    world.fan_out.expel(topic, bob.author.id)
    world.node.runtime.resume(cell)
    resumed = await back.answer("resume")

    assert resumed == RoomsResumed(frame_id="resume", rooms=())
    assert not world.fan_out.is_held(topic, back.outbox)


async def test_rooms_of_others_and_rooms_that_are_none_are_left_out(world, alice, bob, rooms):
    strangers = await world.room(alice.author, "Cellar")
    since = Position(epoch=strangers.epoch, seq=1)

    resumed = await resume(bob, {strangers.id: since, uuid7(): since})

    assert resumed.rooms == ()
    assert isinstance(await bob.join(strangers), RoomEntered)


async def test_another_epoch_and_too_much_missed_are_not_recovered_and_the_room_goes_on(
    alice, bob, rooms
):
    since = position(bob, rooms[0])
    await say(alice, rooms[0], "old")
    back = await bob.again()
    ahead = Position(epoch=rooms[1].epoch, seq=REPLAY_EVENTS)

    positions = {rooms[0].id: Position(epoch=uuid4(), seq=since.seq), rooms[1].id: ahead}
    resumed = await resume(back, positions)
    for room in rooms[:2]:
        await say(alice, room, "live")
        await heard(back, room, "live")

    assert [each.recovered for each in resumed.rooms] == [False, False]
    assert resumed.rooms[0].room.epoch == rooms[0].epoch
    for room, each in zip(rooms, resumed.rooms, strict=False):
        assert texts(back, room) == ["live"]
        assert events(back, room)[0].seq == each.room.seq + 1


async def test_a_room_that_is_heard_already_is_not_told_twice(alice, bob, rooms):
    since = position(bob, rooms[0])
    await say(alice, rooms[0], "one")
    await heard(bob, rooms[0], "one")

    behind = await resume(bob, {rooms[0].id: since})
    bob.events.clear()
    level = await resume(bob, {rooms[0].id: Position(epoch=since.epoch, seq=since.seq + 1)})
    await say(alice, rooms[0], "two")
    await heard(bob, rooms[0], "two")

    assert [each.recovered for each in behind.rooms + level.rooms] == [False, True]
    assert texts(bob, rooms[0]) == ["two"]


async def test_a_client_may_resume_and_write_in_one_breath(bob, rooms):
    positions = {room.id: position(bob, room) for room in rooms}
    back = await bob.again()

    back.tell(ResumeRooms(frame_id="resume", positions=positions))
    back.tell(send(rooms[0], "I am back", "s-1"))
    await back.answer("s-1")
    await heard(back, rooms[0], "I am back")

    assert isinstance(back.events[0], RoomsResumed)
    assert texts(back, rooms[0]) == ["I am back"]


async def test_a_room_that_is_just_being_entered_is_not_resumed_beside(bob, rooms):
    since = position(bob, rooms[0])
    back = await bob.again()

    back.tell(SubscribeRoom(frame_id="join", room_id=rooms[0].id, since=None))
    refused = await resume(back, {rooms[0].id: since})

    assert isinstance(refused, CommandFailed)
    assert refused.code is RejectCode.INVALID_STATE
    assert isinstance(await back.answer("join"), RoomEntered)


async def test_more_rooms_than_a_connection_may_be_in_are_refused_as_a_whole(world, bob, rooms):
    positions = {room.id: position(bob, room) for room in rooms}
    back = await bob.again()
    others = [room_topic(uuid7()) for _ in range(MAX_ROOMS - len(rooms) + 1)]
    for topic in others:
        world.fan_out.hold(topic, back.outbox)

    refused = await resume(back, positions)

    assert refused.code is RejectCode.INVALID_STATE
    assert not any(world.fan_out.is_held(room_topic(each.id), back.outbox) for each in rooms)
    world.fan_out.unsubscribe(others[0], back.outbox)
    assert len((await resume_again(back, positions)).rooms) == len(rooms)


async def resume_again(client, positions):
    client.tell(ResumeRooms(frame_id="again", positions=positions))
    return await client.answer("again")


async def test_a_room_that_cannot_answer_refuses_the_whole_and_leaves_nothing_behind(
    world, bob, rooms
):
    positions = {room.id: position(bob, room) for room in rooms}
    back = await bob.again()
    cell = world.cell(f"rooms/{rooms[0].id}")
    world.node.runtime.suspend(cell)
    for _ in range(cell.behaviour.mailbox_limit + 1):
        world.node.tell(("room", str(rooms[0].id)), HeadMoved(seq=0))

    refused = await resume(back, positions)
    world.node.runtime.resume(cell)

    assert refused.code is RejectCode.UNAVAILABLE
    assert refused.retry_after_seconds
    assert not any(world.fan_out.is_held(room_topic(each.id), back.outbox) for each in rooms)


def test_only_unavailable_and_silence_leave_it_open_whether_a_room_is_closed():
    ids = [uuid4() for _ in range(4)]
    since = Position(epoch=uuid4(), seq=1)
    closed = Rejected(command="RequireRight", code=RejectCode.BANNED, detail="Banned.")
    away = Rejected(command="RequireRight", code=RejectCode.UNAVAILABLE, detail="Later.")

    resumption = Resumption("1", dict.fromkeys(ids, since))
    assert [resumption.note(each, closed) for each in ids] == [False, False, False, True]
    assert (resumption.failure, resumption.rooms) == (None, {})
    for reply in (away, Busy(command="RequireRight")):
        resumption = Resumption("1", {ids[0]: since})
        assert resumption.note(ids[0], reply)
        assert resumption.failure is reply
