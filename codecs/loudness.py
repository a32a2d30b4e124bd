"""Loudness as people hear it: integrated, momentary, short-term, range, and the gain it asks for.

ITU-R BS.1770-5 (K-weighting, gates), EBU R 128, EBU Tech 3341 (meters) and Tech 3342 (range). What
is measured is what is encoded: a down-mix by its two channels, a mono track as one. Numbers are
metadata for players; the sound itself is never changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10, pi, tan

import numpy as np
import numpy.typing as npt

from veza.codecs.iir import Filter, Section
from veza.codecs.source import Samples
from veza.codecs.true_peak import TruePeakMeter

REFERENCE_LUFS = -18.0
"""What ReplayGain 2.0 brings a track to."""
OFFSET = -0.691  # BS.1770: a 997 Hz tone at 0 dBFS in one channel is -3.01 LKFS
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
RANGE_GATE_LU = -20.0
RANGE_PERCENTILES = (10, 95)
STEPS_PER_SECOND = 10
MOMENTARY_STEPS = 4  # 400 ms
SHORT_TERM_STEPS = 30  # 3 s
PIECE_SAMPLES = 32_768
"""Filtered at once: more leaves the cache."""

Powers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """None where it is too quiet or too short to be heard as loud: below -70 LUFS, under 400 ms.

    A player that adds `replay_gain_db` makes all tracks equally loud (ReplayGain 2.0).
    """

    integrated_lufs: float | None
    momentary_max_lufs: float | None
    short_term_max_lufs: float | None
    range_lu: float
    true_peak_dbtp: float | None
    replay_gain_db: float


class LoudnessMeter:
    """Takes a track in blocks, cut anywhere; keeps 8 bytes for each tenth of a second."""

    def __init__(self, sample_rate_hz: int, weights: Sequence[float]) -> None:
        """`weights` are the channels': 1 in front, 1.41 at the sides, 0 for the low frequency effects."""
        self._weights = np.asarray(weights, dtype=np.float64)
        self._rate_hz = sample_rate_hz
        self._filter = Filter(k_weighting(sample_rate_hz), len(weights))
        self._true_peak = TruePeakMeter(len(weights))
        self._steps: list[Powers] = []
        self._samples = 0
        self._open_energy = 0.0

    def add(self, block: Samples) -> None:
        """Take samples (n, channels)."""
        self._true_peak.add(block)
        for start in range(0, len(block), PIECE_SAMPLES):
            self._measure(self._filter(block[start : start + PIECE_SAMPLES]))

    def _measure(self, filtered: Powers) -> None:
        """Close every tenth of a second that ends in these samples (channels, n)."""
        energy = self._weights @ (filtered * filtered)
        first = self._step_at(self._samples)
        last = self._step_at(self._samples + len(energy))
        if first == last:
            self._open_energy += float(energy.sum())
        else:
            ends = np.array([self._end_of(step) for step in range(first, last)])
            starts = np.concatenate(([0], ends - self._samples))
            sums = np.add.reduceat(np.append(energy, 0.0), starts)
            sums[0] += self._open_energy
            lengths = np.diff(np.concatenate(([self._end_of(first - 1)], ends)))
            self._steps.append(sums[:-1] / lengths)
            self._open_energy = float(sums[-1])
        self._samples += len(energy)

    def _end_of(self, step: int) -> int:
        return (step + 1) * self._rate_hz // STEPS_PER_SECOND

    def _step_at(self, sample: int) -> int:
        """Count the steps that are over when this many samples are taken."""
        return (sample * STEPS_PER_SECOND + STEPS_PER_SECOND - 1) // self._rate_hz

    def finish(self) -> Loudness:
        """Give the loudness of all samples taken."""
        steps = np.concatenate(self._steps) if self._steps else np.empty(0)
        momentary, short_term = _means(steps, MOMENTARY_STEPS), _means(steps, SHORT_TERM_STEPS)
        integrated = _integrated(momentary)
        peak = self._true_peak.finish()
        return Loudness(
            integrated_lufs=integrated,
            momentary_max_lufs=_highest(momentary),
            short_term_max_lufs=_highest(short_term),
            range_lu=_range(short_term),
            true_peak_dbtp=20 * log10(peak) if peak else None,
            replay_gain_db=0.0 if integrated is None else REFERENCE_LUFS - integrated,
        )


def k_weighting(sample_rate_hz: int) -> tuple[Section, Section]:
    """Give the head's shelf and the low cut of BS.1770 for any rate: its table holds 48 kHz only."""
    warped = tan(pi * 1681.974450955533 / sample_rate_hz)
    high, quality = 10 ** (3.999843853973347 / 20), 0.7071752369554196
    middle = high**0.4996667741545416
    whole = 1 + warped / quality + warped**2
    shelf = (
        (high + middle * warped / quality + warped**2) / whole,
        2 * (warped**2 - high) / whole,
        (high - middle * warped / quality + warped**2) / whole,
        2 * (warped**2 - 1) / whole,
        (1 - warped / quality + warped**2) / whole,
    )
    warped, quality = tan(pi * 38.13547087602444 / sample_rate_hz), 0.5003270373238773
    whole = 1 + warped / quality + warped**2
    poles = (2 * (warped**2 - 1) / whole, (1 - warped / quality + warped**2) / whole)
    return shelf, (1.0, -2.0, 1.0, *poles)


def _means(steps: Powers, width: int) -> Powers:
    if len(steps) < width:
        return np.empty(0)
    means: Powers = np.lib.stride_tricks.sliding_window_view(steps, width).mean(axis=1)
    return means


def _lufs(power: float) -> float:
    return OFFSET + 10 * log10(power)


def _power(lufs: float) -> float:
    return float(10 ** ((lufs - OFFSET) / 10))


def _highest(powers: Powers) -> float | None:
    highest = float(powers.max(initial=0.0))
    return _lufs(highest) if highest > _power(ABSOLUTE_GATE_LUFS) else None


def _gated(powers: Powers, relative_gate_lu: float) -> Powers:
    loud = powers[powers > _power(ABSOLUTE_GATE_LUFS)]
    return loud[loud > loud.mean() * 10 ** (relative_gate_lu / 10)] if len(loud) else loud


def _integrated(momentary: Powers) -> float | None:
    loud = _gated(momentary, RELATIVE_GATE_LU)
    return _lufs(float(loud.mean())) if len(loud) else None


def _range(short_term: Powers) -> float:
    loud = np.sort(_gated(short_term, RANGE_GATE_LU))
    if not len(loud):
        return 0.0
    low, high = (loud[round((len(loud) - 1) * share / 100)] for share in RANGE_PERCENTILES)
    return 10 * log10(high / low)
