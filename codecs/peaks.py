"""Waveform peaks for drawing: 8 bit minimum and maximum a bucket, in the same pass as the encoding.

The length of a stream is not known before its end, so buckets start small and are merged in pairs
when there are too many: every track ends with `MAX_BUCKETS / 2` to `MAX_BUCKETS` of them, short
ones with less. Whoever draws merges more of them.
"""

import struct
from dataclasses import dataclass

import numpy as np

from veza.codecs.source import Samples

MAX_BUCKETS = 65_536
"""128 KiB; of four minutes at 44.1 kHz one for every 256 samples."""
FIRST_SAMPLES_PER_BUCKET = 64
FULL_SCALE = 127
DAT_HEADER = struct.Struct("<iIiiIi")  # version, flags, rate, samples a pixel, pixels, channels
DAT_8_BIT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """Minimum and maximum over all channels, a signed byte each, for every bucket."""

    sample_rate_hz: int
    samples_per_bucket: int
    pairs: bytes

    def as_json(self) -> dict[str, object]:
        """Give the fields of audiowaveform's JSON format, version 2, which many players draw."""
        return {
            "version": 2,
            "channels": 1,
            "sample_rate": self.sample_rate_hz,
            "samples_per_pixel": self.samples_per_bucket,
            "bits": 8,
            "length": len(self.pairs) // 2,
            "data": np.frombuffer(self.pairs, dtype=np.int8).tolist(),
        }

    def as_dat(self) -> bytes:
        """Give audiowaveform's binary format, version 2."""
        length = len(self.pairs) // 2
        head = DAT_HEADER.pack(
            2, DAT_8_BIT, self.sample_rate_hz, self.samples_per_bucket, length, 1
        )
        return head + self.pairs

    def at_least(self, samples_per_bucket: int) -> "Peaks":
        """Give the same with that many samples a bucket or more: twice as often as is needed."""
        peaks = self
        while peaks.samples_per_bucket < samples_per_bucket:
            peaks = peaks.merged()
        return peaks

    def at_most(self, buckets: int) -> "Peaks":
        """Give the same with that many buckets or fewer."""
        peaks = self
        while len(peaks.pairs) // 2 > buckets:
            peaks = peaks.merged()
        return peaks

    def merged(self) -> "Peaks":
        """Give the same with two buckets in one."""
        columns = np.frombuffer(self.pairs, dtype=np.int8).reshape(-1, 2)
        odd = columns[-1:] if len(columns) % 2 else columns[:0]
        low, high = np.concatenate((columns, odd)).reshape(-1, 2, 2).transpose(2, 0, 1)
        pairs = np.stack((low.min(axis=1), high.max(axis=1)), axis=1)
        return Peaks(
            sample_rate_hz=self.sample_rate_hz,
            samples_per_bucket=2 * self.samples_per_bucket,
            pairs=pairs.tobytes(),
        )


class PeakMeter:
    """Collects peaks; the result does not depend on how the samples were cut into blocks."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._size = FIRST_SAMPLES_PER_BUCKET
        # Two rows, -minimum and maximum, so that both are merged by taking the greater.
        self._closed = np.empty((2, 0), dtype=np.float32)
        self._open = np.full(2, -np.inf, dtype=np.float32)
        self._open_samples = 0

    def add(self, block: Samples) -> None:
        """Take samples (n, channels)."""
        extremes = _extremes(block)
        filling = extremes[:, : self._size - self._open_samples]
        self._open = np.maximum(self._open, filling.max(axis=1, initial=-np.inf))
        self._open_samples += filling.shape[1]
        if self._open_samples < self._size:
            return
        rest = extremes[:, filling.shape[1] :]
        whole = rest.shape[1] // self._size
        tail = rest[:, whole * self._size :]
        buckets = rest[:, : whole * self._size].reshape(2, whole, self._size).max(axis=2)
        self._closed = np.concatenate((self._closed, self._open[:, None], buckets), axis=1)
        self._open, self._open_samples = tail.max(axis=1, initial=-np.inf), tail.shape[1]
        while self._closed.shape[1] >= MAX_BUCKETS:
            self._merge_pairs()

    def _merge_pairs(self) -> None:
        count = self._closed.shape[1]
        if count % 2:
            # The odd one out is the first half of the open bucket, which doubles in size.
            self._open = np.maximum(self._open, self._closed[:, -1])
            self._open_samples += self._size
        self._closed = self._closed[:, : count // 2 * 2].reshape(2, count // 2, 2).max(axis=2)
        self._size *= 2

    def finish(self) -> Peaks:
        """Give the peaks of all samples taken."""
        columns = self._closed
        if self._open_samples:
            columns = np.concatenate((columns, self._open[:, None]), axis=1)
        scaled = np.rint(np.clip(columns * [[-1], [1]], -1, 1) * FULL_SCALE).astype(np.int8)
        return Peaks(
            sample_rate_hz=self._sample_rate_hz,
            samples_per_bucket=self._size,
            pairs=scaled.T.tobytes(),
        )


def _extremes(block: Samples) -> Samples:
    # Column by column: numpy's reduction over an axis of two is ten times slower.
    low = high = block[:, 0]
    for channel in range(1, block.shape[1]):
        low = np.minimum(low, block[:, channel])
        high = np.maximum(high, block[:, channel])
    return np.stack((-low, high))
