"""Waveform peaks for drawing: 8 bit minimum and maximum a bucket, in the same pass as the encoding.

The length of a stream is not known before its end, so buckets start small and are merged in pairs
when there are too many: every track ends with `MAX_BUCKETS / 2` to `MAX_BUCKETS` of them, short
ones with less.
"""

from dataclasses import dataclass

import numpy as np

from veza.codecs.source import Samples

MAX_BUCKETS = 2_048
FIRST_SAMPLES_PER_BUCKET = 64
FULL_SCALE = 127


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
