"""The FLAC rung is the source to the bit, in segments that begin where those of every other rung do."""

import io

import av
import numpy as np
import pytest
import soundfile

from veza.codecs.fmp4_reader import boxes, read_media_segment, tree
from veza.codecs.ladder import FLAC, lossless_rendition
from veza.codecs.source import SourceInfo

LOSSLESS_FORMATS = ["wav", "wav8", "wav24", "flac", "flac24", "aiff", "caf", "alac", "wv"]


def decoded(data: bytes) -> np.ndarray:
    """What bare libav makes of the stream, as 32-bit integers (n, channels)."""
    arrays = []
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        for frame in container.decode(stream):
            array = frame.to_ndarray().reshape(-1, stream.codec_context.channels)
            arrays.append(array.astype(np.int32) << (16 if array.dtype == np.int16 else 0))
    return np.concatenate(arrays)


@pytest.mark.parametrize("extension", LOSSLESS_FORMATS)
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_lossless_comes_out_to_the_bit(extension, channels, make_file, music, encoded):
    data = make_file(extension, music(100_003, channels=channels), 44_100)
    run = encoded(data, ladder_kbps=(64,), lossless=True)

    with av.open(io.BytesIO(data)) as container:
        frames = [f.to_ndarray() for f in container.decode(audio=0)]
        planar = container.streams.audio[0].codec_context.format.is_planar
    arrays = [f.T if planar else f.reshape(-1, channels) for f in frames]
    source = np.concatenate(arrays)
    if source.dtype == np.uint8:
        source = source.astype(np.int32) - 128 << 24
    elif source.dtype == np.int16:
        source = source.astype(np.int32) << 16
    assert np.array_equal(decoded(run.joined("flac")), source)


@pytest.mark.parametrize("extension", ["mp3", "m4a", "opus", "ogg", "aac"])
def test_what_is_lossy_gets_no_lossless_rung(extension, make_file, music, encoded):
    run = encoded(make_file(extension, music(48_000, rate=48_000), 48_000), lossless=True)
    assert [rung.name for rung in run.probed.renditions] == ["aac-64", "aac-128", "aac-256"]


def test_a_lossless_rung_is_made_only_if_asked_for(make_file, music, encoded):
    assert "flac" not in encoded(make_file("wav", music(44_100), 44_100)).inits


@pytest.mark.parametrize("length", [1, 1_023, 1_024, 1_025, 88_064, 88_065, 90_112, 200_001])
def test_segments_are_those_of_the_other_rungs_and_end_with_the_last_sample(
    length, make_file, music, encoded
):
    run = encoded(make_file("wav", music(length), 44_100), ladder_kbps=(64,), lossless=True)
    lossy, exact = run.segments["aac-64"], run.segments["flac"]

    assert [(s.first_sample, s.duration_samples) for s in lossy] == [
        (s.first_sample, s.duration_samples) for s in exact
    ]
    parsed = [read_media_segment(segment.data) for segment in exact]
    assert [p.base_decode_time for p in parsed] == [s.first_sample for s in exact]
    assert [p.duration_samples for p in parsed] == [s.duration_samples for s in exact]
    assert sum(p.duration_samples for p in parsed) == length == len(decoded(run.joined("flac")))


def test_the_init_segment_holds_the_stream_info_and_no_priming(make_file, music, encoded):
    run = encoded(make_file("wav24", music(50_000), 44_100), ladder_kbps=(64,), lossless=True)
    leaves = tree(run.inits["flac"])
    ((kind, entry),) = boxes(leaves[b"stsd"][8:])
    box_kind, described = next(boxes(entry[28:]))

    assert (kind, box_kind) == (b"fLaC", b"dfLa")
    assert int.from_bytes(entry[18:20], "big") == 24
    assert described[4:8] == b"\x80\x00\x00\x22"
    assert len(described) == 8 + 34
    assert b"sgpd" not in leaves
    assert leaves[b"elst"][12:16] == bytes(4)


@pytest.mark.parametrize(
    ("bits", "rate", "channels", "expected"),
    [
        (16, 44_100, 2, (16, False, 44_100, 2)),
        (24, 48_000, 1, (24, False, 48_000, 1)),
        (32, 44_100, 2, (24, True, 44_100, 2)),
        (16, 96_000, 2, (24, True, 48_000, 2)),
        (24, 44_100, 6, (24, True, 44_100, 2)),
    ],
)
def test_bits_are_kept_and_dithered_only_where_some_are_lost(bits, rate, channels, expected):
    info = SourceInfo(
        container="wav", codec="pcm", sample_rate_hz=rate, channels=channels, bits=bits
    )
    rung = lossless_rendition(info)
    assert (rung.bits, rung.is_dithered, rung.sample_rate_hz, rung.channels) == expected
    assert (rung.name, rung.codecs) == ("flac", FLAC)
    assert rung.bit_rate_bps == rung.bits * rung.sample_rate_hz * rung.channels


def test_dither_takes_the_place_of_distortion_and_is_the_same_each_time(encoded):
    # A sine of half a step of 24 bits: rounded it is gone or square, dithered it is there, in noise.
    time = np.arange(96_000) / 48_000
    step = 2.0**-23
    file = io.BytesIO()
    soundfile.write(
        file, 0.45 * step * np.sin(2 * np.pi * 1_000 * time), 48_000, "DOUBLE", format="WAV"
    )
    one, other = (
        encoded(file.getvalue(), ladder_kbps=(64,), lossless=True).joined("flac") for _ in range(2)
    )
    spectrum = np.abs(np.fft.rfft((decoded(one)[:, 0] >> 8) * np.hanning(96_000)))
    tone, third = spectrum[2_000], spectrum[6_000]

    assert one == other
    assert tone > 20 * np.median(spectrum)
    assert third < 5 * np.median(spectrum)


def test_overshoot_is_clipped_and_not_turned_over(encoded):
    file = io.BytesIO()
    soundfile.write(file, np.full((5_000, 2), 1.5), 44_100, "FLOAT", format="WAV")
    run = encoded(file.getvalue(), ladder_kbps=(64,), lossless=True)
    assert decoded(run.joined("flac")).min() == (2**23 - 1) << 8
