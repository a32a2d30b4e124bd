"""Files on their way in: a directory of uploads, written from their start and, where promised, synced.

All functions block: call them from threads.
"""

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import UUID

from veza.persistence.errors import ChunkOffsetError, StorageFullError, UploadUnknownError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_BYTES: Final = 1024 * 1024


class Staging:
    """Uploads in a directory that all nodes share which take parts of the same upload."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, upload_id: UUID) -> Path:
        """Return where an upload is, or would be."""
        return self._folder / str(upload_id)

    def write_chunk(self, upload_id: UUID, offset: int, data: bytes) -> int:
        """Put bytes into an upload, made at its first chunk, and return how many it holds.

        Writing the same bytes again is harmless. Raises `ChunkOffsetError` for a hole and
        `StorageFullError`.
        """
        with self._opened(upload_id, offset) as fd:
            size_bytes = os.fstat(fd).st_size
            _write_chunk(fd, size_bytes, offset, data)
            return max(size_bytes, offset + len(data))

    def append(self, upload_id: UUID, offset: int, data: bytes) -> None:
        """Put bytes into an upload as `write_chunk` does, for good: a power cut leaves them there."""
        with self._opened(upload_id, offset) as fd:
            size_bytes = os.fstat(fd).st_size
            _write_chunk(fd, size_bytes, offset, data)
            with full_disk():
                os.fsync(fd)
        if not size_bytes:
            _sync_folder(self._folder)

    def join(self, upload_id: UUID, offset: int, part_id: UUID) -> None:
        """Put all of another upload at `offset` of this one, as `append` does, and forget the other.

        Raises `UploadUnknownError` if there is no other.
        """
        part, upload = self.path(part_id), self.path(upload_id)
        try:
            with part.open("rb") as file, full_disk():
                os.fsync(file.fileno())
                if offset == 0:
                    publish(part, upload)
                    return
                while data := file.read(_READ_BYTES):
                    self.append(upload_id, offset, data)
                    offset += len(data)
        except FileNotFoundError as error:
            raise UploadUnknownError(f"there is no upload {part_id}") from error
        part.unlink(missing_ok=True)

    def cut(self, upload_id: UUID, size_bytes: int) -> None:
        """Forget what an upload holds beyond a size; harmless if it is an object already.

        Raises `ChunkOffsetError` if it holds less.
        """
        with suppress(FileNotFoundError), self.path(upload_id).open("rb+") as file:
            there = os.fstat(file.fileno()).st_size
            if there < size_bytes:
                raise ChunkOffsetError(there)
            if there > size_bytes:
                file.truncate(size_bytes)

    def drop(self, upload_id: UUID) -> None:
        """Forget an upload; harmless if there is none."""
        self.path(upload_id).unlink(missing_ok=True)

    def stale(self, *, older_than_seconds: float) -> tuple[UUID, ...]:
        """Return uploads that were begun and not written to for so long, for somebody to drop."""
        limit = time.time() - older_than_seconds
        return tuple(
            UUID(entry.name) for entry in os.scandir(self._folder) if entry.stat().st_mtime <= limit
        )

    @contextmanager
    def _opened(self, upload_id: UUID, offset: int) -> Iterator[int]:
        """Lend a descriptor of an upload to write at `offset`; raises `ChunkOffsetError` for a hole."""
        create = os.O_CREAT if offset == 0 else 0
        try:
            fd = os.open(self.path(upload_id), os.O_WRONLY | os.O_CLOEXEC | create, 0o600)
        except FileNotFoundError as error:
            raise ChunkOffsetError(0) from error
        try:
            size_bytes = os.fstat(fd).st_size
            if not 0 <= offset <= size_bytes:
                raise ChunkOffsetError(size_bytes)
            yield fd
        finally:
            os.close(fd)


def publish(source: Path, target: Path) -> None:
    """Move a synced file to its name so that the name, too, survives a power cut."""
    _make_folder(target.parent)
    source.replace(target)
    _sync_folder(target.parent)


def measure(fd: int) -> tuple[int, bytes]:
    """Return size and SHA-256 of an open file."""
    digest, size_bytes = hashlib.sha256(), 0
    while chunk := os.pread(fd, _READ_BYTES, size_bytes):
        digest.update(chunk)
        size_bytes += len(chunk)
    return size_bytes, digest.digest()


@contextmanager
def full_disk() -> Iterator[None]:
    """Raise `StorageFullError` for what the disk has no room for."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError(str(error)) from error
        raise


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_chunk(fd: int, size_bytes: int, offset: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        with full_disk():
            while view:
                written = os.pwrite(fd, view, offset)
                offset, view = offset + written, view[written:]
    except BaseException:
        os.ftruncate(fd, size_bytes)  # half a chunk must not look like a whole one
        raise
