"""How a node listens: what reaches it that is no HTTP is told in a line, and repeated nowhere."""

import asyncio
import json
import logging

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from veza.gateway.listener import running

SECRET = b"s3cr3t"


async def answer_to(sent: bytes) -> bytes:
    """Send bytes to a server that has nothing to serve, and return all that it says."""
    async with running(web.Application()) as runner:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(sent)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + SECRET + b"\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nCookie\x00: " + SECRET + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + SECRET * 2000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\n"
        + SECRET,
    ],
)
async def test_what_is_no_http_is_told_in_a_line_without_its_words(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as told:
        answer = await answer_to(sent)

    assert answer.split()[1] in {b"400", b"404"}
    assert [each["event"] for each in told] == ["http.unreadable"]
    assert SECRET.decode() not in str(told)
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", "8190 bytes"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n", "8190 bytes"),
        (b"Hello?\r\n\r\n", ""),
    ],
)
async def test_what_is_no_http_is_answered_as_any_other_problem(sent: bytes, detail: str) -> None:
    head, _, body = (await answer_to(sent)).partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    problem = json.loads(body)

    assert status.split()[1] == "400"
    assert headers["Content-Type"].startswith("application/problem+json")
    assert headers["Server"] == "veza"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert problem["code"] == "bad_request"
    assert problem["request_id"] == headers["X-Request-Id"] != ""
    assert detail in (problem["detail"] or "")


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n"


async def test_a_body_that_breaks_ends_for_whoever_reads_it() -> None:
    read: asyncio.Queue[bytes] = asyncio.Queue()

    async def handle(request: web.Request) -> web.Response:
        while True:
            try:
                read.put_nowait(await request.content.readany())
            except web.RequestPayloadError:
                return web.Response(status=400)

    app = web.Application()
    app.router.add_post("/", handle)
    async with running(app) as runner, asyncio.timeout(20):
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(CHUNKED)
        assert await read.get() == b"good"
        writer.write(b"nonsense\r\n")
        answer = await reader.read()
        writer.close()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


async def test_a_body_that_breaks_before_its_turn_ends_too() -> None:
    turns: asyncio.Queue[str] = asyncio.Queue()
    go_on = asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        turns.put_nowait(request.method)
        if request.method == "GET":
            await go_on.wait()
            return web.Response()
        with pytest.raises(web.RequestPayloadError):
            await request.read()
        return web.Response(status=400)

    app = web.Application()
    app.router.add_route("*", "/", handle)
    async with running(app) as runner, asyncio.timeout(20):
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await turns.get() == "GET"
        (protocol,) = runner.server.connections
        for part in (CHUNKED, b"nonsense\r\n"):
            protocol.data_received(part)
        go_on.set()
        answer = await reader.read()
        writer.close()

    assert [line for line in answer.splitlines() if b"HTTP/" in line] == [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 400 Bad Request",
    ]
