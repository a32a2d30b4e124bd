"""A whole node on a real database, and clients that are sockets without a network."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from veza.actors.fanout import FanOut, FanOutLimits
from veza.actors.messages.accounts import Author, RegisterAccount, SignedIn
from veza.actors.messages.common import Key
from veza.actors.messages.rooms import (
    ActInRoom,
    EventStored,
    JoinRoom,
    PostMessage,
    Room,
    RoomKind,
    RoomSettings,
)
from veza.actors.messages.rooms_service import CreateRoom, RoomDescribed
from veza.actors.messages.sessions import CloseSession, OpenSession, SessionOpened, SubscribeRoom
from veza.config.ids import uuid7
from veza.config.settings import Settings
from veza.persistence.local_store import LocalMediaStore
from veza.persistence.media_store import MediaStore
from veza.persistence.pool import Pool
from veza.supervisors.node import Node
from veza.supervisors.shared import Shared, alone, over_redis
from veza.supervisors.tree import Resources, build_tree


class Events:
    """The hub's encoder: each event is a numbered line, so that what was received can be looked up."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def encode(self, event: object) -> bytes:
        self.told.append(event)
        return b"%d\n" % (len(self.told) - 1)


class Client:
    """One signed-in connection."""

    def __init__(self, world: "World", author: Author) -> None:
        self.world = world
        self.author = author
        self.key = ("session", str(uuid7()))
        self.events: list[object] = []
        self.closed: int | None = None
        self.news = asyncio.Event()
        self.frames = 0

    def write(self, data: bytes) -> None:
        self.events += [self.world.events.told[int(line)] for line in data.split()]
        self.news.set()

    def buffered_bytes(self) -> int:
        return 0

    def close(self, code: int, _reason: str) -> None:
        self.closed = code
        self.news.set()

    async def open(self) -> "Client":
        self.outbox = self.world.fan_out.open(self)
        opened = await self.world.node.ask(
            self.key, OpenSession(user=self.author, outbox=self.outbox)
        )
        assert isinstance(opened, SessionOpened)
        return self

    async def again(self) -> "Client":
        """The same person on a new connection, this one being lost."""
        self.tell(CloseSession())
        await self.world.node.ended(self.key)
        return await Client(self.world, self.author).open()

    def tell(self, command: object) -> None:
        self.world.node.tell(self.key, command)

    def frame_id(self) -> str:
        self.frames += 1
        return f"{self.author.name}-{self.frames}"

    async def join(self, room: Room, since: object = None) -> object:
        frame_id = self.frame_id()
        self.tell(SubscribeRoom(frame_id=frame_id, room_id=room.id, since=since))
        return await self.answer(frame_id)

    async def answer(self, frame_id: str) -> object:
        """The one frame that answers a command."""
        return await self.wait_for(lambda event: getattr(event, "frame_id", None) == frame_id)

    async def wait_for(self, is_it: Callable[[object], bool]) -> object:
        async with asyncio.timeout(60):  # a machine under load encodes slowly
            while True:
                for event in self.events:
                    if is_it(event):
                        return event
                self.news.clear()
                await self.news.wait()

    def of_kind(self, kind: type) -> list[object]:
        return [event for event in self.events if isinstance(event, kind)]


class World:
    def __init__(
        self,
        pool: Pool,
        folder: Path,
        settings: Settings,
        *,
        node_id: UUID | None = None,
        shared: Shared | None = None,
        store: MediaStore | None = None,
    ) -> None:
        node_id = node_id or uuid7()
        self.events = Events()
        self.fan_out = FanOut(
            self.events.encode, asyncio.get_running_loop().call_soon, FanOutLimits()
        )
        self.pool = pool
        self.store = store or LocalMediaStore(folder)
        self.settings = settings
        self.resources = Resources(
            node_id=node_id,
            settings=settings,
            pool=pool,
            store=self.store,
            fan_out=self.fan_out,
            shared=shared or alone(node_id),
        )
        self.node = Node(build_tree(self.resources))

    async def person(self, name: str) -> Author:
        signed_in = await self.node.ask(
            ("accounts", ""),
            RegisterAccount(
                username=name,
                email=f"{name}@example.org",
                password="correct horse",
                user_agent="test",
            ),
        )
        assert isinstance(signed_in, SignedIn)
        return Author(id=signed_in.user.id, name=name)

    async def client(self, name: str) -> Client:
        return await Client(self, await self.person(name)).open()

    async def track(self, owner: Author, **columns: object) -> UUID:
        """A published track of which nothing is known but what the columns say."""
        track_id: UUID = uuid7()
        values = {
            "id": track_id,
            "owner_id": owner.id,
            "title": "A track",
            "filename": "a.flac",
            "state": "published",
            "source_key": f"sources/{track_id}",
            "source_bytes": 10,
            "source_sha256": bytes(32),
            "duration_samples": 4_800_000,
            "sample_rate_hz": 48_000,
            **columns,
        }
        places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        statement = f"INSERT INTO tracks ({', '.join(values)}) VALUES ({places})"
        async with self.pool.acquire() as conn:
            await conn.execute(statement, *values.values())
        return track_id

    async def room(self, creator: Author, name: str = "Kitchen") -> Room:
        room_id: UUID = uuid7()
        made = await self.node.ask(
            ("rooms", ""),
            CreateRoom(
                room_id=room_id,
                creator=creator,
                settings=RoomSettings(name=name, kind=RoomKind.PUBLIC),
            ),
        )
        assert isinstance(made, RoomDescribed)
        return made.room

    def cell(self, path: str):
        return next(cell for cell in self.node.runtime.tree() if cell.path == f"/veza/root/{path}")


@pytest.fixture
async def world(pool: Pool, tmp_path: Path) -> AsyncIterator[World]:
    settings = Settings(
        data=tmp_path, bcrypt_cost=4, message_burst=1000, act_burst=1000, ladder_kbps=(64, 128)
    )
    world = World(pool, tmp_path / "media", settings)
    await world.node.start()
    yield world
    assert await world.node.stop(60) == []


# --- several nodes ---


NewNode = Callable[..., Awaitable[Any]]


@pytest.fixture
async def new_node(world, pool, redis, tmp_path: Path) -> AsyncIterator[NewNode]:
    """Make nodes that share `redis` and the database of `world`, which itself knows no others."""
    async with AsyncExitStack() as stack:

        async def make(**settings: int) -> Any:
            node_id = uuid7()
            shared = over_redis(redis.url, node_id)
            await shared.start()
            stack.push_async_callback(shared.close)
            node = type(world)(
                pool,
                tmp_path / "media",
                world.settings.model_copy(update=settings),
                node_id=node_id,
                shared=shared,
            )
            await node.node.start()
            stack.push_async_callback(node.node.stop, 10)
            return node

        yield make


class Talk:
    """One room, and a member at each of two nodes who reads along."""

    def __init__(self, nodes: list[Any], room: Any, members: list[Any], readers: list[Any]) -> None:
        self.nodes = nodes
        self.room = room
        self.key: Key = ("room", str(room.id))
        self.members = members
        self.readers = readers

    async def post(self, at: int) -> int:
        act = PostMessage(message_id=uuid4(), text="salut")
        post = ActInRoom(by=self.members[at], act=act)
        stored = await self.nodes[at].node.ask(self.key, post)
        assert isinstance(stored, EventStored)
        return stored.event.seq

    async def heard(self, seq: int) -> None:
        """Wait until everybody has heard of everything up to an event."""
        for reader in self.readers:
            await reader.wait_for(lambda event: getattr(event, "seq", 0) == seq)

    def told(self, at: int) -> list[int]:
        return [event.seq for event in self.readers[at].events if hasattr(event, "seq")]


@pytest.fixture
async def talk(world, new_node) -> Talk:
    nodes = [await new_node(), await new_node()]
    members = [await world.person(name) for name in ("ada", "ben")]
    room = await world.room(members[0])
    key: Key = ("room", str(room.id))
    readers = []
    for node, member in zip(nodes, members, strict=True):
        await node.node.ask(key, ActInRoom(by=member, act=JoinRoom()))
        client = type(await world.client(f"{member.name}-reads"))(node, member)
        readers.append(await client.open())
        await readers[-1].join(room)
    async with asyncio.timeout(20):
        while not all(node.resources.shared.bus.rooms for node in nodes):
            await asyncio.sleep(0.01)
    return Talk(nodes, room, members, readers)
