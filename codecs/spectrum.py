"""Spectral summary of a track: long-term bands, centroid, roll-off, flatness, bandwidth, crest.

One frame of 85 to 93 ms is looked at in every 16,384 samples (three a second, a quarter of the
sound at 4 % of the price): a long-term average needs no more. Channels are measured by power, so
what is only in the sides of the stereo image counts too.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy import fft  # not at its first use, which is behind the sandbox

from veza.codecs.source import Samples
from veza.codecs.spectrogram import BLOCK_SAMPLES, Cutter, FloatArray

FRAME_SAMPLES = 4_096
BANDS = 28
LOWEST_EDGE_HZ, HIGHEST_EDGE_HZ = 30.0, 20_000.0
"""28 bands of a third of an octave (a ratio of 1.26); each edge is 30 Hz * 666.7 ** (i / 28)."""
ROLLOFF_SHARE = 0.85
AUDIBLE_HZ = 20.0  # what lies below, an offset too, is no sound
FLOOR_DBFS = -120.0
"""Below it is nothing: the dither of 16 bits lies at -131 dBFS a bin of this transform."""
# What has been through a lossy encoder falls 30 dB and more within 500 Hz; music and microphones
# fall off by 1 to 5 dB there.
CLIFF_DB, CLIFF_HZ = 24.0, 500.0
# Encoders cut from 11 kHz up (MP3 at 64 kbit/s); near half the rate lie the filters of converters.
LOWEST_CUTOFF_HZ, HIGHEST_CUTOFF_SHARE = 8_000.0, 0.93
LEAST_DBFS = -90.0
HEARD_DB = 60.0  # what is further below the loudest band moves nobody

FloatRow = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """What the sound of a track is like. Levels are dB re a full-scale sine.

    `bands_db` are mean powers, `band_deviations_db` how much each moves over time. `bandwidth_hz`
    is the upper end of the content; `cutoff_hz` is the same where it ends at a cliff, as lossy
    encoders leave it (LAME: 15.3 kHz at 96 kbit/s, 16.7 at 128, 18.8 at 192, 20.1 at 320), else None.
    `flatness` is 0 for tones to 1 for white noise. `crest_db` is peak over RMS, 3 for a sine.
    """

    bands_db: tuple[float, ...]
    band_deviations_db: tuple[float, ...]
    centroid_hz: float
    rolloff_hz: float
    flatness: float
    bandwidth_hz: float
    cutoff_hz: float | None
    crest_db: float

    def similarity_vector(self) -> tuple[float, ...]:
        """Give 59 numbers; the nearer two tracks' are (Euclidean), the more alike they sound.

        Independent of level. Ten decibels, a doubling of the centroid, or a flatness from 0 to 1
        are worth 1 each.
        """
        least = max(self.bands_db) - HEARD_DB
        heard = [max(band, least) for band in self.bands_db]
        mean = sum(heard) / BANDS
        return (
            *(round((band - mean) / 10, 3) for band in heard),
            *(round(deviation / 10, 3) for deviation in self.band_deviations_db),
            round(float(np.log2(max(self.centroid_hz, 20.0) / 1_000)), 3),
            round(self.flatness, 3),
            round(self.crest_db / 10, 3),
        )


class SpectrumMeter:
    """Sums spectra: 70 KB for a track of any length."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate = sample_rate_hz
        self._cutter = Cutter(BLOCK_SAMPLES, BLOCK_SAMPLES)
        window = np.hanning(FRAME_SAMPLES + 1)[:-1]
        self._window = (window * 2 / window.sum()).astype(np.float32)[:, None]
        self._hertz = np.arange(FRAME_SAMPLES // 2 + 1) * sample_rate_hz / FRAME_SAMPLES
        self._edges = _band_edges(self._hertz)
        self._power = np.zeros(len(self._hertz))
        self._levels = np.zeros(BANDS)
        self._squared_levels = np.zeros(BANDS)
        self._frames = self._samples = 0
        self._peak = self._energy = 0.0

    def add(self, block: Samples) -> None:
        """Take samples (n, channels)."""
        for piece in self._cutter.add(block):
            self._measure(piece)

    def finish(self) -> Spectrum | None:
        """Give the summary, or None where nothing is above the noise of 16 bits."""
        rest = self._cutter.rest()
        if len(rest):
            self._measure(rest)
        if self._peak < 10 ** (LEAST_DBFS / 20) or not self._frames:
            return None
        mean_power = np.where(self._hertz < AUDIBLE_HZ, 0, self._power / self._frames)
        levels = self._levels / self._frames
        variances = np.maximum(self._squared_levels / self._frames - levels**2, 0)
        bandwidth, cliff = _upper_end(mean_power, self._hertz)
        total = float(mean_power.sum())
        rolloff = int(np.searchsorted(np.cumsum(mean_power), ROLLOFF_SHARE * total))
        return Spectrum(
            bands_db=_rounded(_decibel(_banded(mean_power, self._edges))),
            band_deviations_db=_rounded(np.sqrt(variances)),
            centroid_hz=round(float(np.sum(self._hertz * mean_power)) / max(total, 1e-30), 1),
            rolloff_hz=round(float(self._hertz[min(rolloff, len(self._hertz) - 1)]), 1),
            flatness=round(_flatness(mean_power, self._hertz), 4),
            bandwidth_hz=round(bandwidth, 1),
            cutoff_hz=round(bandwidth, 1) if cliff else None,
            crest_db=round(self._crest_db(), 2),
        )

    def _measure(self, piece: FloatArray) -> None:
        self._samples += piece.size
        self._peak = max(self._peak, float(piece.max()), -float(piece.min()))
        self._energy += float(np.sum(np.square(piece), dtype=np.float64))
        if len(piece) < FRAME_SAMPLES and self._frames:
            return
        missing = max(0, FRAME_SAMPLES - len(piece))
        frame = np.pad(piece[:FRAME_SAMPLES], ((0, missing), (0, 0)))
        spectrum = fft.rfft(frame * self._window, axis=0)
        power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1, dtype=np.float64)
        levels = _decibel(_banded(power, self._edges))
        levels = np.maximum(levels, levels.max() - HEARD_DB)
        self._power += power
        self._levels += levels
        self._squared_levels += levels**2
        self._frames += 1

    def _crest_db(self) -> float:
        rms = (self._energy / self._samples) ** 0.5
        return float(20 * np.log10(self._peak / max(rms, 1e-9)))


def _band_edges(hertz: FloatRow) -> npt.NDArray[np.intp]:
    wanted = np.geomspace(LOWEST_EDGE_HZ, HIGHEST_EDGE_HZ, BANDS + 1)
    return np.searchsorted(hertz, wanted).astype(np.intp)


def _banded(power: FloatRow, edges: npt.NDArray[np.intp]) -> FloatRow:
    """Sum up each band; one narrower than a bin takes the bin it lies in, one above the rate 0."""
    sums = np.concatenate(([0.0], np.cumsum(power)))
    low = np.minimum(edges[:-1], len(power))
    high = np.minimum(np.maximum(edges[1:], edges[:-1] + 1), len(power))
    # A window as wide as Hann's spreads each tone over 1.5 bins.
    banded: FloatRow = np.maximum(sums[high] - sums[low], 0) / 1.5
    return banded


def _decibel(power: FloatRow) -> FloatRow:
    level: FloatRow = np.maximum(10 * np.log10(power + 1e-20), FLOOR_DBFS)
    return level


def _rounded(row: FloatRow) -> tuple[float, ...]:
    return tuple(round(float(number), 1) for number in row)


def _flatness(power: FloatRow, hertz: FloatRow) -> float:
    """Geometric over arithmetic mean (Johnston 1988), 50 Hz to 16 kHz."""
    inside = power[(hertz >= 50) & (hertz <= 16_000)] + 1e-20  # noqa: PLR2004  # as said
    return float(np.exp(np.mean(np.log(inside))) / np.mean(inside))


def _upper_end(power: FloatRow, hertz: FloatRow) -> tuple[float, bool]:
    """Give the highest frequency with content, and whether a lossy encoder's cliff ends it."""
    # Over 9 bins, about 100 Hz, so that no single one decides.
    level = _decibel(np.convolve(power, np.full(9, 1 / 9), mode="same"))
    above = np.flatnonzero(level > FLOOR_DBFS)
    if not len(above):
        return 0.0, False
    end = int(above[-1])
    reach = round(CLIFF_HZ / float(hertz[1]))
    drops = level[:-reach] - level[reach:]
    first = max(0, end - 3 * reach)
    near_end = drops[first : end + 1]
    if not len(near_end) or near_end.max() < CLIFF_DB:
        return float(hertz[end]), False
    edge = float(hertz[first + int(near_end.argmax()) + reach // 2])
    usual = LOWEST_CUTOFF_HZ <= edge <= HIGHEST_CUTOFF_SHARE * hertz[-1]
    return (edge, True) if usual else (float(hertz[end]), False)
