"""The DASH manifest names exactly the segments there are, for exactly as long as they are."""

from dataclasses import replace
from fractions import Fraction
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from veza.codecs.dash import Representation, manifest
from veza.codecs.playlist import Segment

MPD = "{urn:mpeg:dash:schema:mpd:2011}"


def representation(durations, *, name="aac-64", rate=48_000):
    segments = [
        Segment(address=f"{number}.m4s", duration_samples=samples, size_bytes=samples // 6 + 1)
        for number, samples in enumerate(durations)
    ]
    return Representation(
        name=name, codecs="mp4a.40.2", sample_rate_hz=rate, channels=2, segments=segments
    )


def test_a_manifest_word_by_word():
    text = manifest(
        [representation([288_768, 288_768, 287_744, 7])], segment_seconds=6, query="a=1&b=2"
    )

    assert text == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"'
        ' profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static"'
        ' mediaPresentationDuration="PT18.026813S" minBufferTime="PT6S">\n'
        '<Period id="0" start="PT0S">\n'
        '<AdaptationSet id="0" contentType="audio" mimeType="audio/mp4"'
        ' segmentAlignment="true" startWithSAP="1">\n'
        '<Representation id="aac-64" codecs="mp4a.40.2" bandwidth="64003"'
        ' audioSamplingRate="48000">\n'
        "<AudioChannelConfiguration schemeIdUri="
        '"urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>\n'
        '<SegmentTemplate timescale="48000" startNumber="0"'
        ' initialization="$RepresentationID$/init.mp4?a=1&amp;b=2"'
        ' media="$RepresentationID$/$Number$.m4s?a=1&amp;b=2">\n'
        "<SegmentTimeline>\n"
        '<S t="0" d="288768" r="1"/>\n'
        '<S d="287744"/>\n'
        '<S d="7"/>\n'
        "</SegmentTimeline>\n"
        "</SegmentTemplate>\n"
        "</Representation>\n"
        "</AdaptationSet>\n"
        "</Period>\n"
        "</MPD>\n"
    )


def test_each_codec_is_a_set_of_its_own_within_which_players_switch():
    low, high = representation([9_000]), representation([9_000], name="aac-128")
    exact = replace(low, name="flac", codecs="fLaC")

    sets = ET.fromstring(manifest([low, high, exact], segment_seconds=6)).iter(
        f"{MPD}AdaptationSet"
    )

    named = [[each.get("id") for each in one.iter(f"{MPD}Representation")] for one in sets]
    assert named == [["aac-64", "aac-128"], ["flac"]]


@given(
    st.lists(st.integers(1, 500_000), min_size=1, max_size=40),
    st.sampled_from([8_000, 44_100, 48_000]),
    st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()),
)
def test_another_parser_reads_the_durations_that_went_in(durations, rate, name):
    text = manifest([representation(durations, name=name, rate=rate)], segment_seconds=6)

    root = ET.fromstring(text)
    found = root.find(f".//{MPD}Representation")
    read = []
    for entry in found.iter(f"{MPD}S"):
        read += [int(entry.get("d"))] * (int(entry.get("r", "0")) + 1)
    assert read == durations
    assert found.get("id") == name
    whole = Fraction(root.get("mediaPresentationDuration")[2:-1])
    assert 0 <= whole - Fraction(sum(durations), rate) < Fraction(1, 1_000_000)
