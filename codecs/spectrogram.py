"""The front end of the musical analysis: mono at 22,050 Hz, cut into frames, in bounded memory.

Tempo and key need different frames: 46 ms to place an onset, 370 ms to tell two low notes apart
(a semitone at 110 Hz is 6.5 Hz wide). So they share the mix and the resampling, and each takes its
own transform; on one shared spectrogram of either size one of them fails.

Everything is worked on in blocks of a fixed size, whatever blocks the samples came in: rounding is
then the same too, and equal samples give equal results to the last bit.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr  # type: ignore[import-untyped]  # ships no types
from numpy import fft  # not at its first use, which is behind the sandbox

from veza.codecs.source import Samples

ANALYSIS_RATE_HZ = 22_050
"""Holds all that tells tempo and key (hi-hats begin at 6 kHz, melodies end at 5 kHz)."""
BLOCK_SAMPLES = 16_384
FloatArray = npt.NDArray[np.float32]


class Cutter:
    """Cuts a stream into pieces of `length` that begin every `advance` samples, never more apart."""

    def __init__(self, length: int, advance: int, head: FloatArray | None = None) -> None:
        self._length = length
        self._advance = advance
        self._held = head

    def add(self, samples: FloatArray) -> list[FloatArray]:
        """Give the pieces that are complete."""
        held = samples if self._held is None else np.concatenate((self._held, samples))
        count = max(0, (len(held) - self._length) // self._advance + 1)
        # A copy, so that the buffer of the caller may be used again.
        self._held = held[count * self._advance :].copy()
        starts = range(0, count * self._advance, self._advance)
        return [held[start : start + self._length] for start in starts]

    def rest(self) -> FloatArray:
        """Give what no piece has begun with yet."""
        return np.zeros(0, dtype=np.float32) if self._held is None else self._held


class MonoStream:
    """Mixes to mono and resamples to `rate_hz`, soxr HQ."""

    def __init__(self, sample_rate_hz: int, rate_hz: float = ANALYSIS_RATE_HZ) -> None:
        self._cutter = Cutter(BLOCK_SAMPLES, BLOCK_SAMPLES)
        self._resampler = None
        if sample_rate_hz != rate_hz:
            self._resampler = soxr.ResampleStream(
                sample_rate_hz, rate_hz, 1, dtype="float32", quality="HQ"
            )

    def add(self, block: Samples) -> list[FloatArray]:
        """Take samples (n, channels), give mono samples (m,)."""
        return [self._resampled(piece) for piece in self._cutter.add(mono(block))]

    def finish(self) -> FloatArray:
        """Give the last samples (m,)."""
        return self._resampled(self._cutter.rest(), last=True)

    def _resampled(self, samples: FloatArray, *, last: bool = False) -> FloatArray:
        if self._resampler is None:
            return samples
        resampled: FloatArray = self._resampler.resample_chunk(samples, last=last)
        return resampled


def mono(block: Samples) -> FloatArray:
    """Give the mean of the channels (n,), of (n, channels)."""
    # Column by column: numpy's mean over an axis of two is ten times slower.
    total = block[:, 0]
    for channel in range(1, block.shape[1]):
        total = total + block[:, channel]
    return total if block.shape[1] == 1 else total * np.float32(1 / block.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """Frame i has `size` samples centred on sample `i * hop`; `batch` frames at a time."""

    size: int
    hop: int
    batch: int


class PowerSpectra:
    """Power spectra of Hann-windowed frames; a sine of amplitude 1 has a peak of 1."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._samples = self._frames = 0
        window = np.hanning(framing.size + 1)[:-1]
        self._window = (window * 2 / window.sum()).astype(np.float32)
        self._cutter = Cutter(
            (framing.batch - 1) * framing.hop + framing.size,
            framing.batch * framing.hop,
            np.zeros(framing.size // 2, dtype=np.float32),
        )

    def add(self, samples: FloatArray) -> list[FloatArray]:
        """Take mono samples (m,) in any cutting, give spectra (batch, size / 2 + 1)."""
        self._samples += len(samples)
        return [self._power(piece) for piece in self._cutter.add(samples)]

    def finish(self) -> list[FloatArray]:
        """Give the frames centred on what is left, with silence behind it; none of no samples."""
        missing = -(-self._samples // self._framing.hop) - self._frames
        length = self._framing.batch * self._framing.hop + self._framing.size
        pieces = self._cutter.add(np.zeros(length, dtype=np.float32))
        spectra: list[FloatArray] = []
        for piece in pieces:
            power = self._power(piece)[:missing]
            missing -= len(power)
            spectra += [power] if len(power) else []
        return spectra

    def _power(self, piece: FloatArray) -> FloatArray:
        self._frames += self._framing.batch
        frames = np.lib.stride_tricks.sliding_window_view(piece, self._framing.size)
        spectrum = fft.rfft(frames[:: self._framing.hop] * self._window)
        return np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float32)
