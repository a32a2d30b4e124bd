"""The protocol of what listeners take home: a track's file, or a copy of it that is made for them.

Keys: `("downloads", "")` knows and opens them; `("copy_job", <job id>)` makes a copy.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from veza.codecs.copies import CopyFormat, Label
from veza.persistence.downloads import ORIGINAL, Download, DownloadState
from veza.persistence.rows import Job

__all__ = ["ORIGINAL", "CopyFormat", "Download", "DownloadState", "Label"]

DOWNLOADS: Final = ("downloads", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDownload:
    """A track in a format, or `ORIGINAL`, for the viewer. Reply: `DownloadOpened` or `Rejected`.

    Codes: `not_found`, `forbidden` (its owner keeps it), `not_ready` (ask for a copy first).
    """

    track_id: UUID
    viewer_id: UUID | None
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadOpened:
    """`place` is a file of this machine, or the URL that gives it; `key` its name in the media store."""

    place: Path | str
    key: str
    size_bytes: int
    filename: str
    title: str
    artist: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDownloads:
    """How one may have a track. Reply: `DownloadsListed` or `Rejected` (`not_found`, `forbidden`)."""

    track_id: UUID
    viewer_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadsListed:
    downloads: tuple[Download, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCopy:
    """Have a copy made, unless it is there or being made. Reply: `CopyRequested` or `Rejected`.

    Codes: `not_found`, `forbidden`, `not_ready` (the track is not published).
    """

    job_id: UUID
    track_id: UUID
    by: UUID
    format: CopyFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRequested:
    download: Download


# --- for the node's own actors ---


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadCopy:
    """What a job under this node's lease is to copy. Reply: `CopyLoaded` or `Rejected` (`invalid_state`)."""

    job_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyLoaded:
    source_key: str
    format: CopyFormat
    label: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePiece:
    """Put bytes into the copy that is growing. Reply: `PieceStored` or `Rejected`.

    Storing one twice is harmless. Codes: `invalid_state`, `not_found` (those before it are gone),
    `payload_too_large`, `storage_full`, `storage_unavailable`.
    """

    job_id: UUID
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceStored:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishCopy:
    """All pieces are stored. Reply: `CopyFinished` or `Rejected`.

    Codes: `invalid_state`, `not_found` (they are gone), `storage_full`, `storage_unavailable`.
    """

    job_id: UUID
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFinished:
    job: Job
