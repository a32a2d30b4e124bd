"""One simulated user's end of a connection: the frames it gets, who waits for which, and where it stands."""

import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import orjson

from veza.gateway.load.checks import Reader
from veza.gateway.load.targets import Run

Frame = dict[str, Any]
OnAnswer = Callable[[Frame | None], None]
"""Gets the frame that answers, or None if the connection was lost first."""

_CACHED_WRITES: Final = 512
_TEXT: Final = 0x1
_SHORT: Final = 126
_MEDIUM: Final = 127


class Seat:
    """A user's subscriptions and open questions; they outlive connections.

    Args:
        rooms: the user's rooms by the id they have at the target, each with its number in the plan.

    """

    def __init__(self, run: Run, user: int, rooms: dict[str, int]) -> None:
        self.run = run
        self.user = user
        self.rooms = rooms
        self.readers: dict[str, Reader] = {}
        self.epochs: dict[str, str] = {}
        self._waiting: dict[str, OnAnswer] = {}
        self._numbers = 0

    def frame_id(self, on_answer: OnAnswer) -> str:
        """Return a new frame id; whoever asked hears of its answer."""
        self._numbers += 1
        frame_id = str(self._numbers)
        self._waiting[frame_id] = on_answer
        return frame_id

    def take(self, frame: Frame) -> None:
        """Take a frame of the server."""
        reader = self.readers.get(frame.get("room", ""))
        if reader is not None and "seq" in frame:
            text = frame["d"]["text"] if frame["t"] == "message.posted" else None
            self.run.ledger.delivered(reader, frame["seq"], text)
            return
        on_answer = self._waiting.pop(frame.get("id", ""), None)
        if on_answer is not None:
            on_answer(frame)

    def entered(self, d: Frame) -> None:
        """Take the answer to `room.join`, or one room's part of that to `resume`."""
        room = d["room"]
        self.epochs[room] = d["epoch"]
        reader = self.readers.get(room)
        if reader is None:
            self.readers[room] = self.run.ledger.join(self.user, self.rooms[room], d["seq"])
        elif not d["recovered"]:
            self.run.ledger.reload(reader, d["seq"])

    def position(self, room: str) -> tuple[UUID, int] | None:
        """Return epoch and seq of what this user has of a room; None before it entered."""
        reader = self.readers.get(room)
        return None if reader is None else (UUID(self.epochs[room]), reader.last_seq)

    def lose(self) -> None:
        """Tell everybody who waits that no answer will come on this connection."""
        waiting, self._waiting = self._waiting, {}
        for on_answer in waiting.values():
            on_answer(None)


class Entering:
    """Counts the rooms that are still to be entered; tells once how it went."""

    def __init__(self, seat: Seat, on_done: Callable[[str | None], None]) -> None:
        self._seat = seat
        self._on_done: Callable[[str | None], None] | None = on_done
        self._left = len(seat.rooms)

    def join(self) -> str:
        """Return the id of a frame that enters one room."""
        return self._seat.frame_id(self._joined)

    def resume(self) -> str:
        """Return the id of a frame that goes on in several."""
        return self._seat.frame_id(self._resumed)

    def fail(self, code: str) -> None:
        """Tell that it did not succeed."""
        self._tell(code)

    def _joined(self, frame: Frame | None) -> None:
        if frame is not None and frame["t"] == "ack":
            self._enter([frame["d"]])
        else:
            self._refused(frame)

    def _resumed(self, frame: Frame | None) -> None:
        if frame is not None and frame["t"] == "ack":
            self._enter(frame["d"]["rooms"])
        else:
            self._refused(frame)

    def _refused(self, frame: Frame | None) -> None:
        self.fail("connection_lost" if frame is None else frame["d"]["code"])

    def _enter(self, rooms: list[Frame]) -> None:
        for room in rooms:
            self._seat.entered(room)
        self._left -= len(rooms)
        if self._left == 0:
            self._tell(None)

    def _tell(self, code: str | None) -> None:
        on_done, self._on_done = self._on_done, None
        if on_done is not None:
            on_done(code)


@lru_cache(maxsize=_CACHED_WRITES)
def frames_of(data: bytes) -> tuple[Frame, ...]:
    """Read unmasked WebSocket frames; those with the same backlog get the same bytes, read once."""
    return tuple(orjson.loads(payload) for opcode, payload in _unframed(data) if opcode == _TEXT)


def _unframed(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        opcode, length = data[at] & 0x0F, data[at + 1] & 0x7F
        at += 2
        if length == _SHORT:
            (length,) = struct.unpack_from("!H", data, at)
            at += 2
        elif length == _MEDIUM:
            (length,) = struct.unpack_from("!Q", data, at)
            at += 8
        yield opcode, data[at : at + length]
        at += length
