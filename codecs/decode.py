"""Open any audio file that libav or libsndfile reads, as float32 blocks at its own rate.

The rules of what counts as broken stand in `libav_source`.
"""

from collections.abc import Iterator
from itertools import chain
from typing import IO

from veza.codecs.libav_source import LibavSource
from veza.codecs.sndfile_source import SndfileSource
from veza.codecs.source import Fault, Limits, MediaError, Samples, Source, SourceInfo

SNIFF_BYTES = 16
AUDIO_MAGIC = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3", b"FORM", b"caff", b"wvpk", b"MAC ")
WORTH_ANOTHER_TRY = frozenset({Fault.NOT_AUDIO, Fault.DAMAGED, Fault.EMPTY, Fault.UNSUPPORTED})


def open_source(file: IO[bytes], limits: Limits) -> Source:
    """Open `file` (seekable, read from its start) with the library that gets sound out of it.

    Raises `MediaError` if neither does; the reason is then libav's, which knows more formats.
    """
    try:
        return StartedSource(LibavSource(file, limits))
    except MediaError as refused:
        if refused.fault not in WORTH_ANOTHER_TRY:
            raise
        try:
            return StartedSource(SndfileSource(file, limits))
        except MediaError:
            raise _reworded(refused, file) from refused


def _reworded(refused: MediaError, file: IO[bytes]) -> MediaError:
    """Tell a broken audio file from something that never was one, by its first bytes."""
    file.seek(0)
    head = file.read(SNIFF_BYTES)
    looks_like_audio = head.startswith(AUDIO_MAGIC) or head[4:8] == b"ftyp"
    if not head:
        return MediaError(Fault.EMPTY, "the file is empty")
    if refused.fault is Fault.NOT_AUDIO and looks_like_audio:
        return MediaError(Fault.DAMAGED, "its header is broken or cut off")
    if refused.fault is Fault.DAMAGED and not looks_like_audio:
        return MediaError(Fault.NOT_AUDIO, "no known audio format")
    return refused


class StartedSource:
    """A source that has proved to decode: its first block is already there."""

    def __init__(self, source: Source) -> None:
        self._source = source
        blocks = source.blocks()
        try:
            self._blocks = chain([next(blocks)], blocks)
        except StopIteration:
            source.close()
            raise MediaError(Fault.EMPTY, "it holds no sound") from None
        except BaseException:
            source.close()
            raise

    @property
    def info(self) -> SourceInfo:
        return self._source.info

    def blocks(self) -> Iterator[Samples]:
        return self._blocks

    def close(self) -> None:
        self._source.close()
