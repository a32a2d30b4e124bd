"""How a node and its encoder process talk: length-prefixed frames of JSON and one payload.

A frame is two big-endian 32 bit lengths (header, payload), the header as JSON (`kind` and the
fields of one class below), and the payload: the bytes of the class's `data` field, if it has one.
Neither side trusts the other: sizes are bounded before anything is read, every field's type is
checked, and whatever does not fit is a `FrameError`. No pickle.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import orjson

from veza.codecs.analysis import Analysis
from veza.codecs.key import Key
from veza.codecs.loudness import Loudness
from veza.codecs.music import Music
from veza.codecs.silence import Silence
from veza.codecs.spectrum import Spectrum
from veza.codecs.tempo import Tempo

PREFIX = struct.Struct(">II")
SOURCE_MARK = b"\0"
"""Before all frames: the byte that the worker's file comes with, for a descriptor cannot travel alone."""
ARTWORK_EDGE_PX = 512
"""Of a track's picture: as large as lock screens show it."""
MAX_HEADER_BYTES = 64 * 1024
MAX_PAYLOAD_BYTES = 10 * 1024 * 1024  # FLAC of 30 s at 48 kHz, 24 bits and stereo has 8.7 MB


class FrameError(Exception):
    """The other side does not speak the protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFrame:
    """To the worker, first: what to do and within which limits.

    `stored` is the number of the last segment stored of each rendition: up to there nothing is sent
    again. `window` is how many segments may be under way before a `CreditFrame`.
    """

    ladder_kbps: tuple[int, ...] = (64, 128, 256)
    lossless: bool = False
    segment_seconds: int = 6
    stored: dict[str, int]
    window: int = 6
    threads: int = 2
    max_duration_seconds: float = 4 * 3600
    max_channels: int = 8
    max_cpu_seconds: int = 3600
    max_memory_bytes: int = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class StartThumbnailFrame:
    """To a worker for pictures, first: make a small one within these limits."""

    max_edge_px: int = 480
    max_cpu_seconds: int = 30
    max_memory_bytes: int = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class StartCopyFrame:
    """To a worker for copies, first: what to make (`CopyFormat`), what it says of itself, the limits."""

    format: str
    title: str
    artist: str
    window: int = 2
    max_duration_seconds: float = 4 * 3600
    max_channels: int = 8
    max_cpu_seconds: int = 3600
    max_memory_bytes: int = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditFrame:
    """To the worker: so many more segments, or pieces, may be sent."""

    segments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyFrame:
    """From the worker: it is sandboxed, but for the parts that `sandbox_notes` tells of."""

    sandbox_notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionField:
    """One rung that will be sent."""

    name: str
    codecs: str
    bit_rate_bps: int
    sample_rate_hz: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedFrame:
    """From the worker: the file decodes."""

    container: str
    codec: str
    sample_rate_hz: int
    channels: int
    estimated_seconds: float | None
    title: str | None
    artist: str | None
    album: str | None
    genre: str | None
    track_number: int | None
    renditions: tuple[RenditionField, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtworkFrame:
    """From the worker: the picture in the file, made small, as WebP."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class InitFrame:
    """From the worker: the init segment of a rendition, before its first segment."""

    rendition: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFrame:
    """From the worker: a whole segment, numbered from 0; it uses up one credit."""

    rendition: str
    number: int
    first_sample: int
    duration_samples: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressFrame:
    """From the worker: so much is encoded; `share` is 0 to 1 if the length is known."""

    done_seconds: float
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeaksFrame:
    """From the worker: the waveform, as in `veza.codecs.peaks.Peaks`."""

    sample_rate_hz: int
    samples_per_bucket: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FingerprintFrame:
    """From the worker: what the recording is known by, as `veza.codecs.fingerprint.pack` writes it."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedFrame:
    """From the worker, last: all segments were sent. The length is exact."""

    duration_samples: int
    sample_rate_hz: int
    segments: int
    analysis: Analysis


@dataclass(frozen=True, slots=True, kw_only=True)
class ThumbnailFrame:
    """From a worker for pictures, last: the small picture, as in `veza.codecs.thumbnail.Thumbnail`."""

    picture_width_px: int
    picture_height_px: int
    width_px: int
    height_px: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceFrame:
    """From a worker for copies: bytes that belong at `offset` of its file; it uses up one credit."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedFrame:
    """From a worker for copies, last: all pieces were sent, and the file has so many bytes."""

    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedFrame:
    """From the worker, last: the file is at fault (`Fault`, `PictureFault`); do not try again."""

    fault: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenFrame:
    """From the worker, last: a bug in it, with its traceback."""

    traceback: str


Frame = (
    StartFrame
    | StartThumbnailFrame
    | StartCopyFrame
    | CreditFrame
    | ReadyFrame
    | ProbedFrame
    | ArtworkFrame
    | InitFrame
    | SegmentFrame
    | ProgressFrame
    | PeaksFrame
    | FingerprintFrame
    | FinishedFrame
    | ThumbnailFrame
    | PieceFrame
    | CopiedFrame
    | FailedFrame
    | BrokenFrame
)
KINDS: dict[str, type[Frame]] = {
    kind.__name__.removesuffix("Frame").lower(): kind for kind in get_args(Frame)
}
NAMES = {kind: name for name, kind in KINDS.items()}
PARTS = (RenditionField, Analysis, Loudness, Music, Tempo, Key, Spectrum, Silence)
HINTS: dict[type, dict[str, Any]] = {
    kind: get_type_hints(kind) for kind in (*KINDS.values(), *PARTS)
}


def encode_frame(frame: Frame) -> bytes:
    """Give the bytes of `frame`; raises `FrameError` if it is larger than the reader takes."""
    content = {field.name: getattr(frame, field.name) for field in fields(frame)}
    payload = content.pop("data", b"")
    header = orjson.dumps({"kind": NAMES[type(frame)], **content})
    _check_sizes(len(header), len(payload))
    return b"".join((PREFIX.pack(len(header), len(payload)), header, payload))


def _check_sizes(header_bytes: int, payload_bytes: int) -> None:
    if header_bytes > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise FrameError(f"frame of {header_bytes} + {payload_bytes} bytes")


class FrameReader:
    """Cuts a byte stream into frames; it keeps less than one between two feeds."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, received: bytes) -> Iterator[Frame]:
        """Take bytes, yield the frames they complete; raises `FrameError`."""
        self._buffer += received
        while len(self._buffer) >= PREFIX.size:
            header_bytes, payload_bytes = PREFIX.unpack_from(self._buffer)
            _check_sizes(header_bytes, payload_bytes)
            header_end = PREFIX.size + header_bytes
            end = header_end + payload_bytes
            if len(self._buffer) < end:
                return
            header = bytes(self._buffer[PREFIX.size : header_end])
            payload = bytes(self._buffer[header_end:end])
            del self._buffer[:end]
            yield decode_frame(header, payload)


def decode_frame(header: bytes, payload: bytes) -> Frame:
    """Build the frame that `header` names; raises `FrameError` for anything that does not fit."""
    try:
        content = orjson.loads(header)
        kind = KINDS[content.pop("kind")]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise FrameError("header of no known kind") from error
    if "data" in HINTS[kind]:
        content["data"] = payload
    elif payload:
        raise FrameError(f"{kind.__name__} takes no payload")
    frame: Frame = _build(kind, content)
    return frame


def _build(kind: type, content: Any) -> Any:
    hints = HINTS[kind]
    if not isinstance(content, dict) or content.keys() != hints.keys():
        raise FrameError(f"{kind.__name__} has other fields")
    return kind(**{name: _checked(value, hints[name]) for name, value in content.items()})


def _checked(value: Any, hint: Any) -> Any:
    """Give `value` as the type that `hint` asks for; JSON knows neither tuples nor classes."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return None if value is None else _checked(value, _not_none(arguments))
    if origin is tuple and isinstance(value, list):
        return tuple(_checked(item, arguments[0]) for item in value)
    if origin is dict and isinstance(value, dict):
        return {key: _checked(item, arguments[1]) for key, item in value.items()}
    if is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise FrameError(f"{value!r:.80} where {hint} belongs")
    return value


def _not_none(alternatives: tuple[Any, ...]) -> Any:
    return next(alternative for alternative in alternatives if alternative is not NoneType)
