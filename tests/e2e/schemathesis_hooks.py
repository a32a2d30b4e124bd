"""What schemathesis leaves out by hand, beside `schemathesis.toml`."""

from typing import Any
from urllib.parse import urlencode

import schemathesis

MAX_LINE_BYTES = 8_190 - 1_000
"""aiohttp's limit of a request line, less what paths take: past it every answer is 400."""


@schemathesis.hook
def filter_query(_context: Any, query: dict[str, Any] | None) -> bool:
    return len(urlencode(query or {}, doseq=True)) < MAX_LINE_BYTES


@schemathesis.serializer("application/offset+octet-stream")
def bytes_of_upload(_context: Any, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")
