"""The protocol of encoding anew: what tracks were made by, and which of them are to be made again.

Key: `("encodings", "")`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from veza.actors.messages.operator import Operator

ENCODINGS: Final = ("encodings", "")


class Which(StrEnum):
    """Published tracks: those made by another recipe than this node's, all, or one."""

    OUTDATED = "outdated"
    ALL = "all"
    ONE = "one"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEncodings:
    """Reply: `EncodingsRead`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingsRead:
    """`recipe`: by what this node encodes. `outdated` of the published tracks were made by another one."""

    recipe: str
    published: int
    outdated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReencodeTracks:
    """Queue tracks to be encoded anew, some 500 behind the one named `after`; kept in the audit log.

    Tracks that have a job at work are left out. `track_id` names the one. Reply: `ReencodingsQueued`.
    """

    which: Which
    track_id: UUID | None
    after: UUID | None
    by: Operator
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReencodingsQueued:
    """`last` is the last one queued, behind which there may be more; None if there were none."""

    queued: int
    last: UUID | None
