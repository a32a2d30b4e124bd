"""What is stored of a track's sound, as clients get it."""

import json

import orjson
from pydantic import TypeAdapter

from veza.codecs.analysis import AnalysisMeter
from veza.gateway.wire.analysis import Measured

LOUDNESS = {
    "integrated_lufs": -13.0,
    "momentary_max_lufs": -11.5,
    "short_term_max_lufs": -12.25,
    "range_lu": 4.0,
    "true_peak_dbtp": None,
    "replay_gain_db": -5.0,
}
VIEW = TypeAdapter(Measured)


def test_an_analysis_from_before_music_was_looked_for_is_read():
    view = VIEW.validate_python(json.dumps({"loudness": LOUDNESS}))
    assert view.loudness.integrated_lufs == -13.0
    assert view.music is None


def test_what_the_meter_gives_without_a_sample_is_read():
    stored = orjson.dumps(AnalysisMeter(48_000, 2).finish()).decode()
    music = VIEW.validate_python(stored).music
    assert (music.tempo, music.key, music.spectrum) == (None, None, None)
    assert music.silence.all_silent
