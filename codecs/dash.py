"""The DASH manifest (ISO/IEC 23009-1) of one published track, over the segments that its HLS playlists name.

Times are whole samples, so durations are exact. `query` (a signature) is appended to every address.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from xml.sax.saxutils import quoteattr

from veza.codecs.playlist import Segment, peak_bit_rate

NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"  # segments by template and timeline
CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """One rendition, complete. `name` is the folder that its `init.mp4` and `<number>.m4s` are in."""

    name: str
    codecs: str
    sample_rate_hz: int
    channels: int
    segments: Sequence[Segment]


def manifest(
    representations: Sequence[Representation], *, segment_seconds: int, query: str = ""
) -> str:
    """Write the manifest of renditions that have at least one segment, in the order given."""
    length = max(
        Fraction(sum(each.duration_samples for each in one.segments), one.sample_rate_hz)
        for one in representations
    )
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        (
            f'<MPD xmlns="{NAMESPACE}" profiles="{PROFILE}" type="static"'
            f' mediaPresentationDuration="{_duration(length)}" minBufferTime="PT{segment_seconds}S">'
        ),
        '<Period id="0" start="PT0S">',
    ]
    for number, codecs in enumerate(dict.fromkeys(each.codecs for each in representations)):
        # Players switch within a set: all of it is of one codec.
        lines.append(
            f'<AdaptationSet id="{number}" contentType="audio" mimeType="audio/mp4"'
            ' segmentAlignment="true" startWithSAP="1">'
        )
        for each in representations:
            if each.codecs == codecs:
                lines += _representation(each, segment_seconds, query)
        lines.append("</AdaptationSet>")
    lines += ["</Period>", "</MPD>"]
    return "\n".join(lines) + "\n"


def _representation(one: Representation, segment_seconds: int, query: str) -> Iterator[str]:
    rate = one.sample_rate_hz
    bandwidth = peak_bit_rate(one.segments, sample_rate_hz=rate, segment_seconds=segment_seconds)
    suffix = f"?{query}" if query else ""
    yield (
        f"<Representation id={quoteattr(one.name)} codecs={quoteattr(one.codecs)}"
        f' bandwidth="{bandwidth}" audioSamplingRate="{rate}">'
    )
    yield f'<AudioChannelConfiguration schemeIdUri="{CHANNELS}" value="{one.channels}"/>'
    yield (
        f'<SegmentTemplate timescale="{rate}" startNumber="0"'
        f" initialization={quoteattr(f'$RepresentationID$/init.mp4{suffix}')}"
        f" media={quoteattr(f'$RepresentationID$/$Number$.m4s{suffix}')}>"
    )
    yield "<SegmentTimeline>"
    yield from _timeline(one.segments)
    yield from ("</SegmentTimeline>", "</SegmentTemplate>", "</Representation>")


def _timeline(segments: Sequence[Segment]) -> Iterator[str]:
    """Name runs of equal durations once; the first says where the track's time begins."""
    start = ' t="0"'
    for samples, run in groupby(segment.duration_samples for segment in segments):
        repeats = sum(1 for _ in run) - 1
        again = f' r="{repeats}"' if repeats else ""
        yield f'<S{start} d="{samples}"{again}/>'
        start = ""


def _duration(seconds: Fraction) -> str:
    """Write an xs:duration to the microsecond, rounded up: what is there must not be cut off."""
    microseconds = -(-seconds * MICROSECONDS // 1)
    return f"PT{microseconds // MICROSECONDS}.{microseconds % MICROSECONDS:06d}S"
