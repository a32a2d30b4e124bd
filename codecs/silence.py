"""Silence at both ends of a track, in seconds, over all channels.

Silent is what never passes -60 dBFS: under it lie the dither, hiss and fade-outs that nobody hears
next to music, over it the first note. What belongs to the track is not cut by this: an album mixed
without gaps has a few milliseconds or none, encoders that do not tell their padding add 25 to 50,
and what a player may shorten begins at about half a second.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from veza.codecs.source import Samples

THRESHOLD_DBFS = -60.0
_THRESHOLD = 10 ** (THRESHOLD_DBFS / 20)
_STRETCH_SAMPLES = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Seconds under `THRESHOLD_DBFS` before the first and after the last sound.

    Where `all_silent`, the whole length is leading and nothing is trailing.
    """

    leading_seconds: float
    trailing_seconds: float
    all_silent: bool


class SilenceMeter:
    """Looks for the first and the last sample that sounds; keeps three numbers."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._samples = 0
        self._first: int | None = None
        self._last = 0

    def add(self, block: Samples) -> None:
        """Take samples (n, channels)."""
        last = _last_sounding(block)
        if last is not None:
            if self._first is None:
                self._first = self._samples + _first_sounding(block)
            self._last = self._samples + last
        self._samples += len(block)

    def finish(self) -> Silence:
        """Give the silence of all samples taken."""
        leading = self._samples if self._first is None else self._first
        trailing = 0 if self._first is None else self._samples - 1 - self._last
        return Silence(
            leading_seconds=leading / self._sample_rate_hz,
            trailing_seconds=trailing / self._sample_rate_hz,
            all_silent=self._first is None,
        )


def _sounding(block: Samples) -> npt.NDArray[np.bool_]:
    """Tell for each sample (n,) whether any channel sounds."""
    return np.asarray((np.abs(block) > _THRESHOLD).any(axis=1))


def _last_sounding(block: Samples) -> int | None:
    # From the end, in stretches: in most blocks the first look finds one.
    for end in range(len(block), 0, -_STRETCH_SAMPLES):
        start = max(0, end - _STRETCH_SAMPLES)
        found = np.flatnonzero(_sounding(block[start:end]))
        if len(found):
            return start + int(found[-1])
    return None


def _first_sounding(block: Samples) -> int:
    return int(np.argmax(_sounding(block)))
