"""The pieces are music enough to test with: repeatable, in level, stereo."""

import io

import numpy as np
import pytest
import soundfile

from veza.codecs.synthesis import PIECES, render
from veza.codecs.wav import wav_bytes


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.title)
def test_a_piece_is_stereo_in_level_and_the_same_each_time(piece):
    sound = render(piece)
    assert sound.dtype == np.float32
    assert sound.shape == (round(piece.seconds * 44_100), 2)
    assert 20 <= piece.seconds <= 60
    assert np.abs(sound).max() == pytest.approx(0.89, abs=1e-4)
    assert not np.array_equal(sound[:, 0], sound[:, 1])
    assert np.array_equal(sound, render(piece))


def test_seconds_cut_or_extend():
    assert len(render(PIECES[0], seconds=1.5)) == 66_150
    longer = render(PIECES[2], seconds=40)
    assert len(longer) == 40 * 44_100
    assert not longer[-44_100:].any()


@pytest.mark.parametrize(("bits", "subtype"), [(16, "PCM_16"), (24, "PCM_24"), (32, "PCM_32")])
def test_a_wav_file_holds_the_samples_to_its_resolution(bits, subtype):
    sound = render(PIECES[1], seconds=0.5)[:11_025, :1]
    file = soundfile.SoundFile(io.BytesIO(wav_bytes(sound, sample_rate_hz=44_100, bits=bits)))
    assert (file.subtype, file.samplerate, file.channels) == (subtype, 44_100, 1)
    read = file.read(dtype="float64", always_2d=True)
    assert np.abs(read - sound).max() <= 0.5 / 2 ** (min(bits, 24) - 1)
