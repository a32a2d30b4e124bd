"""Tempo and beats of a track, found in its onset strength.

The strength of twelve seconds at a time is correlated with itself; a tempo is as good as the comb
of its period's halves, multiples and dotted values there, times a log-normal preference for what
people tap (Moelants, "Preferred tempo reconsidered", ICMPC 2002). The weights were fitted on 28 real and
48 synthetic pieces, 28 drum patterns (straight, swung, 12/8, 3/4) and 15 tiled loops. A Viterbi
search over the windows holds a tempo, follows it where it drifts, and lets it jump at a price, as
in a mix of several tracks.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy import fft  # not at its first use, which is behind the sandbox

from veza.codecs.beats import Beats, track_beats
from veza.codecs.onsets import FRAMES_PER_SECOND, OnsetMeter
from veza.codecs.spectrogram import FloatArray

LEAST_BPM, MOST_BPM = 40.0, 230.0
CANDIDATES_BPM = np.geomspace(LEAST_BPM, MOST_BPM, 400)
WINDOW_FRAMES, WINDOW_HOP_FRAMES = 1_024, 512  # 11.9 and 5.9 s
LONGEST_LAG = 520  # four beats at 40 bpm
# Of the period: halves and double, dotted values, three beats and the bar.
COMB = ((0.5, 1.4), (0.75, 2.0), (1.0, 2.5), (1.5, 0.75), (2.0, 1.8), (3.0, 1.4), (4.0, 4.4))
PREFERRED_BPM, PREFERENCE = 128.0, 2.4
JUMP_COST, DRIFT_COST_PER_OCTAVE = 0.6, 10.0
LEAST_SECONDS = 3.0
# How regular: 0.28 to 0.85 in music, up to 0.1 in noise, speech and sounds of nature. Where the
# strength is under the first level nothing begins at all: the ripple of a drone may be regular.
LEAST_REGULARITY, FULL_REGULARITY = 0.15, 0.6
DULL_LEVEL, LIVELY_LEVEL = 0.15, 0.3

FloatRow = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """The tempo most of a track has.

    Where `steady`, the beats are first_beat_seconds + n * 60 / tempo_bpm. `confidence` is 0 to 1.
    """

    tempo_bpm: float
    first_beat_seconds: float
    steady: bool
    confidence: float


class TempoMeter:
    """Collects 4 bytes for each of 86 frames a second; the search peaks at 92 MB for ten hours."""

    def __init__(self) -> None:
        self._onsets = OnsetMeter()

    def add(self, samples: FloatArray) -> None:
        """Take mono samples (m,) at `ANALYSIS_RATE_HZ`."""
        self._onsets.add(samples)

    def finish(self) -> Tempo | None:
        """Give the tempo, or None where there is no beat."""
        found = self.find()
        return None if found is None else _result(*found)

    def find(self) -> tuple[Beats, float] | None:
        """Give every beat and how sure it is that there are any."""
        strength = self._onsets.finish()
        if len(strength) < LEAST_SECONDS * FRAMES_PER_SECOND or not strength.any():
            return None
        strength = _smoothed(strength)
        scores, regularity = _tempogram(strength)
        path = _steadiest_path(scores)
        periods = (60 * FRAMES_PER_SECOND / CANDIDATES_BPM[path]).astype(np.float32)
        regular = float(regularity[np.arange(len(path)), path].mean())
        if regular < LEAST_REGULARITY:
            return None
        beats = track_beats(strength, periods, WINDOW_HOP_FRAMES)
        return None if beats is None else (beats, min(1.0, regular / FULL_REGULARITY))


def _result(beats: Beats, confidence: float) -> Tempo:
    return Tempo(
        tempo_bpm=round(60 / beats.period_seconds, 3),
        first_beat_seconds=round(float(beats.seconds[0]), 4),
        steady=beats.steady,
        confidence=round(confidence, 3),
    )


def _smoothed(strength: FloatArray) -> FloatArray:
    # About a frame wide: a beat that falls between two frames then counts as much as one that does not.
    kernel = np.exp(-0.5 * np.arange(-3, 4) ** 2)
    smooth: FloatArray = np.convolve(strength, (kernel / kernel.sum()).astype(np.float32), "same")
    return smooth


def _tempogram(strength: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give (windows, candidates): how good each tempo is, with and without the preference."""
    octaves = np.log2(CANDIDATES_BPM / PREFERRED_BPM)
    preference = PREFERENCE * octaves**2 / sum(weight for _, weight in COMB)
    count = max(1, (len(strength) - WINDOW_FRAMES) // WINDOW_HOP_FRAMES + 1)
    regularity = np.empty((count, len(CANDIDATES_BPM)), dtype=np.float32)
    for number in range(count):
        window = strength[number * WINDOW_HOP_FRAMES :][:WINDOW_FRAMES].astype(np.float64)
        regularity[number] = _liveliness(window) * _comb(_autocorrelation(window))
    return regularity - preference.astype(np.float32), regularity


def _liveliness(window: FloatRow) -> float:
    level = float(np.sqrt(np.mean(window**2)))
    return float(np.clip((level - DULL_LEVEL) / (LIVELY_LEVEL - DULL_LEVEL), 0, 1))


def _autocorrelation(window: FloatRow) -> FloatRow:
    """Give lags 0 to `LONGEST_LAG`, of 1 at lag 0, as if the window had no ends."""
    centred = window - window.mean()
    spectrum = fft.rfft(centred, 2 * WINDOW_FRAMES)
    correlation = fft.irfft(spectrum.real**2 + spectrum.imag**2)[:LONGEST_LAG]
    correlation *= len(window) / np.maximum(len(window) - np.arange(LONGEST_LAG), len(window) / 4)
    unbiased: FloatRow = correlation / max(float(correlation[0]), 1e-9)
    return unbiased


def _comb(correlation: FloatRow) -> FloatRow:
    periods = 60 * FRAMES_PER_SECOND / CANDIDATES_BPM
    lags = np.arange(len(correlation))
    parts = [weight * np.interp(part * periods, lags, correlation) for part, weight in COMB]
    return np.asarray(np.sum(parts, axis=0) / sum(weight for _, weight in COMB), dtype=np.float64)


def _steadiest_path(scores: FloatArray) -> npt.NDArray[np.intp]:
    """Give the candidate of each window that makes the best sequence (Viterbi)."""
    octaves = np.log2(CANDIDATES_BPM).astype(np.float32)
    distance = np.abs(octaves[:, None] - octaves[None, :])
    costs = np.minimum(distance * np.float32(DRIFT_COST_PER_OCTAVE), np.float32(JUMP_COST))
    origins = np.zeros(scores.shape, dtype=np.int16)
    total = scores[0]
    for number in range(1, len(scores)):
        choices = total[None, :] - costs
        origins[number] = choices.argmax(axis=1)
        total = choices.max(axis=1) + scores[number]
    path = [int(np.argmax(total))]
    for number in range(len(scores) - 1, 0, -1):
        path.append(int(origins[number, path[-1]]))
    return np.array(path[::-1], dtype=np.intp)
