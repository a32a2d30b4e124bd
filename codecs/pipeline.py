"""One decode, many encoders: a source file in, the HLS segments of all rungs out.

A pure generator. It runs in the encoder process, which may spread the rungs over threads: encoding
releases the interpreter lock. Every rung has the same segment borders, and segment n of all rungs
comes before segment n + 1 of any. Presentation time 0 is the first sample of the source in every
rung.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import IO

import numpy as np

from veza.codecs.aac import AacEncoder
from veza.codecs.analysis import Analysis, AnalysisMeter
from veza.codecs.decode import open_source
from veza.codecs.fingerprint import FingerprintMeter
from veza.codecs.flac import FlacEncoder
from veza.codecs.fmp4 import FRAME_SAMPLES, init_segment, media_segment
from veza.codecs.ladder import (
    FLAC,
    Rendition,
    boundary,
    lossless_rendition,
    renditions,
)
from veza.codecs.peaks import PeakMeter, Peaks
from veza.codecs.resample import stereo_blocks
from veza.codecs.source import Fault, Limits, MediaError, Samples, Source, SourceInfo

LOOKAHEAD_SECONDS = 0.25
"""How far the samples run ahead of a border before it is cut. The encoder needs two frames of it to
have the packets ready; the rest joins a tail shorter than that to the segment before it."""

RunAll = Callable[[Sequence[Callable[[], None]]], None]
"""Run independent calls, at the same time or not; return when all have returned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """The source decodes; these renditions follow."""

    source: SourceInfo
    renditions: tuple[Rendition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InitReady:
    """The init segment of a rendition, once, before its first media segment."""

    rendition: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentReady:
    """A whole media segment; times in samples of the rendition."""

    rendition: str
    number: int
    first_sample: int
    duration_samples: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Everything up to here is out. `share` is 0 to 1, or None if the length is not known."""

    done_seconds: float
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The last event."""

    duration_samples: int
    sample_rate_hz: int
    segments: int
    peaks: Peaks
    analysis: Analysis
    fingerprint: bytes


Event = Probed | InitReady | SegmentReady | Progress | Finished


def one_by_one(calls: Sequence[Callable[[], None]]) -> None:
    """Run the calls in this thread."""
    for call in calls:
        call()


def encode(
    file: IO[bytes],
    *,
    ladder_kbps: Sequence[int],
    lossless: bool = False,
    segment_seconds: int = 6,
    limits: Limits | None = None,
    run_all: RunAll = one_by_one,
) -> Iterator[Event]:
    """Encode `file` into all rungs that suit it; raises `MediaError` where the file is at fault.

    `lossless`: a FLAC rung too, if the source itself is lossless.
    """
    source = open_source(file, limits or Limits())
    try:
        rungs = _rungs(source.info, ladder_kbps, lossless=lossless)
        yield from _encode(source, rungs, segment_seconds, run_all)
    finally:
        source.close()


def _rungs(
    info: SourceInfo, ladder_kbps: Sequence[int], *, lossless: bool
) -> tuple[Rendition, ...]:
    lossy = renditions(
        ladder_kbps, source_rate_hz=info.sample_rate_hz, source_channels=info.channels
    )
    exact = lossless_rendition(info) if lossless else None
    return lossy if exact is None else (*lossy, exact)


def _encode(
    source: Source, rungs: Sequence[Rendition], segment_seconds: int, run_all: RunAll
) -> Iterator[Event]:
    info = source.info
    yield Probed(source=info, renditions=tuple(rungs))
    rate = rungs[0].sample_rate_hz
    border = partial(boundary, segment_seconds=segment_seconds, sample_rate_hz=rate)
    lookahead = int(LOOKAHEAD_SECONDS * rate)
    packagers = [_Packager(rung, border, lookahead) for rung in rungs]
    peaks, total = PeakMeter(rate), 0
    analysis, fingerprint = AnalysisMeter(rate, rungs[0].channels), FingerprintMeter(rate)
    for chunk, last in _chunks(stereo_blocks(source, rate), border, lookahead):
        total += len(chunk)
        # The dearest rung first: on two threads it then takes as long as the others together.
        feeds = [partial(packager.feed, chunk, last=last) for packager in reversed(packagers)]
        meters = [partial(meter.add, chunk) for meter in (analysis, fingerprint, peaks)]
        run_all([*feeds, *meters])
        for same_segment in zip(*(packager.take() for packager in packagers), strict=True):
            yield from chain.from_iterable(same_segment)
        yield _progress(total, rate, info)
    yield Finished(
        duration_samples=total,
        sample_rate_hz=rate,
        segments=packagers[0].next_number,
        peaks=peaks.finish(),
        analysis=analysis.finish(),
        fingerprint=fingerprint.finish(),
    )


def _progress(done_samples: int, rate: int, info: SourceInfo) -> Progress:
    done = done_samples / rate
    whole = info.estimated_seconds
    return Progress(done_seconds=done, share=min(done / whole, 1.0) if whole else None)


def _chunks(
    blocks: Iterator[Samples], border: Callable[[int], int], lookahead: int
) -> Iterator[tuple[Samples, bool]]:
    """Cut `lookahead` samples behind each border; the last chunk says so and is not empty."""
    waiting: list[Samples] = []
    start = available = number = 0
    for block in blocks:
        waiting.append(block)
        available += len(block)
        # Not before more than that is there: else the chunk could be the last one, unmarked.
        while available > (size := border(number + 1) + lookahead - start):
            joined = _joined(waiting)
            yield joined[:size], False
            waiting = [joined[size:]]
            start, available, number = start + size, available - size, number + 1
    if not start + available:
        raise MediaError(Fault.EMPTY, "it is shorter than one sample")
    yield _joined(waiting), True


def _joined(blocks: Sequence[Samples]) -> Samples:
    """Join blocks (n, channels) channel by channel in memory: encoders and meters read them so."""
    joined: Samples = np.concatenate([block.T for block in blocks], axis=1).T
    return joined


class _Packager:
    """Cuts one rung's packets into segments."""

    def __init__(self, rendition: Rendition, border: Callable[[int], int], lookahead: int) -> None:
        self._rendition = rendition
        self._border = border
        self._lookahead = lookahead
        self._encoder = (FlacEncoder if rendition.codecs == FLAC else AacEncoder)(rendition)
        self._priming = self._encoder.priming_samples
        self._packets: list[bytes] = []
        self._samples = 0
        self._ended = False
        self.next_number = 0

    def feed(self, chunk: Samples, *, last: bool) -> None:
        """Encode the next samples; nothing may follow the last."""
        self._packets += self._encoder.encode(chunk)
        self._samples += len(chunk)
        if last:
            self._packets += self._encoder.flush()
            self._ended = True

    def take(self) -> Iterator[list[InitReady | SegmentReady]]:
        """Give the segments that are complete, the first one with its init segment before it."""
        while self._packets:
            start, end = self._border(self.next_number), self._border(self.next_number + 1)
            closing = self._ended and self._samples <= end + self._lookahead
            # With priming packet i holds the frame before border i, so the first segment has more
            # packets than its samples fill.
            priming = 0 if self.next_number else self._priming
            count = (end - start + priming) // FRAME_SAMPLES
            if closing:
                count, end = len(self._packets), self._samples
            elif len(self._packets) < count:
                return
            yield [*self._init(), self._segment(start, end, count, closing=closing)]
            self.next_number += 1

    def _init(self) -> list[InitReady | SegmentReady]:
        if self.next_number:
            return []
        data = init_segment(self._encoder.track)
        return [InitReady(rendition=self._rendition.name, data=data)]

    def _segment(self, start: int, end: int, count: int, *, closing: bool) -> SegmentReady:
        packets, self._packets = self._packets[:count], self._packets[count:]
        media_start = start + self._priming if self.next_number else 0
        before_last = media_start + (count - 1) * FRAME_SAMPLES
        data = media_segment(
            packets,
            sequence_number=self.next_number + 1,
            base_decode_time=media_start,
            last_duration_samples=end + self._priming - before_last if closing else None,
            is_rolling=bool(self._priming),
        )
        return SegmentReady(
            rendition=self._rendition.name,
            number=self.next_number,
            first_sample=start,
            duration_samples=end - start,
            data=data,
        )
