"""The people of the benchmark: how they enter a node or a peer, and what they see there."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
from chat_line import POSTED, Line, masked, said
from chat_server import Server

OPEN_AT_ONCE = 64
OPEN_SECONDS = 300.0
BODY_CHARS = 128
_TEXT = b'"text":"'


def now_us() -> int:
    return time.perf_counter_ns() // 1000


class Seat:
    """One person on one connection: answers by frame id, and what became of messages with a stamp."""

    def __init__(self, room: str, number: int, person: int) -> None:
        self.room = room
        self.number = number
        self.person = person
        self.tag = f"{number:05d}".encode()
        self.line: Line
        self.entered: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.on_answer: Callable[[str, dict[str, Any]], None] | None = None
        self.on_own: Callable[[int], None] | None = None
        self.waits_us: list[int] | None = None
        self.seq = 0
        self.holes = 0
        self.position: dict[str, Any] | None = None
        self.recovered = True
        self.ended_at: float | None = None

    def on_frame(self, payload: bytes) -> None:
        if POSTED in payload:
            self._on_posted(payload)
        elif b'"id"' in payload or b'"ready"' in payload or b'"error"' in payload:
            frame = json.loads(payload)
            if frame.get("id") == "auth" and frame["t"] == "error":
                if not self.entered.done():
                    self.entered.set_exception(ConnectionRefusedError(frame["d"]["code"]))
                self.line.transport.abort()
            elif frame.get("id") == "join" or (
                frame["t"] == "ready" and "session" not in frame["d"]
            ):
                self._on_entered(frame)
            elif self.on_answer is not None:
                self.on_answer(frame["t"], frame)

    def _on_entered(self, frame: dict[str, Any]) -> None:
        if self.entered.done():
            return
        if frame["t"] == "error":
            self.entered.set_exception(RuntimeError(str(frame)))
            return
        where = frame["d"]
        if "rooms" in where:
            (where,) = where["rooms"]
            self.recovered = where["recovered"]
        if "epoch" in where:
            self.position = {"epoch": where["epoch"], "seq": where["seq"]}
        self.entered.set_result(time.perf_counter())

    def _on_posted(self, payload: bytes) -> None:
        at = payload.find(_TEXT) + len(_TEXT)
        if self.waits_us is not None:
            self.waits_us.append(now_us() - int(payload[at : at + 16]))
        if self.on_own is not None and payload[at + 17 : at + 22] == self.tag:
            self.on_own(int(payload[at : at + 16]))
        at = payload.find(b'"seq":') + 6
        seq = int(payload[at : payload.find(b",", at)])
        self.holes += bool(self.seq) and seq != self.seq + 1
        self.seq = seq

    def on_end(self, line: Line, code: int | None) -> None:
        self.ended_at = time.perf_counter()
        if not self.entered.done():
            self.entered.set_exception(ConnectionResetError(code))

    def say(self, frame_id: str | None = None, chars: int = BODY_CHARS) -> None:
        """Send a message that carries when and by whom it was sent."""
        text = f"{now_us():016d} {self.number:05d} ".ljust(chars, "x")
        d = {"room": self.room, "message_id": str(uuid4()), "text": text}
        self.line.transport.write(said("message.send", d, frame_id))


class Place(Protocol):
    """Where people meet: a node or a peer."""

    name: str
    server: Server

    async def rooms(self, count: int) -> list[str]:
        """Make rooms."""

    async def enter(self, seat: Seat) -> None:
        """Connect and be in the room; raises `ConnectionError` when turned away."""


async def connect(server: Server, seat: Seat, path: str, first: bytes) -> None:
    address = urlsplit(server.address)
    _transport, seat.line = await asyncio.get_running_loop().create_connection(
        lambda: Line(path, first, seat.on_frame, seat.on_end), "127.0.0.1", address.port
    )
    await seat.entered


@dataclass
class Peer:
    """A server that only relays: a room is a path."""

    name: str
    server: Server

    async def rooms(self, count: int) -> list[str]:
        return [str(uuid4()) for _ in range(count)]

    async def enter(self, seat: Seat) -> None:
        await connect(self.server, seat, f"/ws?room={seat.room}", b"")


PEOPLE = 50
ROOM_PEOPLE = 5


@dataclass
class Node:
    """A node: people with accounts, sessions, memberships."""

    server: Server
    name: str = "veza"
    tokens: list[str] = field(default_factory=list)
    batch: bool = True

    async def sign_up(self) -> None:
        async with aiohttp.ClientSession(self.server.address) as session:
            for number in range(PEOPLE):
                body = {
                    "username": f"bench{number}",
                    "email": f"bench{number}@example.org",
                    "password": "correct horse battery",
                }
                async with session.post("/api/v1/auth/register", json=body) as answer:
                    self.tokens.append((await answer.json())["access_token"])

    async def rooms(self, count: int) -> list[str]:
        headers = {"Authorization": f"Bearer {self.tokens[0]}"}
        made = []
        async with aiohttp.ClientSession(self.server.address, headers=headers) as session:
            for number in range(count):
                body = {"name": f"Room {number}", "kind": "public"}
                async with session.post("/api/v1/rooms", json=body) as answer:
                    made.append((await answer.json())["id"])
        return made

    async def enter(self, seat: Seat) -> None:
        token = self.tokens[seat.person]
        auth = said("auth", {"token": token, "batch": self.batch}, "auth")
        if seat.position is None:
            join = said("room.join", {"room": seat.room}, "join")
        else:
            known = {"room": seat.room, "since": seat.position}
            join = said("resume", {"rooms": [known]}, "join")
        await connect(self.server, seat, "/api/v1/ws?v=1", auth + join)


async def fill(place: Place, rooms: list[str], per_room: int) -> list[Seat]:
    """Open so many connections in each room, of five people: nobody is in more than a few rooms.

    One of each first: only who is no member yet is counted as joining.
    """
    seats = [
        Seat(room, index * per_room + number, (ROOM_PEOPLE * index + number % ROOM_PEOPLE) % PEOPLE)
        for index, room in enumerate(rooms)
        for number in range(per_room)
    ]
    first = [seat for seat in seats if seat.number % per_room < ROOM_PEOPLE]
    await enter_all(place, first)
    await enter_all(place, [seat for seat in seats if seat.number % per_room >= ROOM_PEOPLE])
    return seats


async def enter_all(place: Place, seats: list[Seat], at_once: int = OPEN_AT_ONCE) -> None:
    gate = asyncio.Semaphore(at_once)

    async def enter(seat: Seat) -> None:
        async with gate:
            await place.enter(seat)

    async with asyncio.timeout(OPEN_SECONDS):
        await asyncio.gather(*(enter(seat) for seat in seats))


async def leave(seats: list[Seat]) -> None:
    """Close politely, so that the next measurement begins on a quiet server."""
    for seat in seats:
        seat.line.transport.write(masked(8, (1000).to_bytes(2, "big")))
    await until(lambda: all(seat.ended_at is not None for seat in seats), 10.0)


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Look every few milliseconds; return whether it came true in time."""
    deadline = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True
