"""Media in a bucket that speaks S3: each object carries its SHA-256, and every whole read compares it.

Uploads wait in a folder of this machine until they are whole. A request that fails is tried again for
`RETRY_SECONDS`; then the store counts as away, and whoever asked decides when to ask again.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import quote
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from veza.persistence.errors import (
    MediaNotFoundError,
    MediaUnavailableError,
    StorageFullError,
    UploadUnknownError,
)
from veza.persistence.media_store import (
    LINK_SECONDS,
    Entry,
    SourceFile,
    StoredObject,
    is_key,
    refuse_bad_key,
    refuse_unknown_kind,
)
from veza.persistence.staging import Staging, full_disk, measure

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import S3Config

RETRY_SECONDS: Final = 10.0
_RETRIES: Final = 3
_CONNECT_SECONDS: Final = 5.0
_REQUEST_SECONDS: Final = 30.0
_PIECE_BYTES: Final = 8 * 1024 * 1024
"""Of a large object in one request: at 0.3 MB/s it is there within the time of a request."""
_PARTS_AT_ONCE: Final = 4
_SHA256: Final = "sha256"
_LAST: Final = "\U0010ffff"
_FULL: Final = ("507 Insufficient Storage", "StorageFull", "QuotaExceeded")
_NO_BUCKET: Final = "NoSuchBucket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Where the bucket is and who may use it.

    `prefix`: below which key. `endpoint`: None means Amazon's own. `public_endpoint`: where browsers find
    the same bucket, if elsewhere. Without keys those of the `AWS_…` variables or of the machine's role.
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    public_endpoint: str | None = None
    region: str = "us-east-1"
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)


class S3MediaStore:
    """See `MediaStore`."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._bucket = _connect(bucket, bucket.endpoint)
        self._public = _connect(bucket, bucket.public_endpoint or bucket.endpoint)
        self._folder = folder
        self.staging = Staging(folder / "uploads")

    @staticmethod
    def reachable(bucket: Bucket) -> None:
        """Ask a bucket for a name, any name. Raises `MediaUnavailableError`."""
        with _reached("the bucket"):
            next(iter(obstore.list(_connect(bucket, bucket.endpoint), chunk_size=1)), None)

    def put(self, key: str, data: bytes) -> None:
        """See `MediaStore`."""
        refuse_bad_key(key)
        attributes = {_SHA256: hashlib.sha256(data).hexdigest()}
        with _reached(key):
            obstore.put(self._bucket, key, data, attributes=attributes, use_multipart=False)

    def read(self, key: str) -> bytes:
        """See `MediaStore`."""
        return b"".join(self._pieces(key))

    def delete_below(self, key: str) -> None:
        """See `MediaStore`."""
        refuse_bad_key(key)
        with _reached(key):
            for page in obstore.list(self._bucket, key):
                obstore.delete(self._bucket, [each["path"] for each in page])

    def delete(self, key: str) -> None:
        """See `MediaStore`."""
        refuse_bad_key(key)
        with suppress(MediaNotFoundError), _reached(key):
            obstore.delete(self._bucket, key)

    def size(self, key: str) -> int:
        """See `MediaStore`."""
        refuse_bad_key(key)
        try:
            with _reached(key):
                return obstore.head(self._bucket, key)["size"]
        except MediaNotFoundError:
            return self._found(key)[0]  # the answer to `HEAD` cannot say that the bucket is missing

    def measure(self, key: str) -> tuple[int, bytes]:
        """See `MediaStore`. What is not what was put there is measured like anything else."""
        digest, size_bytes = hashlib.sha256(), 0
        for piece in self._pieces(key, compares=False):
            digest.update(piece)
            size_bytes += len(piece)
        return size_bytes, digest.digest()

    def locate(self, key: str) -> str:
        """See `MediaStore`. Signed for `GET`."""
        self.size(key)  # a browser that was sent to nothing would show the bucket's own words
        with _reached(key):
            return obstore.sign(self._public, "GET", key, timedelta(seconds=LINK_SECONDS))

    def entries(self, kind: str, *, after: str, limit: int) -> tuple[Entry, ...]:
        """See `MediaStore`."""
        refuse_unknown_kind(kind)
        with _reached(kind):
            offset = f"{kind}/{after}/{_LAST}" if after else None
            by_name = groupby(self._objects(kind, offset), lambda each: each.key.split("/")[1])
            return tuple(
                Entry(name=name, objects=tuple(objects)) for name, objects in islice(by_name, limit)
            )

    def _objects(self, kind: str, offset: str | None) -> Iterator[StoredObject]:
        now = datetime.now(UTC)
        for page in obstore.list(self._bucket, kind, offset=offset):
            for each in page:
                if is_key(each["path"]):
                    yield StoredObject(
                        key=each["path"],
                        size_bytes=each["size"],
                        age_seconds=(now - each["last_modified"]).total_seconds(),
                    )

    def open_source(self, key: str) -> SourceFile:
        """See `MediaStore`. It is fetched whole, into a file that has no name."""
        with tempfile.TemporaryFile(dir=self._folder) as file:
            for piece in self._pieces(key):
                with full_disk():
                    file.write(piece)
                    file.flush()
            file.seek(0)
            return SourceFile(os.dup(file.fileno()))

    def finish(self, upload_id: UUID, key: str, *, filename: str = "") -> tuple[int, bytes]:
        """See `MediaStore`."""
        refuse_bad_key(key)
        upload = self.staging.path(upload_id)
        with suppress(FileNotFoundError), upload.open("rb") as file:
            # Whoever is told again to do so waits here: it is a long way to the bucket.
            fcntl.flock(file, fcntl.LOCK_EX)
            if upload.exists():
                found = measure(file.fileno())
                self._put_file(key, file, found[1], filename)
                upload.unlink(missing_ok=True)
                return found
        try:
            return self._found(key)
        except MediaNotFoundError as error:
            raise UploadUnknownError(f"there is no upload {upload_id}") from error

    def _found(self, key: str) -> tuple[int, bytes]:
        """Return size and SHA-256 of an object as it says itself."""
        with _reached(key):
            whole = obstore.get(self._bucket, key)
        put = whole.attributes.get(_SHA256)
        return (whole.meta["size"], bytes.fromhex(put)) if put else self.measure(key)

    def _put_file(self, key: str, file: BinaryIO, digest: bytes, filename: str) -> None:
        attributes = {
            _SHA256: digest.hex(),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(filename, safe='')}",
            "Content-Type": "application/octet-stream",
        }
        file.seek(0)
        with _reached(key):
            obstore.put(
                self._bucket,
                key,
                file,
                attributes=attributes,
                chunk_size=_PIECE_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )

    def _pieces(self, key: str, *, compares: bool = True) -> Iterator[bytes]:
        """Yield all of an object, and then object if it is not what was put there.

        One that another program put there has no SHA-256 to be compared with.
        """
        refuse_bad_key(key)
        digest = hashlib.sha256()
        with _reached(key):
            whole = obstore.get(self._bucket, key)
            size_bytes, put = whole.meta["size"], whole.attributes.get(_SHA256)
            if size_bytes <= _PIECE_BYTES:
                pieces = iter([bytes(whole.bytes())])
            else:
                pieces = self._ranges(key, size_bytes, whole.meta["e_tag"])
            for piece in pieces:
                digest.update(piece)
                yield piece
        if compares and put is not None and put != digest.hexdigest():
            raise MediaUnavailableError(f"{key} is not what was put there")

    def _ranges(self, key: str, size_bytes: int, e_tag: str | None) -> Iterator[bytes]:
        for start in range(0, size_bytes, _PIECE_BYTES):
            end = min(start + _PIECE_BYTES, size_bytes)
            options: GetOptions = {"range": (start, end), "if_match": e_tag}
            yield bytes(obstore.get(self._bucket, key, options=options).bytes())


def _connect(bucket: Bucket, endpoint: str | None) -> S3Store:
    config: S3Config = {
        "region": bucket.region,
        "virtual_hosted_style_request": False,  # what is not Amazon's has one name for all buckets
    }
    if bucket.access_key_id and bucket.secret_access_key:
        config["access_key_id"] = bucket.access_key_id
        config["secret_access_key"] = bucket.secret_access_key
    if endpoint is not None:
        config["endpoint"] = endpoint
    return S3Store(
        bucket.name,
        prefix=bucket.prefix or None,
        config=config,
        client_options={
            "allow_http": True,
            "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
            "timeout": timedelta(seconds=_REQUEST_SECONDS),
        },
        retry_config={
            "max_retries": _RETRIES,
            "retry_timeout": timedelta(seconds=RETRY_SECONDS),
        },
    )


@contextmanager
def _reached(key: str) -> Iterator[None]:
    """Say in the store's words what a request met. A bucket that is not there is not an empty one."""
    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        said = str(error)
        if isinstance(error, FileNotFoundError) and _NO_BUCKET not in said:
            raise MediaNotFoundError(key) from error
        if any(word in said for word in _FULL):
            raise StorageFullError(f"the bucket has no room for {key}") from error
        raise MediaUnavailableError(said.splitlines()[0]) from error
