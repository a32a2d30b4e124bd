"""Which rungs a source gets."""

import pytest

from veza.codecs.ladder import boundary, output_channels, output_rate, renditions


@pytest.mark.parametrize(
    ("source", "output"),
    [
        (8_000, 8_000),
        (11_025, 11_025),
        (22_050, 22_050),
        (32_000, 32_000),
        (44_100, 44_100),
        (48_000, 48_000),
        (88_200, 44_100),
        (176_400, 44_100),
        (352_800, 44_100),
        (96_000, 48_000),
        (192_000, 48_000),
        (64_000, 48_000),
        (37_800, 48_000),
        (5_512, 48_000),
    ],
)
def test_rates_that_aac_knows_are_kept_and_others_stay_in_their_family(source, output):
    assert output_rate(source) == output


def test_mono_stays_mono_and_more_than_two_become_stereo():
    assert [output_channels(n) for n in (1, 2, 6)] == [1, 2, 2]


def names(*ladder, rate=44_100, channels=2):
    return [r.name for r in renditions(ladder, source_rate_hz=rate, source_channels=channels)]


def test_rungs_come_lowest_first_and_once():
    assert names(256, 64, 128, 64) == ["aac-64", "aac-128", "aac-256"]


def test_a_mono_track_gets_no_more_per_channel_than_a_stereo_one():
    assert names(64, 128, 256, channels=1) == ["aac-64", "aac-128"]


def test_rungs_that_the_format_cannot_fill_are_left_out():
    # 6144 bits a channel and frame: at 8 kHz mono 48 kbit/s, at 16 kHz stereo 192.
    assert names(64, 128, 256, rate=8_000, channels=1) == ["aac-48"]
    assert names(64, 128, 256, rate=16_000) == ["aac-64", "aac-128"]


def test_a_boundary_is_the_frame_border_nearest_to_its_time():
    for rate in (8_000, 44_100, 48_000):
        for number in range(200):
            border = boundary(number, segment_seconds=6, sample_rate_hz=rate)
            assert border % 1024 == 0
            assert abs(border - number * 6 * rate) <= 512
