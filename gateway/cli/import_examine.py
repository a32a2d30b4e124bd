"""What is in a file, found out in a process of its own: a decoder that crashes or hangs costs one file."""

import asyncio
import hashlib
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from veza.codecs.decode import open_source
from veza.codecs.source import Fault, Limits, MediaError
from veza.codecs.tags import Tags, clean
from veza.gateway.cli.import_walk import Found, Passed, open_plain, reason_of, stamp_of

EXAMINE_SECONDS: Final = 120
"""A gigabyte from a slow disk is hashed in less."""
TITLE_CHARS: Final = 200
NO_MUSIC: Final = frozenset({Fault.NOT_AUDIO, Fault.NO_AUDIO_STREAM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Music:
    """A file with sound in it, and what it says of itself."""

    found: Found
    sha256: str
    tags: Tags
    seconds: float | None

    @property
    def title(self) -> str:
        """Its title, or else its name without the ending."""
        title = self.tags.title or clean(Path(self.found.name).stem) or "Untitled"
        return title[:TITLE_CHARS].rstrip()


class Examiner:
    """Examines files one after another."""

    def __init__(self) -> None:
        self._pool = _new_pool()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def examine(self, found: Found) -> Music | Passed:
        """Say what a file holds, or why it is passed over."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, examine, found)
        except BrokenProcessPool:
            self._pool = _new_pool()
            return Passed(name=found.name, reason="it crashes the decoder", is_fault=True)


def _new_pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_leave_signals)


def _leave_signals() -> None:
    """Let Ctrl+C end the command, and the command end this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def examine(found: Found) -> Music | Passed:
    """Read tags, prove that the first sound decodes, and hash the bytes. SIGALRM ends what hangs."""
    signal.alarm(EXAMINE_SECONDS)
    try:
        with open_plain(found.path) as file:
            with closing(open_source(file, Limits())) as source:
                info = source.info
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            status = stamp_of(os.fstat(file.fileno()))
    except MediaError as error:
        return Passed(name=found.name, reason=error.detail, is_fault=error.fault not in NO_MUSIC)
    except OSError as error:
        return Passed(name=found.name, reason=reason_of(error), is_fault=True)
    finally:
        signal.alarm(0)
    if status != found.stamp:
        return Passed(name=found.name, reason="it is being written", is_fault=True)
    return Music(found=found, sha256=digest, tags=info.tags, seconds=info.estimated_seconds)
