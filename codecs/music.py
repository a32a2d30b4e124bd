"""The musical analysis of a track behind one meter: tempo, key, spectrum, silence."""

from dataclasses import dataclass

from veza.codecs.key import Key, KeyMeter
from veza.codecs.silence import Silence, SilenceMeter
from veza.codecs.source import Samples
from veza.codecs.spectrogram import MonoStream
from veza.codecs.spectrum import Spectrum, SpectrumMeter
from veza.codecs.tempo import Tempo, TempoMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class Music:
    """What was found; None where there is no beat, no key, or no sound."""

    tempo: Tempo | None
    key: Key | None
    spectrum: Spectrum | None
    silence: Silence


class MusicMeter:
    """Measures while the samples pass; the result does not depend on how they were cut."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._mono = MonoStream(sample_rate_hz)
        self._tempo = TempoMeter()
        self._key = KeyMeter()
        self._spectrum = SpectrumMeter(sample_rate_hz)
        self._silence = SilenceMeter(sample_rate_hz)

    def add(self, block: Samples) -> None:
        """Take samples (n, channels)."""
        self._silence.add(block)
        self._spectrum.add(block)
        for samples in self._mono.add(block):
            self._tempo.add(samples)
            self._key.add(samples)

    def finish(self) -> Music:
        """Give what all samples taken amount to; nothing may follow."""
        last = self._mono.finish()
        self._tempo.add(last)
        self._key.add(last)
        return Music(
            tempo=self._tempo.finish(),
            key=self._key.finish(),
            spectrum=self._spectrum.finish(),
            silence=self._silence.finish(),
        )
