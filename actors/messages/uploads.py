"""The protocol of uploads that go on after a break. Key: `("uploads", "")`.

Whatever names an `owner_id` is `not_found` about somebody else's upload. Codes that many share: `not_found`,
`upload_expired`, `upload_locked` (another request writes at this moment).
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.persistence.rows import Author, Job, Track, Upload, UploadState, Visibility

UPLOADS: Final = ("uploads", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenUpload:
    """Begin an upload. Reply: `UploadDescribed` or `Rejected`.

    Both ids are chosen by the sender: the same command again is harmless. `length_bytes` is None if it is to
    be told later. Codes: `payload_too_large`, `quota_exceeded`, `too_many_uploads`.
    """

    upload_id: UUID
    track_id: UUID
    owner: Author
    length_bytes: int | None
    title: str
    filename: str
    metadata: str
    visibility: Visibility = Visibility.PUBLIC


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeUpload:
    """Ask whether so many bytes may come now, before they do. Reply: `UploadDescribed` or `Rejected`.

    `length_bytes` tells the length of an upload that has none yet, and is None otherwise; `size_bytes` is 0
    if nobody knows how much will come. Codes, beside the shared: `upload_offset`, `payload_too_large`,
    `invalid_state` (it has another length).
    """

    upload_id: UUID
    owner_id: UUID
    offset_bytes: int
    length_bytes: int | None
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendUpload:
    """Put bytes at the end of an upload, for good. Reply: `UploadDescribed` or `Rejected`.

    With the last byte it becomes a track. Codes, beside the shared: `upload_offset`, `payload_too_large`,
    `storage_full`, `unavailable` (all bytes are there; the track is made later).
    """

    upload_id: UUID
    owner_id: UUID
    offset_bytes: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinUpload:
    """As `AppendUpload`, with `size_bytes` that were put into another upload by `WriteChunk`."""

    upload_id: UUID
    owner_id: UUID
    offset_bytes: int
    part_id: UUID
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeUpload:
    """Reply: `UploadDescribed` or `Rejected` (`not_found`, `upload_expired`)."""

    upload_id: UUID
    owner_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadDescribed:
    """`track` and `job` are there once the upload is published."""

    upload: Upload
    track: Track | None
    job: Job | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListUploads:
    """Ask for what an account has begun and not finished, newest first. Reply: `UploadsListed`."""

    owner_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadsListed:
    uploads: tuple[Upload, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateUpload:
    """Forget an upload; a track that was made of it stays. Reply: `UploadTerminated` or `Rejected`.

    Codes: `not_found`, `invalid_state` (its track is being made).
    """

    upload_id: UUID
    owner_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadTerminated:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class FindTrackOf:
    """Ask for an account's eldest track that was made of a file. Reply: `TrackOfFile`."""

    owner_id: UUID
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOfFile:
    """None: nobody brought that file."""

    track: Track | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequireSpace:
    """Ask whether an account may store so much more. Reply: `SpaceGranted` or `Rejected`.

    Code: `quota_exceeded`.
    """

    owner_id: UUID
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceGranted:
    pass
