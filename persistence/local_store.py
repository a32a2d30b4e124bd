"""Media in a directory of this machine: written beside, synced, then moved to its name."""

import os
import shutil
import stat
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from veza.persistence.errors import MediaNotFoundError, UploadUnknownError
from veza.persistence.media_store import (
    Entry,
    SourceFile,
    StoredObject,
    is_key,
    refuse_bad_key,
    refuse_unknown_kind,
)
from veza.persistence.staging import Staging, full_disk, measure, publish

_INTERRUPTED_SECONDS: Final = 3600.0


class LocalMediaStore:
    """See `MediaStore`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._partial = root / "partial"
        self._partial.mkdir(parents=True, exist_ok=True)
        self.staging = Staging(root / "uploads")
        self._forget_interrupted()

    def put(self, key: str, data: bytes) -> None:
        """See `MediaStore`."""
        path = self._path(key)
        partial = self._partial / uuid4().hex
        with full_disk():
            try:
                with partial.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                publish(partial, path)
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
        source = self.open_source(key)
        try:
            return measure(source.fd)
        finally:
            source.close()

    def locate(self, key: str) -> Path:
        """See `MediaStore`."""
        path = self._path(key)
        if not path.is_file():
            raise MediaNotFoundError(key)
        return path

    def entries(self, kind: str, *, after: str, limit: int) -> tuple[Entry, ...]:
        """See `MediaStore`."""
        refuse_unknown_kind(kind)
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
                if stat.S_ISREG(found.st_mode) and is_key(key):
                    yield StoredObject(
                        key=key, size_bytes=found.st_size, age_seconds=now - found.st_mtime
                    )

    def open_source(self, key: str) -> SourceFile:
        """See `MediaStore`."""
        try:
            return SourceFile(os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError as error:
            raise MediaNotFoundError(key) from error

    def finish(self, upload_id: UUID, key: str, *, filename: str = "") -> tuple[int, bytes]:  # noqa: ARG002  # a file has no second name
        """See `MediaStore`."""
        path, upload = self._path(key), self.staging.path(upload_id)
        for source in (upload, path):
            # Somebody else may move it at any moment: then it is where they moved it.
            with suppress(FileNotFoundError):
                with source.open("rb") as file:
                    found = measure(file.fileno())
                    os.fsync(file.fileno())
                if source is upload:
                    with full_disk():
                        publish(upload, path)
                return found
        raise UploadUnknownError(f"there is no upload {upload_id}")

    def _forget_interrupted(self) -> None:
        """Remove what writes left that a crash cut off; young ones may be another node's at work."""
        limit = time.time() - _INTERRUPTED_SECONDS
        for entry in os.scandir(self._partial):
            if entry.stat().st_mtime < limit:
                Path(entry.path).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        refuse_bad_key(key)
        return self._root / key
