"""Targets whose faults are known, so that the tester can be held against them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from veza.config.ids import uuid7
from veza.gateway.load.checks import Stored
from veza.gateway.load.execution import judged, new_run
from veza.gateway.load.results import Probe
from veza.gateway.load.runner import Drive
from veza.gateway.load.scenario import Scenario, parsed
from veza.gateway.load.schedule import Arrival
from veza.gateway.load.targets import Killed, Run


class Quiet:
    """A target without a server behind it: nothing to read back, to kill or to look at."""

    def __init__(self, run: Run) -> None:
        self.run = run

    async def history(self, _room: int) -> list[Stored]:
        return []

    async def kill(self, _pattern: str, _dice: Random) -> Killed | None:
        return None

    async def finish(self) -> None:
        return None

    async def sample(self) -> dict[str, Any]:
        return {}

    def perform(self, _arrival: Arrival, probe: Probe) -> None:
        probe.sent()
        probe.done()


class OneLane(Quiet):
    """Serves one request at a time, in no time, and stalls once for a known while."""

    def __init__(self, run: Run, *, stall_at: float, stall_seconds: float) -> None:
        super().__init__(run)
        self.lane = asyncio.Lock()
        self.stall_at = stall_at
        self.stall_seconds = stall_seconds
        self.tasks: set[asyncio.Task[None]] = set()

    def perform(self, arrival: Arrival, probe: Probe) -> None:
        task = asyncio.create_task(self.serve(arrival, probe))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def serve(self, arrival: Arrival, probe: Probe) -> None:
        async with self.lane:
            probe.sent()
            if arrival.at_seconds >= self.stall_at:
                self.stall_at = float("inf")
                await asyncio.sleep(self.stall_seconds)
            probe.done()


class BlocksTheLoop(Quiet):
    """Keeps the tester itself from starting arrivals."""

    def perform(self, arrival: Arrival, probe: Probe) -> None:
        if arrival.number == 10:
            time.sleep(1.5)
        probe.done()


class Silent(Quiet):
    """Never answers."""

    def perform(self, _arrival: Arrival, probe: Probe) -> None:
        probe.sent()


class Refuses(Quiet):
    """Answers everything with an error."""

    def perform(self, _arrival: Arrival, probe: Probe) -> None:
        probe.sent()
        probe.fail("unavailable")


class Chat(Quiet):
    """A chat server in memory that treats each tenth message wrongly, in one known way."""

    def __init__(self, run: Run, flaw: str) -> None:
        super().__init__(run)
        self.flaw = flaw
        self.rooms: dict[int, list[Stored]] = {}
        self.held: dict[int, tuple[int, str]] = {}
        self.readers = {
            room: [run.ledger.join(user, room, 0) for user in users]
            for room, users in enumerate(run.plan.members)
        }

    def perform(self, arrival: Arrival, probe: Probe) -> None:
        probe.sent()
        room, log = arrival.room, self.rooms.setdefault(arrival.room, [])
        message, text = self.run.ledger.write(
            sender=arrival.user,
            room=room,
            message_id=uuid7(),
            intended=probe.intended,
            text_bytes=80,
        )
        flaw = self.flaw if message.n % 10 == 5 else ""
        seq = (log[-1].seq if log else 0) + 1
        if flaw not in {"loses", "forgets"}:
            log.append(Stored(seq, message.message_id, text))
        elif flaw == "forgets":
            log.append(Stored(seq, uuid7(), "somebody else's"))
        if flaw == "stores twice":
            log.append(Stored(seq + 1, message.message_id, text))
        self.run.ledger.acked(message, seq if flaw != "loses" else seq + 1_000_000)
        probe.done()
        if flaw != "loses":
            self.tell(room, seq, text, flaw)
        if flaw == "stores twice":
            self.tell(room, seq + 1, text, "")

    def tell(self, room: int, seq: int, text: str, flaw: str) -> None:
        for number, reader in enumerate(self.readers[room]):
            if flaw == "skips a member" and number == 0:
                continue
            if flaw == "reorders" and room not in self.held:
                self.held[room] = (seq, text)
                return
            self.run.ledger.delivered(reader, seq, text)
            if flaw == "tells twice" and number == 0:
                self.run.ledger.delivered(reader, seq, text)
        if flaw != "reorders" and room in self.held:
            late = self.held.pop(room)
            for reader in self.readers[room]:
                self.run.ledger.delivered(reader, *late)

    async def history(self, room: int) -> list[Stored]:
        return self.rooms[room]


SMALL: dict[str, Any] = {
    "scenario": "test",
    "seed": 3,
    "fixtures": {"users": 6, "rooms": 2},
    "arrivals": [{"constant": {"rate": 200, "for": "1s", "distribution": "even"}}],
    "mix": {"room.send": 1},
    "settle": "100ms",
    "timeout": "5s",
    # Tests run beside others; the one about lateness blocks for longer.
    "generator": {"late_p99": "1s"},
}

DriveIt = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def scenario() -> Callable[..., Scenario]:
    """A small scenario with some keys changed."""
    return lambda **changes: parsed({**SMALL, **changes}, "test")


@pytest.fixture
def drive(scenario: Callable[..., Scenario]) -> DriveIt:
    """Run a small scenario against a target of the test; return the judged result."""

    async def drive(make: Callable[[Run], Any], **changes: Any) -> dict[str, Any]:
        chosen = scenario(**changes)
        run = new_run(chosen)
        driving = Drive(run, make(run), {}, lambda _run, _sample, _now: None)
        await driving.drive()
        await driving.read_back()
        result = {
            "format": "veza-load/1",
            "name": "test",
            "target": chosen.target,
            "seconds": chosen.seconds,
            "warmup": chosen.warmup,
            "environment": {"scenario_hash": chosen.hash(), "seed": 3, "packages": {}},
            **driving.result(),
        }
        return judged(result, chosen, driving.aborted)

    return drive


@pytest.fixture
def targets() -> Any:
    """The targets with known faults, by name."""

    class Targets:
        quiet = Quiet
        one_lane = OneLane
        blocks_the_loop = BlocksTheLoop
        silent = Silent
        refuses = Refuses
        chat = Chat

    return Targets
