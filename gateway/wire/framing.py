"""WebSocket framing (RFC 6455, section 5.2; RFC 7692): headers of unmasked, final frames, and their forms.

An event is framed once, plainly. What a connection agreed to (several objects in one frame, compression)
is its form; the frames of a turn are brought into each form once, however many connections share it.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

PLAIN: Final = 0
BATCHED: Final = 1
DEFLATED: Final = 2
DEFLATED_SMALL: Final = 4
"""Forms of a connection, to be added up: BATCHED, and one of the DEFLATED ones or none."""

DEFLATE_MIN_BYTES: Final = 256
"""A message of 146 bytes shrinks to 81 %, one of 395 to 53 %, four of those to 18 %, for about 10 µs."""

BATCH_BYTES: Final = 64 * 1024
"""A frame with several objects is not longer than this, unless one object is."""

_TEXT: Final = 0x1
_BINARY: Final = 0x2
_PING: Final = 0x9
_PONG: Final = 0xA
_FIN: Final = 0x80
_RSV1: Final = 0x40
_SHORT: Final = 125
_MEDIUM: Final = 0xFFFF
_SIZE_OF_HEADER: Final = {126: 4, 127: 10}
_SYNC_TAIL_BYTES: Final = 4
_NOTHING: Final = b"\x00"
"""An empty block: how an empty message is compressed (RFC 7692, section 7.2.3.6)."""
_LEVEL: Final = 6


def text_frame(payload: bytes) -> bytes:
    """Put the header of an unmasked, final text frame before a payload."""
    return _header(_FIN | _TEXT, len(payload)) + payload


def binary_frame(payload: bytes) -> bytes:
    """Put the header of an unmasked, final binary frame before a payload."""
    return _header(_FIN | _BINARY, len(payload)) + payload


def ping_frame() -> bytes:
    """Return an empty ping."""
    return _header(_FIN | _PING, 0)


def pong_frame(payload: bytes) -> bytes:
    """Return the answer to a client's ping."""
    return _header(_FIN | _PONG, len(payload)) + payload


def shape(frames: Sequence[bytes], form: int, deflate_from_bytes: int = DEFLATE_MIN_BYTES) -> bytes:
    """Bring plain frames of one opcode, in their order, into the form of a connection."""
    if form == PLAIN or (form == BATCHED and len(frames) == 1):
        return frames[0] if len(frames) == 1 else b"".join(frames)
    payloads: Iterator[bytes] = map(payload_of, frames)
    if form & BATCHED:
        payloads = _batches(payloads)
    first = frames[0][0]
    if form & (DEFLATED | DEFLATED_SMALL):
        deflater = _WIDE if form & DEFLATED else _NARROW
        return b"".join(
            _frame(first | _RSV1, deflater.message(each))
            if len(each) >= deflate_from_bytes
            else _frame(first, each)
            for each in payloads
        )
    return b"".join(_frame(first, each) for each in payloads)


def payload_of(frame: bytes) -> bytes:
    """Return the payload of an unmasked frame."""
    return frame[_SIZE_OF_HEADER.get(frame[1], 2) :]


def _batches(payloads: Iterator[bytes]) -> Iterator[bytes]:
    """Join JSON objects with line feeds, which JSON has none of, into as few frames as may be."""
    batch: list[bytes] = []
    size = 0
    for payload in payloads:
        if batch and size + len(payload) > BATCH_BYTES:
            yield b"\n".join(batch)
            batch, size = [], 0
        batch.append(payload)
        size += len(payload) + 1
    yield b"\n".join(batch)


class _Deflater:
    """A raw deflate stream that forgets after each message, so that anybody may be sent any one of them.

    One for all: making a new one for each message costs more than compressing it (256 KB are cleared).
    """

    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, -window_bits)

    def message(self, payload: bytes) -> bytes:
        """Compress one message (RFC 7692, section 7.2.1)."""
        deflated = self._stream.compress(payload) + self._stream.flush(zlib.Z_FULL_FLUSH)
        return deflated[:-_SYNC_TAIL_BYTES] or _NOTHING


_WIDE: Final = _Deflater(15)
_NARROW: Final = _Deflater(9)


def _frame(first: int, payload: bytes) -> bytes:
    return _header(first, len(payload)) + payload


def _header(first: int, length: int) -> bytes:
    if length <= _SHORT:
        return bytes((first, length))
    if length <= _MEDIUM:
        return struct.pack("!BBH", first, 126, length)
    return struct.pack("!BBQ", first, 127, length)
