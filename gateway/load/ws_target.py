"""The target `ws`: every user holds one WebSocket, writes frames and checks what it is sent."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random
from time import monotonic
from typing import Any, Final
from uuid import UUID

import aiohttp
import orjson
from aiohttp import WSMsgType

from veza.actors.rate_limit import Rate, TokenBucket
from veza.config.ids import uuid7
from veza.gateway.load.checks import Message, Stored
from veza.gateway.load.network_targets import API, Network, in_groups
from veza.gateway.load.results import Probe
from veza.gateway.load.schedule import Arrival
from veza.gateway.load.seats import Entering, Frame, Seat
from veza.gateway.load.targets import Killed, Run, TargetError
from veza.gateway.wire.incoming import MAX_RESUMED

FRAMES: Final = Rate(per_second=19.0, burst=90)
"""A node takes 20 frames a second of a connection, 100 at once; we stay below."""
AGAIN_SECONDS: Final = (0.1, 2.0)
OPEN_SECONDS: Final = 20.0


class Client:
    """One user's connection: a reader, a writer that keeps the frame limit, and a seat that outlives it."""

    def __init__(self, network: Network, seat: Seat) -> None:
        self.network = network
        self.seat = seat
        self.run = seat.run
        self._outgoing: asyncio.Queue[tuple[str, Probe | None]] = asyncio.Queue()
        self._bucket = TokenBucket(FRAMES, monotonic())
        self._tasks: list[asyncio.Task[None]] = []
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._again: asyncio.Task[None] | None = None
        self._is_wanted = True
        self._changing = asyncio.Lock()

    async def open(self) -> None:
        """Connect, sign in and enter the user's rooms. Raises `TargetError`."""
        done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

        def entered(code: str | None) -> None:
            if not done.done():
                done.set_result(code)

        try:
            async with asyncio.timeout(OPEN_SECONDS):
                self._socket = await self._sign_in()
                self._tasks = [
                    asyncio.create_task(self._read(self._socket)),
                    asyncio.create_task(self._write(self._socket)),
                ]
                self._enter(entered)
                code = await done if self.seat.rooms else None
        except (aiohttp.ClientError, OSError, TimeoutError, TypeError) as error:
            raise TargetError("connection_lost") from error
        if code is not None:
            raise TargetError(code)

    def send(
        self, kind: str, d: Frame, on_answer: Callable[[Frame | None], None], probe: Probe | None
    ) -> None:
        """Queue a frame; the answer comes by the callback."""
        self._put(kind, self.seat.frame_id(on_answer), d, probe)

    async def reopen(self, probe: Probe | None = None) -> None:
        """Drop the connection and come back, to resume where the user stands; one at a time."""
        async with self._changing:
            if probe is not None:
                probe.sent()
            await self._drop()
            self._is_wanted = True
            await self.open()

    def recover(self) -> None:
        """Come back by and by, unless that is under way."""
        if self._again is None or self._again.done():
            self._again = asyncio.create_task(self._come_back())

    async def close(self) -> None:
        """End the connection for good."""
        if self._again is not None:
            self._again.cancel()
        await self._drop()

    async def _drop(self) -> None:
        self._is_wanted = False
        if self._socket is not None:
            with suppress(aiohttp.ClientError, OSError):
                await self._socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._outgoing = asyncio.Queue()
        self.seat.lose()

    async def _sign_in(self) -> aiohttp.ClientWebSocketResponse:
        api = self.network.api
        url = f"{api.url.replace('http', 'ws', 1)}{API}/ws?v=1"
        socket = await api.session(self.seat.user).ws_connect(url, max_msg_size=0)
        await socket.receive_json(loads=orjson.loads)
        d = {"token": api.tokens[self.seat.user], "batch": True}
        self._bucket = TokenBucket(FRAMES, monotonic())
        await socket.send_str(orjson.dumps({"t": "auth", "id": "auth", "d": d}).decode())
        answer = await socket.receive_json(loads=orjson.loads)
        if answer["t"] != "ready":
            await socket.close()
            raise TargetError(answer["d"].get("code", "no_ready"))
        return socket

    def _enter(self, on_done: Callable[[str | None], None]) -> None:
        """Go on in the rooms this user was in, and join the others."""
        entering = Entering(self.seat, on_done)
        known = []
        for room in self.seat.rooms:
            position = self.seat.position(room)
            if position is None:
                self._put("room.join", entering.join(), {"room": room})
            else:
                since = {"epoch": str(position[0]), "seq": position[1]}
                known.append({"room": room, "since": since})
        for first in range(0, len(known), MAX_RESUMED):
            part = known[first : first + MAX_RESUMED]
            self._put("resume", entering.resume(), {"rooms": part})

    def _put(self, kind: str, frame_id: str, d: Frame, probe: Probe | None = None) -> None:
        frame = {"t": kind, "id": frame_id, "d": d}
        self._outgoing.put_nowait((orjson.dumps(frame).decode(), probe))

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                for line in message.data.split("\n"):
                    self.seat.take(orjson.loads(line))
        if self._is_wanted:
            self.run.count(f"closed_{socket.close_code}")
            self.recover()

    async def _write(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        outgoing = self._outgoing
        while not socket.closed:
            text, probe = await outgoing.get()
            wait = self._bucket.take(monotonic())
            while wait > 0:
                self.run.count("frames_paced")
                self.run.note(
                    "frames waited for the node's limit of 20/s a connection: more users needed"
                )
                await asyncio.sleep(wait)
                wait = self._bucket.take(monotonic())
            if probe is not None:
                probe.sent()
            with suppress(aiohttp.ClientError, OSError):  # the reader notices, and comes back
                await socket.send_str(text)

    async def _come_back(self) -> None:
        wait, longest = AGAIN_SECONDS
        while self._socket is None or self._socket.closed:
            await asyncio.sleep(wait)
            wait = min(longest, 2 * wait)
            with suppress(TargetError):
                await self.reopen()


class WsTarget:
    """Users at WebSockets through the gateway."""

    def __init__(self, run: Run, network: Network) -> None:
        self.run = run
        self.network = network
        self.clients: list[Client] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def prepare(self) -> None:
        """Connect every user."""
        for user in range(self.run.scenario.fixtures.users):
            rooms = {self.network.room_ids[room]: room for room in self.run.plan.rooms_of(user)}
            self.clients.append(Client(self.network, Seat(self.run, user, rooms)))
        await in_groups([client.open() for client in self.clients])

    async def close(self) -> None:
        """Disconnect everybody."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await in_groups([client.close() for client in self.clients])

    async def finish(self) -> None:
        """Wait for reconnects under way."""
        await asyncio.gather(*self._tasks)

    def perform(self, arrival: Arrival, probe: Probe) -> None:
        """Start an arrival."""
        client = self.clients[arrival.user]
        if arrival.operation == "reconnect":
            task = asyncio.create_task(self._reconnect(client, probe))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif arrival.operation == "room.send":
            self._send(client, arrival, probe)
        else:
            d = {
                "room": self.network.room_ids[arrival.room],
                "limit": self.run.scenario.history_limit,
            }
            client.send("room.history", d, partial(answered, probe), probe)

    async def history(self, room: int) -> list[Stored]:
        """Read all messages of a room, over REST."""
        return await self.network.history(room)

    async def kill(self, pattern: str, dice: Random) -> Killed | None:
        """Kill an actor of the node."""
        return await self.network.kill(pattern, dice)

    async def sample(self) -> dict[str, Any]:
        """Return the node's figures."""
        return await self.network.sample()

    def _send(self, client: Client, arrival: Arrival, probe: Probe) -> None:
        message_id: UUID = uuid7()
        message, text = self.run.ledger.write(
            sender=arrival.user,
            room=arrival.room,
            message_id=message_id,
            intended=probe.intended,
            text_bytes=self.run.scenario.text_bytes,
        )
        room = self.network.room_ids[arrival.room]
        d = {"room": room, "message_id": str(message_id), "text": text}
        client.send("message.send", d, partial(self._acked, message, probe), probe)

    def _acked(self, message: Message, probe: Probe, frame: Frame | None) -> None:
        if frame is not None and frame["t"] == "ack":
            self.run.ledger.acked(message, frame["d"]["seq"])
        answered(probe, frame)

    async def _reconnect(self, client: Client, probe: Probe) -> None:
        try:
            await client.reopen(probe)
        except TargetError as error:
            probe.fail(str(error))
            client.recover()
        else:
            probe.done()


def answered(probe: Probe, frame: Frame | None) -> None:
    """End an arrival with its answer."""
    if frame is None:
        probe.fail("connection_lost")
    elif frame["t"] == "ack":
        probe.done()
    else:
        probe.fail(frame["d"]["code"])
