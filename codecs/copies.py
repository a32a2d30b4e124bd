"""A whole file in a codec that any player has: what listeners take home of a track in place of its source.

MP3 (ISO/IEC 11172-3) by LAME at its V0, about 245 kbit/s, and Opus (RFC 6716, in Ogg: RFC 7845) at 160: both
are beyond what listening tests tell from the source. Each says how many of its samples are padding, so that a
player which reads that plays the source's length to the sample.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Final, cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer

from veza.codecs.decode import open_source
from veza.codecs.ladder import output_channels, output_rate
from veza.codecs.resample import stereo_blocks
from veza.codecs.source import Fault, Limits, MediaError, Samples


class CopyFormat(StrEnum):
    """What a copy may be. The value is its file's ending too."""

    MP3 = "mp3"
    OPUS = "opus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a copy says of itself."""

    title: str
    artist: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How libav makes one; a rate of None is one near the source's."""

    container: str
    encoder: str
    options: dict[str, str]
    sample_format: str
    rate_hz: int | None


_WAYS: Final = {
    CopyFormat.MP3: _Way(
        container="mp3",
        encoder="libmp3lame",
        options={"flags": "+qscale", "global_quality": "0"},
        sample_format="fltp",
        rate_hz=None,
    ),
    CopyFormat.OPUS: _Way(
        container="ogg",
        encoder="libopus",
        options={"b": "160k"},
        sample_format="flt",
        rate_hz=48_000,  # the only one at which Opus keeps what is above 12 kHz
    ),
}


def encode_copy(
    file: IO[bytes], out: IO[bytes], way: CopyFormat, label: Label, limits: Limits
) -> Iterator[float | None]:
    """Encode `file` into `out`, and yield the share that is done, if the length is known.

    `out` is written from its start on, and once more near it. Raises `MediaError` where `file` is at fault.
    """
    how = _WAYS[way]
    source = open_source(file, limits)
    try:
        info = source.info
        rate, channels = how.rate_hz or output_rate(info.sample_rate_hz), info.channels
        with av.open(out, "w", format=how.container) as container:
            container.metadata.update({"title": label.title, "artist": label.artist})
            encoder = _Encoder(container, how, rate, output_channels(channels))
            for block in stereo_blocks(source, rate):
                encoder.feed(block)
                whole = info.estimated_seconds
                yield min(encoder.samples / rate / whole, 1.0) if whole else None
            encoder.finish()
    finally:
        source.close()


class _Encoder:
    """One stream of a container."""

    def __init__(self, container: OutputContainer, how: _Way, rate_hz: int, channels: int) -> None:
        self._container, self._how, self._rate_hz = container, how, rate_hz
        self._layout = "mono" if channels == 1 else "stereo"
        stream = container.add_stream(how.encoder, rate=rate_hz, options=how.options)
        self._stream = cast(AudioStream, stream)
        context: AudioCodecContext = self._stream.codec_context
        context.layout, context.format = self._layout, how.sample_format
        self.samples = 0

    def feed(self, block: Samples) -> None:
        """Encode samples (n, channels)."""
        if not len(block):
            return
        planes = block.T if self._how.sample_format.endswith("p") else block.reshape(1, -1)
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(planes), format=self._how.sample_format, layout=self._layout
        )
        frame.sample_rate = self._rate_hz
        self.samples += len(block)
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Encode what is left."""
        if not self.samples:
            raise MediaError(Fault.EMPTY, "it is shorter than one sample")
        self._container.mux(self._stream.encode(None))
