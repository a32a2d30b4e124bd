"""RFC 8216 rules on playlists, checked on any list of segments and by another parser."""

from fractions import Fraction

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.codecs.ladder import boundary
from veza.codecs.playlist import (
    Segment,
    Variant,
    average_bit_rate,
    master_playlist,
    media_playlist,
    peak_bit_rate,
)

RATES = st.sampled_from([8_000, 11_025, 44_100, 48_000])


@st.composite
def tracks(draw):
    """Segments as the pipeline cuts them: borders common to all, a last one of any length."""
    rate, seconds = draw(RATES), draw(st.integers(2, 10))
    count = draw(st.integers(1, 40))
    borders = [boundary(n, segment_seconds=seconds, sample_rate_hz=rate) for n in range(count)]
    last = draw(
        st.integers(1, boundary(1, segment_seconds=seconds, sample_rate_hz=rate) + rate // 4)
    )
    ends = [*borders[1:], borders[-1] + last]
    segments = [
        Segment(
            address=f"{number}.m4s",
            duration_samples=end - start,
            size_bytes=draw(st.integers(200, 400_000)),
        )
        for number, (start, end) in enumerate(zip(borders, ends, strict=True))
    ]
    return rate, seconds, segments


def media(track, *, ended, query=""):
    rate, seconds, segments = track
    return media_playlist(
        segments,
        sample_rate_hz=rate,
        init_address="init.mp4",
        segment_seconds=seconds,
        ended=ended,
        query=query,
    )


def test_a_vod_playlist_word_by_word():
    segments = [
        Segment(address="0.m4s", duration_samples=264_192, size_bytes=1),
        Segment(address="1.m4s", duration_samples=265_216, size_bytes=1),
        Segment(address="2.m4s", duration_samples=7, size_bytes=1),
    ]
    assert media((44_100, 6, segments), ended=True, query="kid=1&sig=a-_b") == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-TARGETDURATION:6\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n"
        "#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MAP:URI="init.mp4?kid=1&sig=a-_b"\n'
        "#EXTINF:5.990748,\n"
        "0.m4s?kid=1&sig=a-_b\n"
        "#EXTINF:6.013969,\n"
        "1.m4s?kid=1&sig=a-_b\n"
        "#EXTINF:0.000158,\n"
        "2.m4s?kid=1&sig=a-_b\n"
        "#EXT-X-ENDLIST\n"
    )


@given(tracks(), st.booleans())
def test_durations_are_exact_and_rounding_never_adds_up(track, ended):
    rate, _, segments = track
    samples = microseconds = 0
    for segment, listed in zip(
        segments, m3u8.loads(media(track, ended=ended)).segments, strict=True
    ):
        samples += segment.duration_samples
        microseconds += round(listed.duration * 1_000_000)
        assert abs(microseconds - Fraction(samples * 1_000_000, rate)) <= Fraction(1, 2)


@given(tracks(), st.booleans())
def test_no_duration_rounds_to_more_than_the_target(track, ended):
    parsed = m3u8.loads(media(track, ended=ended))
    assert all(int(s.duration + 0.5) <= parsed.target_duration for s in parsed.segments)


@given(tracks())
def test_the_target_stays_the_same_while_the_list_grows_and_when_it_ends(track):
    rate, seconds, segments = track
    lists = [media((rate, seconds, segments[:n]), ended=False) for n in range(len(segments) + 1)]
    assert {m3u8.loads(text).target_duration for text in lists} == {seconds}
    if len(segments) > 1:
        assert m3u8.loads(media(track, ended=True)).target_duration == seconds


@given(tracks())
def test_an_event_playlist_only_grows(track):
    rate, seconds, segments = track
    before = ""
    for count in range(len(segments) + 1):
        now = media((rate, seconds, segments[:count]), ended=False)
        assert now.startswith(before)
        assert "#EXT-X-ENDLIST" not in now
        before = now
    vod = media(track, ended=True)
    assert vod.endswith("#EXT-X-ENDLIST\n")
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in vod


@given(tracks())
def test_the_query_is_on_every_address(track):
    parsed = m3u8.loads(media(track, ended=True, query="sig=x"))
    addresses = [segment.uri for segment in parsed.segments] + [parsed.segment_map[0].uri]
    assert all(address.endswith("?sig=x") for address in addresses)


@given(tracks())
def test_bandwidth_is_the_peak_of_all_runs_near_a_target_duration(track):
    rate, seconds, segments = track
    target = rate * m3u8.loads(media(track, ended=True)).target_duration
    runs = [
        segments[first:end]
        for first in range(len(segments))
        for end in range(first + 1, len(segments) + 1)
    ]
    lasting = [(run, sum(s.duration_samples for s in run)) for run in runs]
    rates = [
        Fraction(8 * sum(s.size_bytes for s in run) * rate, samples)
        for run, samples in lasting
        if target <= 2 * samples <= 3 * target
    ]
    peak = peak_bit_rate(segments, sample_rate_hz=rate, segment_seconds=seconds)
    expected = max(rates, default=average_bit_rate(segments, sample_rate_hz=rate))
    assert expected <= peak < expected + 1


@given(tracks())
def test_average_bandwidth_is_all_bits_over_all_time(track):
    rate, _, segments = track
    exact = Fraction(
        8 * rate * sum(s.size_bytes for s in segments), sum(s.duration_samples for s in segments)
    )
    assert 0 <= average_bit_rate(segments, sample_rate_hz=rate) - exact < 1


def variant(name, segments, *, ended=True, nominal=128_000):
    return Variant(
        codecs="mp4a.40.2",
        address=f"{name}/playlist.m3u8",
        sample_rate_hz=48_000,
        nominal_bit_rate_bps=nominal,
        segments=segments,
        ended=ended,
    )


SECONDS_6 = Segment(address="0.m4s", duration_samples=288_000, size_bytes=96_750)


def test_the_master_playlist_word_by_word():
    text = master_playlist(
        [variant("aac-128", [SECONDS_6]), variant("aac-64", [])], segment_seconds=6, query="s=1"
    )
    assert text == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=129000,AVERAGE-BANDWIDTH=129000,CODECS="mp4a.40.2"\n'
        "aac-128/playlist.m3u8?s=1\n"
    )


def test_while_it_encodes_a_rendition_declares_at_least_its_nominal_rate():
    quiet = Segment(address="0.m4s", duration_samples=288_000, size_bytes=10_000)
    going = master_playlist([variant("a", [quiet], ended=False)], segment_seconds=6)
    ended = master_playlist([variant("a", [quiet], ended=True)], segment_seconds=6)
    assert m3u8.loads(going).playlists[0].stream_info.bandwidth == 128_000
    assert m3u8.loads(ended).playlists[0].stream_info.bandwidth == 13_334


@pytest.mark.parametrize("query", ['a"b', "a\nb", "a b", "#\r"])
def test_nothing_that_breaks_a_line_or_a_quote_gets_in(query):
    with pytest.raises(ValueError, match="not fit"):
        master_playlist([variant("a", [SECONDS_6])], segment_seconds=6, query=query)


def test_what_the_pipeline_makes_is_listed_as_it_is(make_file, music, encoded):
    result = encoded(make_file("wav", music(7 * 44_100), 44_100))
    for rendition in result.probed.renditions:
        segments = [
            Segment(
                address=f"{s.number}.m4s",
                duration_samples=s.duration_samples,
                size_bytes=len(s.data),
            )
            for s in result.segments[rendition.name]
        ]
        text = media((44_100, 2, segments), ended=True)
        assert sum(s.duration for s in m3u8.loads(text).segments) == pytest.approx(7, abs=1e-9)
