"""The encoder process: `python -m veza.actors.encoding.worker SOCKET_FD PARENT_PID`.

It owns one file and one socket, shuts itself in, encodes, sends, and ends. Encoding is
deterministic, so a resumed worker encodes from the start and leaves out what is stored already: the
packets behind a cut depend on what the encoder saw before it, and this way they are the same bytes.
"""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import BinaryIO

import av
import av.subtitles.codeccontext  # what av would import at the first file, behind the sandbox
import av.subtitles.stream

from veza.actors.encoding import sandbox
from veza.actors.encoding.child import Channel, fall_silent, run_worker
from veza.actors.encoding.frames import (
    ARTWORK_EDGE_PX,
    ArtworkFrame,
    FailedFrame,
    FingerprintFrame,
    FinishedFrame,
    FrameError,
    InitFrame,
    PeaksFrame,
    ProbedFrame,
    ProgressFrame,
    ReadyFrame,
    RenditionField,
    SegmentFrame,
    StartFrame,
)
from veza.codecs.pictures import make_thumbnail
from veza.codecs.pipeline import (
    Event,
    Finished,
    InitReady,
    Probed,
    Progress,
    SegmentReady,
    encode,
)
from veza.codecs.source import Fault, Limits, MediaError
from veza.codecs.thumbnail import PictureError

ARTWORK_MAX_PIXELS = 50_000_000


class EncoderThreads:
    """A fixed crew, all started before threads are forbidden."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count)
        everybody = Barrier(count + 1)
        for _ in range(count):
            self._pool.submit(everybody.wait)
        everybody.wait()

    def run_all(self, calls: Sequence[Callable[[], None]]) -> None:
        for future in [self._pool.submit(call) for call in calls]:
            future.result()


def serve(channel: Channel, source: BinaryIO, parent_pid: int) -> None:
    start = channel.receive()
    if not isinstance(start, StartFrame):
        raise FrameError("the first frame starts a job")
    threads, notes = _shut_in(start, parent_pid)
    channel.send(ReadyFrame(sandbox_notes=notes))
    channel.grant(start.window)
    try:
        _encode(start, source, channel, threads)
    except MediaError as error:
        channel.send(FailedFrame(fault=error.fault, detail=error.detail))
    except (MemoryError, av.error.MemoryError):
        detail = "decoding it takes more memory than a job may have"
        channel.send(FailedFrame(fault=Fault.UNSUPPORTED, detail=detail))


def _shut_in(start: StartFrame, parent_pid: int) -> tuple[EncoderThreads, tuple[str, ...]]:
    fall_silent()
    notes = sandbox.enter(
        cpu_seconds=start.max_cpu_seconds,
        memory_bytes=start.max_memory_bytes,
        parent_pid=parent_pid,
    )
    threads = EncoderThreads(start.threads)
    return threads, notes + sandbox.forbid_new_threads()


def _encode(start: StartFrame, source: BinaryIO, channel: Channel, threads: EncoderThreads) -> None:
    limits = Limits(
        max_duration_seconds=start.max_duration_seconds, max_channels=start.max_channels
    )
    events = encode(
        source,
        ladder_kbps=start.ladder_kbps,
        lossless=start.lossless,
        segment_seconds=start.segment_seconds,
        limits=limits,
        run_all=threads.run_all,
    )
    for event in events:
        _tell(event, start, channel)


def _tell(event: Event, start: StartFrame, channel: Channel) -> None:
    """Send what the node has not stored yet."""
    match event:
        case SegmentReady() if event.number > start.stored.get(event.rendition, -1):
            channel.send_on_credit(
                SegmentFrame(
                    rendition=event.rendition,
                    number=event.number,
                    first_sample=event.first_sample,
                    duration_samples=event.duration_samples,
                    data=event.data,
                )
            )
        case InitReady() if event.rendition not in start.stored:
            channel.send(InitFrame(rendition=event.rendition, data=event.data))
        case Probed():
            channel.send(_probed(event))
            _send_artwork(event, channel)
        case Progress():
            channel.send(ProgressFrame(done_seconds=event.done_seconds, share=event.share))
        case Finished():
            _finish(event, channel)


def _send_artwork(event: Probed, channel: Channel) -> None:
    """Send the picture in the file, if it is one: a broken picture does no harm to the music."""
    if event.source.picture is None:
        return
    with suppress(PictureError, MemoryError):
        artwork = make_thumbnail(
            event.source.picture, max_edge_px=ARTWORK_EDGE_PX, max_pixels=ARTWORK_MAX_PIXELS
        )
        channel.send(ArtworkFrame(data=artwork.data))


def _probed(event: Probed) -> ProbedFrame:
    source = event.source
    return ProbedFrame(
        container=source.container,
        codec=source.codec,
        sample_rate_hz=source.sample_rate_hz,
        channels=source.channels,
        estimated_seconds=source.estimated_seconds,
        title=source.tags.title,
        artist=source.tags.artist,
        album=source.tags.album,
        genre=source.tags.genre,
        track_number=source.tags.track_number,
        renditions=tuple(
            RenditionField(
                name=rendition.name,
                codecs=rendition.codecs,
                bit_rate_bps=rendition.bit_rate_bps,
                sample_rate_hz=rendition.sample_rate_hz,
                channels=rendition.channels,
            )
            for rendition in event.renditions
        ),
    )


def _finish(event: Finished, channel: Channel) -> None:
    channel.send(
        PeaksFrame(
            sample_rate_hz=event.peaks.sample_rate_hz,
            samples_per_bucket=event.peaks.samples_per_bucket,
            data=event.peaks.pairs,
        )
    )
    channel.send(FingerprintFrame(data=event.fingerprint))
    channel.send(
        FinishedFrame(
            duration_samples=event.duration_samples,
            sample_rate_hz=event.sample_rate_hz,
            segments=event.segments,
            analysis=event.analysis,
        )
    )


if __name__ == "__main__":
    sys.exit(run_worker(sys.argv[1:], serve))
