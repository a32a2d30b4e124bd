"""The files below a folder, in order; what is passed over is named with its reason."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final, TypeAlias

HIDDEN: Final = "hidden"
LINK: Final = "a link"
NO_FILE: Final = "no file"
EMPTY: Final = "empty"

Stamp: TypeAlias = tuple[int, int]
"""Size in bytes and time of the last change: a file with another stamp is another file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file that may hold music. `name` is its path as it is shown: below that of the walk."""

    path: Path
    name: str
    stamp: Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What is there and not imported. Only an `is_fault` is worth a person's attention."""

    name: str
    reason: str
    is_fault: bool = False


def walk(top: Path) -> Iterator[Found | Passed]:
    """Yield what is below `top`, or `top` if it is a file, folder by folder.

    Links are passed over, wherever they lead: out of the folder, to where the walk comes anyway, in circles.
    """
    try:
        status = top.stat()
    except OSError as error:
        yield Passed(name=shown(top), reason=reason_of(error), is_fault=True)
        return
    if not stat.S_ISDIR(status.st_mode):
        yield _judged(top.resolve(), shown(top), status)
        return
    folders = [top]
    while folders:
        below: list[Path] = []
        yield from _entries(folders.pop(), below)
        folders += reversed(below)


def _entries(folder: Path, below: list[Path]) -> Iterator[Found | Passed]:
    """Yield the files of one folder by name; its folders go to `below`."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        yield Passed(name=shown(folder), reason=reason_of(error), is_fault=True)
        return
    for entry in entries:
        path = folder / entry.name
        try:
            if entry.name.startswith("."):
                yield Passed(name=shown(path), reason=HIDDEN)
            elif entry.is_symlink():
                yield Passed(name=shown(path), reason=LINK)
            elif entry.is_dir(follow_symlinks=False):
                below.append(path)
            else:
                yield _judged(path, shown(path), entry.stat(follow_symlinks=False))
        except OSError as error:
            yield Passed(name=shown(path), reason=reason_of(error), is_fault=True)


def _judged(path: Path, name: str, status: os.stat_result) -> Found | Passed:
    if not stat.S_ISREG(status.st_mode):
        return Passed(name=name, reason=NO_FILE)
    if not status.st_size:
        return Passed(name=name, reason=EMPTY)
    return Found(path=path, name=name, stamp=stamp_of(status))


def open_plain(path: Path) -> BufferedReader:
    """Open a file that the walk found, and nothing that took its place since. Raises `OSError`."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    file = os.fdopen(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(0, NO_FILE)
    return file


def stamp_of(status: os.stat_result) -> Stamp:
    """Return what changes when a file does."""
    return status.st_size, status.st_mtime_ns


def shown(path: Path) -> str:
    """Return a path as text, whatever bytes it has."""
    return str(path).encode("utf-8", "replace").decode()


def reason_of(error: OSError) -> str:
    """Say what is wrong, without the path, which is told beside it."""
    return (error.strerror or str(error)).lower()
