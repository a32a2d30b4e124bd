"""What a decoded source is, whichever library reads it, and the ways a file can be at fault."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from veza.codecs.tags import Tags

Samples = npt.NDArray[np.float32]
"""Shape (samples, channels), full scale -1 to 1."""

BLOCK_SAMPLES = 32_768  # libav frames hold 200 to 5,000: too few to pay numpy calls for each


class Fault(StrEnum):
    """Why a file cannot be published."""

    NOT_AUDIO = "not_audio"
    NO_AUDIO_STREAM = "no_audio_stream"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    TOO_LONG = "too_long"
    UNSUPPORTED = "unsupported"


class MediaError(Exception):
    """The file itself is at fault: another attempt would end the same way."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a source may be at most."""

    max_duration_seconds: float = 4 * 3600
    max_channels: int = 8
    min_sample_rate_hz: int = 4_000
    max_sample_rate_hz: int = 768_000

    def check(self, info: "SourceInfo") -> None:
        """Raise `MediaError` if what the container states is over a limit."""
        if not 1 <= info.channels <= self.max_channels:
            raise MediaError(Fault.UNSUPPORTED, f"{info.channels} channels")
        if not self.min_sample_rate_hz <= info.sample_rate_hz <= self.max_sample_rate_hz:
            raise MediaError(Fault.UNSUPPORTED, f"a sample rate of {info.sample_rate_hz} Hz")
        if info.declared_samples is not None:
            self.check_length(info.declared_samples, info.sample_rate_hz)

    def check_length(self, samples: int, sample_rate_hz: int) -> None:
        """Raise `MediaError` if that many samples last too long."""
        if samples > self.max_duration_seconds * sample_rate_hz:
            raise MediaError(
                Fault.TOO_LONG, f"longer than {self.max_duration_seconds / 60:g} minutes"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """What the container states.

    `declared_samples` is a length it vouches for, or None; `estimated_seconds` is for progress.
    `bits` of a lossless source, 16 for less and 32 for floats; None of a lossy one.
    `picture` is the first one attached, as it is there: nobody has looked at it yet.
    `layout` names the channels as libav does ("FL", "LFE"); it is empty where nobody said.
    """

    container: str
    codec: str
    sample_rate_hz: int
    channels: int
    layout: tuple[str, ...] = ()
    bits: int | None = None
    picture: bytes | None = None
    declared_samples: int | None = None
    estimated_seconds: float | None = None
    tags: Tags = field(default_factory=Tags)


class Source(Protocol):
    """An opened source. `blocks` may be run once and raises `MediaError`."""

    @property
    def info(self) -> SourceInfo: ...

    def blocks(self) -> Iterator[Samples]: ...

    def close(self) -> None: ...
