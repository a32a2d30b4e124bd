"""A WebSocket as the fan-out hub sees it: finished frames go straight to the socket, closing is bounded.

aiohttp does the handshake and reads; it frames nothing here, because the hub's frames are made once
for everybody.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final

from aiohttp import web

from veza.gateway.errors import CloseCode

CLOSE_SECONDS: Final = 5.0
"""How long a client may take to answer a close frame."""

SEND_BUFFER_BYTES: Final = 256 * 1024
"""Left to itself the kernel takes 4 MB before a slow reader shows (tcp_wmem)."""

_CLOSE: Final = 0x88
_MAX_REASON_BYTES: Final = 123
_ABNORMAL: Final = 1006
_FIRST_UNASSIGNED: Final = 5000


class Socket:
    """One connection's way out (`veza.actors.fanout.Transport`).

    Args:
        response: the prepared WebSocket.
        transport: the connection below it.
        on_close: told the code of each close that this side begins.

    """

    __slots__ = ("_deadline", "_is_close_sent", "_on_close", "_response", "_transport", "is_open")

    def __init__(
        self,
        response: web.WebSocketResponse,
        transport: asyncio.Transport,
        on_close: Callable[[int], None],
    ) -> None:
        self._response = response
        self._transport = transport
        self._on_close = on_close
        self._is_close_sent = False
        self._deadline: asyncio.TimerHandle | None = None
        self.is_open = True
        limit_send_buffer(transport)

    def write(self, data: bytes) -> None:
        """Hand finished frames to the socket; after a close frame they are ignored."""
        if not (self._is_close_sent or self._response.closed or self._transport.is_closing()):
            self._transport.write(data)

    def buffered_bytes(self) -> int:
        """Return how much the socket has not taken yet."""
        return self._transport.get_write_buffer_size()

    def close(self, code: int, reason: str) -> None:
        """Send a close frame after what this loop turn still writes; abort if it is not answered."""
        if not self.is_open:
            return
        self.is_open = False
        self._on_close(code)
        loop = asyncio.get_running_loop()
        loop.call_soon(self._send_close, code, reason)
        self._deadline = loop.call_later(CLOSE_SECONDS, self._transport.abort)

    def answer_close(self, code: int) -> None:
        """Answer the client's close frame: with its own code, or 1002 to one it may not send."""
        self.is_open = False
        if code == _ABNORMAL or code >= _FIRST_UNASSIGNED:
            # aiohttp lets these through (RFC 6455, section 7.4.1 and 7.4.2, does not).
            self._send_close(CloseCode.PROTOCOL_ERROR, "")
        else:
            self._send_close(code or CloseCode.NORMAL, "")

    def _send_close(self, code: int, reason: str) -> None:
        payload = struct.pack("!H", code) + reason.encode()[:_MAX_REASON_BYTES]
        self.write(bytes((_CLOSE, len(payload))) + payload)
        self._is_close_sent = True

    async def finish(self) -> None:
        """Let go of the connection; a peer that takes nothing more is not waited for."""
        self.is_open = False
        self._is_close_sent = True
        if self._deadline is not None:
            self._deadline.cancel()
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()
        # Marks aiohttp's side as closed: it would send a close frame of its own.
        await self._response.close(drain=False)


def limit_send_buffer(transport: asyncio.Transport) -> None:
    """Keep the kernel from hiding a slow reader behind megabytes."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
