"""What is hot is answered at once and as ever; whatever asks for more than that goes the usual way."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from veza.actors.fanout import FanOut, FanOutLimits
from veza.gateway.app import make_app
from veza.gateway.hot import MAX_ADDRESSES
from veza.gateway.keys import HOT, METRICS, PLAYBACK_URLS, PLAYBACK_VERSIONS, SEGMENTS
from veza.gateway.listener import running
from veza.gateway.media import SEGMENT_ROUTE, media_prefix
from veza.gateway.tokens import SigningKeys

SOUND = bytes(range(256)) * 400
USUAL = "the usual way"


class Line:
    """One connection to a gateway."""

    def __init__(self, app: web.Application, reader: Any, writer: Any) -> None:
        self.app, self.reader, self.writer = app, reader, writer

    def say(self, target: str, *fields: str, method: str = "GET") -> None:
        lines = [f"{method} {target} HTTP/1.1", "Host: a", *fields, "", ""]
        self.writer.write("\r\n".join(lines).encode())

    async def hear(self, *, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in head[1:-2])
        size = int(fields.get("Content-Length", "0")) if has_body else 0
        return int(head[0].split()[1]), fields, await self.reader.readexactly(size)

    async def ask(self, target: str, *fields: str, method: str = "GET") -> Any:
        """Ask for something; tell what came, and by which way."""
        with capture_logs() as told:
            self.say(target, *fields, method=method)
            answer = await self.hear(has_body=method != "HEAD")
            await asyncio.sleep(0)  # what goes the usual way is logged behind its answer
        return *answer, USUAL if any(each["event"] == "http.request" for each in told) else "hot"


@pytest.fixture
def track(actors: Any, ada: Any) -> Any:
    made = actors.add_track(ada.user)
    for number in range(2):
        actors.media[made.id, "low", f"{number}.m4s"] = SOUND + bytes([number])
    return made


@pytest.fixture
async def line(actors: Any, settings: Any, web_root: Any) -> AsyncIterator[Line]:
    loop = asyncio.get_running_loop()
    actors.fan_out = FanOut(lambda _: (b"", b""), loop.call_soon, FanOutLimits())
    app = make_app(settings, actors, actors.fan_out, SigningKeys.random(), web_root=web_root)
    async with running(app) as runner:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        yield Line(app, reader, writer)
        writer.close()
        await writer.wait_closed()


def address(line: Line, track: Any, number: int = 0, lifetime: int = 3600, version: int = 0) -> str:
    prefix = media_prefix(track.id)
    query = line.app[PLAYBACK_URLS].sign(prefix, int(time.time()) + lifetime, version)
    return f"{prefix}low/{number}.m4s?{query}"


def unlike(fields: dict[str, str]) -> dict[str, str]:
    """What two answers to the same question have in common."""
    return {name: value for name, value in fields.items() if name not in {"Date", "X-Request-Id"}}


async def test_what_is_hot_is_answered_as_it_was_and_is_counted(line: Line, track: Any) -> None:
    target = address(line, track)
    first = await line.ask(target)
    again = await line.ask(target)

    assert (first[3], again[3]) == (USUAL, "hot")
    assert (again[0], again[2]) == (200, SOUND + b"\0")
    assert unlike(first[1]) == unlike(again[1])
    assert len(again[1]["X-Request-Id"]) == len(first[1]["X-Request-Id"]) == 32
    assert again[1]["X-Request-Id"] != first[1]["X-Request-Id"]
    labels = {"route": SEGMENT_ROUTE, "method": "GET", "status_class": "2xx"}
    counted = line.app[METRICS].registry.get_sample_value("veza_http_requests_total", labels)
    assert counted == 2


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ("Range: bytes=1-3", 206),
        ("If-None-Match: *", 304),
        ("Origin: https://elsewhere.example", 200),
        ("X-Request-Id: my-own-request-id", 200),
        ("Connection: close", 200),
    ],
)
async def test_what_asks_for_more_goes_the_usual_way(
    line: Line, track: Any, field: str, status: int
) -> None:
    target = address(line, track)
    for _twice in range(2):
        await line.ask(target)

    answered = await line.ask(target, field)

    assert (answered[0], answered[3]) == (status, USUAL)
    if field.startswith("Connection"):
        assert await line.reader.read() == b""
    else:
        assert (await line.ask(target))[3] == "hot"


async def test_other_methods_are_not_answered_with_the_segment(line: Line, track: Any) -> None:
    target = address(line, track)
    await line.ask(target)

    head = await line.ask(target, method="HEAD")
    assert (head[0], head[2], head[3]) == (200, b"", USUAL)
    assert (await line.ask(target, method="DELETE"))[0] == 405
    assert (await line.ask(target))[3] == "hot"


async def test_an_address_that_ends_is_hot_no_longer(line: Line, track: Any, actors: Any) -> None:
    """Revoked, expired, another signature: the usual way says what is wrong."""
    target = address(line, track)
    for _twice in range(2):
        await line.ask(target)
    actors.playback_versions[track.id] += 1
    line.app[PLAYBACK_VERSIONS].forget(track.id)
    assert (await line.ask(target))[0] == 403
    assert (await line.ask(target.replace("sig=", "sig=A")))[0] == 403

    fresh = address(line, track, version=1)
    await line.ask(fresh)
    assert (await line.ask(fresh))[3] == "hot"
    line.app[HOT]._clock = lambda: time.time() + 3601
    assert (await line.ask(fresh))[3] == USUAL


async def test_a_segment_that_left_memory_is_read_again(line: Line, track: Any) -> None:
    target = address(line, track)
    for _twice in range(2):
        await line.ask(target)
    line.app[SEGMENTS]._kept.clear()

    answered = await line.ask(target)

    assert (answered[2], answered[3]) == (SOUND + b"\0", USUAL)


async def test_requests_in_a_row_are_answered_in_their_order(line: Line, track: Any) -> None:
    """The second of two sent at once must not overtake the first, whichever of them is hot."""
    cold, hot = address(line, track, 0), address(line, track, 1)
    for _twice in range(2):
        await line.ask(hot)
    for target in (cold, hot, cold, "/api/v1/tracks", hot, hot):
        line.say(target)

    bodies = [(await line.hear())[2] for _ in range(6)]

    assert [body[-1:] for body in bodies] == [b"\0", b"\1", b"\0", b"}", b"\1", b"\1"]


async def test_a_request_that_comes_in_pieces_is_one_request(line: Line, track: Any) -> None:
    target = address(line, track)
    await line.ask(target)
    head = f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    for piece in (head[:7], head[7:60], head[60:-1], head[-1:]):
        line.writer.write(piece)
        await line.writer.drain()
        await asyncio.sleep(0)

    assert (await line.hear())[2] == SOUND + b"\0"
    assert (await line.ask(target))[3] == "hot"


async def test_addresses_are_remembered_up_to_a_bound(line: Line, track: Any) -> None:
    target = address(line, track)
    await line.ask(target)
    known = line.app[HOT]._known
    known.update({str(number): known[target] for number in range(MAX_ADDRESSES - 1)})

    await line.ask(address(line, track, 1))

    assert len(known) == MAX_ADDRESSES
    assert target not in known
