"""The target `rest`: HTTP requests over a bounded number of connections.

An arrival that finds all connections busy waits for one. That wait is in its latency and not in its
service time: the user waits for the answer, whoever is to blame.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any

from veza.config.ids import uuid7
from veza.gateway.load.api_client import ApiError
from veza.gateway.load.checks import Stored
from veza.gateway.load.network_targets import API, PASSWORD, Network
from veza.gateway.load.results import Probe
from veza.gateway.load.schedule import Arrival
from veza.gateway.load.targets import Killed, Run, TargetError
from veza.gateway.load.tracks import follow


class RestTarget:
    """Operations as requests."""

    def __init__(self, run: Run, network: Network) -> None:
        self.run = run
        self.network = network
        self.connections = asyncio.Semaphore(run.scenario.connections)
        self._tasks: set[asyncio.Task[None]] = set()
        self._operations: dict[str, Callable[[Arrival, Probe], Awaitable[None]]] = {
            "room.send": self._send,
            "room.history": self._history,
            "rooms.list": partial(self._get, path="/rooms"),
            "tracks.list": partial(self._get, path="/tracks"),
            "track.playback": self._playback,
            "login": self._login,
            "upload": self._upload,
            "ops.tree": self._ops_tree,
        }

    async def prepare(self) -> None:
        """Enter the rooms."""
        await self.network.join_all()

    async def close(self) -> None:
        """End what is still under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def finish(self) -> None:
        """Wait for uploads that are not published yet."""
        await asyncio.gather(*self._tasks)

    def perform(self, arrival: Arrival, probe: Probe) -> None:
        """Start an arrival."""
        task = asyncio.create_task(self._perform(arrival, probe))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def history(self, room: int) -> list[Stored]:
        """Read all messages of a room."""
        return await self.network.history(room)

    async def kill(self, pattern: str, dice: Random) -> Killed | None:
        """Kill an actor of the node."""
        return await self.network.kill(pattern, dice)

    async def sample(self) -> dict[str, Any]:
        """Return the node's figures."""
        return await self.network.sample()

    async def call(self, probe: Probe, method: str, path: str, user: int, **options: Any) -> Any:
        """Send one request when a connection is free; behaviours may use it too."""
        async with self.connections:
            probe.sent()
            return await self.network.api.call(method, path, user, **options)

    async def _perform(self, arrival: Arrival, probe: Probe) -> None:
        try:
            await self._operations[arrival.operation](arrival, probe)
        except TargetError as error:
            probe.fail(error.code if isinstance(error, ApiError) else "unavailable")

    async def _send(self, arrival: Arrival, probe: Probe) -> None:
        message_id = uuid7()
        message, text = self.run.ledger.write(
            sender=arrival.user,
            room=arrival.room,
            message_id=message_id,
            intended=probe.intended,
            text_bytes=self.run.scenario.text_bytes,
        )
        path = f"{API}/rooms/{self.network.room_ids[arrival.room]}/messages"
        body = {"message_id": str(message_id), "text": text}
        answer = await self.call(probe, "POST", path, arrival.user, body=body)
        self.run.ledger.acked(message, answer["seq"])
        probe.done()

    async def _get(self, arrival: Arrival, probe: Probe, *, path: str) -> None:
        await self.call(probe, "GET", f"{API}{path}", arrival.user)
        probe.done()

    async def _history(self, arrival: Arrival, probe: Probe) -> None:
        room, limit = self.network.room_ids[arrival.room], self.run.scenario.history_limit
        await self._get(arrival, probe, path=f"/rooms/{room}/messages?limit={limit}")

    async def _playback(self, arrival: Arrival, probe: Probe) -> None:
        track = self.network.tracks[arrival.number % len(self.network.tracks)]
        await self._get(arrival, probe, path=f"/tracks/{track}/playback")

    async def _login(self, arrival: Arrival, probe: Probe) -> None:
        body = {"login": self.network.user_names[arrival.user], "password": PASSWORD}
        await self.call(probe, "POST", f"{API}/auth/login", arrival.user, body=body)
        probe.done()

    async def _ops_tree(self, _arrival: Arrival, probe: Probe) -> None:
        if self.network.ops is None:
            raise TargetError("ops.tree needs the node's data folder")
        probe.sent()
        await self.network.ops.tree()
        probe.done()

    async def _upload(self, arrival: Arrival, probe: Probe) -> None:
        async with self.connections:
            probe.sent()
            track = await self.network.store_track(arrival.user)
        probe.done()
        await follow(probe, partial(self.network.state, track, arrival.user))
