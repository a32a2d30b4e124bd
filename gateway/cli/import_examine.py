"""What is in a file, found out in a process of its own: a decoder that crashes or hangs costs one file."""

import asyncio
import hashlib
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from types import TracebackType
from typing import Self

from veza.gateway.cli.import_walk import Found, Passed, open_plain, reason_of, stamp_of
from veza.supervisors.sound_file import NoSoundError, SoundFile, read_sound_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Music:
    """A file with sound in it."""

    found: Found
    sha256: str
    sound: SoundFile


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
    """Have some of a file decoded, and hash its bytes."""
    try:
        with open_plain(found.path) as file:
            sound = read_sound_file(file, found.name)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            stamp = stamp_of(os.fstat(file.fileno()))
    except NoSoundError as error:
        return Passed(name=found.name, reason=error.detail, is_fault=error.is_damaged)
    except OSError as error:
        return Passed(name=found.name, reason=reason_of(error), is_fault=True)
    if stamp != found.stamp:
        return Passed(name=found.name, reason="it is being written", is_fault=True)
    return Music(found=found, sha256=digest, sound=sound)
