"""What a track's sound measured, as clients get it."""

from functools import partial
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from veza.gateway.values import View

Hundredths = Annotated[float, AfterValidator(partial(round, ndigits=2))]


class LoudnessView(View):
    """EBU R 128. Null: too quiet or too short to tell. Players add `replay_gain_db`."""

    integrated_lufs: Hundredths | None
    momentary_max_lufs: Hundredths | None
    short_term_max_lufs: Hundredths | None
    range_lu: Hundredths
    true_peak_dbtp: Hundredths | None
    replay_gain_db: Hundredths


class AnalysisView(View):
    """What the sound of a track measured while it was encoded."""

    loudness: LoudnessView


def _parsed(stored: object) -> object:
    return AnalysisView.model_validate_json(stored) if isinstance(stored, str) else stored


Measured = Annotated[AnalysisView, BeforeValidator(_parsed)]
"""Filled from the JSON that is stored."""
