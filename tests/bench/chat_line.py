"""One WebSocket of the load side: as little Python a frame as possible, thousands in one process."""

import asyncio
import json
from collections.abc import Callable
from typing import cast

POSTED = b'"t":"message.posted"'
_TAIL = len(POSTED) - 1
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
OnFrame = Callable[[bytes], None]
OnEnd = Callable[["Line", int | None], None]


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame. The mask is zero: the server cannot tell, and we need not compute it."""
    size = len(payload)
    if size <= 125:
        head = bytes((0x80 | opcode, 0x80 | size))
    else:
        head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    return head + bytes(4) + payload


def said(kind: str, d: dict[str, object], frame_id: str | None = None) -> bytes:
    """A text frame of the protocol."""
    frame: dict[str, object] = {"t": kind, "d": d}
    if frame_id is not None:
        frame["id"] = frame_id
    return masked(_TEXT, json.dumps(frame, separators=(",", ":")).encode())


class Line(asyncio.Protocol):
    """A connection that either looks at each frame, or only counts messages by searching the bytes.

    `first` is written as soon as the handshake is answered: whoever comes back does not wait in between.
    """

    __slots__ = (
        "_head", "_hello", "_rest", "code", "counted", "first", "is_counting", "on_end", "on_frame",
        "transport",
    )  # fmt: skip

    def __init__(self, path: str, first: bytes, on_frame: OnFrame, on_end: OnEnd) -> None:
        self._hello = (
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ).encode()
        self._head: bytes | None = b""
        self._rest = b""
        self.first = first
        self.on_frame = on_frame
        self.on_end = on_end
        self.is_counting = False
        self.counted = 0
        self.code: int | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._hello)

    def count(self) -> None:
        """From here on frames are counted only."""
        self.is_counting = True
        self.counted = 0

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            self._shake_hands(data)
        elif self.is_counting:
            data = self._rest + data
            self.counted += data.count(POSTED)
            # A word cut in two is whole in the next piece; a whole one is longer than what is kept.
            self._rest = data[-_TAIL:]
        else:
            self._read(self._rest + data)

    def _shake_hands(self, data: bytes) -> None:
        assert self._head is not None
        head, end, rest = (self._head + data).partition(b"\r\n\r\n")
        if not end:
            self._head = head
            return
        self._head = None
        if not head.startswith(b"HTTP/1.1 101"):
            self.code = int(head.split()[1])
            self.transport.abort()
            return
        self.transport.write(self.first)
        self._read(rest)

    def _read(self, data: bytes) -> None:
        at, end = 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if start + size > end:
                break
            self._take(data[at] & 15, data[start : start + size])
            at = start + size
        self._rest = data[at:]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _TEXT:
            for each in payload.split(b"\n"):
                self.on_frame(each)
        elif opcode == _PING:
            self.transport.write(masked(_PONG, payload))
        elif opcode == _CLOSE:
            self.code = int.from_bytes(payload[:2], "big")
            self.transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self.on_end(self, self.code)
