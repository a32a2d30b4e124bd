"""A room tells what its log holds, whatever it is told of it: the log here loses answers on purpose."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from veza.actors.base import SupervisedActor
from veza.actors.chat import log_follower
from veza.actors.chat.room import RoomActor
from veza.actors.fanout import FanOut, FanOutLimits
from veza.actors.messages.accounts import Author
from veza.actors.messages.bus import NewsAnnounced
from veza.actors.messages.common import Crashed, RejectCode, Rejected
from veza.actors.messages.directory import Deliver
from veza.actors.messages.room_log import AppendEvent, EventAppended, OpenRoom, RoomOpened
from veza.actors.messages.rooms import (
    ActInRoom,
    EventsRead,
    NewEvent,
    PostMessage,
    ReadEvents,
    Role,
    Room,
    RoomEvent,
    RoomKind,
    RoomSettings,
    RoomSnapshot,
)
from veza.actors.rate_limit import Rate
from veza.actors.runtime import AsyncioSystemBase, Cell
from veza.actors.runtime.address import Address
from veza.actors.runtime.wakeup import WakeUp
from veza.actors.topics import room_topic
from veza.persistence.bus import LocalBus
from veza.persistence.room_rows import StoredEvent

ROOM_ID = UUID(int=7)
ADA = Author(id=UUID(int=1), name="ada")


class Log:
    """A room's log in memory. It may lose answers to what it stored, and refuse to be read."""

    def __init__(self) -> None:
        self.events: list[RoomEvent] = []
        self.loses_answers = False
        self.reads_refused = 0

    def store(self, event: NewEvent) -> RoomEvent:
        stored = RoomEvent(
            room_id=ROOM_ID,
            seq=len(self.events) + 1,
            kind=event.kind,
            at=datetime.now(UTC),
            author=event.author,
            message_id=event.message_id,
            text=event.text,
            reply_to=event.reply_to,
        )
        self.events.append(stored)
        return stored

    def answer(self, message: object) -> object:
        match message:
            case OpenRoom():
                return RoomOpened(snapshot=self.snapshot())
            case AppendEvent(event=event):
                stored = self.store(event)
                if self.loses_answers:
                    return Crashed(command="AppendEvent")
                return EventAppended(result=StoredEvent(event=stored, is_new=True))
            case ReadEvents() if self.reads_refused:
                self.reads_refused -= 1
                return Rejected(command="", code=RejectCode.UNAVAILABLE, detail="")
            case ReadEvents(after_seq=int() as after, limit=limit):
                return EventsRead(events=tuple(self.events[after : after + limit]))
        return None

    def snapshot(self) -> RoomSnapshot:
        return RoomSnapshot(
            room=self.room(),
            settings=RoomSettings(name="Kitchen", kind=RoomKind.PUBLIC),
            fence=0,
            members={ADA.id: Role.MEMBER},
            mutes={},
            bans={},
        )

    def room(self) -> Room:
        return Room(
            id=ROOM_ID,
            kind=RoomKind.PUBLIC,
            name="Kitchen",
            epoch=UUID(int=9),
            created_at=datetime.now(UTC),
            seq=len(self.events),
            member_count=1,
        )


class Directory(SupervisedActor):
    """Stands for the directory and for all behind it."""

    def __init__(self, *, log: Log) -> None:
        super().__init__()
        self.log = log

    def receiveMsg_Deliver(self, message: Deliver, _sender: Address) -> object:
        return self.log.answer(message.message)


class Listener:
    """A subscribed connection: each frame is a `seq`."""

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.news = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.seqs += [int(line) for line in data.split()]
        self.news.set()

    def buffered_bytes(self) -> int:
        return 0

    def close(self, code: int, reason: str) -> None:
        raise AssertionError(f"closed with {code}: {reason}")

    async def has(self, *seqs: int) -> None:
        async with asyncio.timeout(30):
            while self.seqs != list(seqs):
                self.news.clear()
                await self.news.wait()


def seq_of(event: object) -> bytes:
    assert isinstance(event, RoomEvent)
    return b"%d\n" % event.seq


class Stage:
    """One room, its log, and one connection that listens."""

    def __init__(self, runtime: AsyncioSystemBase) -> None:
        self.runtime = runtime
        self.log = Log()
        self.listener = Listener()
        self.fan_out = FanOut(seq_of, asyncio.get_running_loop().call_soon, FanOutLimits())
        directory = runtime.spawn(Directory, {"log": self.log}, name="directory")
        given = {
            "actor_id": str(ROOM_ID),
            "directory": directory,
            "fan_out": self.fan_out,
            "bus": LocalBus(),
            "message_rate": Rate(per_second=1000, burst=1000),
            "act_rate": Rate(per_second=1000, burst=1000),
            "reaction_rate": Rate(per_second=1000, burst=1000),
        }
        self.room: Cell = runtime.spawn(RoomActor, given, name="room")
        outbox = self.fan_out.open(self.listener)
        self.fan_out.hold(room_topic(ROOM_ID), outbox)
        assert self.fan_out.subscribe(room_topic(ROOM_ID), outbox, after_seq=0, head_seq=0)

    async def post(self) -> object:
        return await self.runtime.request(
            self.room, ActInRoom(by=ADA, act=PostMessage(message_id=uuid4(), text="salut")), 5
        )


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(log_follower, "RETRY_SECONDS", 0.01)
    runtime = AsyncioSystemBase()
    yield Stage(runtime)
    await runtime.shutdown_async(5)


async def test_what_was_stored_though_its_answer_was_lost_is_told_without_being_sent_again(
    stage: Stage,
) -> None:
    await stage.post()
    stage.log.loses_answers = True

    assert await stage.post() == Crashed(command="AppendEvent")

    await stage.listener.has(1, 2)


async def test_what_was_stored_while_the_room_was_down_is_told_once_it_is_back(
    stage: Stage,
) -> None:
    await stage.post()
    stage.log.store(NewEvent(room_id=ROOM_ID, kind=stage.log.events[0].kind, author=ADA))

    stage.runtime.restart(stage.room)

    await stage.listener.has(1, 2)


async def test_news_of_another_node_wait_for_the_events_that_were_told_there_before_them(
    stage: Stage,
) -> None:
    await stage.post()
    await stage.listener.has(1)
    new = NewEvent(room_id=ROOM_ID, kind=stage.log.events[0].kind, author=ADA)
    first, second, late = (replace(stage.log.events[0], seq=seq) for seq in (701, 702, 703))
    stage.log.reads_refused = 1
    stage.log.store(new)

    def tell(after_seq: int, event: RoomEvent) -> None:
        news = NewsAnnounced(after_seq=after_seq, event=event)
        stage.runtime.post_from_outside(stage.room, news, stage.runtime.nobody)

    tell(1, first)
    await stage.listener.has(1, 701)
    tell(2, second)
    tell(3, late)
    await stage.listener.has(1, 701, 2, 702)
    stage.log.store(new)
    await stage.listener.has(1, 701, 2, 702, 3, 703)


async def test_a_log_that_cannot_be_read_for_long_leaves_one_look_at_idleness_behind(
    stage: Stage,
) -> None:
    await stage.post()
    stage.log.reads_refused = 20
    stage.log.loses_answers = True
    await stage.post()
    await stage.listener.has(1, 2)

    waiting = [timer.waiting_call for timer in stage.runtime.timers]

    looks = [call for call in waiting if isinstance(call, WakeUp)]
    assert sum(isinstance(each.message, log_follower.LookIdle) for each in looks) == 1
