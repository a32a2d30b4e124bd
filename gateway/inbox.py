"""What comes in on a WebSocket: messages are handed on in the callback that read them, or wait, bounded.

The parser is aiohttp's (RFC 6455, in C). Compressed messages (RFC 7692) are inflated here: each on its own,
so that a connection keeps no window of 32 KB, and never beyond the largest message a client may send.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final, Protocol, cast

from aiohttp import WSMessage, WSMsgType
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import WebSocketError, WebSocketReader, WSCloseCode, WSMessageTextBytes

READ_AHEAD_BYTES: Final = 64 * 1024
"""What waits while the one message before it is answered; past it nothing is read from the socket."""

Message = WSMessage | WSMessageTextBytes
Listener = Callable[[Message], Awaitable[None] | None]
"""Takes a message; returns what has to be awaited before the next may come, if anything."""


class Pausable(Protocol):
    """The connection that is read."""

    def pause_reading(self) -> None:
        """Read no more for now."""

    def resume_reading(self) -> None:
        """Go on reading."""


class Inbox(WebSocketDataQueue):
    """Where the parser puts messages. They pass straight through unless the listener is at work.

    Args:
        protocol: paused when too much waits.
        listener: takes the messages, one after the other.
        on_error: told what broke the protocol, or the listener.

    """

    def __init__(
        self, protocol: Pausable, listener: Listener, on_error: Callable[[Exception], None]
    ) -> None:
        super().__init__(
            cast(BaseProtocol, protocol), READ_AHEAD_BYTES, loop=asyncio.get_running_loop()
        )
        self._listener = listener
        self._on_error = on_error
        self._work: asyncio.Task[None] | None = None

    def feed_data(self, data: Message, size: int) -> None:
        """Take a message from the parser."""
        if self._work is not None:
            super().feed_data(data, size)
            return
        waiting = self._listener(data)
        if waiting is not None:
            self.work(waiting)

    def work(self, waiting: Awaitable[None]) -> None:
        """Hold messages back until this is done."""
        self._work = asyncio.create_task(self._catch_up(waiting))
        self._work.add_done_callback(partial(self._worked, waiting))

    async def _catch_up(self, waiting: Awaitable[None] | None) -> None:
        while True:
            if waiting is not None:
                await waiting
            if not self._buffer:
                # From here to the end nothing is awaited: what comes next passes straight through.
                self._work = None
                break
            waiting = self._listener(await self.read())

    def _worked(self, first: Awaitable[None], work: "asyncio.Task[None]") -> None:
        if isinstance(first, Coroutine):
            first.close()  # a connection that ended before its first step leaves it never awaited
        error = None if work.cancelled() else work.exception()
        if isinstance(error, Exception):
            self._on_error(error)

    def set_exception(self, exc: BaseException, exc_cause: Any = None) -> None:  # noqa: ARG002  # aiohttp's
        """Take what is wrong from the parser; it parses no more."""
        if isinstance(exc, Exception):
            self._on_error(exc)

    def feed_eof(self) -> None:
        """Nothing: the connection hears of its end itself."""

    def stop(self) -> None:
        """Forget what waits and end what is at work."""
        if self._work is not None:
            self._work.cancel()


class InflatingReader(WebSocketReader):
    """The parser of a connection that may compress what it says."""

    def __init__(self, queue: Inbox, max_message_bytes: int) -> None:
        super().__init__(queue, max_message_bytes, compress=True, decode_text=True)
        self._max_message_bytes = max_message_bytes
        self._deflated = bytearray()

    def _handle_frame(self, fin: bool, opcode: int, payload: Any, compressed: int) -> None:
        """Inflate a message whose frames say so; its first frames are only kept, the last stands for all.

        The parser goes on checking the order of frames: it sees the same ones, the kept ones empty.
        """
        if compressed == 1 and opcode <= WSMsgType.BINARY.value:
            self._deflated += payload
            if len(self._deflated) > self._max_message_bytes:
                raise too_big()
            payload = self._whole() if fin else b""
            compressed = 0
        super()._handle_frame(fin, opcode, payload, compressed)

    def _whole(self) -> bytes:
        data, self._deflated = self._deflated, bytearray()
        return inflated(bytes(data), self._max_message_bytes)


def inflated(data: bytes, limit_bytes: int) -> bytes:
    """Inflate one message (RFC 7692, section 7.2.2); raises `WebSocketError` past the limit or if broken."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        whole = stream.decompress(data + b"\x00\x00\xff\xff", limit_bytes + 1)
    except zlib.error as error:
        raise WebSocketError(WSCloseCode.INVALID_TEXT, "The message cannot be inflated.") from error
    if len(whole) > limit_bytes:
        raise too_big()
    return whole


def too_big() -> WebSocketError:
    return WebSocketError(WSCloseCode.MESSAGE_TOO_BIG, "The message is too big.")
