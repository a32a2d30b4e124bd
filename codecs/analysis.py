"""Everything that is measured of a track while it is encoded, in one meter."""

from dataclasses import dataclass

from veza.codecs.loudness import Loudness, LoudnessMeter
from veza.codecs.music import Music, MusicMeter
from veza.codecs.source import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What a track measured; players, search and listings read it."""

    loudness: Loudness
    music: Music


class AnalysisMeter:
    """Takes a track in blocks (n, channels), cut anywhere."""

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        # What is encoded has one channel or two: both stand in front.
        self._loudness = LoudnessMeter(sample_rate_hz, (1.0,) * channels)
        self._music = MusicMeter(sample_rate_hz)

    def add(self, block: Samples) -> None:
        """Take samples (n, channels)."""
        self._loudness.add(block)
        self._music.add(block)

    def finish(self) -> Analysis:
        """Give what all samples taken measured."""
        return Analysis(loudness=self._loudness.finish(), music=self._music.finish())
