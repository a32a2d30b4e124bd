"""Where bytes of media live: an object is there whole or not at all, and so it stays after a power cut.

All functions block: call them from threads. Keys: `sources/<name>` for what was uploaded,
`media/<track>/<rendition>/<name>` for what was made of it, `attachments/<id>/<name>` for files of messages.
"""

import os
import re
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

from veza.persistence.errors import InvalidKeyError
from veza.persistence.staging import Staging

KINDS: Final = ("sources", "media", "attachments")
# No part begins with a dot: no way up, and nothing hidden.
_KEY: Final = re.compile(r"(sources|media|attachments)(/[a-z0-9][a-z0-9._-]{0,99}){1,4}")


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


class SourceFile:
    """A stored file open for reading and seeking. Closed with its last user: it may be lost on its way."""

    def __init__(self, fd: int) -> None:
        self.fd: Final = fd
        self.close = weakref.finalize(self, os.close, fd)


class MediaStore(Protocol):
    """What a node needs of its media; a directory or a bucket gives it.

    All raise `MediaUnavailableError` where the store cannot be reached, and for bytes that are not
    those that were put there.
    """

    staging: Staging
    """Uploads, before they are objects."""

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

    def locate(self, key: str) -> Path | str:
        """Return a file for the kernel or a proxy to send, or a URL that is good for `LINK_SECONDS`.

        The URL names what it gives as `finish` was told. Raises `MediaNotFoundError`.
        """

    def entries(self, kind: str, *, after: str, limit: int) -> tuple[Entry, ...]:
        """Return what there is of one of `KINDS`, in the store's order: the first `limit` behind `after`."""

    def open_source(self, key: str) -> SourceFile:
        """Return an object for a decoder to seek in. Raises `MediaNotFoundError`, `StorageFullError`."""

    def finish(self, upload_id: UUID, key: str, *, filename: str = "") -> tuple[int, bytes]:
        """Make an upload an object; return its size and SHA-256. The second time it returns the same.

        `filename`: what people call it. Two may do so at once. Raises `UploadUnknownError` and
        `StorageFullError`.
        """


LINK_SECONDS: Final = 300
"""Between the answer that names a URL and the request that uses it. What has begun goes on after that."""


def refuse_bad_key(key: str) -> None:
    """Raise `InvalidKeyError` for what no object may be called."""
    if not is_key(key):
        raise InvalidKeyError(f"{key!r} is no media key")


def is_key(key: str) -> bool:
    """Tell whether an object may be called this."""
    return _KEY.fullmatch(key) is not None


def refuse_unknown_kind(kind: str) -> None:
    """Raise `InvalidKeyError` for what is none of `KINDS`."""
    if kind not in KINDS:
        raise InvalidKeyError(f"{kind!r} is no kind of media")
