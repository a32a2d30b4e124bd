"""Tempo and beats of drum patterns, recordings, changing tempos; the strength they are found in."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from veza.codecs.beats import _usual
from veza.codecs.onsets import CHUNK_FRAMES, relative_strength
from veza.codecs.spectrogram import MonoStream
from veza.codecs.tempo import TempoMeter

RATE = 44_100
SAMPLES = Path("/usr/share/sonic-pi/samples")
# Beats in each loop of the Debian package `sonic-pi-samples` (CC0), which is cut to run round.
LOOP_BEATS = {
    "loop_amen": 4,
    "loop_amen_full": 16,
    "loop_breakbeat": 4,
    "loop_electric": 4,
    "loop_garzul": 16,
    "loop_mehackit1": 4,
    "loop_mehackit2": 4,
    "loop_mika": 16,
    "loop_perc1": 4,
    "loop_safari": 16,
    "loop_tabla": 16,
}
THIRD = 1 / 3
PATTERNS = {  # places of kick, snare and hat in a bar, in beats
    "straight": (4, (0, 2), (1, 3), (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5)),
    "swung": (4, (0, 2), (1, 3), (0, 2 * THIRD, 1, 1 + 2 * THIRD, 2, 2 + 2 * THIRD, 3)),
    "triplets": (4, (0, 2, 2 + 2 * THIRD), (1, 3), tuple(n / 3 for n in range(12))),
    "waltz": (3, (0,), (1, 2), (0, 0.5, 1, 1.5, 2, 2.5)),
}


def metered(samples, rate=RATE):
    stream, meter = MonoStream(rate), TempoMeter()
    for part in [*stream.add(samples), stream.finish()]:
        meter.add(part)
    return meter


def tempo_of(samples, rate=RATE):
    return metered(samples, rate).finish()


def beats_of(samples):
    beats, _confidence = metered(samples).find()
    return beats


def drums(name, bpm, seconds=24, start=0.0):
    """A bar after another of kick, snare and hat, each hit of another strength."""
    random = np.random.default_rng(round(bpm))
    beats, *places = PATTERNS[name]
    time = np.arange(RATE // 4) / RATE
    sounds = (
        np.sin(2 * np.pi * (50 * time + 8 * (1 - np.exp(-30 * time)))) * np.exp(-9 * time),
        random.uniform(-0.5, 0.5, len(time)) * np.exp(-18 * time),
        np.diff(random.uniform(-0.2, 0.2, len(time) + 1)) * np.exp(-60 * time),
    )
    mix = random.standard_normal((round(seconds * RATE), 1)) * 1e-3
    for sound, steps in zip(sounds, places, strict=True):
        for bar in np.arange(0, seconds * bpm / 60, beats):
            for step in steps:
                first = round((start + (bar + step) * 60 / bpm) * RATE)
                part = sound[: max(0, len(mix) - first)]
                mix[first : first + len(part), 0] += part * random.uniform(0.5, 0.7)
    return mix.astype(np.float32)


@pytest.mark.parametrize("bpm", [72, 97, 118, 131])
@pytest.mark.parametrize("name", ["straight", "swung", "waltz"])
def test_drums_have_their_tempo_and_beats_where_they_are_hit(name, bpm):
    tempo = tempo_of(drums(name, bpm, start=0.25))
    assert tempo.tempo_bpm == pytest.approx(bpm, rel=0.001)
    assert tempo.steady
    period = 60 / bpm
    beats = tempo.first_beat_seconds + np.arange(50) * 60 / tempo.tempo_bpm
    away = (beats - 0.25 + period / 2) % period - period / 2
    assert np.abs(away).max() < 0.01


@pytest.mark.parametrize("bpm", [90, 110, 130])
def test_triplets_do_not_hide_the_beat(bpm):
    assert tempo_of(drums("triplets", bpm)).tempo_bpm == pytest.approx(bpm, rel=0.001)


@pytest.mark.parametrize("name", LOOP_BEATS)
def test_a_recorded_loop_has_its_tempo(name, missing):
    path = SAMPLES / f"{name}.flac"
    if not path.exists():
        missing(f"{path} of the Debian package sonic-pi-samples")
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    bpm = LOOP_BEATS[name] * 60 * rate / len(samples)
    tempo = tempo_of(np.tile(samples, (25 * rate // len(samples) + 1, 1)), rate)
    assert tempo.tempo_bpm == pytest.approx(bpm, rel=0.002)
    assert tempo.confidence > 0.4


def test_beats_follow_a_change_of_tempo():
    beats = beats_of(np.concatenate((drums("straight", 100, 30), drums("straight", 126, 30))))
    times = beats.seconds
    assert not beats.steady
    assert np.median(np.diff(times[times < 24])) == pytest.approx(0.6, abs=0.005)
    assert np.median(np.diff(times[times > 36])) == pytest.approx(60 / 126, abs=0.005)


def test_beats_begin_and_end_with_the_music():
    silence = np.zeros((8 * RATE, 1), dtype=np.float32)
    times = beats_of(np.concatenate((silence, drums("straight", 120), silence))).seconds
    assert times[0] == pytest.approx(8, abs=0.51)
    assert times[-1] == pytest.approx(32, abs=0.51)


def test_level_does_not_matter():
    loud = drums("straight", 104)
    assert tempo_of(loud * np.float32(0.05)).tempo_bpm == pytest.approx(104, rel=0.001)


def test_relative_strength_is_the_same_in_chunks():
    strength = np.random.default_rng(4).random(CHUNK_FRAMES + 5_000).astype(np.float32)
    whole = relative_strength(strength)
    assert whole.dtype == np.float32
    around = relative_strength(strength[CHUNK_FRAMES - 3_000 :])
    assert np.allclose(whole[CHUNK_FRAMES - 2_000 :], around[1_000:], atol=1e-6)


@pytest.mark.parametrize("intervals", [(0.4, 0.4, 0.6, 0.6), (0.3, 0.9), (0.5,)])
def test_beats_of_two_kinds_have_the_tempo_of_one_of_them(intervals):
    """Half-way between them lies none: music that slows down once had no tempo at all."""
    assert _usual(np.array(intervals)) in [pytest.approx(each) for each in intervals]
