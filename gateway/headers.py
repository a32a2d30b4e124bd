"""What every answer has, and the id that each is known by."""

from secrets import token_hex
from typing import Final

API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"

# aiohttp would tell its version and Python's.
SERVER: Final = "veza"
SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": API_POLICY,
}

_REQUEST_ID_BYTES: Final = 16


def new_request_id() -> str:
    """Return an id that nobody has had."""
    return token_hex(_REQUEST_ID_BYTES)
