"""A server that says what it hears, made of the socket layer of a node, for a conformance suite."""

import asyncio
from collections.abc import Awaitable

from aiohttp import WSMsgType, web

from veza.gateway.errors import ProblemError
from veza.gateway.inbox import Message
from veza.gateway.sockets import Socket, TakenOver, accept
from veza.gateway.wire.framing import PLAIN, binary_frame, pong_frame, shape, text_frame

MAX_MESSAGE_BYTES = 17 * 1024 * 1024
"""The suite's largest message has 16 MiB; a node's own limit is lower, and tested elsewhere."""


class Echo:
    """Sends each message back, in the form that was agreed on."""

    def __init__(self, socket: Socket, form: int) -> None:
        self.socket = socket
        self.form = form

    def take(self, message: Message) -> Awaitable[None] | None:
        if message.type is WSMsgType.TEXT:
            self.say(text_frame(message.data.encode()))
        elif message.type is WSMsgType.BINARY:
            self.say(binary_frame(message.data))
        elif message.type is WSMsgType.PING:
            self.socket.write(pong_frame(message.data))
        elif message.type is WSMsgType.CLOSE:
            self.socket.answer_close(message.data)
        return None

    def say(self, frame: bytes) -> None:
        # However short: the suite wants back what it sent the way it sent it.
        self.socket.write(shape((frame,), self.form, deflate_from_bytes=0))

    def ended(self) -> None:
        pass


async def echo(request: web.Request) -> web.StreamResponse:
    try:
        answer, form = accept(request, deflate=True, request_id="")
    except ProblemError as error:
        return web.Response(status=error.code.status, headers=error.headers)
    assert request.transport is not None
    socket = Socket(request.transport, lambda _code: None)
    socket.write(answer)
    socket.start(request, Echo(socket, form), MAX_MESSAGE_BYTES, inflates=form != PLAIN)
    return TakenOver()


def make_app() -> web.Application:
    app = web.Application()
    app.router.add_get("/{anything:.*}", echo)
    return app


async def main() -> None:
    runner = web.AppRunner(make_app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"ready {runner.addresses[0][1]}", flush=True)  # noqa: T201  # told to who started it
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
