"""The targets that are reached over the network: what both need before, during and after a run."""

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Final
from uuid import UUID

import aiohttp

from veza.actors.load import short_track
from veza.gateway.load.api_client import ApiClient, ApiError
from veza.gateway.load.checks import Stored
from veza.gateway.load.meters import ProcessMeter, machine_percent
from veza.gateway.load.ops_socket import OpsSocket, opened_socket
from veza.gateway.load.patience import patiently
from veza.gateway.load.targets import Killed, Run, TargetError
from veza.gateway.load.tracks import Outcome

API: Final = "/api/v1"
PASSWORD: Final = "only for this load test"  # noqa: S105  # of accounts that say `load` in their names
TOGETHER: Final = 16
SETUP_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node is. With `data` its operators' socket can be used, with `pid` it can be measured."""

    url: str
    data: Path | None
    pid: int | None


class Network:
    """Accounts, rooms and tracks at a node, its history, its figures and its faults."""

    def __init__(self, run: Run, place: Place) -> None:
        scenario = run.scenario
        self.run = run
        self.place = place
        self.api = ApiClient(
            place.url,
            users=scenario.fixtures.users,
            connections=scenario.connections,
            timeout_seconds=scenario.timeout,
        )
        self.user_names = [f"load-{run.name}-{user}" for user in range(scenario.fixtures.users)]
        self.room_ids: list[str] = []
        self.tracks: list[str] = []
        self.track_bytes = b""
        self.ops: OpsSocket | None = None
        self._open = AsyncExitStack()
        self.meter: ProcessMeter | None = None
        self.own_meter = ProcessMeter(os.getpid())

    async def prepare(self) -> None:
        """Make accounts, rooms and tracks."""
        await self.api.check()
        if self.place.data is not None:
            opening = opened_socket(self.place.data)
            self.ops = await self._open.enter_async_context(opening)
        if self.place.pid is not None:
            self.meter = ProcessMeter(self.place.pid)
        await self._check_ops()
        fixtures = self.run.scenario.fixtures
        await in_groups([self._register(user) for user in range(fixtures.users)])
        self.room_ids = [await self._create_room(room) for room in range(fixtures.rooms)]
        await self._check_limits()
        if fixtures.tracks or "upload" in self.run.scenario.mix:
            seconds = self.run.scenario.track_seconds
            self.track_bytes = await asyncio.to_thread(short_track, seconds)
        for _ in range(fixtures.tracks):
            self.tracks.append(await self._make_track())

    async def join_all(self) -> None:
        """Let every user become a member of its rooms."""
        await in_groups(
            [
                self.api.patient("PUT", f"{API}/rooms/{self.room_ids[room]}/members/me", user, None)
                for room, users in enumerate(self.run.plan.members)
                for user in users
            ]
        )

    async def close(self) -> None:
        """Let go of the operators' socket."""
        await self._open.aclose()

    async def history(self, room: int) -> list[Stored]:
        """Read all messages of a room, page by page."""
        reader = self.run.plan.members[room][0]
        path = f"{API}/rooms/{self.room_ids[room]}/messages?limit=200"
        page = await self._page(f"{path}&after_seq=0", reader)
        found: list[Stored] = []
        while True:
            found += [
                Stored(each["seq"], UUID(each["message_id"]), each["text"]) for each in page["data"]
            ]
            if page["next_cursor"] is None:
                return found
            page = await self._page(f"{path}&cursor={page['next_cursor']}", reader)

    async def _page(self, path: str, reader: int) -> Any:
        return await patiently(partial(self.api.call, "GET", path, reader))

    async def kill(self, pattern: str, _dice: Random) -> Killed | None:
        """Kill an actor through the operators' socket."""
        if self.ops is None:
            raise TargetError("faults need the node's data folder: give --data")
        path = await self.ops.kill(pattern)
        if path is None:
            return None
        numbers = {room: number for number, room in enumerate(self.room_ids)}
        return Killed(path, numbers.get(path.rpartition("/")[2]))

    async def sample(self) -> dict[str, Any]:
        """Return what can be seen of the node."""
        figures: dict[str, Any] = {} if self.meter is None else self.meter.look()
        figures["machine_cpu_percent"] = machine_percent()
        figures["tester_cpu_percent"] = self.own_meter.look().get("cpu_percent", 0.0)
        if self.ops is not None:
            try:
                figures |= await self.ops.figures()
            except TargetError as error:
                self.run.note(f"server view: {error}")
        return figures

    async def store_track(self, user: int) -> str:
        """Upload the track as a user; return its id."""
        form = aiohttp.FormData()
        form.add_field("title", "Load")
        form.add_field("file", self.track_bytes, filename="load.wav", content_type="audio/wav")
        accepted = await self.api.call("POST", f"{API}/tracks", user, form=form)
        return str(accepted["track"]["id"])

    async def state(self, track: str, user: int) -> Outcome:
        """Say how far a track is."""
        return Outcome.of((await self.api.call("GET", f"{API}/tracks/{track}", user))["state"])

    async def _register(self, user: int) -> None:
        name = self.user_names[user]
        body = {"username": name, "email": f"{name}@load.invalid", "password": PASSWORD}
        answer = await self.api.patient("POST", f"{API}/auth/register", user, body)
        self.api.tokens[user] = answer["access_token"]

    async def _create_room(self, room: int) -> str:
        creator = self.run.plan.members[room][0]
        body = {"name": f"Load {room}", "kind": "public"}
        return str((await self.api.patient("POST", f"{API}/rooms", creator, body))["id"])

    async def _make_track(self) -> str:
        track = await self.store_track(0)
        deadline = monotonic() + SETUP_SECONDS
        while await self.state(track, 0) is not Outcome.PUBLISHED:
            if monotonic() > deadline:
                raise TargetError("the tracks of the fixtures were not published in a minute")
            await asyncio.sleep(LOOK_SECONDS)
        return track

    async def _check_ops(self) -> None:
        """Find out before the load whether faults can be done."""
        if self.run.scenario.faults:
            if self.ops is None:
                raise TargetError("faults need the node's data folder: give --data")
            await self.ops.tree()

    async def _check_limits(self) -> None:
        """Say which of the node's limits this scenario will meet."""
        limits = (await self.api.call("GET", f"{API}/instance"))["limits"]
        scenario = self.run.scenario
        weights = sum(each.weight for each in scenario.mix.values())
        sends = scenario.mix["room.send"].weight / weights if "room.send" in scenario.mix else 0
        per_user = scenario.highest_rate * sends / scenario.fixtures.users
        if per_user > limits["messages_per_10s"] / 10:
            self.run.note(
                f"the node lets a user write {limits['messages_per_10s']} messages in 10 s in a room;"
                f" this scenario writes up to {per_user:.1f}/s each: expect rate_limited"
            )


async def in_groups(work: list[Any]) -> None:
    """Await many things, a few at a time; the first failure ends it."""
    gate = asyncio.Semaphore(TOGETHER)

    async def one(each: Any) -> None:
        async with gate:
            await each

    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(one(each))


def flattened(group: ExceptionGroup[Exception]) -> Exception:
    """Return the first failure of a group, for people."""
    first = group.exceptions[0]
    return first if isinstance(first, ApiError | TargetError) else TargetError(str(first))
