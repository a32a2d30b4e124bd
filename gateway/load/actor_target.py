"""The target `actors`: a node in the tester's own process, driven by actors inside it, past the gateway."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from time import monotonic
from typing import Any, Final
from uuid import UUID

from veza.actors.fanout import FanOut, FanOutLimits
from veza.actors.load import DriverPool, short_track
from veza.actors.messages.accounts import ACCOUNTS, Author, Proof, RegisterAccount, SignedIn, SignIn
from veza.actors.messages.common import Key
from veza.actors.messages.load import DriveCommand
from veza.actors.messages.rooms import (
    ActInRoom,
    EventKind,
    EventsRead,
    EventStored,
    PostMessage,
    ReadEvents,
    RoomKind,
    RoomSettings,
)
from veza.actors.messages.rooms_service import (
    ROOMS,
    CreateRoom,
    ListRooms,
    RoomDescribed,
    RoomsListed,
)
from veza.actors.messages.tracks import (
    CATALOGUE,
    MEDIA,
    ChunkWritten,
    DescribeTrack,
    ListTracks,
    PublishUpload,
    TrackAccepted,
    TrackDescribed,
    TracksListed,
    WriteChunk,
)
from veza.config.ids import uuid7
from veza.config.settings import Settings
from veza.gateway.load.actor_lines import Lines, failure
from veza.gateway.load.checks import Message, Stored
from veza.gateway.load.meters import LagMeter, ProcessMeter, machine_percent
from veza.gateway.load.patience import patiently
from veza.gateway.load.results import Probe
from veza.gateway.load.schedule import Arrival
from veza.gateway.load.seats import Seat
from veza.gateway.load.targets import Killed, Run, TargetError, matches
from veza.gateway.load.tracks import Outcome, follow
from veza.gateway.wire import encode_frame
from veza.supervisors.boot import running_node
from veza.supervisors.database import DatabaseKeeper
from veza.supervisors.node import Node

PASSWORD: Final = "only for this load test"  # noqa: S105  # of accounts in a node of our own
CHUNK_BYTES: Final = 256 * 1024
PAGE: Final = 200
TOP: Final = 3
AGAIN_SECONDS: Final = 0.1
SETUP_SECONDS: Final = 60.0
ROOM_LOG: Final[Key] = ("room_log", "")


class ActorTarget:
    """Rooms, sessions and services of one node, asked by driver actors."""

    def __init__(self, run: Run, node: Node, fan_out: FanOut) -> None:
        self.run = run
        self.node = node
        self.fan_out = fan_out
        self.authors: list[Author] = []
        self.room_ids: list[UUID] = []
        self.tracks: list[UUID] = []
        self.lines: Lines | None = None
        self.pool: DriverPool | None = None
        self.lag = LagMeter()
        self.meter = ProcessMeter(os.getpid())
        self.track_bytes = b""
        self._tasks: set[asyncio.Task[None]] = set()
        self._operations: dict[str, Callable[[Arrival, Probe], None]] = {
            "room.send": self._send,
            "room.history": self._history,
            "rooms.list": self._rooms_list,
            "tracks.list": self._tracks_list,
            "track.playback": self._playback,
            "login": self._login,
            "reconnect": self._reconnect,
            "upload": self._upload,
        }

    # --- before and after ---

    async def prepare(self) -> None:
        """Make accounts, rooms, tracks and drivers, and let every user enter its rooms."""
        plan, fixtures = self.run.plan, self.run.scenario.fixtures
        for user in range(fixtures.users):
            self.authors.append(await self._register(f"load-{self.run.name}-{user}"))
        for room in range(fixtures.rooms):
            self.room_ids.append(await self._create_room(room))
        if fixtures.tracks or "upload" in self.run.scenario.mix:
            seconds = self.run.scenario.track_seconds
            self.track_bytes = await asyncio.to_thread(short_track, seconds)
        for _ in range(fixtures.tracks):
            self.tracks.append(await self._make_track())
        self.pool = DriverPool(self.node.runtime, tuple(self.authors))
        self.lines = Lines(self.run, self.pool, self.fan_out)
        for user in range(fixtures.users):
            rooms = {str(self.room_ids[room]): room for room in plan.rooms_of(user)}
            await self.lines.add(Seat(self.run, user, rooms))

    async def finish(self) -> None:
        """Wait for what arrivals began and still goes on."""
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """End the drivers and with them their sessions."""
        self.lag.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.lines is not None:
            self.lines.close()
        if self.pool is not None:
            self.pool.stop()

    # --- what the generator asks for ---

    def perform(self, arrival: Arrival, probe: Probe) -> None:
        """Start an arrival."""
        self._operations[arrival.operation](arrival, probe)

    async def history(self, room: int) -> list[Stored]:
        """Read all messages of a room from the room log."""
        found: list[Stored] = []
        after = 0
        while True:
            read = ReadEvents(room_id=self.room_ids[room], after_seq=after, limit=PAGE)
            events = (await patiently(partial(self._ask, ROOM_LOG, read, EventsRead))).events
            found += [
                Stored(event.seq, UUID(str(event.message_id)), event.text)
                for event in events
                if event.kind is EventKind.MESSAGE_POSTED
            ]
            if len(events) < PAGE:
                return found
            after = events[-1].seq

    async def kill(self, pattern: str, _dice: Random) -> Killed | None:
        """Kill an actor through the runtime."""
        path = self._pool().kill(partial(matches, pattern=pattern))
        if path is None:
            return None
        numbers = {str(room): number for number, room in enumerate(self.room_ids)}
        return Killed(path, numbers.get(path.rpartition("/")[2]))

    async def sample(self) -> dict[str, Any]:
        """Return the figures of the node, which shares its process with the tester."""
        figures = await self._pool().figures(TOP)
        return {
            "loop_lag_ms": self.lag.look(),
            "machine_cpu_percent": machine_percent(),
            **self.meter.look(),
            **figures,
        }

    # --- operations ---

    def _drive(
        self, user: int, probe: Probe, key: Key, command: object, expected: type[Any]
    ) -> None:
        self._tell(user, probe, key, command, partial(self._answered, probe, expected))

    def _tell(
        self, user: int, probe: Probe, key: Key, command: object, report: Callable[[object], None]
    ) -> None:
        probe.sent()
        drive = DriveCommand(
            key=key, command=command, timeout_seconds=self.run.scenario.timeout, report=report
        )
        self._pool().tell(user, drive)

    def _answered(self, probe: Probe, expected: type[Any], reply: object) -> None:
        if isinstance(reply, expected):
            probe.done()
        else:
            probe.fail(failure(reply))

    def _send(self, arrival: Arrival, probe: Probe) -> None:
        message_id = uuid7()
        message, text = self.run.ledger.write(
            sender=arrival.user,
            room=arrival.room,
            message_id=message_id,
            intended=probe.intended,
            text_bytes=self.run.scenario.text_bytes,
        )
        author = self.authors[arrival.user]
        post = ActInRoom(by=author, act=PostMessage(message_id=message_id, text=text))
        key = ("room", str(self.room_ids[arrival.room]))
        self._tell(arrival.user, probe, key, post, partial(self._stored, message, probe))

    def _stored(self, message: Message, probe: Probe, reply: object) -> None:
        if isinstance(reply, EventStored):
            self.run.ledger.acked(message, reply.event.seq)
        self._answered(probe, EventStored, reply)

    def _history(self, arrival: Arrival, probe: Probe) -> None:
        limit = self.run.scenario.history_limit
        read = ReadEvents(room_id=self.room_ids[arrival.room], limit=limit)
        self._drive(arrival.user, probe, ROOM_LOG, read, EventsRead)

    def _rooms_list(self, arrival: Arrival, probe: Probe) -> None:
        command = ListRooms(before=None, limit=51)
        self._drive(arrival.user, probe, ROOMS, command, RoomsListed)

    def _tracks_list(self, arrival: Arrival, probe: Probe) -> None:
        viewer = self.authors[arrival.user].id
        command = ListTracks(viewer_id=viewer, before=None, limit=51)
        self._drive(arrival.user, probe, CATALOGUE, command, TracksListed)

    def _playback(self, arrival: Arrival, probe: Probe) -> None:
        track = self.tracks[arrival.number % len(self.tracks)]
        command = DescribeTrack(track_id=track, viewer_id=self.authors[arrival.user].id)
        self._drive(arrival.user, probe, CATALOGUE, command, TrackDescribed)

    def _login(self, arrival: Arrival, probe: Probe) -> None:
        name = self.authors[arrival.user].name
        command = SignIn(login=name, proof=Proof(password=PASSWORD), user_agent="veza load")
        self._drive(arrival.user, probe, ACCOUNTS, command, SignedIn)

    def _reconnect(self, arrival: Arrival, probe: Probe) -> None:
        probe.sent()
        if self.lines is not None:
            self.lines.connect(
                arrival.user, lambda code: probe.fail(code) if code else probe.done()
            )

    def _upload(self, arrival: Arrival, probe: Probe) -> None:
        self._spawn(self._publish(arrival, probe))

    async def _publish(self, arrival: Arrival, probe: Probe) -> None:
        probe.sent()
        try:
            track = await self._store_track(self.authors[arrival.user])
        except TargetError as error:
            probe.fail(str(error))
            return
        probe.done()
        await follow(probe, partial(self._state, track, self.authors[arrival.user]))

    # --- how it is done ---

    async def _register(self, name: str) -> Author:
        command = RegisterAccount(
            username=name,
            email=f"{name}@load.invalid",
            password=PASSWORD,
            user_agent="veza load",
        )
        signed_in = await self._ask(ACCOUNTS, command, SignedIn)
        return Author(id=signed_in.user.id, name=name)

    async def _create_room(self, room: int) -> UUID:
        creator = self.authors[self.run.plan.members[room][0]]
        settings = RoomSettings(name=f"Load {room}", kind=RoomKind.PUBLIC)
        command = CreateRoom(room_id=uuid7(), creator=creator, settings=settings)
        described = await self._ask(ROOMS, command, RoomDescribed)
        return UUID(str(described.room.id))

    async def _make_track(self) -> UUID:
        track = await self._store_track(self.authors[0])
        deadline = monotonic() + SETUP_SECONDS
        while await self._state(track, self.authors[0]) is not Outcome.PUBLISHED:
            if monotonic() > deadline:
                raise TargetError("the tracks of the fixtures were not published in a minute")
            await asyncio.sleep(AGAIN_SECONDS)
        return track

    async def _store_track(self, owner: Author) -> UUID:
        upload_id, data = uuid7(), self.track_bytes
        for offset in range(0, len(data), CHUNK_BYTES):
            chunk = data[offset : offset + CHUNK_BYTES]
            command = WriteChunk(upload_id=upload_id, offset=offset, data=chunk)
            await self._ask(MEDIA, command, ChunkWritten)
        publish = PublishUpload(
            track_id=uuid7(),
            upload_id=upload_id,
            owner=owner,
            title="Load",
            filename="load.wav",
        )
        accepted = await self._ask(CATALOGUE, publish, TrackAccepted)
        return UUID(str(accepted.track.id))

    async def _state(self, track: UUID, owner: Author) -> Outcome:
        command = DescribeTrack(track_id=track, viewer_id=owner.id)
        described = await self._ask(CATALOGUE, command, TrackDescribed)
        return Outcome.of(described.track.state)

    async def _ask(self, key: Key, command: object, expected: type[Any]) -> Any:
        reply = await self.node.ask(key, command, self.run.scenario.timeout)
        if not isinstance(reply, expected):
            raise TargetError(failure(reply))
        return reply

    def _pool(self) -> DriverPool:
        if self.pool is None:
            raise TargetError("the drivers are not started")
        return self.pool

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@asynccontextmanager
async def actor_target(
    run: Run, settings: Settings, dsn: str, keeper: DatabaseKeeper
) -> AsyncIterator[ActorTarget]:
    """Lend a target that is ready, on a node that lives as long."""
    loop = asyncio.get_running_loop()
    limits = FanOutLimits(outbox_bytes=settings.ws_outbox_bytes)
    fan_out = FanOut(encode_frame, loop.call_soon, limits)
    async with running_node(settings, dsn, keeper, fan_out) as node:
        target = ActorTarget(run, node, fan_out)
        try:
            await target.prepare()
            yield target
        finally:
            await target.close()
