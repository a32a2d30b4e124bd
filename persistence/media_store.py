"""Where bytes of media live: an object is there whole or not at all, and so it stays after a power cut.

All functions block: call them from threads. Keys: `sources/<name>` for what was uploaded,
`media/<track>/<rendition>/<name>` for what was made of it, `attachments/<id>/<name>` for files of messages.
"""

import errno
import hashlib
import os
import re
import shutil
import stat
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID, uuid4

from veza.persistence.errors import (
    ChunkOffsetError,
    InvalidKeyError,
    MediaNotFoundError,
    StorageFullError,
    UploadUnknownError,
)

KINDS: Final = ("sources", "media", "attachments")
# No part begins with a dot: no way up, and nothing hidden.
_KEY: Final = re.compile(r"(sources|media|attachments)(/[a-z0-9][a-z0-9._-]{0,99}){1,4}")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_BYTES: Final = 1024 * 1024
_INTERRUPTED_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object as the store has it; `age_seconds` since it was last written."""

    key: str
    size_bytes: int
    age_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """All objects of a kind whose second part is this name."""

    name: str
    objects: tuple[StoredObject, ...]


class MediaStore(Protocol):
    """What a node needs of its media; a directory, and later a bucket, gives it."""

    def put(self, key: str, data: bytes) -> None:
        """Store an object, or replace it by another, whole. Raises `StorageFullError`."""

    def read(self, key: str) -> bytes:
        """Return an object. Raises `MediaNotFoundError`."""

    def delete_below(self, key: str) -> None:
        """Delete every object whose key begins with this one and a slash; harmless if there is none."""

    def delete(self, key: str) -> None:
        """Delete an object; harmless if there is none."""

    def size(self, key: str) -> int:
        """Return how many bytes an object has. Raises `MediaNotFoundError`."""

    def measure(self, key: str) -> tuple[int, bytes]:
        """Return size and SHA-256 of an object, reading all of it. Raises `MediaNotFoundError`."""

    def locate(self, key: str) -> Path:
        """Return where an object is, for the kernel or a proxy to send it. Raises `MediaNotFoundError`."""

    def entries(self, kind: str, *, after: str, limit: int) -> tuple[Entry, ...]:
        """Return what there is of one of `KINDS`, by name: the first `limit` behind `after`."""

    def open_source(self, key: str) -> int:
        """Return a descriptor of an object, for a decoder to seek in; the caller closes it."""

    def write_chunk(self, upload_id: UUID, offset: int, data: bytes) -> int:
        """Put bytes into an upload, made at its first chunk, and return how many it holds.

        Writing the same bytes again is harmless. Raises `ChunkOffsetError` for a hole and
        `StorageFullError`.
        """

    def append(self, upload_id: UUID, offset: int, data: bytes) -> None:
        """Put bytes into an upload as `write_chunk` does, for good: a power cut leaves them there."""

    def join(self, upload_id: UUID, offset: int, part_id: UUID) -> None:
        """Put all of another upload at `offset` of this one, as `append` does, and forget the other.

        Raises `UploadUnknownError` if there is no other.
        """

    def cut(self, upload_id: UUID, size_bytes: int) -> None:
        """Forget what an upload holds beyond a size; harmless if it is an object already.

        Raises `ChunkOffsetError` if it holds less.
        """

    def finish(self, upload_id: UUID, key: str) -> tuple[int, bytes]:
        """Make an upload an object; return its size and SHA-256. The second time it returns the same.

        Two may do so at once. Raises `UploadUnknownError`.
        """

    def drop(self, upload_id: UUID) -> None:
        """Forget an upload; harmless if there is none."""

    def stale_uploads(self, *, older_than_seconds: float) -> tuple[UUID, ...]:
        """Return uploads that were begun and not written to for so long, for somebody to drop."""


class LocalMediaStore:
    """Media in a directory of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._partial = root / "partial"
        self._uploads = root / "uploads"
        for folder in (self._partial, self._uploads):
            folder.mkdir(parents=True, exist_ok=True)
        self._forget_interrupted()

    def put(self, key: str, data: bytes) -> None:
        """See `MediaStore`."""
        path = self._path(key)
        partial = self._partial / uuid4().hex
        with _full_disk():
            try:
                with partial.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                _publish(partial, path)
            finally:
                partial.unlink(missing_ok=True)

    def read(self, key: str) -> bytes:
        """See `MediaStore`."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError as error:
            raise MediaNotFoundError(key) from error

    def delete_below(self, key: str) -> None:
        """See `MediaStore`."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._path(key))

    def delete(self, key: str) -> None:
        """See `MediaStore`."""
        self._path(key).unlink(missing_ok=True)

    def size(self, key: str) -> int:
        """See `MediaStore`."""
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError as error:
            raise MediaNotFoundError(key) from error

    def measure(self, key: str) -> tuple[int, bytes]:
        """See `MediaStore`."""
        fd = self.open_source(key)
        try:
            return _measure(fd)
        finally:
            os.close(fd)

    def locate(self, key: str) -> Path:
        """See `MediaStore`."""
        path = self._path(key)
        if not path.is_file():
            raise MediaNotFoundError(key)
        return path

    def entries(self, kind: str, *, after: str, limit: int) -> tuple[Entry, ...]:
        """See `MediaStore`."""
        if kind not in KINDS:
            raise InvalidKeyError(f"{kind!r} is no kind of media")
        with suppress(FileNotFoundError):
            names = sorted(entry.name for entry in os.scandir(self._root / kind))
            names = names[bisect_right(names, after) :]
            return tuple(
                Entry(name=name, objects=tuple(self._objects(self._root / kind / name)))
                for name in names[:limit]
            )
        return ()

    def _objects(self, path: Path) -> Iterator[StoredObject]:
        """Yield what is at a path and below it, and is an object; files may go meanwhile."""
        now = time.time()
        for each in (path, *sorted(path.rglob("*"))):
            with suppress(FileNotFoundError):
                found, key = each.stat(), each.relative_to(self._root).as_posix()
                if stat.S_ISREG(found.st_mode) and _KEY.fullmatch(key):
                    yield StoredObject(
                        key=key, size_bytes=found.st_size, age_seconds=now - found.st_mtime
                    )

    def open_source(self, key: str) -> int:
        """See `MediaStore`."""
        try:
            return os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise MediaNotFoundError(key) from error

    def write_chunk(self, upload_id: UUID, offset: int, data: bytes) -> int:
        """See `MediaStore`."""
        with self._opened(upload_id, offset) as fd:
            size_bytes = os.fstat(fd).st_size
            _write_chunk(fd, size_bytes, offset, data)
            return max(size_bytes, offset + len(data))

    def append(self, upload_id: UUID, offset: int, data: bytes) -> None:
        """See `MediaStore`."""
        with self._opened(upload_id, offset) as fd:
            size_bytes = os.fstat(fd).st_size
            _write_chunk(fd, size_bytes, offset, data)
            with _full_disk():
                os.fsync(fd)
        if not size_bytes:
            _sync_folder(self._uploads)

    def join(self, upload_id: UUID, offset: int, part_id: UUID) -> None:
        """See `MediaStore`."""
        part, upload = self._upload(part_id), self._upload(upload_id)
        try:
            with part.open("rb") as file, _full_disk():
                os.fsync(file.fileno())
                if offset == 0:
                    _publish(part, upload)
                    return
                while data := file.read(_READ_BYTES):
                    self.append(upload_id, offset, data)
                    offset += len(data)
        except FileNotFoundError as error:
            raise UploadUnknownError(f"there is no upload {part_id}") from error
        part.unlink(missing_ok=True)

    def cut(self, upload_id: UUID, size_bytes: int) -> None:
        """See `MediaStore`."""
        with suppress(FileNotFoundError), self._upload(upload_id).open("rb+") as file:
            there = os.fstat(file.fileno()).st_size
            if there < size_bytes:
                raise ChunkOffsetError(there)
            if there > size_bytes:
                file.truncate(size_bytes)

    def finish(self, upload_id: UUID, key: str) -> tuple[int, bytes]:
        """See `MediaStore`."""
        path, upload = self._path(key), self._upload(upload_id)
        for source in (upload, path):
            # Somebody else may move it at any moment: then it is where they moved it.
            with suppress(FileNotFoundError):
                with source.open("rb") as file:
                    found = _measure(file.fileno())
                    os.fsync(file.fileno())
                if source is upload:
                    with _full_disk():
                        _publish(upload, path)
                return found
        raise UploadUnknownError(f"there is no upload {upload_id}")

    def drop(self, upload_id: UUID) -> None:
        """See `MediaStore`."""
        self._upload(upload_id).unlink(missing_ok=True)

    def stale_uploads(self, *, older_than_seconds: float) -> tuple[UUID, ...]:
        """See `MediaStore`."""
        limit = time.time() - older_than_seconds
        return tuple(
            UUID(entry.name)
            for entry in os.scandir(self._uploads)
            if entry.stat().st_mtime <= limit
        )

    def _forget_interrupted(self) -> None:
        """Remove what writes left that a crash cut off; young ones may be another node's at work."""
        limit = time.time() - _INTERRUPTED_SECONDS
        for entry in os.scandir(self._partial):
            if entry.stat().st_mtime < limit:
                Path(entry.path).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise InvalidKeyError(f"{key!r} is no media key")
        return self._root / key

    @contextmanager
    def _opened(self, upload_id: UUID, offset: int) -> Iterator[int]:
        """Lend a descriptor of an upload to write at `offset`; raises `ChunkOffsetError` for a hole."""
        create = os.O_CREAT if offset == 0 else 0
        try:
            fd = os.open(self._upload(upload_id), os.O_WRONLY | os.O_CLOEXEC | create, 0o600)
        except FileNotFoundError as error:
            raise ChunkOffsetError(0) from error
        try:
            size_bytes = os.fstat(fd).st_size
            if not 0 <= offset <= size_bytes:
                raise ChunkOffsetError(size_bytes)
            yield fd
        finally:
            os.close(fd)

    def _upload(self, upload_id: UUID) -> Path:
        return self._uploads / str(upload_id)


def _publish(source: Path, target: Path) -> None:
    """Move a synced file to its name so that the name, too, survives a power cut."""
    _make_folder(target.parent)
    source.replace(target)
    _sync_folder(target.parent)


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
        with _full_disk():
            while view:
                written = os.pwrite(fd, view, offset)
                offset, view = offset + written, view[written:]
    except BaseException:
        os.ftruncate(fd, size_bytes)  # half a chunk must not look like a whole one
        raise


def _measure(fd: int) -> tuple[int, bytes]:
    digest, size_bytes = hashlib.sha256(), 0
    while chunk := os.pread(fd, _READ_BYTES, size_bytes):
        digest.update(chunk)
        size_bytes += len(chunk)
    return size_bytes, digest.digest()


@contextmanager
def _full_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError(str(error)) from error
        raise
