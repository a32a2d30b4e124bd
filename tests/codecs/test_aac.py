"""The encoder gives the packets that packaging counts on, whatever blocks it is fed."""

import pytest

from veza.codecs.aac import PRIMING_SAMPLES, AacEncoder
from veza.codecs.ladder import Rendition


def encoder(*, kbps=128, rate=44_100, channels=2):
    return AacEncoder(
        Rendition(name="rung", bit_rate_bps=kbps * 1000, sample_rate_hz=rate, channels=channels)
    )


@pytest.mark.parametrize("length", [1, 1023, 1024, 1025, 10_240, 50_001])
def test_one_packet_of_priming_then_one_for_each_started_frame(length, music):
    one = encoder()
    packets = one.encode(music(length)) + one.flush()
    assert len(packets) == PRIMING_SAMPLES // 1024 + -(-length // 1024)


def test_blocks_of_any_size_give_the_same_packets(music):
    sound = music(60_000)
    whole, pieces = encoder(), encoder()
    expected = whole.encode(sound) + whole.flush()
    got, start = [], 0
    for size in (1, 1023, 1024, 5_000, 0, 7, 40_000, 60_000):
        got += pieces.encode(sound[start : start + size])
        start += size
    assert got + pieces.flush() == expected


@pytest.mark.parametrize("kbps", [64, 128, 256])
def test_the_bit_rate_is_about_what_was_asked_for(kbps, music):
    one = encoder(kbps=kbps)
    packets = one.encode(music(10 * 44_100)) + one.flush()
    assert sum(map(len, packets)) * 8 / 10_000 == pytest.approx(kbps, rel=0.2)


def test_nothing_in_the_stream_names_the_library(music):
    one = encoder()
    assert b"Lav" not in b"".join(one.encode(music(44_100)))


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (48_000, 1), (32_000, 2)])
def test_the_specific_config_states_rate_and_channels(rate, channels):
    config = int.from_bytes(
        encoder(kbps=48, rate=rate, channels=channels).track.audio_specific_config[:2]
    )
    rates = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025]
    assert config >> 11 == 2  # AAC-LC
    assert [*rates, 8_000][config >> 7 & 15] == rate
    assert config >> 3 & 15 == channels
