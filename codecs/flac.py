"""FLAC (RFC 9639) through libav's encoder: float32 blocks in, raw frames out, bit-exact where the source is.

A rung of 16 or 24 bits. Samples that lie on its grid are written as they are; others (floats, what was
resampled or mixed down) are dithered with triangular noise of two steps (Lipshitz, Wannamaker and
Vanderkooy, "Quantization and Dither", JAES 40 (5), 1992), the same noise each time, so that a resumed job
makes the same bytes.
"""

import av
import numpy as np
import numpy.typing as npt
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from numpy import random  # not at its first use, which is behind the sandbox

from veza.codecs.fmp4 import FRAME_SAMPLES, FlacTrack
from veza.codecs.ladder import Rendition
from veza.codecs.source import Samples

FEED_SAMPLES = 32 * FRAME_SAMPLES
COMPRESSION_LEVEL = 5  # 8 saves 2 % for twice the time
DITHER_SEED = 9639
Integers = npt.NDArray[np.int16] | npt.NDArray[np.int32]
FORMATS = {16: "s16", 24: "s32"}  # libav has 24 bits in the upper part of 32


class FlacEncoder:
    """Encodes one stream in frames of `FRAME_SAMPLES`, of which every segment holds a whole number.

    Frames of 4,096 samples would be 1.5 % smaller, but no segment of 6 s ends where one does.
    """

    priming_samples = 0

    def __init__(self, rendition: Rendition) -> None:
        self._rendition = rendition
        self._layout = "mono" if rendition.channels == 1 else "stereo"
        self._noise = random.default_rng(DITHER_SEED) if rendition.is_dithered else None
        self._context: AudioCodecContext = av.CodecContext.create("flac", "w")
        self._context.sample_rate = rendition.sample_rate_hz
        self._context.layout = self._layout
        self._context.format = FORMATS[rendition.bits]
        self._context.options = {
            "frame_size": str(FRAME_SAMPLES),
            "bits_per_raw_sample": str(rendition.bits),
            "compression_level": str(COMPRESSION_LEVEL),
            "flags": "+bitexact",
        }
        self._context.open()

    @property
    def track(self) -> FlacTrack:
        """What an init segment says of this stream."""
        return FlacTrack(
            sample_rate_hz=self._rendition.sample_rate_hz,
            channels=self._rendition.channels,
            bits=self._rendition.bits,
            stream_info=bytes(self._context.extradata or b""),
        )

    def encode(self, block: Samples) -> list[bytes]:
        """Take samples (n, channels), give the frames they complete."""
        return [
            packet
            for start in range(0, len(block), FEED_SAMPLES)
            for packet in self._feed(self._integers(block[start : start + FEED_SAMPLES]))
        ]

    def _feed(self, integers: Integers) -> list[bytes]:
        frame = AudioFrame.from_ndarray(
            integers.reshape(1, -1), format=FORMATS[self._rendition.bits], layout=self._layout
        )
        frame.sample_rate = self._rendition.sample_rate_hz
        return [bytes(packet) for packet in self._context.encode(frame)]

    def _integers(self, block: Samples) -> Integers:
        steps = 2.0 ** (self._rendition.bits - 1)
        scaled = block.astype(np.float64) * steps
        if self._noise is not None:
            scaled += self._noise.random(block.shape) - self._noise.random(block.shape)
        whole = np.clip(np.rint(scaled), -steps, steps - 1)
        if self._rendition.bits == 16:  # noqa: PLR2004  # else 24
            return whole.astype(np.int16)
        return whole.astype(np.int32) << 8

    def flush(self) -> list[bytes]:
        """Give the last frames; the encoder takes nothing after that."""
        return [bytes(packet) for packet in self._context.encode(None) if packet.size]
