"""AAC-LC (ISO/IEC 14496-3) through libav's native encoder: float32 blocks in, raw packets out."""

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from veza.codecs.fmp4 import AacTrack
from veza.codecs.ladder import Rendition
from veza.codecs.source import Samples

PRIMING_SAMPLES = 1024  # libav's encoder repeats nothing else: one frame of silence comes first
FEED_SAMPLES = 32_768  # whole 6 s chunks cost a worker 30 MB more, and no less time
CODER = "fast"
"""See docs/adr/0005: half the CPU of `twoloop`, and more noise only where that one is coarser."""


class AacEncoder:
    """Encodes one stream. The same samples give the same packets, in blocks of any size."""

    priming_samples = PRIMING_SAMPLES

    def __init__(self, rendition: Rendition) -> None:
        self._rendition = rendition
        self._layout = "mono" if rendition.channels == 1 else "stereo"
        self._context: AudioCodecContext = av.CodecContext.create("aac", "w")
        self._context.sample_rate = rendition.sample_rate_hz
        self._context.layout = self._layout
        self._context.format = "fltp"
        self._context.bit_rate = rendition.bit_rate_bps
        # bitexact: without it each stream begins with the library's version, and a resumed job that
        # runs on another build would differ from the first byte on.
        self._context.options = {"aac_coder": CODER, "flags": "+bitexact"}
        self._context.open()

    @property
    def track(self) -> AacTrack:
        """What an init segment says of this stream."""
        return AacTrack(
            sample_rate_hz=self._rendition.sample_rate_hz,
            channels=self._rendition.channels,
            bit_rate_bps=self._rendition.bit_rate_bps,
            audio_specific_config=bytes(self._context.extradata or b""),
            priming_samples=PRIMING_SAMPLES,
        )

    def encode(self, block: Samples) -> list[bytes]:
        """Take samples (n, channels), give the packets they complete."""
        return [
            packet
            for start in range(0, len(block), FEED_SAMPLES)
            for packet in self._feed(block[start : start + FEED_SAMPLES])
        ]

    def _feed(self, block: Samples) -> list[bytes]:
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(block.T), format="fltp", layout=self._layout
        )
        frame.sample_rate = self._context.sample_rate
        return [bytes(packet) for packet in self._context.encode(frame)]

    def flush(self) -> list[bytes]:
        """Give the last packets; the encoder takes nothing after that."""
        return [bytes(packet) for packet in self._context.encode(None)]
