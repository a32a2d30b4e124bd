"""What may go wrong, as data: each fault strikes the world and returns once it is over; mixes name them.

A new fault is a function and a line in `FAULTS`. It returns what it struck, or None: there was nothing
to strike at this moment.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from soak.database import AWAY
from soak.world import World, family, send

from veza.gateway.cli.outcome import CommandError

DATABASE_BACK_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.05
LONGEST_STOP_SECONDS: Final = 2.0
AWAY_SECONDS: Final = (0.0, 0.5)
MOST_LOST: Final = 3
LOSING_SECONDS: Final = 2.0
FIRST_SECONDS: Final = (1.0, 2.5)
PAUSES_SECONDS: Final = ((0.1, 0.8), (1.5, 4.5))
"""Some faults strike while the last one is still felt, most when it is over."""
QUICK_SECONDS: Final = ((0.1, 0.8),)
LOSE_MESSAGE: Final = """
    DELETE FROM room_events WHERE (room_id, seq) IN (
        SELECT room_id, seq FROM room_events WHERE kind = 'message.posted'
        OFFSET floor($1::float * (SELECT count(*) FROM room_events WHERE kind = 'message.posted'))
        LIMIT 1
    ) RETURNING seq
"""
SERVICES: Final = ("RoomWriterActor", "RoomLogActor")
IN_FLIGHT: Final = ("RoomActor", "RoomActor", "RoomWriterActor")

Strike = Callable[[World, Random], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong. `weight` is how often, beside the others of a mix."""

    strike: Strike
    weight: int


async def kill_room(world: World, dice: Random) -> str | None:
    return await kill_one(world, dice, "RoomActor")


async def kill_session(world: World, dice: Random) -> str | None:
    return await kill_one(world, dice, "SessionActor")


async def kill_service(world: World, dice: Random) -> str | None:
    """Kill one of those that stand between rooms and the database: what was committed is not told."""
    return await kill_one(world, dice, dice.choice(SERVICES))


async def kill_one(world: World, dice: Random, kind: str) -> str | None:
    node = dice.choice(world.nodes)
    try:
        paths = await node.actors(kind)
        if not paths:
            return None
        path = dice.choice(paths)
        await node.kill_actor(path)
    except CommandError:
        return None  # it ended meanwhile, or the node is busy with another fault
    return path


async def kill_presence(world: World, dice: Random) -> str | None:
    return await kill_one(world, dice, "PresenceActor")


async def kill_in_flight(world: World, dice: Random) -> str | None:
    """Kill an actor at the moment when PostgreSQL goes on: commits it asked for were waiting for that.

    By itself a kill rarely meets one of the few milliseconds that a commit takes.
    """
    pid = world.database.postmaster()
    if pid is None:
        return None
    stopped = asyncio.create_task(pause(family(pid), dice, "PostgreSQL"))
    await asyncio.sleep(0)
    path = await kill_one(world, dice, dice.choice(IN_FLIGHT))
    what = await stopped
    return path and f"{path}, behind {what}"


async def kill_node(world: World, dice: Random) -> str | None:
    node = dice.choice(world.nodes)
    await node.kill()
    await asyncio.sleep(dice.uniform(*AWAY_SECONDS))
    await node.start()
    return node.url


async def kill_database(world: World, _dice: Random) -> str | None:
    pid = world.database.postmaster()
    if pid is None:
        return None
    send([pid], signal.SIGKILL)
    await back(world, lambda: world.database.postmaster() != pid)
    return "the postmaster"


async def restart_database(world: World, _dice: Random) -> str | None:
    """Shut PostgreSQL down as an operator does in a hurry: transactions are rolled back, sessions ended."""
    pid = world.database.postmaster()
    if pid is None:
        return None
    send([pid], signal.SIGINT)
    await back(world, lambda: world.database.postmaster() != pid)
    return "PostgreSQL, orderly"


async def kill_backend(world: World, dice: Random) -> str | None:
    """Kill the process of one connection: PostgreSQL then ends all others and recovers as from a crash."""
    pid = world.database.postmaster()
    backends = [] if pid is None else [each for each in family(pid)[1:] if is_backend(each)]
    if not backends:
        return None
    victim = dice.choice(backends)
    send([victim], signal.SIGKILL)
    await back(world, lambda: not is_backend(victim))
    return "the process of a connection"


def is_backend(pid: int) -> bool:
    """Tell whether a process serves a connection: it says so in its title."""
    with suppress(OSError):
        return b"[local]" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


async def back(world: World, is_gone: Callable[[], bool]) -> None:
    """Wait until something is gone and the database takes connections, ours being started again."""
    async with asyncio.timeout(DATABASE_BACK_SECONDS):
        while not is_gone() or not await world.database.answers():
            await asyncio.sleep(POLL_SECONDS)
            world.database.bring_back()


async def lose_answers(world: World, dice: Random) -> str | None:
    """Let commits succeed and their answers be lost, and the connection with them."""
    if world.wire is None:
        return None
    world.wire.to_lose = count = dice.randint(1, MOST_LOST)
    with suppress(TimeoutError):
        async with asyncio.timeout(LOSING_SECONDS):
            while world.wire.to_lose:
                await asyncio.sleep(POLL_SECONDS)
    lost, world.wire.to_lose = count - world.wire.to_lose, 0
    return f"{lost} answers to COMMIT" if lost else None


async def cut_wire(world: World, _dice: Random) -> str | None:
    return f"{world.wire.cut()} connections" if world.wire is not None else None


async def kill_redis(world: World, dice: Random) -> str | None:
    if world.redis is None:
        return None
    await world.redis.end()
    await asyncio.sleep(dice.uniform(*AWAY_SECONDS))
    await world.redis.start()
    return "Redis"


async def stop_node(world: World, dice: Random) -> str | None:
    node = dice.choice(world.nodes)
    return await pause([node.pid], dice, node.url)


async def stop_database(world: World, dice: Random) -> str | None:
    pid = world.database.postmaster()
    return None if pid is None else await pause(family(pid), dice, "PostgreSQL")


async def stop_redis(world: World, dice: Random) -> str | None:
    return None if world.redis is None else await pause([world.redis.pid], dice, "Redis")


async def pause(pids: list[int], dice: Random, name: str) -> str:
    """Stop processes for a while."""
    seconds = dice.uniform(0.0, LONGEST_STOP_SECONDS)
    send(pids, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        send(pids, signal.SIGCONT)
    return f"{name} for {seconds:.1f} s"


async def lose_message(world: World, dice: Random) -> str | None:
    """Take a message out of a room's log behind the server's back: what a judge must see."""
    try:
        async with world.database.reading() as connection:
            seq = await connection.fetchval(LOSE_MESSAGE, dice.random())
    except AWAY:
        return None
    return None if seq is None else f"the message at seq {seq}"


FAULTS: Final = {
    "room": Fault(kill_room, 4),
    "session": Fault(kill_session, 4),
    "service": Fault(kill_service, 1),
    "presence": Fault(kill_presence, 1),
    "in-flight": Fault(kill_in_flight, 4),
    "server": Fault(kill_node, 2),
    "db": Fault(kill_database, 2),
    "backend": Fault(kill_backend, 2),
    "restart-db": Fault(restart_database, 1),
    "lost-answer": Fault(lose_answers, 4),
    "cut-db": Fault(cut_wire, 1),
    "redis": Fault(kill_redis, 2),
    "stop-node": Fault(stop_node, 2),
    "stop-db": Fault(stop_database, 2),
    "stop-redis": Fault(stop_redis, 2),
    "sabotage": Fault(lose_message, 1),
}


@dataclass(frozen=True, slots=True)
class Mix:
    """Which faults strike, and on how many nodes. `is_usual`: a run without a choice has it.

    `is_wired`: one node has a database that is not its own, as several always have.
    `pauses_seconds`: how long it is quiet between two faults, one of several spans.
    """

    faults: tuple[str, ...]
    nodes: int = 1
    is_wired: bool = False
    is_usual: bool = True
    pauses_seconds: tuple[tuple[float, float], ...] = PAUSES_SECONDS


ACTORS: Final = ("room", "session", "service", "presence", "in-flight")
DATABASE: Final = ("db", "backend", "restart-db")
WIRE: Final = ("lost-answer", "cut-db")
ONE_NODE: Final = (*ACTORS, *DATABASE, "server", "stop-node", "stop-db")
MIXES: Final = {
    "actors": Mix(ACTORS),
    "server": Mix(("server",)),
    "db": Mix(DATABASE),
    "answers": Mix(WIRE, is_wired=True),
    "stop": Mix(("stop-node", "stop-db")),
    "mixed": Mix(ONE_NODE),
    # Two nodes tell each other what they stored once they have a bus.
    "node": Mix(("server", "stop-node"), nodes=2),
    "redis": Mix(("redis", "stop-redis"), nodes=2),
    "cluster": Mix((*ONE_NODE, *WIRE, "redis", "stop-redis"), nodes=2),
    # The one of the test command, and the one that has to fail.
    "short": Mix(
        ("in-flight", "session", "db", "server"), is_usual=False, pauses_seconds=QUICK_SECONDS
    ),
    "sabotage": Mix(("session", "sabotage"), is_usual=False, pauses_seconds=QUICK_SECONDS),
}


class Schedule:
    """Which fault is next and after which pause: each once, in any order, then by their weights."""

    def __init__(self, mix: str, dice: Random) -> None:
        self.names = MIXES[mix].faults
        self.missing = dice.sample(self.names, len(self.names))
        self._dice = dice
        self._pauses_seconds = MIXES[mix].pauses_seconds
        self._is_first = True

    def pause_seconds(self) -> float:
        """Return how long to wait after the last fault was over."""
        is_first, self._is_first = self._is_first, False
        return self._dice.uniform(
            *(FIRST_SECONDS if is_first else self._dice.choice(self._pauses_seconds))
        )

    def next(self) -> str:
        """Return the next fault."""
        if self.missing:
            return self.missing[-1]
        return self._dice.choices(self.names, [FAULTS[name].weight for name in self.names])[0]

    def struck(self, name: str) -> None:
        """Note that a fault found something to strike."""
        if name in self.missing:
            self.missing.remove(name)
