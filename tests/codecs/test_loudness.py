"""The loudness meter on the signals of EBU Tech 3341 and 3342, and against ffmpeg's on music."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from veza.codecs.loudness import LoudnessMeter, k_weighting
from veza.codecs.synthesis import PIECES, render

RATES_HZ = (44_100, 48_000)
STEREO = (1.0, 1.0)
SURROUND = (1.0, 1.0, 1.0, 1.41, 1.41)


def sine(rate, *parts, channels=2, hz=1_000.0):
    """A tone whose level changes: parts of (dBFS, seconds); dBFS may be one a channel."""
    levels = [
        np.full((round(seconds * rate), channels), 10 ** (np.asarray(level) / 20))
        for level, seconds in parts
    ]
    amplitude = np.concatenate(levels)
    time = np.arange(len(amplitude))[:, None] / rate
    return (amplitude * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def measure(samples, rate, weights=STEREO, size=32_768):
    meter = LoudnessMeter(rate, weights)
    for start in range(0, len(samples), size):
        meter.add(samples[start : start + size])
    return meter.finish()


def test_the_weighting_at_48_khz_is_that_of_the_recommendation():
    shelf, low_cut = k_weighting(48_000)

    assert shelf == pytest.approx(
        (
            1.53512485958697,
            -2.69169618940638,
            1.19839281085285,
            -1.69065929318241,
            0.73248077421585,
        )
    )
    assert low_cut == pytest.approx((1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621))


@pytest.mark.parametrize("rate", RATES_HZ)
@pytest.mark.parametrize(
    "parts",
    [
        [(-23, 20)],
        [(-36, 10), (-23, 60), (-36, 10)],
        [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)],
        [(-26, 20), (-20, 20.1), (-26, 20)],
    ],
    ids=["case 1", "case 3", "case 4", "case 5"],
)
def test_tech_3341_integrated(rate, parts):
    assert measure(sine(rate, *parts), rate).integrated_lufs == pytest.approx(-23.0, abs=0.1)


def test_tech_3341_a_quieter_tone_and_five_channels():
    assert measure(sine(48_000, (-33, 20)), 48_000).integrated_lufs == pytest.approx(-33, abs=0.1)
    levels = (-28, -28, -24, -30, -30)
    surround = sine(48_000, (levels, 20), channels=5)
    assert measure(surround, 48_000, SURROUND).integrated_lufs == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize("rate", RATES_HZ)
def test_tech_3341_short_term_and_momentary(rate):
    short_term = sine(rate, *[(-20, 1.34), (-30, 1.66)] * 5)
    momentary = sine(rate, *[(-20, 0.18), (-30, 0.22)] * 25)

    assert measure(short_term, rate).short_term_max_lufs == pytest.approx(-23.0, abs=0.1)
    assert measure(momentary, rate).momentary_max_lufs == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(
    ("parts", "range_lu"),
    [
        ([(-20, 20), (-30, 20)], 10),
        ([(-20, 20), (-15, 20)], 5),
        ([(-40, 20), (-20, 20)], 20),
        ([(-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)], 15),
    ],
)
def test_tech_3342_range(parts, range_lu):
    assert measure(sine(48_000, *parts), 48_000).range_lu == pytest.approx(range_lu, abs=1)


@pytest.mark.parametrize("rate", RATES_HZ)
@pytest.mark.parametrize(
    ("divisor", "degrees", "amplitude", "dbtp"),
    [
        (4, 0, 0.5, -6.0),
        (4, 45, 0.5, -6.0),
        (6, 60, 0.5, -6.0),
        (8, 67.5, 0.5, -6.0),
        (4, 45, 1.41, 3.0),
    ],
)
def test_tech_3341_true_peak(rate, divisor, degrees, amplitude, dbtp):
    phase = 2 * np.pi * np.arange(rate) / divisor + np.radians(degrees)
    # Faded in and out: a tone that begins at once overshoots in truth.
    fade = np.minimum(1, np.minimum(np.arange(rate), np.arange(rate)[::-1]) / 1_000)
    tone = (amplitude * fade * np.sin(phase)).astype(np.float32)[:, None]

    found = measure(np.repeat(tone, 2, axis=1), rate).true_peak_dbtp

    assert dbtp - 0.4 <= found <= dbtp + 0.2


def test_the_result_does_not_depend_on_the_cuts():
    music = render(PIECES[0], seconds=5)
    whole = measure(music, 44_100, size=len(music))

    for size in (997, 4_410, 50_000):
        cut = measure(music, 44_100, size=size)
        assert cut.integrated_lufs == pytest.approx(whole.integrated_lufs, abs=1e-6)
        assert cut.short_term_max_lufs == pytest.approx(whole.short_term_max_lufs, abs=1e-6)
        assert cut.true_peak_dbtp == pytest.approx(whole.true_peak_dbtp, abs=1e-6)


@pytest.mark.parametrize("rate", [44_100, 48_000, 11_025])
@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.title)
def test_music_measures_as_ffmpeg_measures_it(make_file, missing, tmp_path, piece, rate):
    if shutil.which("ffmpeg") is None:
        missing("ffmpeg")
    music = render(piece, sample_rate_hz=rate)
    file = tmp_path / "music.wav"
    file.write_bytes(make_file("wavf", music, rate))

    found = measure(music, rate)

    command = ["ffmpeg", "-hide_banner", "-nostats", "-i", str(file)]
    command += ["-af", "ebur128=peak=true", "-f", "null", "-"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    summary = told[told.rindex("Summary:") :]
    integrated, range_lu, peak = (
        float(re.search(rf"{name}:\s+(-?[\d.]+)", summary)[1]) for name in ("I", "LRA", "Peak")
    )
    assert found.integrated_lufs == pytest.approx(integrated, abs=0.1)
    assert found.range_lu == pytest.approx(range_lu, abs=0.3)
    assert found.true_peak_dbtp == pytest.approx(peak, abs=0.2)


@pytest.mark.parametrize("seconds", [0, 1 / 48_000, 0.39, 2])
def test_what_is_silent_or_too_short_has_no_loudness_and_asks_for_no_gain(seconds):
    silence = np.zeros((round(seconds * 48_000), 2), dtype=np.float32)
    short = sine(48_000, (-3, min(seconds, 0.39)))
    for samples in (silence, short, silence + np.float32(1e-5)):
        found = measure(samples, 48_000)
        assert found.integrated_lufs is None
        assert found.replay_gain_db == 0
        assert found.range_lu == 0
    assert measure(silence, 48_000).true_peak_dbtp is None


def test_a_loud_track_is_turned_down_and_a_quiet_one_up():
    loud = measure(sine(48_000, (-6, 5)), 48_000)
    quiet = measure(sine(48_000, (-40, 5)), 48_000)

    assert loud.replay_gain_db == pytest.approx(-12, abs=0.1)
    assert quiet.replay_gain_db == pytest.approx(22, abs=0.1)
