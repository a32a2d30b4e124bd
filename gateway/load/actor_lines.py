"""Connections of the target `actors`: sessions whose outboxes are read here, resumed when they are lost."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final
from uuid import UUID

from veza.actors.fanout import FanOut
from veza.actors.load import DriverPool
from veza.actors.messages.common import Rejected
from veza.actors.messages.load import ConnectDriver, RoomToEnter
from veza.actors.messages.sessions import Position, SessionOpened
from veza.config.ids import uuid7
from veza.gateway.load.seats import Entering, Seat, frames_of
from veza.gateway.load.targets import Run, TargetError

OnDone = Callable[[str | None], None]
"""Told how connecting went: None, or in a word why it failed."""

AGAIN_SECONDS: Final = 0.1
SETUP_SECONDS: Final = 60.0


class Line:
    """One user's connection without a network: what the hub would write to a socket is read here."""

    def __init__(self, seat: Seat, on_closed: Callable[[int], None]) -> None:
        self.seat = seat
        self.on_closed = on_closed
        self.is_open = True

    def write(self, data: bytes) -> None:
        """Read what was written, up to a frame that makes the user drop this connection."""
        for frame in frames_of(data):
            if not self.is_open:
                return
            self.seat.take(frame)

    def buffered_bytes(self) -> int:
        """Return 0: everything is read at once."""
        return 0

    def close(self, code: int, _reason: str) -> None:
        """Hear that the server closed the connection, unless its user had left it already."""
        if self.is_open:
            self.is_open = False
            self.on_closed(code)


class Lines:
    """Every user's seat, and the line it has now."""

    def __init__(self, run: Run, pool: DriverPool, fan_out: FanOut) -> None:
        self.run = run
        self.pool = pool
        self.fan_out = fan_out
        self.seats: list[Seat] = []
        self.lines: dict[int, Line] = {}
        self._waiting: dict[int, deque[OnDone]] = {}
        self._is_closed = False

    async def add(self, seat: Seat) -> None:
        """Connect the next user, and wait until it has entered its rooms. Raises `TargetError`."""
        self.seats.append(seat)
        await self._connected(seat.user)

    def close(self) -> None:
        """Listen no more, and connect nobody again."""
        self._is_closed = True
        for line in self.lines.values():
            line.is_open = False

    def connect(self, user: int, on_done: OnDone) -> None:
        """Drop a user's connection and make another, which resumes where the user stands; one at a time."""
        waiting = self._waiting.setdefault(user, deque())
        waiting.append(on_done)
        if len(waiting) == 1:
            self._open(user, partial(self._opened, user))

    def _opened(self, user: int, code: str | None) -> None:
        waiting = self._waiting[user]
        waiting.popleft()(code)
        if waiting:
            self._open(user, partial(self._opened, user))
        elif code is not None:
            self._again(user)

    def _open(self, user: int, on_done: OnDone) -> None:
        seat = self.seats[user]
        old = self.lines.get(user)
        if old is not None:
            old.is_open = False
        seat.lose()
        entering = Entering(seat, on_done)
        line = self.lines[user] = Line(seat, partial(self._closed, user))
        rooms = tuple(
            RoomToEnter(room_id=UUID(room), since=since(seat, room), frame_id=entering.join())
            for room in seat.rooms
        )
        connect = ConnectDriver(
            session_id=uuid7(),
            outbox=self.fan_out.open(line),
            rooms=rooms,
            timeout_seconds=self.run.scenario.timeout,
            report=partial(self._answered, line, entering),
            on_lost=partial(self._lost, user, line),
        )
        self.pool.tell(user, connect)
        if not rooms:
            on_done(None)

    def _answered(self, line: Line, entering: Entering, reply: object) -> None:
        if not isinstance(reply, SessionOpened):
            line.is_open = False
            entering.fail(failure(reply))

    async def _connected(self, user: int) -> None:
        done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

        def entered(code: str | None) -> None:
            if not done.done():
                done.set_result(code)

        self.connect(user, entered)
        async with asyncio.timeout(SETUP_SECONDS):
            code = await done
        if code is not None:
            raise TargetError(f"user {user} could not enter its rooms: {code}")

    def _closed(self, user: int, code: int) -> None:
        self.run.count(f"closed_{code}")
        self.seats[user].lose()
        self._again(user)

    def _lost(self, user: int, line: Line, _reason: str) -> None:
        if line.is_open:
            line.is_open = False
            self.run.count("sessions_lost")
            self.seats[user].lose()
            self._again(user)

    def _again(self, user: int) -> None:
        def again() -> None:
            if not (self._is_closed or self.lines[user].is_open):
                self.connect(user, ignore)

        asyncio.get_running_loop().call_later(AGAIN_SECONDS, again)


def ignore(_code: str | None) -> None:
    """Hear how connecting went when nobody asked for it; failing is followed by another try."""


def since(seat: Seat, room: str) -> Position | None:
    """Return the position to resume a room from."""
    position = seat.position(room)
    return None if position is None else Position(epoch=position[0], seq=position[1])


def failure(reply: object) -> str:
    """Name in a word why a reply is not the one that was hoped for."""
    if isinstance(reply, Rejected):
        return reply.code.value
    return {"TimedOut": "timed_out"}.get(type(reply).__name__, type(reply).__name__.lower())
