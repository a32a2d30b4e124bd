"""Which renditions a source gets: AAC-LC rungs, and FLAC of what is lossless; rate, channels, bit rate.

Rates that AAC knows are kept, so that 44.1 kHz stays 44.1 kHz; others, and all above 48 kHz, go to
the nearest member of their family (44.1 or 48 kHz). Mono stays mono, more than two channels become
stereo (see `downmix`), in FLAC too: any rung can take the place of any other. Rungs that the encoder
could not fill are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from veza.codecs.source import SourceInfo

FRAME_SAMPLES = 1024
LEAST_BITS, MOST_BITS = 16, 24  # of FLAC
AAC_RATES_HZ = frozenset({8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000})
# ISO/IEC 14496-3, 4.5.3: a raw data block holds at most 6144 bits per channel.
MAX_BITS_PER_CHANNEL_AND_FRAME = 6_144
MONO_TOP_KBPS = 128  # as much per channel as 256 kbit/s give a stereo track


AAC_LC, FLAC = "mp4a.40.2", "fLaC"
"""As playlists name them (RFC 6381)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One rung: what the encoder is asked for. `name` is its stable id and address part.

    `bit_rate_bps` is what an AAC rung aims at and what a FLAC rung cannot exceed by more than its headers.
    `bits` a sample and whether they are dithered matter to FLAC only.
    """

    name: str
    bit_rate_bps: int
    sample_rate_hz: int
    channels: int
    codecs: str = AAC_LC
    bits: int = 16
    is_dithered: bool = False


def output_rate(source_rate_hz: int) -> int:
    """Give the sample rate in Hz that a source of `source_rate_hz` is encoded at."""
    if source_rate_hz in AAC_RATES_HZ:
        return source_rate_hz
    return 44_100 if source_rate_hz % 11_025 == 0 else 48_000


def output_channels(source_channels: int) -> int:
    """Give 1 for mono and 2 for everything else."""
    return min(source_channels, 2)


def renditions(
    ladder_kbps: Sequence[int], *, source_rate_hz: int, source_channels: int
) -> tuple[Rendition, ...]:
    """Give the rungs of `ladder_kbps` that suit the source, lowest first, at least one."""
    rate, channels = output_rate(source_rate_hz), output_channels(source_channels)
    limit = top_kbps(rate, channels)
    wanted = sorted({kbps for kbps in ladder_kbps if kbps <= limit}) or [limit]
    return tuple(
        Rendition(
            name=f"aac-{kbps}", bit_rate_bps=kbps * 1000, sample_rate_hz=rate, channels=channels
        )
        for kbps in wanted
    )


def lossless_rendition(source: SourceInfo) -> Rendition | None:
    """Give the FLAC rung of a source, or None if that is lossy: nothing would be gained by it.

    It has 16 bits if the source has no more and is neither resampled nor mixed down, else 24.
    """
    if source.bits is None:
        return None
    rate, channels = output_rate(source.sample_rate_hz), output_channels(source.channels)
    is_kept = rate == source.sample_rate_hz and channels == source.channels
    bits = LEAST_BITS if is_kept and source.bits <= LEAST_BITS else MOST_BITS
    return Rendition(
        name="flac",
        bit_rate_bps=rate * channels * bits,
        sample_rate_hz=rate,
        channels=channels,
        codecs=FLAC,
        bits=bits,
        is_dithered=not is_kept or source.bits > MOST_BITS,
    )


def top_kbps(sample_rate_hz: int, channels: int) -> int:
    """Give the highest bit rate in kbit/s that a rung at this rate may have."""
    by_standard = (
        MAX_BITS_PER_CHANNEL_AND_FRAME * channels * sample_rate_hz // FRAME_SAMPLES // 1000
    )
    return min(by_standard, MONO_TOP_KBPS) if channels == 1 else by_standard


def boundary(number: int, *, segment_seconds: int, sample_rate_hz: int) -> int:
    """Give the first sample of segment `number`: the frame border nearest to its nominal time.

    All rungs of a track share these borders, and rounding never adds up.
    """
    return round(number * segment_seconds * sample_rate_hz / FRAME_SAMPLES) * FRAME_SAMPLES
