"""Sources read by libsndfile: for the files that libav refuses and other players play."""

from collections.abc import Iterator
from typing import IO

import numpy as np
import soundfile  # type: ignore[import-untyped]  # ships no types

from veza.codecs.source import BLOCK_SAMPLES, Fault, Limits, MediaError, Samples, SourceInfo
from veza.codecs.tags import tags_from_metadata

PEAK_LIMIT = 4.0
BITS = {
    **dict.fromkeys(("PCM_S8", "PCM_U8", "PCM_16", "ULAW", "ALAW", "ALAC_16"), 16),
    **dict.fromkeys(("PCM_24", "ALAC_20", "ALAC_24"), 24),
    **dict.fromkeys(("PCM_32", "FLOAT", "DOUBLE", "ALAC_32"), 32),
}
"""Of the subtypes that lose nothing; the others are lossy."""
UNKNOWN_FRAMES = 2**62  # libsndfile says 2**63 - 1 where a stream has no length


class SndfileSource:
    """Decodes `file`; `close` it."""

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        file.seek(0)
        try:
            self._file = soundfile.SoundFile(file)
        except (soundfile.LibsndfileError, TypeError) as error:
            raise MediaError(Fault.NOT_AUDIO, "no known audio format") from error
        counted = self._file.frames < UNKNOWN_FRAMES
        self._info = SourceInfo(
            container=self._file.format.lower(),
            codec=self._file.subtype.lower(),
            sample_rate_hz=self._file.samplerate,
            channels=self._file.channels,
            bits=BITS.get(self._file.subtype),
            declared_samples=self._file.frames if counted else None,
            estimated_seconds=self._file.frames / self._file.samplerate if counted else None,
            tags=tags_from_metadata(self._file.copy_metadata()),
        )
        self._limits = limits
        try:
            limits.check(self._info)
        except MediaError:
            self._file.close()
            raise

    @property
    def info(self) -> SourceInfo:
        return self._info

    def close(self) -> None:
        self._file.close()

    def blocks(self) -> Iterator[Samples]:
        """Yield blocks of `BLOCK_SAMPLES`; a file shorter than it declares is `truncated`."""
        total = 0
        while len(block := self._read()):
            total += len(block)
            self._limits.check_length(total, self._info.sample_rate_hz)
            yield np.clip(np.nan_to_num(block, nan=0.0), -PEAK_LIMIT, PEAK_LIMIT)
        if not total:
            raise MediaError(Fault.EMPTY, "it holds no sound")
        if self._info.declared_samples is not None and total < self._info.declared_samples:
            missing = (self._info.declared_samples - total) / self._info.sample_rate_hz
            raise MediaError(Fault.TRUNCATED, f"{missing:.1f} seconds are missing")

    def _read(self) -> Samples:
        try:
            block: Samples = self._file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise MediaError(Fault.DAMAGED, "it stops decoding midway") from error
        return block
