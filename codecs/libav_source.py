"""Sources read by libav, with the delay and padding that containers signal already cut.

Formats and codecs come from a list: other demuxers of libav open files and addresses that are
named in the data (HLS, concat), and each decoder is attack surface.

What counts as broken:
- a container that vouches for its length and holds less is `truncated`. A lossless codec may miss
  nothing, others a quarter of a second or 1 %: cutters and old encoders leave wrong counts. Plain
  MP3, Ogg, ADTS and CAF vouch for nothing, and a WAV header is believed only where the file bears
  it out;
- packets that do not decode between good ones are damage: any at all in a lossless codec
  (`damaged`, as are samples missing from its middle), more than 1 % in others. Before the first
  good packet (cut from a stream) and after the last one (tags, garbage) they are fine.
"""

from collections.abc import Iterator, Mapping
from typing import IO

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition

from veza.codecs.source import BLOCK_SAMPLES, Fault, Limits, MediaError, Samples, SourceInfo
from veza.codecs.tags import tags_from_metadata

DEMUXERS = (
    "aac,ac3,aiff,ape,asf,au,caf,dsf,eac3,flac,matroska,mov,mp3,mpc,mpc8,ogg,tak,tta,w64,wav,wv"
)
LOSSLESS = frozenset({"alac", "ape", "flac", "tak", "tta", "wavpack", "wmalossless"})
LOSSY = frozenset(
    {"aac", "ac3", "adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "eac3", "mp1float", "mp2float"}
    | {"mp3float", "mpc7", "mpc8", "opus", "vorbis", "wmapro", "wmav1", "wmav2"}
    | {"dsd_lsbf", "dsd_lsbf_planar", "dsd_msbf", "dsd_msbf_planar"}
)
PCM = frozenset(
    name
    for name in av.codecs_available
    if name.startswith("pcm_") and not name.startswith("pcm_s64")  # no numpy way out of libav
)
CODECS = LOSSLESS | LOSSY | PCM
# Containers whose length is a count of samples in a header. MP3 joins them where it has a Xing
# header.
COUNTING_CONTAINERS = frozenset({"aiff", "ape", "au", "flac", "mp3", "tak", "tta", "w64", "wv"})
MP4 = "mov,mp4,m4a,3gp,3g2,mj2"

MISSING_SECONDS_LOSSLESS = 0.002  # MP4 edit lists count in milliseconds
MISSING_SECONDS_LOSSY = 0.25
MISSING_SHARE_LOSSY = 0.01
BAD_SHARE_LOSSY = 0.01

PEAK_LIMIT = 4.0  # +12 dBFS: the overshoot of lossy decoders is kept, garbage floats do no harm
MAX_PICTURE_BYTES = 16 * 1024 * 1024
XING_SEARCH_BYTES = 4_096
ID3_HEADER_BYTES = 10


class LibavSource:
    """Decodes the first audio stream of `file`; `close` it."""

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        has_xing = _has_xing_header(file)
        file.seek(0)
        self._container = _open(file)
        try:
            self._stream = _audio_stream(self._container)
            self._info = _describe(self._container, self._stream, has_xing=has_xing)
            limits.check(self._info)
        except BaseException:
            self._container.close()
            raise
        self._limits = limits
        self._damage = _Damage(lossless=self._stream.codec_context.name in LOSSLESS | PCM)

    @property
    def info(self) -> SourceInfo:
        return self._info

    def close(self) -> None:
        self._container.close()

    def blocks(self) -> Iterator[Samples]:
        """Yield blocks of about `BLOCK_SAMPLES`; damage may be told at the end only."""
        pending: list[Samples] = []
        waiting = total = 0
        for array in self._arrays():
            pending.append(array)
            waiting += len(array)
            total += len(array)
            self._limits.check_length(total, self._info.sample_rate_hz)
            if waiting >= BLOCK_SAMPLES:
                yield np.concatenate(pending)
                pending, waiting = [], 0
        if pending:
            yield np.concatenate(pending)
        self._damage.judge(self._info, decoded_samples=total)

    def _arrays(self) -> Iterator[Samples]:
        """Yield an array a frame; what the container signals as end padding is cut."""
        left = _itunes_length(self._container.metadata)
        held: AudioFrame | None = None
        for frame in self._frames():
            if held is not None:
                array = self._presented(held)[:left]
                left = None if left is None else left - len(array)
                yield array
            held = frame
        if held is not None:
            yield self._presented(held, last=True)[:left]

    def _presented(self, frame: AudioFrame, *, last: bool = False) -> Samples:
        """Give the part of the frame that its container wants heard."""
        array = _to_float(frame, self._info)
        in_samples = frame.time_base is not None and frame.time_base * frame.sample_rate == 1
        if self._info.container != MP4 or not in_samples:
            return array
        # libav leaves two things of MP4 to us: the priming that a fragmented file's edit list puts
        # before time 0, and the short duration of the last sample.
        end = frame.duration if last and frame.duration > 0 else len(array)
        return array[max(0, -(frame.pts or 0)) : end]

    def _frames(self) -> Iterator[AudioFrame]:
        for packet in self._packets():
            try:
                frames = self._stream.decode(packet)
            except av.error.MemoryError:
                raise
            except (av.FFmpegError, ValueError):
                self._damage.bad_packet()
                continue
            for frame in frames:
                self._damage.good_frame(frame)
                yield frame

    def _packets(self) -> "Iterator[Packet[AudioStream] | None]":
        try:
            # The demuxer's own flush packet is empty: ours, None, comes last in every case.
            for packet in self._container.demux(self._stream):
                if packet.size:
                    yield packet
        except av.error.MemoryError:
            raise
        except av.FFmpegError:
            self._damage.bad_packet()
        yield None


class _Damage:
    """Counts what did not decode, and says what that makes of the file."""

    def __init__(self, *, lossless: bool) -> None:
        self._lossless = lossless
        self._good = self._bad = self._pending = self._between = 0
        self._end_seconds = 0.0

    def bad_packet(self) -> None:
        self._bad += 1
        self._pending += self._good > 0

    def good_frame(self, frame: AudioFrame) -> None:
        self._good += 1
        self._between += self._pending
        self._pending = 0
        if frame.is_corrupt:
            self._between += 1
        if frame.time is not None:
            self._end_seconds = frame.time + frame.samples / frame.sample_rate

    def judge(self, info: SourceInfo, *, decoded_samples: int) -> None:
        """Raise `MediaError` unless the whole stream was there."""
        if not self._good:
            fault = Fault.DAMAGED if self._bad else Fault.EMPTY
            raise MediaError(fault, "nothing in it decodes" if self._bad else "it holds no sound")
        allowed = 0 if self._lossless else max(1, int(self._good * BAD_SHARE_LOSSY))
        if self._between > allowed:
            raise MediaError(Fault.DAMAGED, f"{self._between} packets do not decode")
        self._check_complete(info, decoded_samples)

    def _check_complete(self, info: SourceInfo, decoded_samples: int) -> None:
        if info.declared_samples is None:
            return
        missing = (info.declared_samples - decoded_samples) / info.sample_rate_hz
        declared = info.declared_samples / info.sample_rate_hz
        lossy = max(MISSING_SECONDS_LOSSY, declared * MISSING_SHARE_LOSSY)
        if missing <= (MISSING_SECONDS_LOSSLESS if self._lossless else lossy):
            return
        inside = self._lossless and self._end_seconds >= declared - MISSING_SECONDS_LOSSLESS
        fault = Fault.DAMAGED if inside else Fault.TRUNCATED
        raise MediaError(fault, f"{missing:.1f} of {declared:.1f} seconds are missing")


def _open(file: IO[bytes]) -> InputContainer:
    options = {
        "format_whitelist": DEMUXERS,
        "codec_whitelist": ",".join(sorted(CODECS)),
        "protocol_whitelist": "",
    }
    try:
        return av.open(file, "r", container_options=options, metadata_errors="replace")
    except av.error.MemoryError:
        raise
    except (av.FFmpegError, ValueError) as error:
        raise MediaError(Fault.NOT_AUDIO, "no known audio format") from error


def _audio_stream(container: InputContainer) -> AudioStream:
    if not container.streams.audio:
        raise MediaError(Fault.NO_AUDIO_STREAM, "it holds no audio stream")
    stream = container.streams.audio[0]
    context = stream.codec_context
    if context is None or context.name not in CODECS:
        name = "an unknown codec" if context is None else f"codec {context.name}"
        raise MediaError(Fault.UNSUPPORTED, name)
    context.thread_count = 1  # libav's frame threads cost memory and gain nothing at this speed
    if context.name in LOSSLESS:
        context.options = {"err_detect": "crccheck+explode"}
    return stream


def _describe(container: InputContainer, stream: AudioStream, *, has_xing: bool) -> SourceInfo:
    context = stream.codec_context
    name = container.format.name
    seconds: float | None = None
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        seconds = container.duration / av.time_base
    counted = name == MP4 or (name in COUNTING_CONTAINERS and (name != "mp3" or has_xing))
    declared = seconds is not None and counted and stream.duration is not None
    return SourceInfo(
        container=name,
        codec=context.codec.canonical_name,
        sample_rate_hz=context.sample_rate,
        channels=context.channels,
        layout=tuple(channel.name for channel in context.layout.channels),
        bits=_bits(context),
        declared_samples=round((seconds or 0) * context.sample_rate) if declared else None,
        estimated_seconds=seconds,
        tags=tags_from_metadata(container.metadata, stream.metadata),
        picture=_picture(container),
    )


def _picture(container: InputContainer) -> bytes | None:
    """Give the first attached picture. libav has read it with the header, and counts it in no length."""
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            for packet in container.demux(stream):
                return bytes(packet) if packet.size <= MAX_PICTURE_BYTES else None
    return None


def _bits(context: AudioCodecContext) -> int | None:
    """Say how many bits a lossless stream has a sample: 16 at least, 32 for floats, None for a lossy one."""
    # What has no format yet does not decode either.
    if context.name not in LOSSLESS | PCM or context.format is None:
        return None
    if context.format.bytes <= 2:  # noqa: PLR2004  # 8 and 16 bits
        return 16
    # libav hands out 24 bits in 32, and does not tell the two apart but by the names of PCM.
    has_more = context.format.name.startswith(("flt", "dbl")) or context.name.startswith(
        ("pcm_s32", "pcm_u32")
    )
    return 32 if has_more else 24


def _has_xing_header(file: IO[bytes]) -> bool:
    """Say whether an MP3 counts its frames (Xing or Info in its first frame)."""
    file.seek(0)
    head = file.read(ID3_HEADER_BYTES)
    if head[:3] == b"ID3" and len(head) == ID3_HEADER_BYTES:
        # ID3v2.4, 3.1: the size is four times seven bits.
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        file.seek(ID3_HEADER_BYTES + size)
        head = b""
    head += file.read(XING_SEARCH_BYTES)
    return b"Xing" in head or b"Info" in head


def _itunes_length(metadata: Mapping[str, str]) -> int | None:
    """Give the length in samples of iTunSMPB (delay, padding, length in hex), if it is there."""
    fields = metadata.get("iTunSMPB", "").split()
    try:
        return int(fields[3], 16) or None
    except (IndexError, ValueError):
        return None


def _to_float(frame: AudioFrame, info: SourceInfo) -> Samples:
    """Give the frame as float32 (samples, channels); a change of shape midway is refused."""
    if frame.sample_rate != info.sample_rate_hz or frame.layout.nb_channels != info.channels:
        raise MediaError(Fault.UNSUPPORTED, "its sample rate or channels change midway")
    array = frame.to_ndarray()
    array = array.T if frame.format.is_planar else array.reshape(-1, info.channels)
    if array.dtype.kind == "f":
        floats = np.nan_to_num(array.astype(np.float32), copy=False, nan=0.0)
        return np.clip(floats, -PEAK_LIMIT, PEAK_LIMIT)
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - np.float32(128)) / np.float32(128)
    return array.astype(np.float32) * np.float32(2.0 ** (1 - 8 * array.dtype.itemsize))
