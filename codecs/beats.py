"""The beats of a track, given its onset strength and its tempo over time.

Dynamic programming finds the sequence of frames that begin most and keep the tempo best (Ellis,
"Beat Tracking by Dynamic Programming", J. New Music Research 36, 2007). A beat's predecessor lies half a
period to two periods before it, so half a period of frames is looked at in one step. Where the
beats keep to one straight line, as all that is made with a sequencer does, the line is the better
measurement and takes their place. Frames are centred on their time and need no correction: drums are
found 4 ms early, plucked notes 2 ms late.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from veza.codecs.onsets import FRAMES_PER_SECOND
from veza.codecs.spectrogram import FloatArray

TIGHTNESS = 100.0  # of Ellis's equation 3, as in librosa
LEAST_BEATS = 4
WEAK_SHARE = 0.5  # beats at the ends with less than half the strength of all are in silence
NEAR_SECONDS = 0.035
STEADY_SHARE = 0.8
SAME_SHARE = 0.06

Times = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """Times in seconds, and whether they are a line: first + n * period."""

    seconds: Times
    period_seconds: float
    steady: bool


def track_beats(strength: FloatArray, periods: FloatArray, frames_per_period: int) -> Beats | None:
    """Find the beats.

    `periods` (in frames) apply to `frames_per_period` frames of `strength` each, the last to all
    that follow.
    """
    frames = _trimmed(_best_path(strength, periods, frames_per_period), strength)
    if len(frames) < LEAST_BEATS:
        return None
    seconds = _between_frames(frames, strength) / FRAMES_PER_SECOND
    first, period, share = _line(seconds)
    if share < STEADY_SHARE:
        return Beats(
            seconds=np.maximum(seconds, 0),
            period_seconds=_usual(np.diff(seconds)),
            steady=False,
        )
    line = first + period * np.arange(len(seconds))
    return Beats(
        # An onset at sample 0 may be measured a little before it.
        seconds=np.maximum(line[line > -NEAR_SECONDS], 0),
        period_seconds=period,
        steady=True,
    )


def _best_path(
    strength: FloatArray, periods: FloatArray, frames_per_period: int
) -> npt.NDArray[np.intp]:
    """Give the frames of the beats, ascending."""
    head = 2 * int(np.ceil(periods.max())) + 1
    scores = np.zeros(head + len(strength), dtype=np.float32)
    steps = np.zeros(len(strength), dtype=np.int16)
    start = 0
    while start < len(strength):
        period = float(periods[min(start // frames_per_period, len(periods) - 1)])
        shortest = max(1, round(period / 2))
        lags = np.arange(round(2 * period), shortest - 1, -1)
        costs = (TIGHTNESS * np.log(lags / period) ** 2).astype(np.float32)
        end = min(start + shortest, len(strength))
        first = head + start - lags[0]
        past = scores[first : first + end - start + len(lags) - 1]
        choices = np.lib.stride_tricks.sliding_window_view(past, len(lags)) - costs
        best = choices.argmax(axis=1)
        steps[start:end] = lags[best]
        scores[head + start : head + end] = (
            strength[start:end] + choices[np.arange(end - start), best]
        )
        start = end
    return _traced(scores[head:], steps, round(float(periods[-1])))


def _traced(
    scores: FloatArray, steps: npt.NDArray[np.int16], last_period: int
) -> npt.NDArray[np.intp]:
    tail = max(0, len(scores) - last_period)
    frame = tail + int(np.argmax(scores[tail:]))
    path = []
    while frame >= 0:
        path.append(frame)
        frame -= int(steps[frame])
    return np.array(path[::-1], dtype=np.intp)


def _trimmed(frames: npt.NDArray[np.intp], strength: FloatArray) -> npt.NDArray[np.intp]:
    at_beats = strength[frames]
    strong = np.flatnonzero(at_beats > WEAK_SHARE * np.sqrt(np.mean(at_beats**2)))
    return frames[strong[0] : strong[-1] + 1] if len(strong) else frames[:0]


def _between_frames(frames: npt.NDArray[np.intp], strength: FloatArray) -> Times:
    """Move each beat to the greatest strength near it, by a parabola through three frames."""
    padded = np.pad(strength, 3).astype(np.float64)
    near = padded[frames[:, None] + 3 + np.arange(-2, 3)]
    peaks = frames + near.argmax(axis=1) - 2
    left, top, right = (padded[peaks + 3 + side] for side in (-1, 0, 1))
    bend = left - 2 * top + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.minimum(bend, -1e-9), 0)
    return np.asarray(peaks + np.clip(shift, -0.5, 0.5), dtype=np.float64)


def _usual(intervals: Times) -> float:
    """Give the mean of the intervals near the median: finer than that, and as deaf to gaps."""
    # One of them: what is half-way between two kinds of intervals is near none.
    median = np.sort(intervals)[len(intervals) // 2]
    return float(intervals[np.abs(intervals - median) <= SAME_SHARE * median].mean())


def _line(seconds: Times) -> tuple[float, float, float]:
    """Fit first + n * period; give both and the share of beats near it."""
    numbers = np.arange(len(seconds), dtype=np.float64)
    near = np.ones(len(seconds), dtype=bool)
    period, first = _fitted(numbers, seconds)
    for _ in range(3):
        near = np.abs(seconds - first - period * numbers) < NEAR_SECONDS
        if np.count_nonzero(near) < LEAST_BEATS:
            return first, period, 0.0
        period, first = _fitted(numbers[near], seconds[near])
    return first, period, float(near.mean())


def _fitted(numbers: Times, seconds: Times) -> tuple[float, float]:
    centred = numbers - numbers.mean()
    period = float(np.sum(centred * seconds) / np.sum(centred**2))
    return period, float(seconds.mean() - period * numbers.mean())
