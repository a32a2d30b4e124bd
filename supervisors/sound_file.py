"""What a sound file says of itself, once some of it has decoded. For a process of its own: decoders crash."""

import signal
from contextlib import closing
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

from veza.codecs.decode import open_source
from veza.codecs.source import Fault, Limits, MediaError
from veza.codecs.tags import clean

DECODE_SECONDS: Final = 60
"""The first sound of a file takes milliseconds, from a slow disk too."""
TITLE_CHARS: Final = 200
NO_MUSIC: Final = frozenset({Fault.NOT_AUDIO, Fault.NO_AUDIO_STREAM})


class NoSoundError(Exception):
    """The file holds no sound; `is_damaged` if it was meant to."""

    def __init__(self, detail: str, *, is_damaged: bool) -> None:
        super().__init__(detail)
        self.detail = detail
        self.is_damaged = is_damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFile:
    """From its tags; without a title there its name is it."""

    title: str
    artist: str | None
    album: str | None
    number: int | None
    seconds: float | None


def read_sound_file(file: BufferedReader, name: str) -> SoundFile:
    """Describe a file; SIGALRM ends the process if it hangs. Raises `NoSoundError`."""
    signal.alarm(DECODE_SECONDS)
    try:
        with closing(open_source(file, Limits())) as source:
            info = source.info
    except MediaError as error:
        raise NoSoundError(error.detail, is_damaged=error.fault not in NO_MUSIC) from error
    finally:
        signal.alarm(0)
    title = info.tags.title or clean(Path(name).stem) or "Untitled"
    return SoundFile(
        title=title[:TITLE_CHARS].rstrip(),
        artist=info.tags.artist,
        album=info.tags.album,
        number=info.tags.track_number,
        seconds=info.estimated_seconds,
    )
