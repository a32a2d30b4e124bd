"""Sound files for the worker, and a worker run to its end."""

import asyncio
import tempfile

import pytest

from veza.actors.encoding.frames import SegmentFrame, StartFrame
from veza.actors.encoding.process import EncoderProcess
from veza.codecs.synthesis import PIECES, render
from veza.codecs.wav import wav_bytes


@pytest.fixture(scope="session")
def song():
    """Nine seconds of music as a WAV file."""
    return wav_bytes(render(PIECES[1], seconds=9), sample_rate_hz=44_100)


@pytest.fixture
def source_of():
    """Put bytes into a file of which only an open descriptor is left."""
    files = []

    def make(data):
        file = tempfile.TemporaryFile()  # noqa: SIM115  # closed below
        file.write(data)
        file.seek(0)
        files.append(file)
        return file.fileno()

    yield make
    for file in files:
        file.close()


class Run:
    """One worker under way, its frames and its end."""

    def __init__(self, source_fd, on_frame=None, start=None, worker=None, **options):
        if start is None:
            start = StartFrame(**{"stored": {}, "segment_seconds": 2, **options})
        self.frames, self.exits, self._then = [], [], on_frame
        self.process = EncoderProcess(
            source_fd,
            start,
            on_frame=self._on_frame,
            on_exit=lambda code, signal: self.exits.append((code, signal)),
            worker=worker,
        )

    def _on_frame(self, frame):
        self.frames.append(frame)
        if isinstance(frame, SegmentFrame):
            self.process.acknowledge()
        if self._then:
            self._then(self, frame)

    def of(self, kind):
        return [frame for frame in self.frames if isinstance(frame, kind)]

    async def end(self):
        await asyncio.wait_for(self.process.wait_closed(), 60)
        return self


@pytest.fixture
def run(source_of):
    """Start a worker on bytes; await its `end`."""
    return lambda data, **options: Run(source_of(data), **options)
