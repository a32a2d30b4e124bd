"""What may go wrong, as data: each fault strikes the world and returns once it is over; mixes name them.

A new fault is a function and a line in `FAULTS`. It returns what it struck, or None: there was nothing
to strike at this moment.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from soak.database import AWAY, answers, reading
from soak.world import Node, family, send

from veza.gateway.cli.outcome import CommandError

DATABASE_BACK_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.05
LONGEST_STOP_SECONDS: Final = 2.0
FIRST_SECONDS: Final = (1.0, 2.5)
PAUSES_SECONDS: Final = ((0.1, 0.8), (1.5, 4.5))
"""Some faults strike while the last one is still felt, most when it is over."""
LOSE_MESSAGE: Final = """
    DELETE FROM room_events WHERE (room_id, seq) IN (
        SELECT room_id, seq FROM room_events WHERE kind = 'message.posted'
        OFFSET floor($1::float * (SELECT count(*) FROM room_events WHERE kind = 'message.posted'))
        LIMIT 1
    ) RETURNING seq
"""
SERVICES: Final = ("RoomWriterActor", "RoomLogActor")

Strike = Callable[[Node, Random], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong. `weight` is how often, beside the others of a mix."""

    strike: Strike
    weight: int


async def kill_room(node: Node, dice: Random) -> str | None:
    return await kill_one(node, dice, "RoomActor")


async def kill_session(node: Node, dice: Random) -> str | None:
    return await kill_one(node, dice, "SessionActor")


async def kill_service(node: Node, dice: Random) -> str | None:
    """Kill one of those that stand between rooms and the database: what was committed is not told."""
    return await kill_one(node, dice, dice.choice(SERVICES))


async def kill_one(node: Node, dice: Random, kind: str) -> str | None:
    try:
        paths = await node.actors(kind)
        if not paths:
            return None
        path = dice.choice(paths)
        await node.kill_actor(path)
    except CommandError:
        return None  # it ended meanwhile, or the node is busy with another fault
    return path


async def kill_node(node: Node, dice: Random) -> str | None:
    await node.kill()
    await asyncio.sleep(dice.uniform(0.0, 0.5))
    await node.start()
    return "the node"


async def kill_database(node: Node, _dice: Random) -> str | None:
    pid = node.postmaster()
    if pid is None:
        return None
    send([pid], signal.SIGKILL)
    async with asyncio.timeout(DATABASE_BACK_SECONDS):
        while node.postmaster() == pid or not await answers(node):
            await asyncio.sleep(POLL_SECONDS)
    return "the postmaster"


async def stop_node(node: Node, dice: Random) -> str | None:
    return await pause([node.pid], dice, "the node")


async def stop_database(node: Node, dice: Random) -> str | None:
    pid = node.postmaster()
    return None if pid is None else await pause(family(pid), dice, "PostgreSQL")


async def pause(pids: list[int], dice: Random, name: str) -> str:
    """Stop processes for a while."""
    seconds = dice.uniform(0.0, LONGEST_STOP_SECONDS)
    send(pids, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        send(pids, signal.SIGCONT)
    return f"{name} for {seconds:.1f} s"


async def lose_message(node: Node, dice: Random) -> str | None:
    """Take a message out of a room's log behind the server's back: what a judge must see."""
    try:
        async with reading(node) as connection:
            seq = await connection.fetchval(LOSE_MESSAGE, dice.random())
    except AWAY:
        return None
    return None if seq is None else f"the message at seq {seq}"


FAULTS: Final = {
    "room": Fault(kill_room, 4),
    "session": Fault(kill_session, 4),
    "service": Fault(kill_service, 1),
    "server": Fault(kill_node, 2),
    "db": Fault(kill_database, 2),
    "stop-node": Fault(stop_node, 2),
    "stop-db": Fault(stop_database, 2),
    "sabotage": Fault(lose_message, 1),
}
MIXES: Final = {
    "actors": ("room", "session", "service"),
    "server": ("server",),
    "db": ("db",),
    "stop": ("stop-node", "stop-db"),
    "mixed": ("room", "session", "service", "server", "db", "stop-node", "stop-db"),
}
"""What `scripts/soak chat` runs."""
OTHER_MIXES: Final = {
    "short": ("room", "session", "db", "server"),
    "sabotage": ("session", "sabotage"),
}
"""The one of the test command, and the one that has to fail."""


class Schedule:
    """Which fault is next and after which pause: each once, in any order, then by their weights."""

    def __init__(self, mix: str, dice: Random) -> None:
        self.names = (MIXES | OTHER_MIXES)[mix]
        self.missing = dice.sample(self.names, len(self.names))
        self._dice = dice
        self._is_first = True

    def pause_seconds(self) -> float:
        """Return how long to wait after the last fault was over."""
        is_first, self._is_first = self._is_first, False
        return self._dice.uniform(
            *(FIRST_SECONDS if is_first else self._dice.choice(PAUSES_SECONDS))
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
