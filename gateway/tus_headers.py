"""The headers of tus 1.0, read strictly and written: https://tus.io/protocols/resumable-upload.

Pure: a mapping of headers in, values or a `ProblemError` out.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime
from typing import Final

from veza.actors.messages.uploads import Upload, UploadDescribed, UploadState
from veza.gateway.endpoints import HeaderField
from veza.gateway.errors import ProblemCode, ProblemError

VERSION: Final = "1.0.0"
EXTENSIONS: Final = (
    "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination"
)
CONTENT_TYPE: Final = "application/offset+octet-stream"
ALGORITHMS: Final = ("sha1", "sha256", "md5")

RESUMABLE: Final = HeaderField(name="Tus-Resumable", text="`1.0.0`", is_required=True)
LENGTH: Final = HeaderField(name="Upload-Length", text="How many bytes the file has")
OFFSET: Final = HeaderField(name="Upload-Offset", text="Where these bytes belong", is_required=True)
DEFER: Final = HeaderField(name="Upload-Defer-Length", text="`1`: the length is told later")
METADATA: Final = HeaderField(
    name="Upload-Metadata",
    text="Keys and values in base64; `filename`, `title` and `visibility` are used",
)
CHECKSUM: Final = HeaderField(
    name="Upload-Checksum", text="`sha1`, `sha256` or `md5`, and the digest in base64"
)
OVERRIDE: Final = HeaderField(
    name="X-HTTP-Method-Override", text="`HEAD`, `PATCH` or `DELETE`", is_required=True
)

_DIGITS: Final = re.compile("[0-9]+")
_MAX_DIGITS: Final = 18
_KEY: Final = re.compile(r"[!-+\--~]+")
_MAX_METADATA_CHARS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksum:
    """What the bytes of one request must hash to."""

    algorithm: str
    digest: bytes

    def hasher(self) -> "hashlib._Hash":
        """Return what computes it."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


def about() -> Mapping[str, str]:
    """Return what the server tells of itself."""
    return {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }


def require_version(headers: Mapping[str, str]) -> None:
    """Refuse a client of another version, before anything else of it is looked at."""
    if headers.get(RESUMABLE.name) != VERSION:
        raise ProblemError(
            ProblemCode.UNSUPPORTED_VERSION,
            f"Tus-Resumable: {VERSION}, please.",
            headers={"Tus-Version": VERSION},
        )


def new_length(headers: Mapping[str, str]) -> int | None:
    """Return how long a new upload is going to be; None if that is told later."""
    defer = headers.get(DEFER.name)
    length_bytes = told_length(headers)
    if defer not in {None, "1"} or (defer is None) == (length_bytes is None):
        raise _bad("Either Upload-Length, or Upload-Defer-Length: 1.")
    return length_bytes


def told_length(headers: Mapping[str, str]) -> int | None:
    """Return the length that a request tells, if it does. A file has at least one byte."""
    if LENGTH.name not in headers:
        return None
    length_bytes = _number(headers, LENGTH)
    if length_bytes == 0:
        raise _bad("The file is empty.")
    return length_bytes


def told_offset(headers: Mapping[str, str]) -> int:
    """Return where the bytes of a request belong."""
    return _number(headers, OFFSET)


def _number(headers: Mapping[str, str], field: HeaderField) -> int:
    text = headers.get(field.name, "")
    if not _DIGITS.fullmatch(text):
        raise _bad(f"{field.name} must be a number of bytes.")
    if len(text) > _MAX_DIGITS:
        raise ProblemError(ProblemCode.PAYLOAD_TOO_LARGE, f"{field.name} is beyond any limit.")
    return int(text)


def told_checksum(headers: Mapping[str, str]) -> Checksum | None:
    """Return what the bytes of a request must hash to, if it says so."""
    text = headers.get(CHECKSUM.name)
    if text is None:
        return None
    algorithm, _, encoded = text.partition(" ")
    if algorithm not in ALGORITHMS:
        raise _bad(f"Upload-Checksum: one of {', '.join(ALGORITHMS)}.")
    checksum = Checksum(algorithm=algorithm, digest=_decoded(encoded, CHECKSUM))
    if len(checksum.digest) != checksum.hasher().digest_size:
        raise _bad(f"Upload-Checksum: that is no digest of {algorithm}.")
    return checksum


def parse_metadata(text: str) -> Mapping[str, str]:
    """Return the keys and values of `Upload-Metadata`, also those that mean nothing here."""
    if len(text) > _MAX_METADATA_CHARS:
        raise _bad(f"Upload-Metadata: at most {_MAX_METADATA_CHARS} characters.")
    found: dict[str, str] = {}
    for pair in text.split(",") if text.strip() else ():
        key, _, encoded = pair.strip().partition(" ")
        if not _KEY.fullmatch(key) or key in found:
            raise _bad("Upload-Metadata: keys, each once, and their values in base64.")
        try:
            found[key] = _decoded(encoded, METADATA).decode()
        except UnicodeDecodeError as error:
            raise _bad(f"Upload-Metadata: the value of {key} is no UTF-8.") from error
    return found


def _decoded(encoded: str, field: HeaderField) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad(f"{field.name}: that is no base64.") from error


def _bad(detail: str) -> ProblemError:
    return ProblemError(ProblemCode.BAD_REQUEST, detail)


def headers_of(described: UploadDescribed) -> Mapping[str, str]:
    """Return what a client is told of its upload."""
    upload = described.upload
    told = {
        "Cache-Control": "no-store",
        "Upload-Offset": str(upload.offset_bytes),
        **_length_of(upload),
    }
    if upload.metadata:
        told["Upload-Metadata"] = upload.metadata
    if upload.state is UploadState.OPEN:
        told["Upload-Expires"] = format_datetime(upload.expires_at.astimezone(UTC), usegmt=True)
    if described.track is not None:
        told["Veza-Track"] = str(described.track.id)
    if described.job is not None:
        told["Veza-Job"] = str(described.job.id)
    if upload.duplicate_of is not None:
        told["Veza-Duplicate-Of"] = str(upload.duplicate_of)
    return told


def _length_of(upload: Upload) -> Mapping[str, str]:
    if upload.length_bytes is None:
        return {"Upload-Defer-Length": "1"}
    return {"Upload-Length": str(upload.length_bytes)}
