"""The copying process: `python -m veza.actors.encoding.copy_worker SOCKET_FD PARENT_PID`.

It owns one file and one socket, shuts itself in, encodes, sends the copy piece by piece, and ends.
"""

import io
import os
import sys
from typing import BinaryIO, cast

import av
import av.subtitles.codeccontext  # what av would import at the first file, behind the sandbox
import av.subtitles.stream

from veza.actors.encoding.child import Channel, run_worker, shut_in
from veza.actors.encoding.frames import (
    CopiedFrame,
    FailedFrame,
    FrameError,
    PieceFrame,
    ProgressFrame,
    StartCopyFrame,
)
from veza.codecs.copies import CopyFormat, Label, encode_copy
from veza.codecs.source import Fault, Limits, MediaError

PIECE_BYTES = 1024 * 1024
PROGRESS_STEP = 0.01


class PieceWriter(io.RawIOBase):
    """A file that is somewhere else: what is written goes there, a piece at a time."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel
        self._waiting = bytearray()
        self._begin = self._at = self.size_bytes = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size_bytes}[whence]
        self._at = origin + offset
        return self._at

    def write(self, data: object) -> int:
        given = bytes(cast(bytes, data))
        if self._at != self._begin + len(self._waiting):
            self.flush()
            self._begin = self._at
        self._waiting += given
        self._at += len(given)
        self.size_bytes = max(self.size_bytes, self._at)
        if len(self._waiting) >= PIECE_BYTES:
            self.flush()
        return len(given)

    def flush(self) -> None:
        if self._waiting:
            frame = PieceFrame(offset=self._begin, data=bytes(self._waiting))
            self._channel.send_on_credit(frame)
            self._begin += len(self._waiting)
            self._waiting.clear()


def serve(channel: Channel, source: BinaryIO, parent_pid: int) -> None:
    """Make the copy that the first frame asks for."""
    start = channel.receive()
    if not isinstance(start, StartCopyFrame):
        raise FrameError("the first frame starts a job")
    shut_in(channel, start, parent_pid)
    channel.grant(start.window)
    try:
        channel.send(_copied(start, source, channel))
    except MediaError as error:
        channel.send(FailedFrame(fault=error.fault, detail=error.detail))
    except (MemoryError, av.error.MemoryError):
        detail = "decoding it takes more memory than a job may have"
        channel.send(FailedFrame(fault=Fault.UNSUPPORTED, detail=detail))


def _copied(start: StartCopyFrame, source: BinaryIO, channel: Channel) -> CopiedFrame:
    out, told = PieceWriter(channel), 0.0
    limits = Limits(
        max_duration_seconds=start.max_duration_seconds, max_channels=start.max_channels
    )
    label = Label(title=start.title, artist=start.artist)
    way = CopyFormat(start.format)
    for share in encode_copy(source, cast(BinaryIO, out), way, label, limits):
        if share is not None and share >= told + PROGRESS_STEP:
            told = share
            channel.send(ProgressFrame(done_seconds=0.0, share=share))
    out.flush()
    return CopiedFrame(size_bytes=out.size_bytes)


if __name__ == "__main__":
    sys.exit(run_worker(sys.argv[1:], serve))
