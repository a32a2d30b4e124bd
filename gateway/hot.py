"""Hot segments: what was just served is served again in the callback that read the request.

A player's request for a segment that is in memory takes neither a task, nor the middlewares, nor the router.
It is answered here only if nothing about it asks for thought: a plain `GET` of an address that
has been served before, on an idle connection, whose signature has not expired and has not been revoked. All
else goes the usual way, which learns the address for the next time.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD

from veza.gateway.headers import SECURITY_HEADERS, SERVER, new_request_id
from veza.gateway.metrics import Metrics
from veza.gateway.playback import PlaybackVersions
from veza.gateway.segments import SegmentCache, SegmentName

MAX_ADDRESSES: Final = 20_000
"""Some 20 MB: each is of one listener's signature and one segment."""
_WANTS_MORE: Final = ("Range", "If-None-Match", "If-Range", "Origin", "X-Request-Id", "Expect")
Message = tuple[RawRequestMessage, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hot:
    """An address that was good: until when, by which version of its track's signatures, and for what."""

    name: SegmentName
    expires_at: int
    version: int
    head: bytes


class HotSegments:
    """Addresses of segments that were served, the least recently learnt forgotten first."""

    def __init__(
        self,
        segments: SegmentCache,
        versions: PlaybackVersions,
        metrics: Metrics,
        route: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._segments, self._versions, self._metrics = segments, versions, metrics
        self._route = route
        self._clock = clock
        self._known: OrderedDict[str, Hot] = OrderedDict()

    def learn(
        self,
        request: web.Request,
        name: SegmentName,
        expires_at: int,
        version: int,
        answer: web.Response,
    ) -> None:
        """Remember an answer of 200 to a request that nothing was special about."""
        if answer.status != HTTPStatus.OK or not _is_plain(request.method, request.headers):
            return
        fields = {
            **SECURITY_HEADERS,
            **answer.headers,
            "Content-Length": str(answer.content_length),
            "Server": SERVER,
            "Vary": "Origin",
        }
        lines = [f"{field}: {value}\r\n" for field, value in fields.items()]
        self._known[request.raw_path] = Hot(
            name=name,
            expires_at=expires_at,
            version=version,
            head=f"HTTP/1.1 200 OK\r\n{''.join(lines)}".encode(),
        )
        if len(self._known) > MAX_ADDRESSES:
            self._known.popitem(last=False)

    def answer(self, message: RawRequestMessage) -> tuple[bytes, bytes] | None:
        """Return head and body for a request that asks for no more than what is hot."""
        started = time.perf_counter()
        known = self._known.get(message.path)
        if known is None or not _is_plain(message.method, message.headers):
            return None
        if self._clock() >= known.expires_at:
            del self._known[message.path]
            return None
        if self._versions.known(known.name.track_id) != known.version:
            return None
        media = self._segments.peek(known.name)
        if media is None:
            return None
        tail = f"Date: {rfc822_formatted_time()}\r\nX-Request-Id: {new_request_id()}\r\n\r\n"
        seconds = time.perf_counter() - started
        self._metrics.count_request(self._route, "GET", HTTPStatus.OK, seconds)
        return known.head + tail.encode(), media.data


def _is_plain(method: str, headers: Mapping[str, str]) -> bool:
    return method == "GET" and not any(name in headers for name in _WANTS_MORE)


class HotParser:
    """aiohttp's parser of one connection, which keeps for itself what is answered at once."""

    def __init__(self, parser: Any, serve: Callable[[RawRequestMessage], bool]) -> None:
        self._parser = parser
        self._serve = serve

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def feed_data(self, data: bytes) -> tuple[Sequence[Message], bool, bytes]:
        """Parse bytes; what is left are the messages that go the usual way."""
        messages, upgraded, tail = self._parser.feed_data(data)
        if len(messages) == 1 and not upgraded:
            message, payload = messages[0]
            if payload is EMPTY_PAYLOAD and not message.should_close and self._serve(message):
                self._parser.message_consumed()
                return (), upgraded, tail
        return messages, upgraded, tail
