"""Acoustic fingerprints: the same recording is known again, whatever its codec, level and ends.

After Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): 32 bits a frame, each
whether the difference of two neighbouring bands grew or fell since the frame before. Two encodings of
one recording differ in a tenth to a quarter of the bits, two recordings in half of them. Another speed or
pitch is another recording.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from veza.codecs.source import Samples
from veza.codecs.spectrogram import FloatArray, Framing, MonoStream, PowerSpectra

RATE_HZ = 5_512.5  # twice what the highest band needs, and an eighth of 44.1 kHz
FRAMING = Framing(size=2_048, hop=256, batch=64)  # 372 ms every 46 ms
FRAMES_PER_SECOND = RATE_HZ / FRAMING.hop
BITS = 32
LOWEST_HZ, HIGHEST_HZ = 300, 2_000  # what every codec and loudspeaker keeps
FLOOR_POWER = 1e-8  # -80 dBFS: what is softer is nobody's sound
LONGEST_SECONDS = 20 * 60
"""Longer recordings are compared by their beginnings."""
KEY_STEP = 4
"""Of so many frames one is looked up: neighbours are alike, and the other side brings all of its own."""

# Measured on 10 pieces of three games' music, transcoded (MP3 at 64, AAC at 128, Opus at 32 kbit/s), 7 dB
# softer and cut by half a second: 0.02 to 0.24 of the bits differ; of two pieces 0.488 at the least.
MOST_BIT_ERRORS = 0.32
LEAST_OVERLAP, LEAST_OVERLAP_SECONDS = 0.5, 10.0

Frames = npt.NDArray[np.uint32]
"""One word a frame; 0 where there is nothing to hear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How alike two recordings are.

    `offset_seconds`: how much later the first one comes to the same place. `overlap` is the share of the
    shorter one that is in both; `bit_errors` the share of its bits that differ.
    """

    offset_seconds: float
    overlap: float
    bit_errors: float


class FingerprintMeter:
    """Takes a recording while it passes; 86 bytes a second are kept, and do not depend on how it was cut."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._mono = MonoStream(sample_rate_hz, RATE_HZ)
        self._spectra = PowerSpectra(FRAMING)
        edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BITS + 2) * FRAMING.size / RATE_HZ
        self._edges = np.round(edges).astype(int)
        self._before: FloatArray | None = None
        self._words: list[Frames] = []
        self._frames_left = round(LONGEST_SECONDS * FRAMES_PER_SECOND)

    def add(self, block: Samples) -> None:
        """Take samples (n, channels)."""
        if self._frames_left > 0:
            for samples in self._mono.add(block):
                self._count(self._spectra.add(samples))

    def finish(self) -> bytes:
        """Give the frames as `pack` does; nothing may follow."""
        if self._frames_left > 0:
            self._count(self._spectra.add(self._mono.finish()))
            self._count(self._spectra.finish())
        return pack(np.concatenate(self._words) if self._words else np.zeros(0, dtype=np.uint32))

    def _count(self, spectra: list[FloatArray]) -> None:
        for power in spectra:
            words = self._frames(power)[: max(0, self._frames_left)]
            self._frames_left -= len(words)
            self._words.append(words)

    def _frames(self, power: FloatArray) -> Frames:
        bands = np.add.reduceat(power[:, : self._edges[-1]], self._edges[:-1], axis=1)
        slopes = bands[:, :-1] - bands[:, 1:]
        before = slopes[:1] if self._before is None else self._before
        self._before = slopes[-1:]
        grew = np.diff(slopes, axis=0, prepend=before) > 0
        words = np.packbits(grew, axis=1).view(">u4").ravel().astype(np.uint32)
        words[bands.sum(axis=1) < FLOOR_POWER] = 0
        return words


def pack(frames: Frames) -> bytes:
    """Write frames as little-endian words."""
    return frames.astype("<u4").tobytes()


def unpack(data: bytes) -> Frames:
    """Read what `pack` wrote."""
    return np.frombuffer(data, dtype="<u4").astype(np.uint32)


def keys(frames: Frames) -> list[int]:
    """Give the words by which a recording is found again, as signed 32-bit numbers."""
    return _signed(frames[::KEY_STEP])


def probes(frames: Frames) -> list[int]:
    """Give the words to look for among the `keys` of others."""
    return _signed(frames)


def _signed(frames: Frames) -> list[int]:
    words: list[int] = np.unique(frames[frames != 0]).view(np.int32).tolist()
    return words


def compare(one: Frames, other: Frames) -> Match | None:
    """Say how two recordings match; None if they are not the same."""
    offset = _likeliest_offset(one, other)
    if offset is None:
        return None
    first, second = one[max(offset, 0) :], other[max(-offset, 0) :]
    length = min(len(first), len(second))
    first, second = first[:length], second[:length]
    heard = (first != 0) & (second != 0)
    count = int(np.count_nonzero(heard))
    shorter = min(int(np.count_nonzero(one)), int(np.count_nonzero(other)))
    overlap = count / max(1, shorter)
    if count < LEAST_OVERLAP_SECONDS * FRAMES_PER_SECOND or overlap < LEAST_OVERLAP:
        return None
    wrong = np.unpackbits((first[heard] ^ second[heard]).view(np.uint8))
    bit_errors = float(wrong.mean())
    if bit_errors > MOST_BIT_ERRORS:
        return None
    return Match(offset_seconds=offset / FRAMES_PER_SECOND, overlap=overlap, bit_errors=bit_errors)


def _likeliest_offset(one: Frames, other: Frames) -> int | None:
    """Give the offset in frames at which most words are equal; None if no word is in both."""
    order = np.argsort(other, kind="stable")
    ordered = other[order]
    first = np.searchsorted(ordered, one, side="left")
    # A word that stands often is that of a held tone, and says nothing about where.
    once = (first + 1 == np.searchsorted(ordered, one, side="right")) & (one != 0)
    places = np.flatnonzero(once)
    if not len(places):
        return None
    offsets, votes = np.unique(places - order[first[places]], return_counts=True)
    return int(offsets[np.argmax(votes)])
