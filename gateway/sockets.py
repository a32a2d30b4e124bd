"""A WebSocket below the protocol of frames: aiohttp shakes hands and parses, everything else is here.

After the handshake the connection is taken from aiohttp's HTTP machinery: no task, no request and no parser
of HTTP is kept for it. A message is handed on in the callback that read it. Outwards go finished frames,
because the hub's are made once for everybody. Closing is bounded in time.
"""

import asyncio
import base64
import binascii
import hashlib
import socket
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, Protocol

import structlog
from aiohttp import web
from aiohttp.http import WS_KEY, WebSocketError, WebSocketReader

from veza.gateway.errors import CloseCode, ProblemCode, ProblemError
from veza.gateway.inbox import Inbox, InflatingReader, Message
from veza.gateway.wire.framing import DEFLATED, DEFLATED_SMALL, PLAIN

logger = structlog.get_logger(__name__)

CLOSE_SECONDS: Final = 5.0
"""How long a client may take to answer a close frame."""

SLOW_CLOSE_SECONDS: Final = 0.5
"""How long one may take that was too slow or silent already: what waits for it is memory."""

SEND_BUFFER_BYTES: Final = 256 * 1024
"""Left to itself the kernel takes 4 MB before a slow reader shows (tcp_wmem)."""

_CLOSE: Final = 0x88
_MAX_REASON_BYTES: Final = 123
_ABNORMAL: Final = 1006
_FIRST_UNASSIGNED: Final = 5000
_KEY_BYTES: Final = 16
_DEFLATE: Final = "permessage-deflate"
_SMALLEST_WINDOW_BITS: Final = 9
_LARGEST_WINDOW_BITS: Final = 15
_SWITCHING: Final = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Server: veza\r\n"
)
_RESET: Final = struct.pack("ii", 1, 0)


class Listener(Protocol):
    """Who is told what comes in."""

    def take(self, message: Message) -> Awaitable[None] | None:
        """Take a message; no other comes before what is returned is done."""

    def ended(self) -> None:
        """Clean up: the connection is gone."""


class Socket(asyncio.Protocol):
    """One connection, both ways (`veza.actors.fanout.Transport`).

    Args:
        transport: the connection below it.
        on_close: told the code of each close that this side begins.

    """

    __slots__ = (
        "_deadline",
        "_inbox",
        "_is_close_sent",
        "_listener",
        "_on_close",
        "_reader",
        "_reading_paused",
        "_transport",
        "is_open",
    )

    def __init__(self, transport: asyncio.Transport, on_close: Callable[[int], None]) -> None:
        self._transport = transport
        self._on_close = on_close
        self._is_close_sent = False
        self._reading_paused = False
        self._deadline: asyncio.TimerHandle | None = None
        self._listener: Listener | None = None
        self._inbox: Inbox | None = None
        self._reader: WebSocketReader | None = None
        self.is_open = True
        limit_send_buffer(transport)

    def start(
        self,
        request: web.Request,
        listener: Listener,
        max_message_bytes: int,
        *,
        inflates: bool,
        first: Awaitable[None] | None = None,
    ) -> None:
        """Take the connection over from HTTP; `first` is done before the first message is handed on."""
        self._listener = listener
        inbox = self._inbox = Inbox(self, listener.take, self._break)
        if inflates:
            self._reader = InflatingReader(inbox, max_message_bytes)
        else:
            self._reader = WebSocketReader(
                inbox, max_message_bytes, compress=False, decode_text=True
            )
        if first is not None:
            inbox.work(first)
        http = request.protocol
        # What came along with the handshake is fed at once.
        http.set_parser(self._reader)
        self._transport.set_protocol(self)
        # Without a transport it leaves the socket alone, and takes the end of its request for the client's.
        http.transport = None
        http.connection_lost(None)

    # --- in ---

    def data_received(self, data: bytes) -> None:
        """Parse what came; whatever is wrong with it is told to `_break`."""
        if self._reader is not None:
            self._reader.feed_data(data)

    def connection_lost(self, _error: Exception | None) -> None:
        """Let go of everything."""
        self.is_open = False
        self._is_close_sent = True
        if self._deadline is not None:
            self._deadline.cancel()
        if self._inbox is not None:
            self._inbox.stop()
        listener, self._listener, self._inbox, self._reader = self._listener, None, None, None
        if listener is not None:
            listener.ended()

    def pause_reading(self) -> None:
        """Leave what comes to the kernel."""
        self._reading_paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._reading_paused = False
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _break(self, error: Exception) -> None:
        """End a connection whose client broke the protocol, or whose listener crashed."""
        if isinstance(error, WebSocketError):
            self._end(error.code)
        else:
            logger.error("ws.crashed", exc_info=error)
            self.close(CloseCode.RESTARTING, "the server failed")

    # --- out ---

    def write(self, data: bytes) -> None:
        """Hand finished frames to the socket; after a close frame they are ignored."""
        if not (self._is_close_sent or self._transport.is_closing()):
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
        is_slow = code in {CloseCode.SLOW_CONSUMER, CloseCode.NO_PONG}
        self._deadline = loop.call_later(
            SLOW_CLOSE_SECONDS if is_slow else CLOSE_SECONDS, self._abort
        )

    def answer_close(self, code: int) -> None:
        """Answer the client's close frame: with its own code, or 1002 to one it may not send."""
        if code == _ABNORMAL or code >= _FIRST_UNASSIGNED:
            # aiohttp lets these through (RFC 6455, section 7.4.1 and 7.4.2, does not).
            self._end(CloseCode.PROTOCOL_ERROR)
        else:
            self._end(code or CloseCode.NORMAL)

    def _end(self, code: int) -> None:
        """Say the last word and hang up; a peer that takes nothing more is not waited for."""
        self.is_open = False
        self._send_close(code, "")
        if self.buffered_bytes():
            loop = asyncio.get_running_loop()
            self._deadline = self._deadline or loop.call_later(CLOSE_SECONDS, self._abort)
        self._transport.close()

    def _send_close(self, code: int, reason: str) -> None:
        payload = struct.pack("!H", code) + reason.encode()[:_MAX_REASON_BYTES]
        self.write(bytes((_CLOSE, len(payload))) + payload)
        self._is_close_sent = True

    def _abort(self) -> None:
        """Throw away what was not taken, in the kernel too: it would keep it for minutes."""
        connection = self._transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()


def limit_send_buffer(transport: asyncio.Transport) -> None:
    """Keep the kernel from hiding a slow reader behind megabytes."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)


# --- the handshake (RFC 6455, section 4.2) ---


class TakenOver(web.StreamResponse):
    """What aiohttp is told of a request whose connection is not its own any more: nothing is to be sent."""

    def __init__(self) -> None:
        super().__init__(status=HTTPStatus.SWITCHING_PROTOCOLS)

    @property
    def prepared(self) -> bool:
        """Whether the head was sent: `accept` made it, and it went to the transport itself."""
        return True

    async def prepare(self, request: web.BaseRequest) -> None:  # aiohttp's
        """Send nothing."""

    async def write_eof(self, data: bytes = b"") -> None:  # aiohttp's
        """Send nothing."""


def accept(request: web.Request, *, deflate: bool, request_id: str) -> tuple[bytes, int]:
    """Return the answer to a handshake, and the form of frames that was agreed on.

    Raises `ProblemError` to one that is none. The answer goes out with the first frame in one write: it
    is no page, and needs none of the headers that guard pages.
    """
    value = _accept_value(request)
    offers = request.headers.get("Sec-WebSocket-Extensions", "") if deflate else ""
    form, extensions = agreed_form(offers)
    head = _SWITCHING + f"Sec-WebSocket-Accept: {value}\r\nX-Request-Id: {request_id}\r\n"
    if extensions:
        head += f"Sec-WebSocket-Extensions: {extensions}\r\n"
    return (head + "\r\n").encode(), form


def _accept_value(request: web.Request) -> str:
    names = (name.strip().lower() for name in request.headers.get("Connection", "").split(","))
    if request.headers.get("Upgrade", "").lower() != "websocket" or "upgrade" not in names:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        raise ProblemError(ProblemCode.UPGRADE_REQUIRED, headers=headers)
    if request.headers.get("Sec-WebSocket-Version") != "13":
        headers = {"Sec-WebSocket-Version": "13"}
        raise ProblemError(ProblemCode.BAD_REQUEST, "Version 13, please.", headers=headers)
    key = request.headers.get("Sec-WebSocket-Key", "")
    try:
        is_key = len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        is_key = False
    if not is_key:
        raise ProblemError(ProblemCode.BAD_REQUEST, "Sec-WebSocket-Key is 16 bytes in base64.")
    # The digest is the RFC's, and protects nothing.
    digest = hashlib.sha1(key.encode() + WS_KEY, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def agreed_form(offers: str) -> tuple[int, str]:
    """Return the form that the first usable offer of RFC 7692 leads to, and the header that says so.

    Neither side keeps a window: ours because a frame is compressed once for everybody, the client's to
    save 32 KB a connection.
    """
    for offer in offers.split(","):
        name, *parameters = (part.strip() for part in offer.split(";"))
        if name.lower() == _DEFLATE:
            bits = _window_bits(parameters)
            if bits is not None:
                return _deflated_form(bits)
    return PLAIN, ""


def _deflated_form(bits: int) -> tuple[int, str]:
    answer = f"{_DEFLATE}; server_no_context_takeover; client_no_context_takeover"
    if bits < _LARGEST_WINDOW_BITS:
        return DEFLATED_SMALL, f"{answer}; server_max_window_bits={_SMALLEST_WINDOW_BITS}"
    return DEFLATED, answer


def _window_bits(parameters: list[str]) -> int | None:
    """Return the largest window we may use, or None if the offer is not one we can keep."""
    bits = _LARGEST_WINDOW_BITS
    seen = set()
    for parameter in parameters:
        name, has_value, value = (part.strip() for part in parameter.partition("="))
        value = value.strip('"')
        is_number = value.isascii() and value.isdecimal() and value == str(int(value or "0"))
        is_window = is_number and _SMALLEST_WINDOW_BITS - 1 <= int(value) <= _LARGEST_WINDOW_BITS
        match name:
            case "server_no_context_takeover" | "client_no_context_takeover" if not has_value:
                pass
            case "client_max_window_bits" if not has_value or is_window:
                pass
            case "server_max_window_bits" if is_window and int(value) >= _SMALLEST_WINDOW_BITS:
                bits = int(value)
            case _:
                return None
        if name in seen:
            return None
        seen.add(name)
    return bits
