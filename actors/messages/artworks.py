"""The protocol of tracks' pictures: found in the file, or chosen by the owner and made small.

Keys: `("artworks", "")` knows and reads them; `("artwork_job", <job id>)` makes one small. The bytes of an
upload come by `("media", "")`, as those of tracks do.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.persistence.rows import Job

ARTWORKS: Final = ("artworks", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadArtwork:
    """The picture of a track that the viewer may hear. Reply: `ArtworkRead` or `Rejected` (`not_found`)."""

    track_id: UUID
    viewer_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtworkRead:
    """A WebP picture; `tag` is another for another one."""

    data: bytes
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseArtwork:
    """Make a finished upload the picture of one's own track. Reply: `ArtworkAccepted` or `Rejected`.

    Codes: `not_found`, `forbidden`, `invalid_state` (another one is being made small), `storage_full`.
    """

    job_id: UUID
    track_id: UUID
    owner_id: UUID
    upload_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtworkAccepted:
    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveArtwork:
    """Take the picture off one's own track. Reply: `ArtworkRemoved` or `Rejected`.

    Codes: `not_found`, `forbidden`.
    """

    track_id: UUID
    owner_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtworkRemoved:
    pass


# --- for the node's own actors ---


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadArtwork:
    """What a job under this node's lease makes small. Reply: `ArtworkLoaded` or `Rejected`."""

    job_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtworkLoaded:
    source_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishArtwork:
    """It is small. Reply: `ArtworkFinished` or `Rejected` (`invalid_state`, `storage_full`)."""

    job_id: UUID
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtworkFinished:
    pass
