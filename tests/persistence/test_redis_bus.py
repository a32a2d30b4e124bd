"""What one node announces the others hear, in order, once; and what is lost is counted, never waited for."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from veza.persistence.bus import LocalBus
from veza.persistence.redis_bus import CHANNEL, RedisBus
from veza.persistence.redis_link import connect, end_tasks, together
from veza.persistence.room_rows import EventKind, RoomEvent
from veza.persistence.rows import Author

ADA = Author(id=uuid4(), name="ada")


def event(room_id: UUID, seq: int, text: str = "salut") -> RoomEvent:
    return RoomEvent(
        room_id=room_id,
        seq=seq,
        kind=EventKind.MESSAGE_POSTED,
        at=datetime.now(UTC),
        author=ADA,
        message_id=uuid4(),
        text=text,
    )


class Ear:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[RoomEvent] = []
        self.doubts: list[UUID] = []
        self.talk: list[tuple[str, object]] = []
        self.news = asyncio.Event()

    def heard(self, room_id: UUID, events: tuple[RoomEvent, ...]) -> None:
        self.events += events
        self.news.set()

    def may_have_missed(self, room_id: UUID) -> None:
        self.doubts.append(room_id)
        self.news.set()

    def heard_news(self, topic: str, news: tuple[object, ...]) -> None:
        self.talk += [(topic, each) for each in news]
        self.news.set()

    async def until(self, is_it: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not is_it():
                self.news.clear()
                await self.news.wait()


class End:
    """One node's end of the bus."""

    def __init__(self, url: str, **options: int) -> None:
        self.node_id = uuid4()
        self.bus = RedisBus(url, self.node_id, **options)
        self.ear = Ear()
        self.bus.listen(self.ear)

    async def join(self, room_id: UUID) -> None:
        """Join, and wait until nothing is missed any more."""
        before = self.ear.doubts.count(room_id)
        self.bus.join(room_id)
        await self.ear.until(lambda: self.ear.doubts.count(room_id) > before)


@pytest.fixture
async def new_end() -> AsyncIterator[Callable[..., object]]:
    async with AsyncExitStack() as stack:

        async def make(url: str, **options: int) -> End:
            end = End(url, **options)
            stack.push_async_callback(end.bus.close)
            assert await end.bus.start(10)
            return end

        yield make


async def test_others_hear_in_order_and_a_node_does_not_hear_itself(new_end, redis_url) -> None:
    room_id = uuid4()
    one, two = await new_end(redis_url), await new_end(redis_url)
    for end in (one, two):
        await end.join(room_id)
    told = [event(room_id, seq) for seq in range(1, 401)]

    for number, each in enumerate(told):
        one.bus.announce(room_id, (each,))
        if number % 7 == 0:
            await asyncio.sleep(0)
    await two.ear.until(lambda: len(two.ear.events) == 400)
    two.bus.announce(room_id, (event(room_id, 401),))
    await one.ear.until(lambda: len(one.ear.events) > 0)

    assert two.ear.events == told
    assert [each.seq for each in one.ear.events] == [401]
    assert two.bus.counters.heard == 400


async def test_what_is_announced_in_one_turn_goes_out_together(new_end, redis_url) -> None:
    rooms = [uuid4() for _ in range(20)]
    one, two = await new_end(redis_url), await new_end(redis_url)
    for room_id in rooms:
        await two.join(room_id)

    for seq in range(1, 6):
        for room_id in rooms:
            one.bus.announce(room_id, (event(room_id, seq),))
    async with asyncio.timeout(30):
        while one.bus.counters.told < 100:
            await asyncio.sleep(0.001)

    assert one.bus.counters.batches == 1


async def test_only_rooms_that_are_joined_are_heard(new_end, redis_url) -> None:
    here, left, never = uuid4(), uuid4(), uuid4()
    one, two = await new_end(redis_url), await new_end(redis_url)
    for room_id in (here, left):
        await two.join(room_id)
    two.bus.leave(left)

    for room_id in (left, never, here):
        one.bus.announce(room_id, (event(room_id, 1),))
    await two.ear.until(lambda: len(two.ear.events) > 0)

    assert [each.room_id for each in two.ear.events] == [here]


async def test_joining_says_that_something_may_have_been_missed(new_end, redis_url) -> None:
    room_id = uuid4()
    end = await new_end(redis_url)

    await end.join(room_id)

    assert end.ear.doubts == [room_id]


async def test_what_cannot_be_read_is_counted_and_makes_the_room_look(new_end, redis_url) -> None:
    room_id = uuid4()
    end = await new_end(redis_url)
    await end.join(room_id)
    client = connect(redis_url)
    messages = (
        b"",
        b"[]",
        b"\xff",
        b'{"v":1,"node":"x","events":[],"news":[1]}',
        b'{"v":2,"node":"x","events":[{"room_id":1}],"news":[]}',
        b'{"v":2,"node":"x","events":[],"news":[]}',
        b'{"v":2,"node":"x","events":[],"news":{"1":1}}',
        b'{"v":2,"node":"x","news":[1]}',
        b'{"v":2,"node":"x"}',
    )

    for message in messages:
        await client.publish(f"{CHANNEL}{room_id}", message)
    await end.ear.until(lambda: len(end.ear.doubts) == 1 + len(messages))
    await client.aclose()

    assert end.bus.counters.unreadable == len(messages)
    assert end.ear.events == []
    assert end.bus.is_up


async def test_while_redis_is_away_nothing_waits_and_afterwards_every_room_looks(
    new_end, redis
) -> None:
    rooms = {uuid4(), uuid4()}
    one, two = await new_end(redis.url), await new_end(redis.url)
    for room_id in rooms:
        await two.join(room_id)
    room_id = min(rooms)

    redis.kill()
    async with asyncio.timeout(30):
        while one.bus.is_up or two.bus.is_up:
            await asyncio.sleep(0.01)
    for seq in range(1, 1001):
        one.bus.announce(room_id, (event(room_id, seq),))
        one.bus.tell(f"room:{room_id}", b"1")
    assert one.bus.counters.dropped == one.bus.counters.news_dropped == 1000
    redis.start()
    await two.ear.until(lambda: len(two.ear.doubts) == 4)
    async with asyncio.timeout(30):
        while not one.bus.is_up:
            await asyncio.sleep(0.01)
    one.bus.announce(room_id, (event(room_id, 1001),))
    await two.ear.until(lambda: len(two.ear.events) > 0)

    assert set(two.ear.doubts[2:]) == rooms
    assert [each.seq for each in two.ear.events] == [1001]
    assert one.bus.counters.losses == two.bus.counters.losses == 1


async def test_news_reach_a_topic_on_other_nodes_and_never_come_back(new_end, redis_url) -> None:
    room_id, user_id = uuid4(), uuid4()
    one, two = await new_end(redis_url), await new_end(redis_url)
    for end in (one, two):
        end.bus.attend(f"user:{user_id}")
        await end.join(room_id)  # confirmed in order: the user's topic before it, or with it

    one.bus.tell(f"user:{uuid4()}", b"0")
    one.bus.tell(f"user:{user_id}", b"1")
    one.bus.tell(f"room:{room_id}", b"2")
    one.bus.announce(room_id, (event(room_id, 1),))
    await two.ear.until(lambda: len(two.ear.talk) == 2)
    two.bus.tell(f"room:{room_id}", b"3")
    await one.ear.until(lambda: bool(one.ear.talk))

    assert sorted(two.ear.talk) == [(f"room:{room_id}", 2), (f"user:{user_id}", 1)]
    assert one.ear.talk == [(f"room:{room_id}", 3)]
    assert [each.seq for each in two.ear.events] == [1]
    assert (one.bus.counters.news_told, two.bus.counters.news_heard) == (3, 2)


async def test_a_topic_that_is_disregarded_is_heard_no_more(new_end, redis_url) -> None:
    room_id, user_id = uuid4(), uuid4()
    one, two = await new_end(redis_url), await new_end(redis_url)
    two.bus.attend(f"user:{user_id}")
    await two.join(room_id)
    two.bus.disregard(f"user:{user_id}")

    one.bus.tell(f"user:{user_id}", b"1")
    one.bus.tell(f"room:{room_id}", b"2")
    await two.ear.until(lambda: bool(two.ear.talk))

    assert two.ear.talk == [(f"room:{room_id}", 2)]


async def test_news_are_dropped_before_events_are(new_end, redis_url) -> None:
    room_id = uuid4()
    one, two = await new_end(redis_url, max_waiting_bytes=8_000), await new_end(redis_url)
    await two.join(room_id)

    for _ in range(30):  # all of one turn
        one.bus.tell(f"room:{room_id}", b'"' + b"x" * 98 + b'"')
    for seq in range(1, 11):
        one.bus.announce(room_id, (event(room_id, seq),))
    await two.ear.until(lambda: len(two.ear.talk) > 0)

    assert len(two.ear.talk) == 21
    assert one.bus.counters.news_dropped == 9
    assert len(two.ear.events) == 10
    assert one.bus.counters.dropped == 0


async def test_a_server_that_hangs_is_noticed_and_what_waits_is_bounded(new_end, redis) -> None:
    room_id = uuid4()
    end = await new_end(redis.url, max_waiting_bytes=100_000)
    await end.join(room_id)

    redis.signal(signal.SIGSTOP)
    try:
        most = 0
        async with asyncio.timeout(20):
            while end.bus.is_up:
                end.bus.announce(room_id, (event(room_id, 1, "x" * 1000),))
                most = max(most, end.bus._waiting_bytes)
                await asyncio.sleep(0.001)
    finally:
        redis.signal(signal.SIGCONT)
    async with asyncio.timeout(20):
        while not end.bus.is_up:
            await asyncio.sleep(0.01)

    assert most < 102_000
    assert end.bus.counters.dropped > 0


async def test_a_node_starts_without_redis_and_connects_when_it_comes(redis) -> None:
    redis.kill()
    end = End(redis.url)
    try:
        assert not await end.bus.start(0.05)
        redis.start()
        async with asyncio.timeout(30):
            while not end.bus.is_up:
                await asyncio.sleep(0.01)
    finally:
        await end.bus.close()


async def test_an_address_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="Redis URL"):
        RedisBus("http://localhost", uuid4())


async def test_the_bus_of_the_only_node_tells_nobody() -> None:
    bus = LocalBus()
    bus.join(uuid4())
    bus.announce(uuid4(), ())
    await bus.close()

    assert bus.is_up
    assert not bus.is_shared
    assert list(bus.rooms) == []


async def test_a_task_ends_though_its_first_cancellation_is_lost():
    started = asyncio.Event()

    async def loses_one() -> None:
        with suppress(asyncio.CancelledError):
            started.set()
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    task = asyncio.create_task(loses_one())
    await started.wait()
    async with asyncio.timeout(30):
        await end_tasks([task])
    assert task.cancelled()


async def test_what_works_together_ends_though_a_part_loses_its_cancellation() -> None:
    lost = []

    async def deaf() -> None:
        """Lose the first cancellation, as the driver may, and go on."""
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost.append(1)
                if len(lost) > 1:
                    raise

    async def fails(when: asyncio.Event) -> None:
        await when.wait()
        raise ConnectionError("gone")

    whole = asyncio.create_task(together(deaf(), fails(asyncio.Event())))
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await end_tasks([whole])
    assert whole.cancelled()
    assert len(lost) == 2

    lost.clear()
    now = asyncio.Event()
    now.set()
    async with asyncio.timeout(60):
        with pytest.raises(ConnectionError):
            await together(deaf(), fails(now))
    assert len(lost) == 2
