"""How a node listens: what reaches it that is no HTTP is told in a line, and repeated nowhere."""

import asyncio
import logging
import resource

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from veza.gateway.main import allow_open_files, running

SECRET = b"s3cr3t"


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
        async with running(web.Application()) as runner:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            reader, writer = await asyncio.open_connection(*runner.addresses[0])
            writer.write(sent)
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()

    assert answer.split()[1] in {b"400", b"404"}
    assert [each["event"] for each in told] == ["http.unreadable"]
    assert SECRET.decode() not in str(told)
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_a_node_may_open_more_files_than_a_shell_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, before[1]))
    try:
        allow_open_files(low + 50)
        raised = resource.getrlimit(resource.RLIMIT_NOFILE)
        allow_open_files(low)
        kept = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert raised == kept == (low + 50, before[1])
