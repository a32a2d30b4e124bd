"""What every worker process does, whatever it decodes: one job, from one file, told over one socket."""

import os
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from typing import BinaryIO

from veza.actors.encoding import sandbox
from veza.actors.encoding.frames import (
    SOURCE_MARK,
    BrokenFrame,
    CreditFrame,
    Frame,
    FrameReader,
    PieceFrame,
    ReadyFrame,
    SegmentFrame,
    StartCopyFrame,
    StartThumbnailFrame,
    encode_frame,
)

AloneStart = StartThumbnailFrame | StartCopyFrame
RECEIVE_BYTES = 4_096
SOURCE_BUFFER_BYTES = 256 * 1024
MAX_TRACEBACK = 8_000


class ParentGoneError(Exception):
    """Nobody listens any more."""


class Channel:
    """The worker's end: blocking, one frame at a time, segments only against credit."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = FrameReader()
        self._received: deque[Frame] = deque()
        self._credit = 0

    def receive(self) -> Frame:
        while not self._received:
            data = self._connection.recv(RECEIVE_BYTES)
            if not data:
                raise ParentGoneError
            self._received.extend(self._reader.feed(data))
        return self._received.popleft()

    def send(self, frame: Frame) -> None:
        try:
            self._connection.sendall(encode_frame(frame))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ParentGoneError from error

    def grant(self, segments: int) -> None:
        self._credit += segments

    def send_on_credit(self, frame: SegmentFrame | PieceFrame) -> None:
        """Send when the parent has room: encoding waits with us, and nothing piles up."""
        while not self._credit:
            if isinstance(granted := self.receive(), CreditFrame):
                self.grant(granted.segments)
        self._credit -= 1
        self.send(frame)


def shut_in(channel: Channel, start: AloneStart, parent_pid: int) -> None:
    """Leave nothing to a worker that needs no threads but its file and its socket; say so."""
    fall_silent()
    notes = sandbox.enter(
        cpu_seconds=start.max_cpu_seconds,
        memory_bytes=start.max_memory_bytes,
        parent_pid=parent_pid,
    )
    notes += sandbox.forbid_new_threads()
    channel.send(ReadyFrame(sandbox_notes=notes))


Serve = Callable[[Channel, BinaryIO, int], None]
"""Does one job: (channel to the node, the source, the node's process id)."""


def run_worker(arguments: Sequence[str], serve: Serve) -> int:
    """Run one job; the exit code is 0 if the parent was told how it ended."""
    socket_fd, parent_pid = map(int, arguments)
    connection = socket.socket(fileno=socket_fd)
    channel = Channel(connection)
    try:
        try:
            serve(channel, _receive_source(connection), parent_pid)
        except ParentGoneError:
            raise
        except Exception:  # noqa: BLE001  # see below
            # Decoders are foreign code, and a bug of ours may be anything too. This process has no log:
            # the node reports it.
            channel.send(BrokenFrame(traceback=traceback.format_exc()[-MAX_TRACEBACK:]))
            return os.EX_SOFTWARE
    except ParentGoneError:
        return os.EX_TEMPFAIL
    return os.EX_OK


def _receive_source(connection: socket.socket) -> BinaryIO:
    """Wait for the file: it may not be there yet when the process is."""
    _mark, descriptors, _flags, _address = socket.recv_fds(connection, len(SOURCE_MARK), 1)
    if not descriptors:
        raise ParentGoneError
    return os.fdopen(descriptors[0], "rb", SOURCE_BUFFER_BYTES)


def fall_silent() -> None:
    """Say nothing any more but over the socket: what a decoder prints is not for the node's log."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.stdout.fileno())
    os.dup2(silence, sys.stderr.fileno())
    os.close(silence)
