"""The protocol of who follows whom. Key: `("social", "")`."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.persistence.rows import Author, Following

SOCIAL: Final = ("social", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFollowing:
    """Follow somebody, or no more; twice is harmless. Reply: `FollowingRead`, or `Rejected`.

    Codes: `not_found`, `invalid_state` (oneself).
    """

    follower_id: UUID
    followed_id: UUID
    is_following: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFollowing:
    """How many follow somebody, and whether the viewer does. Reply: `FollowingRead`."""

    user_id: UUID
    viewer_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowingRead:
    following: Following


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFollowed:
    """Whom somebody follows, by id, those behind `after`. Reply: `FollowedListed`."""

    follower_id: UUID
    after: UUID | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedListed:
    people: tuple[Author, ...]
