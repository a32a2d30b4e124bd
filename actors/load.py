"""The load tester's drivers: simulated users that live inside the system they load.

A question from outside would have to be waited for; a driver asks with tags and goes on, so arrivals
start at their times whatever is outstanding. Beside them: how the tester looks into a node that runs in
its own process.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.base import SupervisedActor
from veza.actors.chat.rooms import RoomWriterActor
from veza.actors.database import DatabaseActor
from veza.actors.messages.accounts import Author
from veza.actors.messages.common import Answer, Gone
from veza.actors.messages.directory import AwaitEnd, Deliver, Ended
from veza.actors.messages.load import ConnectDriver, DriveCommand
from veza.actors.messages.sessions import (
    CloseSession,
    OpenSession,
    SessionOpened,
    SubscribeRoom,
)
from veza.actors.runtime import AsyncioSystemBase, Cell
from veza.actors.runtime.address import Address
from veza.codecs.synthesis import PIECES, render
from veza.codecs.wav import wav_bytes

SAMPLE_RATE_HZ: Final = 44_100
FOREVER_SECONDS: Final = 24 * 3600.0
CELLS_PER_SLICE: Final = 500
DIRECTORY_PATH: Final = "/veza/root/directory"
SHUTDOWN_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Driving:
    report: Callable[[object], None]


@dataclass(frozen=True, slots=True)
class _Opening:
    connect: ConnectDriver


@dataclass(frozen=True, slots=True)
class _Living:
    """Tag: the end of a session was asked for."""

    session_id: UUID
    on_lost: Callable[[str], None]


class LoadDriverActor(SupervisedActor):
    """One simulated user: a session of its own, and any number of questions under way."""

    mailbox_limit: ClassVar[int] = 100_000

    def __init__(self, *, author: Author, find_directory: Callable[[], Address | None]) -> None:
        super().__init__()
        self.author = author
        self.find_directory = find_directory
        self.session_id: UUID | None = None

    def on_stop(self) -> None:
        self._close()

    def inspect(self) -> dict[str, object]:
        return {"session": str(self.session_id or "")}

    def receiveMsg_DriveCommand(self, message: DriveCommand, _sender: Address) -> None:
        directory = self.find_directory()
        if directory is None:
            message.report(Gone(command=type(message.command).__name__))
            return
        deliver = Deliver(key=message.key, message=message.command)
        self.ask_later(directory, deliver, _Driving(message.report), message.timeout_seconds)

    def receiveMsg_ConnectDriver(self, message: ConnectDriver, _sender: Address) -> None:
        directory = self.find_directory()
        if directory is None:
            message.report(Gone(command=OpenSession.__name__))
            return
        self._close()
        self.session_id = message.session_id
        opening = OpenSession(user=self.author, outbox=message.outbox)
        deliver = Deliver(key=("session", str(message.session_id)), message=opening)
        self.ask_later(directory, deliver, _Opening(message), message.timeout_seconds)

    def receiveMsg_Answer(self, answer: Answer, _sender: Address) -> None:
        match answer:
            case Answer(tag=_Driving(report=report)):
                report(answer.message)
            case Answer(tag=_Opening(connect=connect)):
                if isinstance(answer.message, SessionOpened):
                    self._enter(connect)
                connect.report(answer.message)
            case Answer(tag=_Living(session_id=session_id, on_lost=on_lost)):
                if session_id == self.session_id:
                    self.session_id = None
                    ended = answer.message
                    on_lost(ended.reason if isinstance(ended, Ended) else "its directory was lost")

    def _enter(self, connect: ConnectDriver) -> None:
        key = ("session", str(connect.session_id))
        directory = self.find_directory()
        if directory is None or connect.session_id != self.session_id:
            return
        living = _Living(connect.session_id, connect.on_lost)
        self.ask_later(directory, AwaitEnd(key=key), living, FOREVER_SECONDS)
        for room in connect.rooms:
            enter = SubscribeRoom(frame_id=room.frame_id, room_id=room.room_id, since=room.since)
            self.send(directory, Deliver(key=key, message=enter))

    def _close(self) -> None:
        directory = self.find_directory()
        if self.session_id is not None and directory is not None:
            key = ("session", str(self.session_id))
            self.send(directory, Deliver(key=key, message=CloseSession()))
        self.session_id = None


class LoadDriversActor(SupervisedActor):
    """The parent of all drivers: one subtree beside the node's own, gone with one stop."""

    stops_in_order: ClassVar[bool | None] = False

    def __init__(
        self, *, authors: tuple[Author, ...], find_directory: Callable[[], Address | None]
    ) -> None:
        super().__init__()
        self.drivers = [
            self.spawn(
                LoadDriverActor,
                {"author": author, "find_directory": find_directory},
                name=author.name,
                shutdown_seconds=SHUTDOWN_SECONDS,
            )
            for author in authors
        ]

    def inspect(self) -> dict[str, object]:
        return {"drivers": len(self.drivers)}


class DriverPool:
    """The tester's hold on its drivers, and its view of the node around them."""

    def __init__(self, runtime: AsyncioSystemBase, authors: tuple[Author, ...]) -> None:
        self._runtime = runtime
        self._directory: Cell | None = None
        kwargs = {"authors": authors, "find_directory": self.find_directory}
        self._parent = runtime.spawn(LoadDriversActor, kwargs, name="load")
        self._drivers = tuple(self._parent.children or ())

    def tell(self, user: int, message: DriveCommand | ConnectDriver) -> None:
        """Send a command to the driver of a user."""
        self._drivers[user].post(message, self._parent)

    def stop(self) -> None:
        """End all drivers, and with them their sessions."""
        self._runtime.stop(self._parent)

    def find_directory(self) -> Address | None:
        """Return the directory that lives now: a new one has a new address."""
        if self._directory is None or not self._directory.alive:
            cells = (cell for cell in self._runtime.tree() if cell.path == DIRECTORY_PATH)
            self._directory = next(cells, None)
        return self._directory

    def kill(self, matches: Callable[[str], bool]) -> str | None:
        """Kill the actor that has handled most among those whose path matches; return its path."""
        found = [cell for cell in self._node_cells() if matches(cell.path)]
        if not found:
            return None
        busiest = max(found, key=lambda cell: cell.messages_in)
        path = busiest.path
        self._runtime.kill(busiest, "killed by a load test")
        return path

    async def figures(self, top: int) -> dict[str, object]:
        """Sum the node's actors up, a slice at a time, with the fullest mailboxes first.

        `database` counts the handlers that hold a connection or wait for one.
        """
        actors = messages = restarts = database = 0
        waiting: list[tuple[int, float, str]] = []
        async for cell in in_slices(tuple(self._node_cells())):
            stats = cell.stats()
            actors += 1
            messages += stats.messages_in
            restarts += stats.restarts
            database += stats.handlers_in_flight if uses_database(cell) else 0
            if stats.mailbox_depth:
                waiting.append((stats.mailbox_depth, stats.head_age_seconds, stats.path))
        fullest = sorted(waiting, reverse=True)[:top]
        return {
            "actors": actors,
            "messages": messages,
            "restarts": restarts,
            "mailboxes": [
                {"path": path, "depth": depth, "age_ms": round(age * 1000, 1)}
                for depth, age, path in fullest
            ],
            "database": database,
        }

    def _node_cells(self) -> Iterator[Cell]:
        for cell in self._runtime.tree():
            if cell is not self._parent and cell.parent is not self._parent:
                yield cell


def uses_database(cell: Cell) -> bool:
    """Tell whether each handler of an actor holds a connection or waits for one."""
    return isinstance(cell.instance, DatabaseActor | RoomWriterActor)


async def in_slices(cells: tuple[Cell, ...]) -> AsyncIterator[Cell]:
    """Yield cells that are still alive; after each few hundred the loop gets a turn."""
    for number, cell in enumerate(cells):
        if number % CELLS_PER_SLICE == CELLS_PER_SLICE - 1:
            await asyncio.sleep(0)
        if cell.alive:
            yield cell


def short_track(seconds: float) -> bytes:
    """Synthesise a WAV file to upload: licence-free, the same each time."""
    samples = render(PIECES[0], sample_rate_hz=SAMPLE_RATE_HZ, seconds=seconds)
    return wav_bytes(samples, sample_rate_hz=SAMPLE_RATE_HZ)
