"""CMAF: AAC-LC or FLAC packets in, an init segment and media segments out, exact to the sample.

Boxes after ISO/IEC 14496-12 (file format), 14496-14 (`mp4a`, `esds`) and 23000-19 (CMAF), and "Encapsulation
of FLAC in ISO Base Media File Format" (Xiph.Org, version 0.0.4: `fLaC`, `dfLa`). The
media timeline counts encoder priming: sample 0 of the music is at media time `priming_samples`, and
the edit list of the init segment says so. The last packet of a track gets a shorter duration, so
that the presentation ends with the last sample of the music and not with the encoder's padding.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

FRAME_SAMPLES = 1024  # of every packet, AAC-LC by its nature
MOVIE_FLAGS_ENABLED = 0x000007  # tkhd: enabled, in movie, in preview
SYNC_SAMPLE_FLAGS = 0x02000000  # depends on no other sample; not a non-sync sample
TRACK_ID = 1
UNITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)

# tfhd: default-base-is-moof; trun: data offset, then a size, and if asked a duration, per sample.
TFHD_BASE_IS_MOOF = 0x020000
TRUN_DATA_OFFSET = 0x000001
TRUN_DURATIONS = 0x000100
TRUN_SIZES = 0x000200


@dataclass(frozen=True, slots=True, kw_only=True)
class AacTrack:
    """What an init segment states about an AAC-LC track."""

    sample_rate_hz: int
    channels: int
    bit_rate_bps: int
    audio_specific_config: bytes
    priming_samples: int

    @property
    def sample_entry(self) -> bytes:
        """The `mp4a` box."""
        described = full_box(b"esds", 0, 0, _es_descriptor(self))
        return box(b"mp4a", _audio_entry(self.channels, 16, self.sample_rate_hz), described)

    @property
    def roll_description(self) -> bytes:
        """The group of packets that need the one before them."""
        # AudioRollRecoveryEntry -1: to start at a packet, decode the one before too (MDCT overlap).
        return full_box(b"sgpd", 1, 0, b"roll", struct.pack(">IIh", 2, 1, -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class FlacTrack:
    """What an init segment states about a FLAC track. `stream_info`: the 34 bytes of STREAMINFO."""

    sample_rate_hz: int
    channels: int
    bits: int
    stream_info: bytes
    priming_samples: ClassVar[int] = 0
    roll_description: ClassVar[bytes] = b""

    @property
    def sample_entry(self) -> bytes:
        """The `fLaC` box."""
        last_block_of_kind_0 = struct.pack(">I", 0x80 << 24 | len(self.stream_info))
        described = full_box(b"dfLa", 0, 0, last_block_of_kind_0, self.stream_info)
        return box(b"fLaC", _audio_entry(self.channels, self.bits, self.sample_rate_hz), described)


Track = AacTrack | FlacTrack


def box(kind: bytes, *parts: bytes) -> bytes:
    """Frame `parts` as one box: 32 bit size, four character kind, content."""
    size = 8 + sum(map(len, parts))
    return b"".join((struct.pack(">I4s", size, kind), *parts))


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """Frame a box that carries a version and 24 bits of flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def init_segment(track: Track) -> bytes:
    """Build `ftyp` and `moov`: everything a player needs before the first media segment."""
    return file_type() + box(b"moov", _movie_header(), _track(track), _movie_extends())


def file_type() -> bytes:
    # iso6 is the first brand with tfdt and default-base-is-moof; cmfc says CMAF.
    return box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6", b"cmfc", b"mp41")


def _movie_header() -> bytes:
    # Version 0: creation, modification, timescale, duration (0: told by the fragments).
    times = struct.pack(">4I", 0, 0, 1000, 0)
    rate_and_volume = struct.pack(">IH10x", 0x00010000, 0x0100)
    next_track = struct.pack(">24xI", TRACK_ID + 1)
    return full_box(b"mvhd", 0, 0, times, rate_and_volume, UNITY_MATRIX, next_track)


def _track(track: Track) -> bytes:
    header = full_box(
        b"tkhd",
        0,
        MOVIE_FLAGS_ENABLED,
        struct.pack(">5I", 0, 0, TRACK_ID, 0, 0),
        struct.pack(">8xhhHxx", 0, 1, 0x0100),
        UNITY_MATRIX,
        struct.pack(">II", 0, 0),
    )
    return box(b"trak", header, box(b"edts", _edit_list(track)), _media(track))


def _edit_list(track: Track) -> bytes:
    # One edit of open length (0, as fragments follow) that starts behind the priming.
    entry = struct.pack(">IiI", 0, track.priming_samples, 0x00010000)
    return full_box(b"elst", 0, 0, struct.pack(">I", 1), entry)


def _media(track: Track) -> bytes:
    undetermined = 0x55C4  # "und", three times five bits
    header = struct.pack(">4IHH", 0, 0, track.sample_rate_hz, 0, undetermined, 0)
    handler = struct.pack(">4x4s12x", b"soun") + b"Veza audio\0"
    here = full_box(b"url ", 0, 1)
    references = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), here))
    information = box(b"minf", full_box(b"smhd", 0, 0, bytes(4)), references, _sample_table(track))
    return box(
        b"mdia", full_box(b"mdhd", 0, 0, header), full_box(b"hdlr", 0, 0, handler), information
    )


def _sample_table(track: Track) -> bytes:
    none = struct.pack(">I", 0)
    return box(
        b"stbl",
        full_box(b"stsd", 0, 0, struct.pack(">I", 1), track.sample_entry),
        full_box(b"stts", 0, 0, none),
        full_box(b"stsc", 0, 0, none),
        full_box(b"stsz", 0, 0, none, none),
        full_box(b"stco", 0, 0, none),
        track.roll_description,
    )


def _audio_entry(channels: int, bits: int, sample_rate_hz: int) -> bytes:
    return struct.pack(">6xH8xHHHHI", 1, channels, bits, 0, 0, sample_rate_hz << 16)


def _es_descriptor(track: AacTrack) -> bytes:
    specific = _descriptor(0x05, track.audio_specific_config)
    object_type_aac, audio_stream = 0x40, 0x05 << 2 | 1
    rates = struct.pack(">II", track.bit_rate_bps, track.bit_rate_bps)
    config = struct.pack(">BB3x", object_type_aac, audio_stream) + rates + specific
    sync_layer = _descriptor(0x06, b"\x02")  # predefined: MP4
    es_id_and_flags = struct.pack(">HB", 0, 0)
    return _descriptor(0x03, es_id_and_flags + _descriptor(0x04, config) + sync_layer)


def _descriptor(tag: int, content: bytes) -> bytes:
    if len(content) > 0x7F:  # noqa: PLR2004  # one length byte holds seven bits
        raise ValueError(f"descriptor of {len(content)} bytes; an AAC-LC one is under 128")
    return bytes((tag, len(content))) + content


def _movie_extends() -> bytes:
    defaults = struct.pack(">5I", TRACK_ID, 1, FRAME_SAMPLES, 0, SYNC_SAMPLE_FLAGS)
    return box(b"mvex", full_box(b"trex", 0, 0, defaults))


def media_segment(
    packets: Sequence[bytes],
    *,
    sequence_number: int,
    base_decode_time: int,
    last_duration_samples: int | None = None,
    is_rolling: bool = True,
) -> bytes:
    """Build `styp`, `moof` and `mdat` of `packets`.

    `sequence_number` counts segments from 1, `base_decode_time` is the media time of the first
    packet in samples. `last_duration_samples` shortens the last packet of the track. `is_rolling`:
    each packet needs the one before it, as the track's `roll_description` says.
    """
    if not packets:
        raise ValueError("a media segment holds at least one packet")
    head = box(b"styp", b"cmfs", struct.pack(">I", 0), b"cmfs", b"cmff", b"iso6")
    header = full_box(b"mfhd", 0, 0, struct.pack(">I", sequence_number))
    begin = (
        full_box(b"tfhd", 0, TFHD_BASE_IS_MOOF, struct.pack(">I", TRACK_ID)),
        full_box(b"tfdt", 1, 0, struct.pack(">Q", base_decode_time)),
    )
    group = struct.pack(">III", 1, len(packets), 1)
    end = full_box(b"sbgp", 0, 0, b"roll", group) if is_rolling else b""

    def fragment(data_offset: int) -> bytes:
        run = _track_run(packets, last_duration_samples, data_offset)
        return box(b"moof", header, box(b"traf", *begin, run, end))

    # The data starts 8 bytes (the header of mdat) behind moof, whose own size does not depend on
    # it.
    moof = fragment(len(fragment(0)) + 8)
    return b"".join((head, moof, box(b"mdat", *packets)))


def _track_run(
    packets: Sequence[bytes], last_duration_samples: int | None, data_offset: int
) -> bytes:
    sizes = [len(packet) for packet in packets]
    if last_duration_samples is None:
        flags, fields = TRUN_DATA_OFFSET | TRUN_SIZES, sizes
    else:
        flags = TRUN_DATA_OFFSET | TRUN_DURATIONS | TRUN_SIZES
        durations = [FRAME_SAMPLES] * (len(packets) - 1) + [last_duration_samples]
        fields = [field for pair in zip(durations, sizes, strict=True) for field in pair]
    table = struct.pack(f">{len(fields)}I", *fields)
    return full_box(b"trun", 0, flags, struct.pack(">Ii", len(packets), data_offset), table)
