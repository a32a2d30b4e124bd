"""The spectral summary has the levels, the shape and the upper end that the sound was made with."""

import io

import numpy as np
import pytest
import soxr

from veza.codecs.decode import open_source
from veza.codecs.source import Limits
from veza.codecs.spectrum import SpectrumMeter
from veza.codecs.synthesis import PIECES, render

RATE = 44_100
TIME = np.arange(10 * RATE) / RATE


def measure(samples, rate=RATE):
    meter = SpectrumMeter(rate)
    meter.add(np.ascontiguousarray(samples, dtype=np.float32))
    return meter.finish()


@pytest.mark.parametrize("hertz", [100, 1_000, 10_000])
def test_a_tone_is_in_its_band_at_its_level(hertz):
    found = measure(0.1 * np.sin(2 * np.pi * hertz * TIME)[:, None])
    edges = np.geomspace(30, 20_000, 29)
    band = int(np.searchsorted(edges, hertz)) - 1
    assert int(np.argmax(found.bands_db)) == band
    assert found.bands_db[band] == pytest.approx(-20, abs=0.5)
    assert found.centroid_hz == pytest.approx(hertz, rel=0.02)
    assert found.rolloff_hz == pytest.approx(hertz, rel=0.1)
    assert found.flatness < 0.01
    assert found.crest_db == pytest.approx(3.01, abs=0.02)


def test_white_noise_is_flat_to_the_top():
    found = measure(np.random.default_rng(3).uniform(-0.5, 0.5, (len(TIME), 2)))
    assert found.flatness > 0.95
    assert found.centroid_hz == pytest.approx(RATE / 4, rel=0.02)
    assert found.rolloff_hz == pytest.approx(0.85 * RATE / 2, rel=0.02)
    assert found.bandwidth_hz == pytest.approx(RATE / 2, rel=0.01)
    assert found.crest_db == pytest.approx(4.77, abs=0.05)  # of a uniform distribution


def test_an_offset_is_no_sound():
    found = measure(np.full((RATE, 1), 0.5))
    assert set(found.bands_db) == {-120.0}
    assert (found.bandwidth_hz, found.cutoff_hz) == (0.0, None)


def test_sound_in_opposite_phase_counts():
    tone = 0.1 * np.sin(2 * np.pi * 1_000 * TIME)
    assert max(measure(np.stack((tone, -tone), axis=1)).bands_db) == pytest.approx(-20, abs=0.5)


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.title)
def test_a_lossy_past_shows_as_a_cutoff(piece, make_file):
    original = render(piece, seconds=12)
    assert measure(original).cutoff_hz is None
    source = open_source(io.BytesIO(make_file("mp3", original, RATE)), Limits())
    transcoded = np.concatenate(list(source.blocks()))
    source.close()
    assert measure(transcoded).cutoff_hz == pytest.approx(18_800, abs=300)  # 192 kbit/s
    narrow = soxr.resample(soxr.resample(original, RATE, 32_000), 32_000, RATE)
    assert measure(narrow).cutoff_hz == pytest.approx(15_500, abs=500)


@pytest.mark.parametrize("bits", [16, 24])
def test_the_rounding_of_a_file_format_is_no_content(bits):
    narrow = soxr.resample(render(PIECES[2], seconds=12), RATE, 22_050)
    wide = soxr.resample(narrow, 22_050, RATE)
    rounded = np.rint(wide * 2 ** (bits - 1)) / 2 ** (bits - 1)
    assert measure(rounded).bandwidth_hz == pytest.approx(10_800, abs=400)


def test_parts_of_one_track_are_nearer_than_two_tracks_at_any_level():
    def vector(sound):
        return np.array(measure(sound).similarity_vector())

    halves = [np.array_split(render(piece)[RATE:-RATE], 2) for piece in PIECES]
    first = [vector(half) for half, _ in halves]
    second = [vector(half * 0.3) for _, half in halves]
    assert {len(numbers) for numbers in first} == {59}
    for number, numbers in enumerate(first):
        distances = [float(np.linalg.norm(numbers - other)) for other in second]
        assert int(np.argmin(distances)) == number
