"""The protocol of likes, reposts and the feed. Key: `("marks", "")`.

A track that whoever asks may not hear is `not_found` everywhere.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from veza.persistence.rows import FeedItem, FeedKind, Mark, MarkedTrack, MarkKind

MARKS: Final = ("marks", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMark:
    """Like or repost a track, or no more; twice is harmless. Reply: `MarkTold` or `Rejected`.

    Codes: `not_found`, `blocked` (between its owner and whoever asks), `invalid_state` (to repost what is
    one's own, or not for everybody).
    """

    user_id: UUID
    kind: MarkKind
    track_id: UUID
    is_set: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMark:
    """How many like or repost a track, and whether the viewer does? Reply: `MarkTold` or `Rejected`."""

    viewer_id: UUID | None
    kind: MarkKind
    track_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkTold:
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMarked:
    """What somebody likes or reposted and the viewer may hear, newest first. Reply: `MarkedListed`."""

    viewer_id: UUID | None
    user_id: UUID
    kind: MarkKind
    before: tuple[datetime, UUID] | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedListed:
    tracks: tuple[MarkedTrack, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFeed:
    """What those whom one follows uploaded or reposted, newest first, each track once. Reply: `FeedRead`."""

    viewer_id: UUID
    before: tuple[datetime, UUID] | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRead:
    items: tuple[FeedItem, ...]
