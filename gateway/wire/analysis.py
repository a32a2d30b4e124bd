"""What a track's sound measured, as clients get it."""

from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from veza.gateway.values import View

Hundredths = Annotated[float, AfterValidator(partial(round, ndigits=2))]
Thousandths = Annotated[float, AfterValidator(partial(round, ndigits=3))]


class LoudnessView(View):
    """EBU R 128. Null: too quiet or too short to tell. Players add `replay_gain_db`."""

    integrated_lufs: Hundredths | None
    momentary_max_lufs: Hundredths | None
    short_term_max_lufs: Hundredths | None
    range_lu: Hundredths
    true_peak_dbtp: Hundredths | None
    replay_gain_db: Hundredths


class TempoView(View):
    """Where `steady`, beat n is at first_beat_seconds + n * 60 / tempo_bpm. `confidence`: 0 to 1."""

    tempo_bpm: float
    first_beat_seconds: float
    steady: bool
    confidence: float


class KeyView(View):
    """`camelot` is the key on the wheel of DJs; `tuning_cents` is relative to A at 440 Hz."""

    tonic: str
    mode: Literal["major", "minor"]
    camelot: str
    tuning_cents: float
    confidence: float


class SpectrumView(View):
    """`cutoff_hz`: where the sound ends at a cliff, as lossy encoders leave it."""

    centroid_hz: float
    rolloff_hz: float
    flatness: float
    bandwidth_hz: float
    cutoff_hz: float | None
    crest_db: float


class SilenceView(View):
    """Silence at both ends."""

    leading_seconds: Thousandths
    trailing_seconds: Thousandths
    all_silent: bool


class MusicView(View):
    """Null: there is no beat, no key, or no sound."""

    tempo: TempoView | None
    key: KeyView | None
    spectrum: SpectrumView | None
    silence: SilenceView


class AnalysisView(View):
    """What the sound of a track measured while it was encoded; music: null if it was not looked for."""

    loudness: LoudnessView
    music: MusicView | None = None


def _parsed(stored: object) -> object:
    return AnalysisView.model_validate_json(stored) if isinstance(stored, str) else stored


Measured = Annotated[AnalysisView, BeforeValidator(_parsed)]
"""Filled from the JSON that is stored."""
