"""HLS playlists (RFC 8216, version 7) of one track: a master, and one media playlist a rendition.

While a track is encoded its media playlists are EVENT lists that only grow; afterwards they are VOD
with an end. Durations are exact: each EXTINF is the difference of two rounded points on the track's
time line, so that rounding never adds up. `query` (a signature) is appended to every address.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

VERSION = 7  # EXT-X-MAP in a playlist of audio segments needs 6; 7 is what fMP4 lists declare
MICROSECONDS = 1_000_000
# Printable ASCII but for double quotes and what RFC 3986 has no place for.
SAFE_ADDRESS = re.compile(r"[!#-;=?-\[\]_a-z~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stored segment: what the playlists need of its row."""

    address: str
    duration_samples: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A rendition for the master playlist, with the segments stored so far.

    Until it has `ended`, its bandwidth is at least the nominal one: louder parts may yet come.
    """

    address: str
    sample_rate_hz: int
    nominal_bit_rate_bps: int
    segments: Sequence[Segment]
    ended: bool
    codecs: str


def media_playlist(
    segments: Sequence[Segment],
    *,
    sample_rate_hz: int,
    init_address: str,
    segment_seconds: int,
    ended: bool,
    query: str = "",
) -> str:
    """Write the media playlist of one rendition. An unended one may be empty of segments."""
    durations = _durations_microseconds(segments, sample_rate_hz)
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{_target_duration(durations, segment_seconds, ended=ended)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{'VOD' if ended else 'EVENT'}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{_signed(init_address, query)}"',
    ]
    for segment, duration in zip(segments, durations, strict=True):
        lines.append(f"#EXTINF:{duration // MICROSECONDS}.{duration % MICROSECONDS:06d},")
        lines.append(_signed(segment.address, query))
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def master_playlist(variants: Sequence[Variant], *, segment_seconds: int, query: str = "") -> str:
    """Write the master playlist: the renditions that have a first segment, in the order given.

    A player starts with the first one listed.
    """
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for variant in variants:
        if variant.segments:
            lines.append("#EXT-X-STREAM-INF:" + _stream_attributes(variant, segment_seconds))
            lines.append(_signed(variant.address, query))
    return "\n".join(lines) + "\n"


def _stream_attributes(variant: Variant, segment_seconds: int) -> str:
    rate = variant.sample_rate_hz
    peak = peak_bit_rate(variant.segments, sample_rate_hz=rate, segment_seconds=segment_seconds)
    average = average_bit_rate(variant.segments, sample_rate_hz=rate)
    if not variant.ended:
        peak = max(peak, variant.nominal_bit_rate_bps)
    return f'BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS="{variant.codecs}"'


def average_bit_rate(segments: Sequence[Segment], *, sample_rate_hz: int) -> int:
    """Give bits per second of all segments together, rounded up."""
    bits = 8 * sum(segment.size_bytes for segment in segments)
    return -(-bits * sample_rate_hz // sum(segment.duration_samples for segment in segments))


def peak_bit_rate(segments: Sequence[Segment], *, sample_rate_hz: int, segment_seconds: int) -> int:
    """Give the peak segment bit rate of RFC 8216, 4.1: bits per second, rounded up.

    It is the highest rate of any run of segments that lasts 0.5 to 1.5 target durations. A track
    too short to hold such a run has only its average.
    """
    durations = _durations_microseconds(segments, sample_rate_hz)
    target = sample_rate_hz * _target_duration(durations, segment_seconds, ended=True)
    best = Fraction(0)
    for first in range(len(segments)):
        samples = bits = 0
        for segment in segments[first:]:
            samples += segment.duration_samples
            bits += 8 * segment.size_bytes
            if 2 * samples > 3 * target:
                break
            if 2 * samples >= target:
                best = max(best, Fraction(bits * sample_rate_hz, samples))
    return -(-best.numerator // best.denominator) or average_bit_rate(
        segments, sample_rate_hz=sample_rate_hz
    )


def _durations_microseconds(segments: Sequence[Segment], sample_rate_hz: int) -> list[int]:
    durations, samples, microseconds = [], 0, 0
    for segment in segments:
        samples += segment.duration_samples
        end = round(Fraction(samples * MICROSECONDS, sample_rate_hz))
        durations.append(end - microseconds)
        microseconds = end
    return durations


def _target_duration(durations: Sequence[int], segment_seconds: int, *, ended: bool) -> int:
    # Constant while the list grows, since no segment is half a second over the nominal length (see
    # `pipeline`). Once ended it is what the segments need: less only for a track of one short
    # segment.
    nominal = [] if ended else [segment_seconds * MICROSECONDS]
    longest = max([*durations, *nominal], default=MICROSECONDS)
    return max(1, (longest + MICROSECONDS // 2) // MICROSECONDS)


def _signed(address: str, query: str) -> str:
    whole = f"{address}?{query}" if query else address
    if not SAFE_ADDRESS.fullmatch(whole):
        raise ValueError(f"not fit for a playlist line: {whole!r}")
    return whole
