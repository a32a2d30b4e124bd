"""The node's end of an encoder process: starts it, reads its frames on the event loop, reaps it.

A plain class with two callbacks, for an actor to build on. `on_frame` is called for each frame in
order, `on_exit` once, after the last frame and after the process is reaped. Both run on the loop
and must not raise. It listens to nobody's SIGCHLD: a pidfd tells of the end (a waiting thread where
there is none), on any event loop.
"""

import asyncio
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from veza.actors.encoding.frames import (
    SOURCE_MARK,
    CreditFrame,
    Frame,
    FrameError,
    FrameReader,
    PieceFrame,
    SegmentFrame,
    StartCopyFrame,
    StartFrame,
    StartThumbnailFrame,
    encode_frame,
)
from veza.actors.encoding.reserve import ENCODER
from veza.actors.encoding.spawn import Worker, start_worker

RECEIVE_BYTES = 256 * 1024
CLOSING_GRACE_SECONDS = 2.0  # between the end of the stream and the end of the process

Start = StartFrame | StartThumbnailFrame | StartCopyFrame
WORKERS: Mapping[type[Start], str] = {
    StartFrame: ENCODER,
    StartThumbnailFrame: "veza.actors.encoding.picture_worker",
    StartCopyFrame: "veza.actors.encoding.copy_worker",
}
"""The module that does what each first frame asks for."""

OnFrame = Callable[[Frame], None]
OnExit = Callable[[int, int | None], None]
"""(return code, signal): the code is negative if a signal ended it, as `subprocess` has it."""


class EncoderProcess:
    """One running worker. Make it on a running event loop; it starts at once.

    `worker` is one that was started ahead for such a `start`. `source_fd` is read from its start and
    stays the caller's to close, at any time from now on. Its offset is shared with the worker.
    Acknowledge each segment when it is stored: the worker sends `start.window` of them ahead. One
    that sends more, or anything that is no frame, is killed (`protocol_error` says why). Raises
    `OSError` if no process can be started.
    """

    def __init__(
        self,
        source_fd: int,
        start: Start,
        *,
        on_frame: OnFrame,
        on_exit: OnExit,
        worker: Worker | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_frame, self._on_exit = on_frame, on_exit
        self._reader = FrameReader()
        self._frames: deque[Frame] = deque()
        self._credit = 0 if isinstance(start, StartThumbnailFrame) else start.window
        self._outgoing = bytearray()
        self._paused = self._stream_ended = False
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self.protocol_error: FrameError | None = None
        worker = worker or start_worker(WORKERS[type(start)])
        self._process, self._socket = worker.process, worker.connection
        self._watch_exit()
        self._loop.add_reader(self._socket, self._readable)
        with suppress(BrokenPipeError, ConnectionResetError):  # as in `_flush`
            socket.send_fds(self._socket, [SOURCE_MARK], [source_fd])
        self._write(encode_frame(start))

    @property
    def pid(self) -> int:
        return self._process.pid

    def acknowledge(self, segments: int = 1) -> None:
        """Let the worker send so many more."""
        self._credit += segments
        if not self._stream_ended:
            self._write(encode_frame(CreditFrame(segments=segments)))

    def pause(self) -> None:
        """Deliver nothing and read nothing until `resume`; `on_exit` waits as well."""
        if not self._paused and not self._stream_ended:
            self._loop.remove_reader(self._socket)
        self._paused = True

    def resume(self) -> None:
        """Go on where `pause` stopped."""
        if not self._paused:
            return
        self._paused = False
        if not self._stream_ended:
            self._loop.add_reader(self._socket, self._readable)
        self._loop.call_soon(self._carry_on)

    def kill(self) -> None:
        """End the process at once: it has nothing to clean up. Frames under way are dropped."""
        self._paused = False
        self._frames.clear()
        if self._process.returncode is None:
            self._process.kill()
        self._end_stream()

    async def wait_closed(self) -> None:
        """Return after `on_exit` was called."""
        await asyncio.shield(self._closed)

    def _carry_on(self) -> None:
        self._deliver()
        if self._process.returncode is not None:
            self._drain()

    def _write(self, data: bytes) -> None:
        self._outgoing += data
        self._flush()

    def _flush(self) -> None:
        try:
            sent = self._socket.send(self._outgoing)
        except BlockingIOError:
            sent = 0
        except (BrokenPipeError, ConnectionResetError):
            sent = len(self._outgoing)  # it is gone: the reader and the pidfd will tell
        del self._outgoing[:sent]
        if self._outgoing:
            self._loop.add_writer(self._socket, self._flush)
        else:
            self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        with suppress(BlockingIOError):
            self._receive()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except ConnectionResetError:
            data = b""
        if data:
            self._take(data)
        else:
            self._end_stream()
        self._deliver()

    def _take(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                self._frames.append(self._within_credit(frame))
        except FrameError as error:
            self.protocol_error = error
            self.kill()

    def _within_credit(self, frame: Frame) -> Frame:
        self._credit -= isinstance(frame, SegmentFrame | PieceFrame)
        if self._credit < 0:
            raise FrameError("more segments than it had credit for")
        return frame

    def _deliver(self) -> None:
        while self._frames and not self._paused:
            self._on_frame(self._frames.popleft())
        self._tell_exit()

    def _end_stream(self) -> None:
        if self._stream_ended:
            return
        self._stream_ended = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        if self._process.returncode is None:
            # A worker that closes its end and stays is of no use to anybody.
            self._loop.call_later(CLOSING_GRACE_SECONDS, self._kill_leftover)

    def _kill_leftover(self) -> None:
        if self._process.returncode is None:
            self._process.kill()

    def _watch_exit(self) -> None:
        try:
            pidfd = os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):  # not Linux, or a container that forbids it
            threading.Thread(target=self._wait_in_thread, daemon=True).start()
        else:
            self._loop.add_reader(pidfd, self._exited, pidfd)

    def _wait_in_thread(self) -> None:
        self._process.wait()
        self._loop.call_soon_threadsafe(self._drain)

    def _exited(self, pidfd: int) -> None:
        self._loop.remove_reader(pidfd)
        os.close(pidfd)
        self._process.wait()
        self._drain()

    def _drain(self) -> None:
        """Read to the end of what an ended process left in the socket.

        The loop does not always tell of that end: a process that dies with unread credit resets the
        connection, which uvloop reports to nobody.
        """
        try:
            while not self._stream_ended and not self._paused:
                self._receive()
        except BlockingIOError:
            self._end_stream()
        self._tell_exit()

    def _tell_exit(self) -> None:
        code = self._process.returncode
        ready = code is not None and self._stream_ended and not self._frames and not self._paused
        if code is None or not ready or self._closed.done():
            return
        self._closed.set_result(None)
        self._on_exit(code, -code if code < 0 else None)
