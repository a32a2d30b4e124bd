"""The down-mix has the coefficients of ITU-R BS.775 and never clips."""

import numpy as np
import pytest

from veza.codecs.downmix import DEFAULT_LAYOUTS, stereo_matrix

HALF = np.sqrt(0.5)


def test_mono_and_stereo_are_left_alone():
    assert stereo_matrix(1, ("FC",)) is None
    assert stereo_matrix(2, ("FL", "FR")) is None


def test_five_one_has_the_coefficients_of_the_standard_to_one_scale():
    matrix = stereo_matrix(6, ("FL", "FR", "FC", "LFE", "SL", "SR"))
    stated = np.array([[1, 0], [0, 1], [HALF, HALF], [0, 0], [HALF, 0], [0, HALF]])
    assert matrix == pytest.approx(stated / (1 + 2 * HALF), abs=1e-6)


@pytest.mark.parametrize("channels", [3, 4, 5, 6, 7, 8])
def test_full_scale_in_all_channels_does_not_clip(channels):
    for layout in ((), ("NONE",) * channels, DEFAULT_LAYOUTS[channels]):
        matrix = stereo_matrix(channels, layout)
        assert matrix.shape == (channels, 2)
        assert np.abs(np.ones(channels) @ matrix).max() <= 1 + 1e-6


def test_a_layout_of_the_wrong_length_is_not_believed():
    assert np.array_equal(stereo_matrix(6, ("FL",)), stereo_matrix(6, DEFAULT_LAYOUTS[6]))
