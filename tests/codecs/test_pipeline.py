"""What the pipeline promises: exact length, no offset, common borders, order, the same bytes."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soxr

from veza.codecs.decode import open_source
from veza.codecs.fmp4_reader import read_init_segment, read_media_segment
from veza.codecs.peaks import MAX_BUCKETS
from veza.codecs.pipeline import InitReady, Probed, SegmentReady, encode
from veza.codecs.source import Fault, Limits, MediaError

RUNGS = ("aac-64", "aac-128", "aac-256")


def decoded(data):
    source = open_source(io.BytesIO(data), Limits())
    try:
        return np.concatenate(list(source.blocks())), source.info.sample_rate_hz
    finally:
        source.close()


@pytest.mark.parametrize(
    ("extension", "rate", "channels"),
    [
        ("wav", 44_100, 2),
        ("wav", 48_000, 1),
        ("wav", 96_000, 2),
        ("wav", 37_800, 2),
        ("wav8", 8_000, 1),
        ("wav24", 88_200, 2),
        ("wav32", 32_000, 2),
        ("wavf", 192_000, 2),
        ("wavd", 22_050, 1),
        ("flac", 44_100, 2),
        ("flac24", 96_000, 1),
        ("mp3", 44_100, 2),
        ("mp3", 48_000, 1),
        ("ogg", 44_100, 2),
        ("ogg", 48_000, 1),
        ("opus", 48_000, 2),
        ("opus", 48_000, 1),
        ("m4a", 44_100, 2),
        ("m4a", 48_000, 1),
        ("alac", 44_100, 2),
        ("aiff", 44_100, 2),
        ("caf", 44_100, 2),
        ("wv", 44_100, 2),
        ("mka", 48_000, 2),
    ],
)
def test_each_rung_plays_exactly_the_samples_of_the_source_from_the_first_on(
    extension, rate, channels, make_file, music, encoded, play, lag_between
):
    written = music(5 * rate + 123, rate=rate, channels=channels)
    data = make_file(extension, written, rate)

    original, source_rate = decoded(data)
    assert (len(original), source_rate) == (len(written), rate)
    assert lag_between(written, original) == 0

    result = encoded(data)
    out_rate = result.probed.renditions[0].sample_rate_hz
    expected = original if out_rate == rate else soxr.resample(original, rate, out_rate)
    for rung in result.segments:
        heard = play(result.joined(rung))
        assert heard.shape == expected.shape
        assert lag_between(expected, heard) == 0
        assert sum(s.duration_samples for s in result.segments[rung]) == len(expected)
    assert result.finished.duration_samples == len(expected)


@pytest.mark.parametrize("length", [1, 2, 1023, 1024, 1025, 2048, 88_064, 88_065, 99_000, 100_000])
def test_every_length_comes_out_exact_also_at_the_borders(length, make_file, music, encoded, play):
    result = encoded(make_file("wav", music(length), 44_100))
    for rung in RUNGS:
        assert len(play(result.joined(rung))) == length


def test_a_tail_shorter_than_the_lookahead_joins_the_segment_before_it(make_file, music, encoded):
    border = 86 * 1024
    joined = encoded(make_file("wav", music(border + 11_025), 44_100))
    own = encoded(make_file("wav", music(border + 11_026), 44_100))
    assert [s.duration_samples for s in joined.segments["aac-64"]] == [border + 11_025]
    assert [s.duration_samples for s in own.segments["aac-64"]] == [border, 11_026]


def test_borders_are_common_to_all_rungs_and_never_drift(make_file, music, encoded):
    result = encoded(make_file("wav", music(14 * 44_100), 44_100), segment_seconds=1)
    first, *others = (
        [(s.number, s.first_sample, s.duration_samples) for s in result.segments[rung]]
        for rung in RUNGS
    )
    assert others == [first, first]
    for number, first_sample, _ in first:
        assert first_sample % 1024 == 0
        assert abs(first_sample - number * 44_100) <= 512


def test_first_segments_of_all_rungs_come_before_any_second(make_file, music, encoded):
    events = encoded(make_file("wav", music(7 * 44_100), 44_100)).events
    assert isinstance(events[0], Probed)
    order = [e.number for e in events if isinstance(e, SegmentReady)]
    assert order == sorted(order)
    for index, event in enumerate(events):
        if isinstance(event, InitReady):
            following = events[index + 1]
            assert (following.rendition, following.number) == (event.rendition, 0)


def test_segments_carry_on_the_media_timeline_to_the_tick(make_file, music, encoded):
    result = encoded(make_file("wav", music(7 * 44_100 + 5), 44_100))
    for rung in RUNGS:
        assert read_init_segment(result.inits[rung]).priming_samples == 1024
        expected = 0
        for number, event in enumerate(result.segments[rung]):
            segment = read_media_segment(event.data)
            assert segment.sequence_number == number + 1
            assert segment.base_decode_time == expected
            expected += segment.duration_samples
        assert expected == 7 * 44_100 + 5 + 1024


def test_threads_and_the_way_a_file_is_read_change_no_byte(make_file, music):
    data = make_file("flac", music(5 * 44_100), 44_100)

    class Dribble(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 777) if size > 0 else size)

    def parallel(calls):
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda call: call(), calls))

    ladder = (64, 128)
    plain = list(encode(io.BytesIO(data), ladder_kbps=ladder, segment_seconds=2))
    assert plain == list(
        encode(Dribble(data), ladder_kbps=ladder, segment_seconds=2, run_all=parallel)
    )


def test_surround_comes_out_in_stereo_at_the_stated_levels(make_file, encoded, play):
    rate = 48_000
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    centre_only = np.zeros((rate, 6), dtype=np.float32)
    centre_only[:, 2] = tone
    heard = play(encoded(make_file("wav", centre_only, rate), ladder_kbps=(256,)).joined("aac-256"))
    # Centre at 1/sqrt(2), all of it over 1 + 2/sqrt(2).
    gain = np.sqrt(0.5) / (1 + 2 * np.sqrt(0.5))
    middle = heard[rate // 4 : -rate // 4]
    assert np.abs(middle).max(axis=0) == pytest.approx([0.5 * gain] * 2, rel=0.02)


def test_progress_ends_at_the_whole_and_peaks_cover_it(make_file, music, encoded):
    result = encoded(make_file("wav", music(7 * 44_100), 44_100))
    shares = [event.share for event in result.progress]
    assert shares == sorted(shares)
    assert result.progress[-1].share == pytest.approx(1)
    assert result.progress[-1].done_seconds == pytest.approx(7)
    peaks = result.finished.peaks
    buckets = len(peaks.pairs) // 2
    assert 1024 <= buckets <= MAX_BUCKETS
    assert (
        (buckets - 1) * peaks.samples_per_bucket < 7 * 44_100 <= buckets * peaks.samples_per_bucket
    )


def test_a_source_longer_than_allowed_is_refused(make_file, music, encoded):
    limits = Limits(max_duration_seconds=4)
    with pytest.raises(MediaError) as refused:
        encoded(make_file("ogg", music(5 * 44_100), 44_100), limits=limits)
    assert refused.value.fault is Fault.TOO_LONG


def test_a_sound_too_short_for_one_output_sample_is_empty(make_file, encoded):
    with pytest.raises(MediaError) as refused:
        encoded(make_file("wav", np.zeros((1, 2), dtype=np.float32), 192_000))
    assert refused.value.fault is Fault.EMPTY


AROUND = 2_048
"""Two frames of AAC, to both sides of where an album was cut."""


@pytest.mark.parametrize("cut", [4 * 44_100 + 1, 5 * 44_100 + 777])
def test_an_album_cut_anywhere_plays_without_a_seam(cut, make_file, music, encoded, play):
    """Two tracks of one recording, played one after the other, are the recording: no sample more or less."""
    whole = music(9 * 44_100)
    options = {"ladder_kbps": (256,), "lossless": True}
    tracks = [
        encoded(make_file("wav", part, 44_100), **options) for part in (whole[:cut], whole[cut:])
    ]

    for rung in ("aac-256", "flac"):
        played = np.concatenate([play(track.joined(rung)) for track in tracks])
        assert played.shape == whole.shape
        error = (played / (2**15 if played.dtype.kind == "i" else 1) - whole) ** 2
        at_seam = error[cut - AROUND : cut + AROUND].mean()
        if rung == "flac":
            assert error.max() < 2**-30  # as 16 bits have it
        else:
            assert at_seam < 4 * error.mean()
