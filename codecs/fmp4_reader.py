"""Read back what `fmp4` writes: for tests, and to check what a job resumes on.

Everything wrong with the bytes is a `MalformedError`; sizes are checked before they are believed.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

CONTAINERS = frozenset(
    {b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf"}
)
HEADER_BYTES = 8
AAC_SPECIFIC_CONFIG_TAG = 0x05


class MalformedError(ValueError):
    """The bytes are not whole boxes of the expected kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InitSegment:
    """What an init segment says; `priming_samples` is the start of its only edit."""

    sample_rate_hz: int
    channels: int
    priming_samples: int
    audio_specific_config: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSegment:
    """One fragment: times in samples of the track."""

    sequence_number: int
    base_decode_time: int
    durations: tuple[int, ...]
    packets: tuple[bytes, ...]

    @property
    def duration_samples(self) -> int:
        return sum(self.durations)


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, content) of each box in `data`, which must hold whole boxes only."""
    offset = 0
    while offset < len(data):
        if len(data) - offset < HEADER_BYTES:
            raise MalformedError(f"{len(data) - offset} bytes behind the last box")
        size, kind = struct.unpack_from(">I4s", data, offset)
        if not HEADER_BYTES <= size <= len(data) - offset:
            raise MalformedError(f"box {kind!r} claims {size} bytes of {len(data) - offset}")
        yield kind, data[offset + HEADER_BYTES : offset + size]
        offset += size


def tree(data: bytes) -> dict[bytes, bytes]:
    """Map every leaf box's kind to its content; in our segments each occurs once."""
    found: dict[bytes, bytes] = {}
    for kind, content in boxes(data):
        if kind in CONTAINERS:
            found |= tree(content)
        else:
            found[kind] = content
    return found


def read_init_segment(data: bytes) -> InitSegment:
    """Parse an init segment; raises `MalformedError`."""
    if [kind for kind, _ in boxes(data)] != [b"ftyp", b"moov"]:
        raise MalformedError("an init segment is ftyp and moov, and nothing else")
    leaves = tree(data)
    try:
        entry = leaves[b"stsd"][8:]
        (priming,) = struct.unpack_from(">i", leaves[b"elst"], 12)
        (rate,) = struct.unpack_from(">I", leaves[b"mdhd"], 12)
        (channels,) = struct.unpack_from(">H", entry, 24)
        config = _audio_specific_config(entry[36:])
    except (KeyError, struct.error, IndexError) as error:
        raise MalformedError(f"init segment without {error}") from error
    return InitSegment(
        sample_rate_hz=rate,
        channels=channels,
        priming_samples=priming,
        audio_specific_config=config,
    )


def _audio_specific_config(extra_boxes: bytes) -> bytes:
    # ES descriptor: 3 bytes of ids; decoder config: 13 bytes of types and rates; then the config.
    descriptor = dict(boxes(extra_boxes))[b"esds"][4:]
    content = descriptor[2 + 3 : 2 + descriptor[1]]
    config = content[2 + 13 : 2 + content[1]]
    if config[0] != AAC_SPECIFIC_CONFIG_TAG:
        raise MalformedError("esds holds no decoder specific info")
    return config[2 : 2 + config[1]]


def read_media_segment(data: bytes) -> MediaSegment:
    """Parse a media segment; raises `MalformedError`, also for bytes that no packet claims."""
    if [kind for kind, _ in boxes(data)] != [b"styp", b"moof", b"mdat"]:
        raise MalformedError("a media segment is styp, moof and mdat")
    leaves = tree(data)
    try:
        (sequence,) = struct.unpack_from(">I", leaves[b"mfhd"], 4)
        (base,) = struct.unpack_from(">Q", leaves[b"tfdt"], 4)
        durations, sizes = _track_run(leaves[b"trun"])
    except (KeyError, struct.error) as error:
        raise MalformedError(f"media segment without {error}") from error
    return MediaSegment(
        sequence_number=sequence,
        base_decode_time=base,
        durations=durations,
        packets=_cut(leaves[b"mdat"], sizes),
    )


def _track_run(content: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    flags, count, _data_offset = struct.unpack_from(">IIi", content)
    per_sample = 2 if flags & 0x000100 else 1
    fields = struct.unpack(f">{count * per_sample}I", content[12:])
    if per_sample == 1:
        return (1024,) * count, fields
    return fields[0::2], fields[1::2]


def _cut(data: bytes, sizes: tuple[int, ...]) -> tuple[bytes, ...]:
    if sum(sizes) != len(data):
        raise MalformedError(f"{sum(sizes)} bytes of packets in an mdat of {len(data)}")
    packets, offset = [], 0
    for size in sizes:
        packets.append(data[offset : offset + size])
        offset += size
    return tuple(packets)
