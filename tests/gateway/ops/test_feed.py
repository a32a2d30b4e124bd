"""The live tree: everything once, then what changed, each second, while somebody of the staff watches."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from veza.actors.fanout import FanOut, FanOutLimits
from veza.actors.messages.common import TimedOut
from veza.gateway.connections import Connections
from veza.gateway.keys import TREE_FEED
from veza.gateway.ops import feed
from veza.gateway.ops.feed import CHILDREN, MAX_ROWS, ROW_BYTES, TOPIC, TreeFeed
from veza.gateway.wire import encode_frame

Json = dict[str, Any]


class Wire:
    """A socket without a network: frames in, JSON out."""

    def __init__(self) -> None:
        self.frames: list[Json] = []
        self.buffered = 0
        self.closed: int | None = None

    def write(self, data: bytes) -> None:
        while data:
            length, start = data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4]), 4
            elif length == 127:
                length, start = int.from_bytes(data[2:10]), 10
            self.frames.append(json.loads(data[start : start + length])["d"])
            data = data[start + length :]

    def buffered_bytes(self) -> int:
        return self.buffered

    def close(self, code: int, _reason: str) -> None:
        self.closed = code


class World:
    """A feed whose readings the test gives one by one."""

    def __init__(self, actors: Any, outbox_bytes: int = 1024 * 1024) -> None:
        self.actors = actors
        self.encoded = 0
        loop = asyncio.get_running_loop()
        self.fan_out = FanOut(self._encode, loop.call_soon, FanOutLimits(outbox_bytes=outbox_bytes))
        self.feed = TreeFeed(actors, self.fan_out, Connections(5, 25.0))

    def _encode(self, event: object) -> bytes:
        self.encoded += 1
        return encode_frame(event)

    def wire(self) -> tuple[Wire, Any]:
        wire = Wire()
        return wire, self.fan_out.open(wire)

    async def read(self) -> None:
        """One reading, as each second brings it."""
        await self.feed._read()
        await asyncio.sleep(0)

    def change(self, **more: Any) -> None:
        """Let the first room be another than before."""
        node = self.actors.operator
        rooms = node.root.children[0]
        first, *others = rooms.children
        rooms = replace(rooms, children=(replace(first, **more), *others))
        node.root = replace(node.root, children=(rooms,))

    def forget(self) -> None:
        """Let the last room end."""
        node = self.actors.operator
        rooms = node.root.children[0]
        node.root = replace(node.root, children=(replace(rooms, children=rooms.children[:-1]),))


@pytest.fixture
async def world(actors: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    # Only the test reads on.
    monkeypatch.setattr(feed, "PERIOD_SECONDS", 1_000.0)
    world = World(actors)
    yield world
    await world.feed.stop()


async def settled(world: World) -> None:
    """The first reading, which begins by itself."""
    while not world.feed._rows:
        await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_who_begins_to_watch_gets_everything(world: World) -> None:
    wire, outbox = world.wire()
    world.feed.watch(outbox)
    await settled(world)
    (frame,) = wire.frames

    assert (frame["full"], frame["gone"]) == (True, [])
    assert [row["path"] for row in frame["actors"]] == [
        "/veza/root",
        "/veza/root/rooms",
        "/veza/root/rooms/a",
        "/veza/root/rooms/b",
    ]
    assert frame["actors"][2]["parent"] == "/veza/root/rooms"
    assert frame["node"]["connections"] == 0
    assert "blocks" not in frame["node"]
    assert {type(each).__name__ for each in world.actors.operated} == {"ReadTree", "ReadNode"}
    assert world.actors.operated[0].children == CHILDREN


async def test_then_only_what_changed_is_told(world: World) -> None:
    wire, outbox = world.wire()
    world.feed.watch(outbox)
    await settled(world)
    world.change(messages=99)
    world.forget()
    await world.read()
    await world.read()
    whole, changed, same = wire.frames

    assert [row["path"] for row in changed["actors"]] == ["/veza/root/rooms/a"]
    assert changed["actors"][0]["messages"] == 99
    assert changed["gone"] == ["/veza/root/rooms/b"]
    assert (same["actors"], same["gone"]) == ([], [])
    assert [frame["rev"] - whole["rev"] for frame in wire.frames] == [0, 1, 2]
    assert [frame["full"] for frame in wire.frames] == [True, False, False]


async def test_a_newcomer_gets_the_whole_that_the_next_changes_fit(world: World) -> None:
    _, first = world.wire()
    world.feed.watch(first)
    await settled(world)
    world.change(mailbox=5)
    await world.read()
    wire, second = world.wire()
    world.feed.watch(second)
    world.change(mailbox=6)
    await world.read()
    whole, changed = wire.frames

    assert (whole["full"], changed["full"]) == (True, False)
    assert changed["rev"] == whole["rev"] + 1
    assert whole["actors"][2]["mailbox"] == 5
    assert changed["actors"][0]["mailbox"] == 6


async def test_who_watches_between_a_reading_and_its_telling_misses_and_repeats_nothing(
    world: World,
) -> None:
    wire, outbox = world.wire()
    world.feed.watch(outbox)
    await settled(world)
    world.change(mailbox=5)
    # The changes wait for the end of the loop's turn when both ask.
    await world.feed._read()
    late, other = world.wire()
    world.feed.watch(outbox)
    world.feed.watch(other)
    await asyncio.sleep(0)
    await world.read()

    for frames in (wire.frames[1:], late.frames):
        assert [frame["full"] for frame in frames] == [True, False]
        assert frames[1]["rev"] == frames[0]["rev"] + 1
        assert frames[0]["actors"][2]["mailbox"] == 5


async def test_what_all_are_told_is_encoded_once(world: World) -> None:
    wires = [world.wire() for _ in range(20)]
    for _, outbox in wires:
        world.feed.watch(outbox)
    await settled(world)
    assert world.encoded == 1
    world.change(mailbox=5)
    await world.read()

    assert world.encoded == 2
    assert all(len(wire.frames) == 2 for wire, _ in wires)


async def test_a_slow_reader_finds_a_revision_missing_and_asks_for_the_whole(
    world: World,
) -> None:
    wire, outbox = world.wire()
    world.feed.watch(outbox)
    await settled(world)
    wire.buffered = world.fan_out.limits.volatile_bytes + 1
    await world.read()
    wire.buffered = 0
    await world.read()
    revs = [frame["rev"] for frame in wire.frames]
    assert revs[1] == revs[0] + 2

    world.feed.watch(outbox)
    await world.read()

    assert [frame["full"] for frame in wire.frames] == [True, False, True, False]
    assert wire.frames[3]["rev"] == wire.frames[2]["rev"] + 1
    assert wire.closed is None


async def test_the_tree_is_read_only_while_somebody_watches(
    actors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PERIOD_SECONDS", 0.0)
    world = World(actors)
    (_, first), (_, second) = world.wire(), world.wire()
    world.feed.watch(first)
    world.feed.watch(second)
    await settled(world)

    world.feed.unwatch(first)
    await asyncio.sleep(0)
    assert world.feed.is_read
    second.close()
    while world.feed.is_read:
        await asyncio.sleep(0)

    read = len(actors.operated)
    assert world.fan_out.subscribers(TOPIC) == 0
    await asyncio.sleep(0)
    assert len(actors.operated) == read
    wire, third = world.wire()
    world.feed.watch(third)
    await settled(world)
    assert wire.frames[0]["full"] is True
    await world.feed.stop()


async def test_who_leaves_before_the_first_reading_is_told_nothing(world: World) -> None:
    wire, outbox = world.wire()
    world.feed.watch(outbox)
    world.feed.unwatch(outbox)
    stays, other = world.wire()
    world.feed.watch(other)
    await settled(world)

    assert (wire.frames, len(stays.frames)) == ([], 1)


async def test_a_reading_that_fails_is_made_up_for_by_the_next(world: World) -> None:
    wire, outbox = world.wire()
    world.feed.watch(outbox)
    await settled(world)
    world.actors.faults["operator"] = TimedOut(command="ReadTree")
    world.change(mailbox=5)
    await world.read()
    world.actors.faults.clear()
    await world.read()
    whole, changed = wire.frames

    assert changed["rev"] == whole["rev"] + 1
    assert changed["actors"][0]["mailbox"] == 5


async def test_however_many_actors_there_are_a_frame_is_bounded(
    actors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PERIOD_SECONDS", 1_000.0)
    node = actors.operator
    many = [node.actor(f"/veza/root/rooms/{number:036}", "RoomActor") for number in range(3_000)]
    node.root = replace(node.root, children=tuple(many))
    for outbox_bytes, rows in ((1024 * 1024, MAX_ROWS), (64 * 1024, 64)):
        world = World(actors, outbox_bytes)
        wire, outbox = world.wire()
        world.feed.watch(outbox)
        await settled(world)
        await world.feed.stop()

        assert len(wire.frames[0]["actors"]) == rows
        assert wire.closed is None
        assert len(encode_frame(feed.TreeTold(**told(wire.frames[0])))) < rows * ROW_BYTES


def told(frame: Json) -> Json:
    named = {name: frame[name] for name in ("rev", "node", "actors", "gone")}
    return {**named, "is_full": frame["full"], "at": 0.0}


# --- over a real connection ---


async def send(socket: Any, kind: str, frame_id: str) -> Json:
    await socket.send_json({"t": kind, "id": frame_id, "d": {}})
    found: Json = await socket.receive_json()
    return found


async def test_staff_watch_and_stop_watching(api: Any, connect: Any, olga: Any) -> None:
    feed_of_app = api.client.server.app[TREE_FEED]
    socket = await connect(olga)

    assert await send(socket, "ops.watch", "w") == {"t": "ack", "id": "w", "d": {}}
    whole = await socket.receive_json()
    assert (whole["t"], whole["d"]["full"]) == ("ops.tree", True)
    assert whole["d"]["node"]["connections"] == 1
    changed = await socket.receive_json()
    assert (changed["d"]["full"], changed["d"]["rev"]) == (False, whole["d"]["rev"] + 1)
    assert await send(socket, "ops.unwatch", "u") == {"t": "ack", "id": "u", "d": {}}
    while feed_of_app.is_read:
        await asyncio.sleep(0.01)
    await socket.close()


@pytest.mark.parametrize("who", ["nobody", "ada"])
async def test_whoever_is_not_of_the_staff_watches_nothing(
    api: Any, connect: Any, actors: Any, ada: Any, who: str
) -> None:
    socket = await connect(ada if who == "ada" else None)

    refused = await send(socket, "ops.watch", "w")

    code = "forbidden" if who == "ada" else "unauthenticated"
    assert (refused["t"], refused["id"], refused["d"]["code"]) == ("error", "w", code)
    assert actors.operated == []
    await socket.close()


async def test_a_role_that_was_taken_away_ends_the_watch_when_it_is_asked_for_anew(
    api: Any, connect: Any, actors: Any, olga: Any
) -> None:
    socket = await connect(olga)
    await send(socket, "ops.watch", "1")
    await socket.receive_json()
    user, password = actors.users[olga.user.id]
    actors.users[user.id] = (replace(user, permissions=frozenset()), password)

    await socket.send_json({"t": "ops.watch", "id": "2", "d": {}})
    while (refused := await socket.receive_json())["t"] != "error":
        pass

    assert refused["d"]["code"] == "forbidden"
    while api.client.server.app[TREE_FEED].is_read:
        await asyncio.sleep(0.01)
    await socket.close()


async def test_signing_out_ends_the_watch(api: Any, connect: Any, olga: Any) -> None:
    socket = await connect(olga)
    await send(socket, "ops.watch", "1")
    await api("POST", "/api/v1/auth/logout", who=olga, status=204)

    async for _ in socket:
        pass
    while api.client.server.app[TREE_FEED].is_read:
        await asyncio.sleep(0.01)

    assert socket.close_code == 4506


@pytest.mark.parametrize("kind", ["ops.watch", "ops.unwatch"])
async def test_a_watch_takes_no_fields(connect: Any, olga: Any, kind: str) -> None:
    socket = await connect(olga)
    await socket.send_json({"t": kind, "id": "1", "d": {"under": "/veza"}})

    assert (await socket.receive_json())["d"]["code"] == "unknown_field"
    await socket.close()
