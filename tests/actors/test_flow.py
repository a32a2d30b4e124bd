"""Every queue is bounded, a full one refuses with a code, and nothing acknowledged is lost by it."""

import asyncio
from collections import Counter
from uuid import uuid4

import orjson
import pytest

from veza.actors.arrivals import MEMBERSHIPS_TOLD
from veza.actors.chat.room import MAX_PENDING
from veza.actors.chat.rooms import RoomWriterActor
from veza.actors.fanout import FanOut, FanOutLimits
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.rooms import (
    ActInRoom,
    EventsRead,
    JoinRoom,
    PostMessage,
    ReadEvents,
    RoomEvent,
)
from veza.actors.messages.sessions import (
    ActDone,
    CommandFailed,
    DoInRoom,
    HistoryRead,
    OpenSession,
    Position,
    RequestHistory,
    RoomEntered,
    SessionOpened,
    SubscribeRoom,
)
from veza.actors.room_follower import MAX_ROOMS
from veza.actors.session import newest_within
from veza.actors.shared_rates import JOIN_QUOTA
from veza.actors.topics import room_topic
from veza.config.ids import uuid7
from veza.gateway.wire import encode_frame

OUTBOX_BYTES = FanOutLimits().outbox_bytes
LONG = "é" * 4_000


def send(room, frame_id, text="salut", message_id=None):
    return DoInRoom(
        frame_id=frame_id,
        room_id=room.id,
        act=PostMessage(message_id=message_id or uuid4(), text=text),
    )


@pytest.fixture
async def alice(world):
    return await world.client("alice")


@pytest.fixture
async def bob(world):
    return await world.client("bob")


@pytest.fixture
async def room(world, alice):
    return await world.room(alice.author)


class StuckDatabase:
    """No event can be stored while this holds the rooms' heads."""

    def __init__(self, pool):
        self.pool = pool

    async def __aenter__(self):
        self.lending = self.pool.acquire()
        self.conn = await self.lending.__aenter__()
        self.transaction = self.conn.transaction()
        await self.transaction.start()
        await self.conn.execute("LOCK TABLE room_heads IN EXCLUSIVE MODE")
        return self

    async def cut_off_who_waits(self):
        """End the connection that waits for the rooms' heads, once there is one."""
        cut = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_locks"
            " WHERE relation = 'room_heads'::regclass AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        async with asyncio.timeout(20):
            while not await self.conn.fetchval(cut):
                await asyncio.sleep(0.01)

    async def __aexit__(self, *_):
        await self.transaction.rollback()
        await self.lending.__aexit__(None, None, None)


async def all_events(world, room):
    found, after = [], 0
    while True:
        read = await world.node.ask(
            ("room_log", ""), ReadEvents(room_id=room.id, after_seq=after, limit=1000)
        )
        assert isinstance(read, EventsRead)
        if not read.events:
            return found
        found += read.events
        after = read.events[-1].seq


async def test_a_join_that_the_server_could_not_keep_is_not_counted(world, bob, room):
    for _ in range(JOIN_QUOTA + 1):
        async with StuckDatabase(world.pool) as stuck:
            joining = asyncio.create_task(bob.join(room))
            await stuck.cut_off_who_waits()
            answer = await joining
        assert isinstance(answer, CommandFailed), answer

    assert isinstance(await bob.join(room), RoomEntered)


async def test_a_room_with_too_much_under_way_refuses_with_a_time_to_wait_and_keeps_what_it_took(
    world, alice, room
):
    people = [await world.client(f"person{number}") for number in range(4)]
    for client in people:
        await client.join(room)
    sent = {}

    async with StuckDatabase(world.pool):
        for number in range(400):
            for client in people:
                message_id = uuid4()
                sent[client.author.name, f"f-{number}"] = message_id
                client.tell(send(room, f"f-{number}", str(number), message_id))
        # All that are refused, before the first of the others is stored and makes room for one more.
        async with asyncio.timeout(60):
            while sum(len(each.of_kind(CommandFailed)) for each in people) < 4 * 400 - MAX_PENDING:
                await asyncio.sleep(0.01)
        failed = next(event for each in people for event in each.of_kind(CommandFailed))
        stats = world.cell(f"rooms/{room.id}").stats()
    assert failed.code is RejectCode.UNAVAILABLE
    assert failed.retry_after_seconds > 0
    assert world.cell(f"rooms/{room.id}").instance.pending <= MAX_PENDING
    assert (
        stats.mailbox_high_water <= stats.mailbox_limit + 4
    )  # the one at hand, and its own timers

    for client in people:
        for number in range(400):
            await client.answer(f"f-{number}")
    accepted = {
        (client.author.name, event.frame_id)
        for client in people
        for event in client.of_kind(ActDone)
    }
    refused = Counter(event.code for client in people for event in client.of_kind(CommandFailed))
    stored = {event.message_id for event in await all_events(world, room)}
    assert {sent[key] for key in accepted} <= stored
    assert len(accepted) == MAX_PENDING
    assert refused == {RejectCode.UNAVAILABLE: 4 * 400 - MAX_PENDING}

    people[0].tell(send(room, "again", "again"))
    assert isinstance(await people[0].answer("again"), ActDone)


async def test_a_full_writer_is_busy_to_rooms_and_a_code_to_clients(world, alice):
    rooms = [await world.room(alice.author, f"Room {number}") for number in range(6)]
    for room in rooms:
        await alice.join(room)
    writer = world.cell("services/room_writer")
    session = world.cell(f"sessions/{alice.key[1]}")

    async with StuckDatabase(world.pool):
        filled = 0
        while not writer.stats().dropped:
            room = rooms[filled % len(rooms)]
            alice.tell(send(room, f"f-{filled}"))
            filled += 1
            if filled % 500 == 0:
                await asyncio.sleep(0.02)
                while session.stats().mailbox_depth:
                    await asyncio.sleep(0.02)
                assert filled < 20_000
        failed = await alice.wait_for(lambda e: isinstance(e, CommandFailed))
    assert failed.code is RejectCode.UNAVAILABLE
    assert failed.retry_after_seconds > 0
    assert writer.stats().mailbox_high_water <= RoomWriterActor.mailbox_limit + 1


def test_a_refusal_of_a_full_queue_is_a_frame_that_says_when_to_try_again():
    failed = CommandFailed(
        frame_id="f-1", code=RejectCode.UNAVAILABLE, detail="Full.", retry_after_seconds=1.0
    )

    frame = orjson.loads(encode_frame(failed).split(b"{", 1)[1].join([b"{", b""]))

    assert (frame["t"], frame["id"]) == ("error", "f-1")
    assert frame["d"]["code"] == "unavailable"
    assert frame["d"]["retryable"] is True
    assert frame["d"]["retry_after_ms"] == 1000


async def test_a_client_in_too_many_rooms_is_told_so(world, alice, room):
    others = [room_topic(uuid7()) for _ in range(MAX_ROOMS)]
    for topic in others:
        world.fan_out.hold(topic, alice.outbox)

    answer = await alice.join(room)

    assert answer.code is RejectCode.INVALID_STATE
    for topic in others:
        world.fan_out.unsubscribe(topic, alice.outbox)
    assert isinstance(await alice.join(room), RoomEntered)


async def test_who_is_in_very_many_rooms_is_told_the_newest_of_them(world, alice):
    async with world.pool.acquire() as conn:
        await conn.execute(
            """
            WITH made AS (
                INSERT INTO rooms (id, kind, name, epoch, created_by)
                SELECT gen_random_uuid(), 'public', 'r' || n, gen_random_uuid(), $1
                FROM generate_series(1, $2) n RETURNING id
            ), heads AS (
                INSERT INTO room_heads (room_id) SELECT id FROM made RETURNING room_id
            )
            INSERT INTO room_members (room_id, user_id) SELECT room_id, $1 FROM heads
            """,
            alice.author.id,
            3 * MEMBERSHIPS_TOLD,
        )
    back = await alice.again()

    command = await world.node.ask(("session", str(uuid7())), _open(world, back))

    assert isinstance(command, SessionOpened)
    assert len(command.memberships) == MEMBERSHIPS_TOLD


def _open(world, client):
    return OpenSession(user=client.author, outbox=world.fan_out.open(client))


class Slow:
    """A socket that takes what it is given at once, then nothing until it is told to."""

    def __init__(self):
        self.sizes = []
        self.buffered = 0
        self.closed = None

    def write(self, data):
        self.sizes.append(len(data))
        self.buffered += len(data)

    def buffered_bytes(self):
        return self.buffered

    def close(self, code, _reason):
        self.closed = code


def test_a_topic_keeps_so_many_bytes_and_an_empty_outbox_takes_them_all():
    turns = []
    hub = FanOut(lambda event: event, turns.append, FanOutLimits(outbox_bytes=64 * 1024))
    holder, late = hub.open(Slow()), hub.open(Slow())
    hub.hold("room:1", holder)
    for seq in range(1, 501):
        hub.publish("room:1", b"x" * 8_000, seq=seq)
    topic = hub._topics["room:1"]

    assert topic.replay_bytes == sum(len(frame) for _, frame in topic.replay) <= 32 * 1024
    hub.hold("room:1", late)
    assert not hub.subscribe("room:1", late, after_seq=400, head_seq=500)
    assert hub.subscribe("room:1", late, after_seq=496, head_seq=500)
    assert late.is_open
    assert late.waiting_bytes() == 4 * 8_000


def slow(client):
    """Make somebody like this whose socket takes 64 KiB at a time."""

    class SlowClient(type(client)):
        def __init__(self, world, author):
            super().__init__(world, author)
            self.waiting = bytearray()
            self.taken = bytearray()
            self.most = 0

        def write(self, data):
            self.waiting += data
            self.most = max(self.most, len(self.waiting))

        def buffered_bytes(self):
            return len(self.waiting)

        async def take(self):
            self.taken += self.waiting[: 64 * 1024]
            del self.waiting[: 64 * 1024]
            *lines, rest = self.taken.split(b"\n")
            self.taken = rest
            self.events += [self.world.events.told[int(line)] for line in lines]
            await asyncio.sleep(0)

    return SlowClient(client.world, client.author)


async def test_a_long_replay_waits_for_the_reader_and_arrives_whole(world, alice, bob, room):
    """It is four times an outbox: sent at once it would close it, and so again after each return."""
    joined = await alice.join(room)
    for number in range(600):
        alice.tell(send(room, f"s-{number}", LONG))
    await alice.answer("s-599")
    plain = world.events.encode

    def as_long_as_they_are(event):
        return plain(event)[:-1] + b" " * len(getattr(event, "text", "").encode()) + b"\n"

    world.fan_out.encode = as_long_as_they_are
    slow_bob = await slow(bob).open()
    since = Position(epoch=room.epoch, seq=joined.room.seq)
    slow_bob.tell(SubscribeRoom(frame_id="j-1", room_id=room.id, since=since))
    async with asyncio.timeout(60):
        while len(slow_bob.of_kind(RoomEvent)) < 600 and slow_bob.closed is None:
            await slow_bob.take()

    seqs = [event.seq for event in slow_bob.of_kind(RoomEvent)]
    assert slow_bob.closed is None
    assert seqs[:600] == list(range(joined.room.seq + 1, joined.room.seq + 601))
    assert slow_bob.most <= OUTBOX_BYTES * 3 // 4


async def test_a_page_of_history_is_never_more_than_the_connection_takes(world, alice, room):
    await alice.join(room)
    for number in range(150):
        alice.tell(send(room, f"s-{number}", LONG))
    await alice.answer("s-149")

    before, found = None, []
    while not found or found[0].seq > 1:
        frame_id = f"h-{before}"
        alice.tell(RequestHistory(frame_id=frame_id, room_id=room.id, before_seq=before, limit=200))
        read = await alice.answer(frame_id)
        assert isinstance(read, HistoryRead)
        assert len(encode_frame(read)) <= OUTBOX_BYTES // 2
        found = [*read.history.events, *found]
        before = found[0].seq

    assert [event.seq for event in found] == list(range(1, 152))


def test_at_least_one_event_is_shown_however_long():
    event = RoomEvent(room_id=uuid4(), seq=1, kind="message", at=None, author=None, text="x" * 1000)

    assert newest_within((event, event), 10) == (event,)
    assert newest_within((), 10) == ()
    assert len(newest_within((event,) * 10, 5 * 1512)) == 5


async def test_a_session_that_cannot_get_round_to_its_commands_ends(world, alice, room):
    await alice.join(room)
    ended = asyncio.ensure_future(world.node.ended(alice.key))
    await asyncio.sleep(0)
    cell = world.cell(f"sessions/{alice.key[1]}")

    for number in range(cell.behaviour.mailbox_limit + 2):
        cell.post(send(room, f"s-{number}"), world.cell("directory"))

    assert await ended == "the mailbox is full"


async def test_who_drives_a_room_directly_is_refused_by_its_rate_not_queued(world, alice, room):
    key = ("room", str(room.id))
    await world.node.ask(key, ActInRoom(by=alice.author, act=JoinRoom()))
    posts = [
        ActInRoom(by=alice.author, act=PostMessage(message_id=uuid4(), text=str(number)))
        for number in range(3000)
    ]

    answers = await asyncio.gather(*(world.node.ask(key, post) for post in posts))

    refused = [answer for answer in answers if isinstance(answer, Rejected)]
    codes = {answer.code for answer in refused}
    # A slow database leaves much under way, which is another reason to refuse at once.
    assert RejectCode.RATE_LIMITED in codes
    assert codes <= {RejectCode.RATE_LIMITED, RejectCode.UNAVAILABLE}
    assert all(answer.retry_after_seconds > 0 for answer in refused)
    assert len(await all_events(world, room)) == 1 + 3000 - len(refused) - sum(
        type(answer).__name__ == "Busy" for answer in answers
    )
