"""What other nodes tell reaches the rooms that run here; what they did not, the heads of the logs tell."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from veza.actors.base import SupervisedActor
from veza.actors.bus import BusActor, LookPlan
from veza.actors.fanout import FanOut, FanOutLimits
from veza.actors.messages.bus import EventsAnnounced, HeadMoved
from veza.actors.messages.common import Busy
from veza.actors.messages.directory import Deliver
from veza.actors.runtime import AsyncioSystemBase, Cell
from veza.actors.runtime.address import Address
from veza.config.ids import uuid7
from veza.persistence.bus import BusListener, LocalBus
from veza.persistence.errors import DatabaseUnavailableError
from veza.persistence.pool import Connection, Pool
from veza.persistence.room_rows import EventKind, RoomEvent, RoomKind, RoomSettings
from veza.persistence.rooms import insert_room
from veza.persistence.rows import Author

NEVER_SECONDS = 3600.0


class OpenBus(LocalBus):
    """A bus whose other side is the test."""

    is_shared = True

    def __init__(self) -> None:
        super().__init__()
        self.is_up = True
        self.rooms: set[UUID] = set()
        self.listener: BusListener | None = None

    def listen(self, listener: BusListener | None) -> None:
        self.listener = listener


class Desk(SupervisedActor):
    """Where a directory would be: keeps what is to be delivered."""

    def __init__(self, *, told: list[Deliver], news: asyncio.Event) -> None:
        super().__init__()
        self.told = told
        self.news = news

    def receiveMsg_Deliver(self, message: Deliver, _sender: Address) -> Busy:
        self.told.append(message)
        self.news.set()
        return Busy(command="")


class Place:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.runtime = AsyncioSystemBase()
        self.bus = OpenBus()
        self.fan_out = FanOut(
            lambda event: repr(event).encode(), asyncio.get_running_loop().call_soon, FanOutLimits()
        )
        self.told: list[Deliver] = []
        self.news = asyncio.Event()

    def start(self, plan: LookPlan) -> Cell:
        desk = self.runtime.spawn(Desk, {"told": self.told, "news": self.news})
        kwargs = {
            "bus": self.bus,
            "pool": self.pool,
            "directory": desk,
            "fan_out": self.fan_out,
            "plan": plan,
        }
        return self.runtime.spawn(BusActor, kwargs)

    async def until(self, is_it: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not is_it():
                self.news.clear()
                await self.news.wait()

    async def room(self) -> UUID:
        async with self.pool.acquire() as conn:
            await conn.execute(
                "INSERT INTO users (id, username, email, password_hash) VALUES ($1, $2, $2, '')"
                " ON CONFLICT DO NOTHING",
                UUID(int=1),
                "ada",
            )
            room = await insert_room(
                conn,
                room_id=uuid7(),
                settings=RoomSettings(name="Kitchen", kind=RoomKind.PUBLIC),
                epoch=uuid4(),
                creator_id=UUID(int=1),
            )
            await conn.execute("UPDATE room_heads SET seq = 7 WHERE room_id = $1", room.id)
        return room.id


@pytest.fixture
async def place(pool: Pool) -> AsyncIterator[Place]:
    place = Place(pool)
    yield place
    assert await place.runtime.shutdown_async(5) == []


def event(room_id: UUID, seq: int) -> RoomEvent:
    return RoomEvent(
        room_id=room_id,
        seq=seq,
        kind=EventKind.MEMBER_JOINED,
        at=datetime.now(UTC),
        author=Author(id=UUID(int=1), name="ada"),
    )


async def test_news_are_for_a_room_that_runs_and_start_none(place) -> None:
    place.start(LookPlan(up_seconds=NEVER_SECONDS))
    room_id = uuid4()
    events = (event(room_id, 1), event(room_id, 2))

    place.bus.listener.heard(room_id, events)
    await place.until(lambda: bool(place.told))

    assert place.told == [
        Deliver(
            key=("room", str(room_id)), message=EventsAnnounced(events=events), starts_actor=False
        )
    ]


async def test_rooms_in_doubt_are_looked_at_together_and_soon(place) -> None:
    actor = place.start(LookPlan(up_seconds=NEVER_SECONDS))
    rooms = [await place.room() for _ in range(5)]

    for room_id in rooms:
        place.bus.listener.may_have_missed(room_id)
    await place.until(lambda: len(place.told) == 5)

    assert {each.key[1] for each in place.told} == {str(room_id) for room_id in rooms}
    assert {each.message for each in place.told} == {HeadMoved(seq=7)}
    assert not any(each.starts_actor for each in place.told)
    assert actor.instance.inspect()["looks"] == 1


async def test_while_the_bus_is_away_all_rooms_are_looked_at_often(place) -> None:
    room_id = await place.room()
    place.bus.rooms.add(room_id)
    place.start(LookPlan(up_seconds=NEVER_SECONDS, away_seconds=0.0))
    assert place.told == []

    place.bus.is_up = False

    await place.until(lambda: len(place.told) == 2)
    assert place.told[0].message == HeadMoved(seq=7)


async def test_while_the_bus_is_up_all_rooms_are_looked_at_now_and_then(place) -> None:
    room_id = await place.room()
    place.bus.rooms.add(room_id)

    place.start(LookPlan(up_seconds=0.0))

    await place.until(lambda: len(place.told) == 2)


class LostOnce:
    """A pool whose database is away when it is asked the first time."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.asked = 0

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        self.asked += 1
        if self.asked == 1:
            raise DatabaseUnavailableError
        async with self.pool.acquire() as conn:
            yield conn


async def test_what_the_database_did_not_tell_it_is_asked_again(place) -> None:
    room_id = await place.room()
    place.bus.rooms.add(room_id)
    place.pool = LostOnce(place.pool)
    place.start(LookPlan(up_seconds=NEVER_SECONDS))

    place.bus.listener.may_have_missed(room_id)

    await place.until(lambda: len(place.told) == 1)
    assert place.pool.asked == 2


async def test_whoever_ends_hears_no_more(place) -> None:
    actor = place.start(LookPlan())
    assert place.bus.listener is not None

    place.runtime.kill(actor)
    async with asyncio.timeout(30):
        while place.bus.listener is not None:
            await asyncio.sleep(0)
