"""The HTTP server: what reaches it that is no HTTP is answered as a problem, and told in one line."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from veza.gateway.errors import ProblemCode, ProblemError
from veza.gateway.headers import new_request_id
from veza.gateway.hot import HotParser, HotSegments
from veza.gateway.keys import HOT, REQUEST_ID
from veza.gateway.middlewares import dress, problem_answer

# A browser keeps connections open; what is not done by then is cut off.
CLOSE_SECONDS: Final = 2.0
# An idle connection costs a descriptor; a browser opens another when it needs one.
KEEP_ALIVE_SECONDS: Final = 75.0
MAX_LINE_BYTES: Final = 8190
"""Of the request line, and of each header."""

log = structlog.get_logger()
server_log = logging.getLogger("veza.gateway.server")
"""What aiohttp says of connections; what clients did wrong is left out (`is_ours`)."""


def is_ours(record: logging.LogRecord) -> bool:
    """Tell a client's broken HTTP in one line; aiohttp would log it as an error with a traceback.

    Neither the line nor what is wrong with it is repeated: it may hold a token or a password.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError | web.RequestPayloadError):
        log.info("http.unreadable", reason=type(error).__name__)
        return False
    return True


server_log.addFilter(is_ours)


class Protocol(web.RequestHandler):
    """One connection. What breaks before our middlewares run is answered as they would."""

    def __init__(self, manager: web.Server, hot: HotSegments | None, **options: Any) -> None:
        super().__init__(manager, **options)
        if hot is not None:
            self._hot = hot
            self._parser = HotParser(self._parser, self._serve_hot)  # type: ignore[assignment]

    def _serve_hot(self, message: RawRequestMessage) -> bool:
        """Answer a request at once if it is for what is hot, and nothing is before it on its way."""
        is_idle = self._waiter is not None and not self._waiter.done() and not self._messages
        transport = self.transport
        if not is_idle or transport is None or transport.get_write_buffer_size():
            return False
        answer = self._hot.answer(message)
        if answer is None:
            return False
        transport.writelines(answer)
        self._next_keepalive_close_time = self._loop.time() + KEEP_ALIVE_SECONDS
        return True

    def data_received(self, data: bytes) -> None:
        """Take bytes; a body that goes on as nonsense ends there for whoever reads it."""
        super().data_received(data)
        if self._messages and not isinstance(self._messages[-1][0], RawRequestMessage):
            # aiohttp queues the error behind that body's request, which would wait for the rest.
            self._break_body()

    def _break_body(self) -> None:
        if len(self._messages) > 1:
            body = self._messages[-2][1]
        elif self._current_request is not None:
            body = self._current_request.content
        else:
            return
        if not body.is_eof():
            body.set_exception(web.RequestPayloadError("the body is broken"))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a problem and close, as aiohttp closes."""
        plain = super().handle_error(request, status, exc, message)
        request[REQUEST_ID] = new_request_id()
        answer = problem_answer(request, _problem(plain.status, exc))
        dress(request, answer)
        answer.force_close()
        return answer


def _problem(status: int, error: BaseException | None) -> ProblemError:
    if status >= ProblemCode.INTERNAL_ERROR.status:
        return ProblemError(ProblemCode.INTERNAL_ERROR)
    if isinstance(error, LineTooLong):
        detail = f"The address and each header may have {MAX_LINE_BYTES} bytes."
        return ProblemError(ProblemCode.BAD_REQUEST, detail)
    return ProblemError(ProblemCode.BAD_REQUEST)


class Server(web.Server):
    """Makes a `Protocol` for each connection."""

    hot: HotSegments | None = None

    def __call__(self) -> Protocol:
        return Protocol(self, self.hot, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application behind a `Server` of ours; aiohttp has no other way to its protocol."""

    async def _make_server(self) -> Server:
        made = await super()._make_server()
        server = Server(made.request_handler, request_factory=made.request_factory, **self._kwargs)
        server.hot = self.app.get(HOT)
        return server


@asynccontextmanager
async def running(app: web.Application) -> AsyncIterator[web.AppRunner]:
    """Lend an application that is set up."""
    runner = Runner(
        app,
        access_log=None,
        handle_signals=False,
        logger=server_log,
        shutdown_timeout=CLOSE_SECONDS,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        max_line_size=MAX_LINE_BYTES,
        max_field_size=MAX_LINE_BYTES,
    )
    await runner.setup()
    try:
        yield runner
    finally:
        await runner.cleanup()
