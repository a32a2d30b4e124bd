"""The protocol of files in messages: uploaded, looked at, used, read, made small.

Keys: `("attachments", "")` knows and reads them; `("thumbnail_job", <job id>)` makes a picture small. The
bytes of an upload come by `("media", "")`, as those of tracks do.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.persistence.rows import Attachment, AttachmentState, Author, Job

ATTACHMENTS: Final = ("attachments", "")

MAX_MESSAGE_ATTACHMENTS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAttachment:
    """Make an attachment of a finished upload; a picture's thumbnail is queued.

    Reply: `AttachmentStored` or `Rejected`.
    `attachment_id` is chosen by the sender: the same command again is harmless. Codes: `not_found`,
    `payload_too_large`, `rate_limited` (too many wait for a message), `storage_full`.
    """

    attachment_id: UUID
    upload_id: UUID
    owner: Author
    room_id: UUID
    filename: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentStored:
    """`job` is None for what gets no thumbnail."""

    attachment: Attachment
    job: Job | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowAttachment:
    """Reply: `AttachmentShown` or `Rejected` (`not_found`). Who may see it is the asker's to decide."""

    attachment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentShown:
    attachment: Attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeAttachments:
    """Look at what a message is going to use, in the message's order.

    Reply: `AttachmentsDescribed` or `Rejected`.
    Codes: `not_found` (no such attachment, or somebody else's), `invalid_state` (uploaded for another room,
    or another message's), `validation_failed` (too many, or one twice). Storing the message decides again.
    """

    attachment_ids: tuple[UUID, ...]
    owner_id: UUID
    room_id: UUID
    message_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentsDescribed:
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAttachment:
    """The bytes of an attachment, or of its thumbnail. Reply: `AttachmentRead` or `Rejected`.

    Codes: `not_found`, `not_ready` (the thumbnail is being made).
    """

    attachment_id: UUID
    is_thumbnail: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentRead:
    data: bytes


# --- thumbnails ---


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadThumbnail:
    """Reply: `ThumbnailLoaded`; or `Rejected` (`invalid_state`) if the lease is not this node's."""

    job_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ThumbnailLoaded:
    """A job this node holds the lease of, and the picture it is about."""

    job: Job
    attachment: Attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreThumbnail:
    """Store a thumbnail, first the whole file, then its row, and end the job.

    Reply: `ThumbnailStored` or `Rejected`.
    Codes: `invalid_state` (the lease is not this node's any more), `not_found` (nobody waits for it any
    more), `storage_full`.
    """

    job_id: UUID
    attachment_id: UUID
    picture_width_px: int
    picture_height_px: int
    width_px: int
    height_px: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ThumbnailStored:
    """Committed."""

    attachment: Attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentReady:
    """Volatile news for owner and room: the thumbnail is there, or there will be none (`state`).

    It tells neither name nor content: the room may hear of it before a message uses the file.
    """

    room_id: UUID
    attachment_id: UUID
    state: AttachmentState
    width_px: int | None
    height_px: int | None
    thumbnail_width_px: int | None
    thumbnail_height_px: int | None
