"""A recording is known again in another codec, softer and cut; another recording is not."""

import io

import numpy as np
import pytest
import soundfile
import soxr

from veza.codecs.fingerprint import (
    FRAMES_PER_SECOND,
    LONGEST_SECONDS,
    MOST_BIT_ERRORS,
    FingerprintMeter,
    compare,
    keys,
    probes,
    unpack,
)
from veza.codecs.synthesis import PIECES, render

RATE = 44_100


def frames_of(samples, rate: int = RATE, block: int = 1 << 16):
    meter = FingerprintMeter(rate)
    for start in range(0, len(samples), block):
        meter.add(samples[start : start + block])
    return unpack(meter.finish())


@pytest.fixture(scope="module")
def pieces():
    return [render(piece, sample_rate_hz=RATE, seconds=13) for piece in PIECES[:3]]


@pytest.fixture(scope="module")
def known(pieces):
    return [frames_of(piece) for piece in pieces]


def coded(samples, **kind):
    """The same, through a lossy codec."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, **kind)
    file.seek(0)
    return soundfile.read(file, dtype="float32", always_2d=True)


@pytest.mark.parametrize(
    "kind",
    [
        {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": 0.9},
        {"format": "OGG", "subtype": "VORBIS", "compression_level": 0.9},
    ],
    ids=["mp3", "vorbis"],
)
def test_a_recording_is_known_in_another_codec_softer_and_without_its_beginning(
    pieces, known, kind
):
    for number, piece in enumerate(pieces):
        copy = frames_of(*coded(0.4 * piece[RATE // 3 :], **kind))
        found = [len(set(probes(copy)) & set(keys(other))) for other in known]
        match = compare(known[number], copy)

        assert int(np.argmax(found)) == number
        assert match is not None
        assert match.offset_seconds == pytest.approx(1 / 3, abs=0.05)
        assert match.overlap > 0.9
        assert match.bit_errors < MOST_BIT_ERRORS - 0.05


def test_another_rate_and_mono_are_the_same_recording(pieces, known):
    other = soxr.resample(pieces[0].mean(axis=1, keepdims=True), RATE, 32_000)

    match = compare(known[0], frames_of(other.astype(np.float32), 32_000))

    assert match is not None
    assert (match.offset_seconds, match.bit_errors) == (0, pytest.approx(0, abs=0.05))


def test_other_recordings_are_not_the_same(known):
    for number, one in enumerate(known):
        assert [compare(one, other) for other in known[:number]] == [None] * number


def test_half_a_tone_higher_is_another_recording(pieces, known):
    faster = soxr.resample(pieces[0], RATE, RATE / 2 ** (1 / 12)).astype(np.float32)
    assert compare(known[0], frames_of(faster)) is None


def test_a_short_loop_out_of_a_recording_is_not_the_recording(pieces, known):
    assert compare(known[0], frames_of(pieces[0][: 6 * RATE])) is None


@pytest.mark.parametrize("seconds", [0, 0.001, 12])
def test_silence_is_like_nothing(known, seconds):
    silence = frames_of(np.zeros((round(seconds * RATE), 2), dtype=np.float32))

    assert keys(silence) == probes(silence) == []
    assert compare(silence, silence) is None
    assert compare(known[0], silence) is None


def test_it_does_not_matter_how_the_sound_was_cut(pieces, known):
    assert np.array_equal(frames_of(pieces[0], block=7_001), known[0])


def test_a_very_long_recording_is_known_by_its_beginning():
    noise = np.random.default_rng(1).standard_normal((60 * 8_000, 1)).astype(np.float32)
    meter = FingerprintMeter(8_000)
    for _ in range(LONGEST_SECONDS // 60 + 2):
        meter.add(noise)
    assert len(unpack(meter.finish())) == round(LONGEST_SECONDS * FRAMES_PER_SECOND)
