"""The protocol of comments on tracks. Key: `("comments", "")`.

A track that whoever asks may not hear is `not_found`, and so is all that is said of it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from veza.persistence.rows import Comment

COMMENTS: Final = ("comments", "")


class CommentOrder(StrEnum):
    """Newest first, or as a player meets them."""

    NEWEST = "newest"
    PLACE = "place"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostComment:
    """Say something at a moment of a track, or reply. The same id again changes nothing.

    Reply: `CommentTold` or `Rejected`. Codes: `not_found`, `blocked` (between its owner, or whom it replies
    to, and the author), `validation_failed` (behind the track's end, or a reply to a reply),
    `already_exists`. A reply stands where what it replies to stands, whatever `at_ms` says.
    """

    comment_id: UUID
    track_id: UUID
    author_id: UUID
    reply_to: UUID | None
    at_ms: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EditComment:
    """Change what one said. Reply: `CommentTold` or `Rejected` (`not_found`, `forbidden`)."""

    comment_id: UUID
    by_id: UUID
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentTold:
    comment: Comment


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteComment:
    """Take back what one said, or what somebody said of one's track. `is_staff`: or anything.

    Reply: `CommentDeleted`, also the second time, or `Rejected` (`not_found`, `forbidden`).
    """

    comment_id: UUID
    by_id: UUID
    is_staff: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentDeleted:
    """It says nothing any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListComments:
    """List a track's comments that reply to none, behind `after`. Reply: `CommentsListed` or `Rejected`."""

    track_id: UUID
    viewer_id: UUID | None
    order: CommentOrder
    after: tuple[int, UUID] | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListReplies:
    """List the replies to a comment, eldest first. Reply: `CommentsListed` or `Rejected`."""

    comment_id: UUID
    viewer_id: UUID | None
    after: UUID | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentsListed:
    comments: tuple[Comment, ...]
