"""Keys have their names and codes, tuning is found to a few cents, and not all that sounds has a key."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from veza.codecs.key import NAMES, KeyMeter, camelot
from veza.codecs.spectrogram import MonoStream

RATE = 44_100
SAMPLES = Path("/usr/share/sonic-pi/samples")
MAJOR_CADENCE = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7))
MINOR_CADENCE = ((0, 3, 7), (5, 8, 12), (7, 10, 14), (0, 3, 7))


def chords(tonic, cadence, a4_hz=440.0, repeats=3):
    time = np.arange(RATE) / RATE
    bars = []
    for chord in cadence * repeats:
        tones = [a4_hz * 2 ** ((48 + tonic + note - 69) / 12) for note in (chord[0] - 12, *chord)]
        waves = [np.sin(2 * np.pi * n * hertz * time) / n for hertz in tones for n in (1, 2, 3)]
        bars.append(np.sum(waves, axis=0) * np.exp(-2 * time) * 0.1)
    return np.concatenate(bars)[:, None].astype(np.float32)


def key_of(samples, rate=RATE):
    stream, meter = MonoStream(rate), KeyMeter()
    for part in [*stream.add(samples), stream.finish()]:
        meter.add(part)
    return meter.finish()


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize(("mode", "cadence"), [("major", MAJOR_CADENCE), ("minor", MINOR_CADENCE)])
def test_a_cadence_has_its_key(tonic, mode, cadence):
    key = key_of(chords(tonic, cadence))
    assert (key.tonic, key.mode) == (NAMES[tonic], mode)
    assert key.confidence > 0.5


@pytest.mark.parametrize("cents", [-45, -30, -8, 0, 12, 40])
def test_tuning_is_found_to_two_cents_and_leaves_the_key_alone(cents):
    key = key_of(chords(2, MAJOR_CADENCE, a4_hz=440 * 2 ** (cents / 1200)))
    assert key.tuning_cents == pytest.approx(cents, abs=2)
    assert (key.tonic, key.mode) == ("D", "major")


@pytest.mark.parametrize("gain", [1, 0.01])
def test_level_does_not_matter(gain):
    key = key_of(chords(9, MINOR_CADENCE) * np.float32(gain))
    assert (key.tonic, key.mode, key.camelot) == ("A", "minor", "8A")


@pytest.mark.parametrize(
    ("tonic", "minor", "code"),
    [
        ("C", False, "8B"),
        ("G", False, "9B"),
        ("F", False, "7B"),
        ("A", True, "8A"),
        ("E", True, "9A"),
        ("Ab", True, "1A"),
        ("B", False, "1B"),
        ("C#", True, "12A"),
    ],
)
def test_camelot_codes_are_those_of_the_wheel(tonic, minor, code):
    assert camelot(NAMES.index(tonic), minor=minor) == code


def test_all_24_codes_differ():
    assert len({camelot(tonic, minor=minor) for tonic in range(12) for minor in (0, 1)}) == 24


@pytest.mark.parametrize("ratio", [1, 1.5, 2])
def test_one_tone_with_its_fifth_or_octave_is_no_key(ratio):
    time = np.arange(10 * RATE) / RATE
    sound = 0.3 * np.sin(2 * np.pi * 220 * time) + 0.2 * np.sin(2 * np.pi * 220 * ratio * time)
    assert key_of(sound[:, None].astype(np.float32)) is None


@pytest.mark.parametrize("name", ["loop_amen_full", "loop_breakbeat", "loop_safari", "loop_tabla"])
def test_recorded_drums_have_no_key(name, missing):
    path = SAMPLES / f"{name}.flac"
    if not path.exists():
        missing(f"{path} of the Debian package sonic-pi-samples")
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert key_of(samples, rate) is None
