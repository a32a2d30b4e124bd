"""What a client of a room may rely on: order, no loss, no repetition, whatever crashes."""

import asyncio
from uuid import UUID, uuid4

import pytest

from veza.actors.messages.common import Gone, RejectCode, Rejected
from veza.actors.messages.room_log import AppendEvent, EventAppended
from veza.actors.messages.rooms import (
    ActInRoom,
    EventKind,
    EventsRead,
    JoinRoom,
    LeaveRoom,
    NewEvent,
    PostMessage,
    ReadEvents,
    RoomEvent,
)
from veza.actors.messages.sessions import (
    ActDone,
    CommandFailed,
    DoInRoom,
    HistoryRead,
    Position,
    RequestHistory,
    RoomEntered,
    RoomExited,
    SubscribeRoom,
    UnsubscribeRoom,
)


def send(room, text="salut", message_id=None, frame_id="s-1"):
    return DoInRoom(
        frame_id=frame_id,
        room_id=room.id,
        act=PostMessage(message_id=message_id or uuid4(), text=text),
    )


def seqs(client):
    return [event.seq for event in client.of_kind(RoomEvent)]


def texts(client):
    return [e.text for e in client.of_kind(RoomEvent) if e.kind is EventKind.MESSAGE_POSTED]


@pytest.fixture
async def alice(world):
    return await world.client("alice")


@pytest.fixture
async def bob(world):
    return await world.client("bob")


@pytest.fixture
async def room(world, alice):
    return await world.room(alice.author)


async def test_a_message_reaches_every_member_after_its_ack_was_earned(alice, bob, room):
    await alice.join(room)
    await bob.join(room)

    alice.tell(send(room, "salut"))
    accepted = await alice.answer("s-1")
    heard = await bob.wait_for(lambda e: isinstance(e, RoomEvent) and e.text == "salut")

    assert isinstance(accepted, ActDone)
    assert heard.seq == accepted.event.seq
    assert heard.author == alice.author
    assert texts(alice) == ["salut"]


async def test_joining_is_an_event_of_the_log_and_told_to_those_there(alice, bob, room):
    await alice.join(room)

    entered = await bob.join(room)
    joined = await alice.wait_for(lambda e: isinstance(e, RoomEvent) and e.author == bob.author)

    assert isinstance(entered, RoomEntered)
    assert not entered.recovered
    assert joined.kind is EventKind.MEMBER_JOINED
    assert joined.seq == 2  # the maker's own joining is 1


async def test_the_same_message_id_again_gets_the_first_answer_and_is_told_once(alice, bob, room):
    await alice.join(room)
    await bob.join(room)
    message_id = uuid4()

    alice.tell(send(room, "once", message_id, "s-1"))
    alice.tell(send(room, "once", message_id, "s-2"))
    first, again = await alice.answer("s-1"), await alice.answer("s-2")
    alice.tell(send(room, "end", frame_id="s-3"))
    await bob.wait_for(lambda e: getattr(e, "text", "") == "end")

    assert first.event == again.event
    assert texts(bob) == ["once", "end"]


async def test_who_is_no_member_is_refused_and_nothing_is_stored(world, alice, bob, room):
    bob.tell(send(room))
    failed = await bob.answer("s-1")

    assert isinstance(failed, CommandFailed)
    assert failed.code is RejectCode.NOT_A_MEMBER
    read = await world.node.ask(("room_log", ""), ReadEvents(room_id=room.id, limit=10))
    assert [event.kind for event in read.events] == [EventKind.MEMBER_JOINED]


async def test_a_room_that_does_not_exist_is_not_found(world, alice):
    answer = await world.node.ask(
        ("room", str(uuid4())), ActInRoom(by=alice.author, act=JoinRoom())
    )

    assert isinstance(answer, Rejected)
    assert answer.code is RejectCode.NOT_FOUND


async def test_a_room_id_that_is_none_is_gone_and_harms_nobody(world, alice, room):
    answer = await world.node.ask(("room", "../../etc"), ActInRoom(by=alice.author, act=JoinRoom()))

    assert answer == Gone(command="ActInRoom")
    assert isinstance(await alice.join(room), RoomEntered)


async def test_many_writers_hear_one_order_without_a_gap(world, room, alice):
    clients = [alice, *[await world.client(f"person{n}") for n in range(4)]]
    for client in clients:
        await client.join(room)

    for n in range(20):
        for client in clients:
            client.tell(send(room, f"{client.author.name} {n}", frame_id=f"s-{n}"))
    for client in clients:
        await client.wait_for(lambda e: getattr(e, "seq", 0) == 105 and isinstance(e, RoomEvent))

    last = seqs(clients[-1])
    assert last == list(range(last[0], 106))
    for client in clients:
        assert texts(client) == texts(clients[-1])


async def test_a_client_that_comes_back_gets_what_it_missed_first_and_once(world, alice, bob, room):
    await alice.join(room)
    entered = await bob.join(room)
    bob.world.fan_out.unsubscribe(f"room:{room.id}", bob.outbox)
    for n in range(5):
        alice.tell(send(room, f"missed {n}", frame_id=f"s-{n}"))
    await alice.answer("s-4")
    back = await bob.again()

    again = await back.join(room, Position(epoch=room.epoch, seq=entered.room.seq))
    alice.tell(send(room, "live", frame_id="s-5"))
    await back.wait_for(lambda e: getattr(e, "text", "") == "live")

    assert again.recovered
    assert back.events[0] is again
    assert seqs(back) == list(range(entered.room.seq + 1, entered.room.seq + 1 + len(seqs(back))))
    assert texts(back) == [f"missed {n}" for n in range(5)] + ["live"]


async def test_what_the_hub_keeps_no_more_comes_from_the_log(world, alice, room):
    joined = await alice.join(room)
    for n in range(600):
        alice.tell(send(room, str(n), frame_id=f"s-{n}"))
    await alice.answer("s-599")
    back = await alice.again()

    again = await back.join(room, Position(epoch=room.epoch, seq=joined.room.seq))
    await back.wait_for(lambda e: getattr(e, "text", "") == "599")

    assert again.recovered
    assert texts(back) == [str(n) for n in range(600)]


async def test_a_replay_goes_no_further_than_the_room_has_told(world, alice, room):
    """What another node stored is told by the room once it knows of it, and not by the log before."""
    joined = await alice.join(room)
    for n in range(550):  # more than the hub keeps, and no whole number of pages
        alice.tell(send(room, str(n), frame_id=f"s-{n}"))
    await alice.answer("s-549")
    elsewhere = NewEvent(
        room_id=room.id,
        kind=EventKind.MESSAGE_POSTED,
        author=alice.author,
        message_id=uuid4(),
        text="elsewhere",
    )
    await world.node.ask(("room_writer", ""), AppendEvent(event=elsewhere))
    back = await alice.again()

    again = await back.join(room, Position(epoch=room.epoch, seq=joined.room.seq))
    await back.wait_for(lambda e: getattr(e, "text", "") == "549")
    back.tell(send(room, "here"))
    await back.wait_for(lambda e: getattr(e, "text", "") == "here")

    assert again.recovered
    assert seqs(back) == list(range(joined.room.seq + 1, joined.room.seq + 553))


async def test_another_epoch_is_not_recovered_and_nothing_old_is_sent(alice, room):
    answer = await alice.join(room, Position(epoch=UUID(int=0), seq=0))

    assert not answer.recovered
    assert seqs(alice) == []


async def test_a_room_that_crashes_is_back_with_its_members_and_its_order(world, alice, bob, room):
    await alice.join(room)
    await bob.join(room)
    alice.tell(send(room, "before", frame_id="s-1"))
    await alice.answer("s-1")

    cell = world.cell(f"rooms/{room.id}")
    world.node.runtime.restart(cell)
    alice.tell(send(room, "after", frame_id="s-2"))
    await bob.wait_for(lambda e: getattr(e, "text", "") == "after")

    assert texts(bob) == ["before", "after"]
    assert seqs(bob) == list(range(seqs(bob)[0], seqs(bob)[0] + len(seqs(bob))))


async def test_events_of_another_writer_are_told_before_newer_ones(world, alice, room):
    await alice.join(room)

    append = AppendEvent(
        event=NewEvent(
            room_id=room.id,
            kind=EventKind.MESSAGE_POSTED,
            author=alice.author,
            message_id=uuid4(),
            text="elsewhere",
        )
    )
    stored = await world.node.ask(("room_writer", ""), append)
    assert isinstance(stored, EventAppended)

    alice.tell(send(room, "here"))
    await alice.wait_for(lambda e: getattr(e, "text", "") == "here")

    assert texts(alice) == ["elsewhere", "here"]


async def test_a_message_whose_commit_was_not_heard_of_is_told_when_it_is_sent_again(
    world, alice, bob, room
):
    """The ambiguous commit: stored, but the answer was lost with the connection."""
    await alice.join(room)
    await bob.join(room)
    message_id = uuid4()
    event = NewEvent(
        room_id=room.id,
        kind=EventKind.MESSAGE_POSTED,
        author=alice.author,
        message_id=message_id,
        text="ambiguous",
    )
    await world.node.ask(("room_writer", ""), AppendEvent(event=event))

    alice.tell(send(room, "ambiguous", message_id))
    accepted = await alice.answer("s-1")
    await bob.wait_for(lambda e: getattr(e, "text", "") == "ambiguous")

    assert isinstance(accepted, ActDone)
    assert texts(bob) == ["ambiguous"]


async def test_leaving_is_told_and_ends_the_right_to_write(alice, bob, room):
    await alice.join(room)
    await bob.join(room)

    bob.tell(UnsubscribeRoom(frame_id="l-1", room_id=room.id))
    assert isinstance(await bob.answer("l-1"), RoomExited)
    bob.tell(send(room))

    assert (await bob.answer("s-1")).code is RejectCode.NOT_A_MEMBER
    left = await alice.wait_for(lambda e: getattr(e, "kind", "") is EventKind.MEMBER_LEFT)
    assert left.author == bob.author


async def test_leaving_twice_is_harmless(world, alice, room):
    first = await world.node.ask(
        ("room", str(room.id)), ActInRoom(by=alice.author, act=LeaveRoom())
    )
    again = await world.node.ask(
        ("room", str(room.id)), ActInRoom(by=alice.author, act=LeaveRoom())
    )

    assert first == again


async def test_history_is_read_backwards_by_position(alice, room):
    await alice.join(room)
    for n in range(5):
        alice.tell(send(room, str(n), frame_id=f"s-{n}"))
    await alice.answer("s-4")

    alice.tell(RequestHistory(frame_id="h-1", room_id=room.id, before_seq=5, limit=2))
    read = await alice.answer("h-1")

    assert isinstance(read, HistoryRead)
    assert isinstance(read.history, EventsRead)
    assert [event.text for event in read.history.events] == ["1", "2"]


async def test_too_many_messages_are_refused_with_a_time_to_wait(world, alice, room):
    await alice.join(room)
    for n in range(1010):
        alice.tell(send(room, str(n), frame_id=f"s-{n}"))

    failed = await alice.wait_for(lambda e: isinstance(e, CommandFailed))

    assert failed.code is RejectCode.RATE_LIMITED
    assert failed.retry_after_seconds > 0


async def test_a_lost_database_refuses_and_loses_nothing_that_was_acknowledged(world, alice, room):
    await alice.join(room)
    alice.tell(send(room, "kept", frame_id="s-1"))
    await alice.answer("s-1")

    async with world.pool.acquire() as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    message_id = uuid4()
    for attempt in range(20):
        alice.tell(send(room, "retried", message_id, f"r-{attempt}"))
        if isinstance(await alice.answer(f"r-{attempt}"), ActDone):
            break
    await alice.wait_for(lambda e: getattr(e, "text", "") == "retried")

    assert texts(alice) == ["kept", "retried"]


async def test_an_idle_room_retires_and_comes_back_with_its_log(world, alice, bob, room):
    await alice.join(room)
    alice.tell(send(room, "kept"))
    await alice.answer("s-1")
    from veza.actors.messages.directory import Retire

    ended = asyncio.ensure_future(world.node.ended(("room", str(room.id))))
    await asyncio.sleep(0)
    directory = world.cell("directory")
    world.node.runtime.tell(directory, Retire(key=("room", str(room.id))))
    await ended

    await bob.join(room)
    bob.tell(send(room, "again"))
    await alice.wait_for(lambda e: getattr(e, "text", "") == "again")
    assert texts(alice) == ["kept", "again"]


async def test_a_client_may_join_and_write_in_one_breath(bob, room):
    bob.tell(SubscribeRoom(frame_id="j-1", room_id=room.id, since=None))
    bob.tell(send(room, "already here"))

    assert isinstance(await bob.answer("j-1"), RoomEntered)
    assert isinstance(await bob.answer("s-1"), ActDone)
    assert texts(bob) == ["already here"]


async def test_joins_and_leaves_in_one_breath_are_answered_once_each_and_in_order(bob, room):
    for n in range(4):
        bob.tell(SubscribeRoom(frame_id=f"j-{n}", room_id=room.id, since=None))
        bob.tell(SubscribeRoom(frame_id=f"again-{n}", room_id=room.id, since=None))
        bob.tell(UnsubscribeRoom(frame_id=f"l-{n}", room_id=room.id))
    bob.tell(send(room))

    assert (await bob.answer("s-1")).code is RejectCode.NOT_A_MEMBER
    answered = [e.frame_id for e in bob.events if hasattr(e, "frame_id")]
    wanted = [f"{what}-{n}" for n in range(4) for what in ("j", "again", "l")]
    assert answered == [*wanted, "s-1"]


async def test_a_second_join_delivers_nothing_twice(alice, bob, room):
    await alice.join(room)
    entered = await bob.join(room)
    alice.tell(send(room, "once"))
    await bob.wait_for(lambda e: getattr(e, "text", "") == "once")

    again = await bob.join(room, Position(epoch=room.epoch, seq=entered.room.seq))
    alice.tell(send(room, "end", frame_id="s-2"))
    await bob.wait_for(lambda e: getattr(e, "text", "") == "end")

    assert not again.recovered
    assert texts(bob) == ["once", "end"]


async def test_entering_and_leaving_are_limited_as_other_acts_are(world, alice, bob, room):
    await alice.join(room)
    key = ("room", str(room.id))
    for _ in range(500):
        await world.node.ask(key, ActInRoom(by=bob.author, act=JoinRoom()))
        await world.node.ask(key, ActInRoom(by=bob.author, act=LeaveRoom()))

    for _ in range(50):  # some tokens have come back meanwhile
        answer = await world.node.ask(key, ActInRoom(by=bob.author, act=JoinRoom()))
        if isinstance(answer, Rejected):
            break
        answer = await world.node.ask(key, ActInRoom(by=bob.author, act=LeaveRoom()))
        if isinstance(answer, Rejected):
            break

    assert answer.code is RejectCode.RATE_LIMITED
