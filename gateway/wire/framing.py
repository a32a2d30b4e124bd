"""WebSocket framing (RFC 6455, section 5.2): the header of an unmasked, final frame, and pings."""

import struct
from typing import Final


def text_frame(payload: bytes) -> bytes:
    """Put the header of an unmasked, final text frame before a payload (RFC 6455, section 5.2)."""
    return _header(_TEXT, len(payload)) + payload


def ping_frame() -> bytes:
    """Return an empty ping."""
    return _header(_PING, 0)


def pong_frame(payload: bytes) -> bytes:
    """Return the answer to a client's ping."""
    return _header(_PONG, len(payload)) + payload


_TEXT: Final = 0x1
_PING: Final = 0x9
_PONG: Final = 0xA
_FIN: Final = 0x80
_SHORT: Final = 125
_MEDIUM: Final = 0xFFFF


def _header(opcode: int, length: int) -> bytes:
    if length <= _SHORT:
        return bytes((_FIN | opcode, length))
    if length <= _MEDIUM:
        return struct.pack("!BBH", _FIN | opcode, 126, length)
    return struct.pack("!BBQ", _FIN | opcode, 127, length)
