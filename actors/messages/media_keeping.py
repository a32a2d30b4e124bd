"""The protocol of looking after the media store: is all there that is named, and what is there besides.

Key: `("media_keeper", "")`. Both go through everything part by part, so that a question is answered in time.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from veza.actors.messages.operator import Operator

MEDIA_KEEPER: Final = ("media_keeper", "")
PART_SECONDS: Final = 60.0
"""How long to wait for a part: its files are read whole."""


class Fate(StrEnum):
    """What is wrong with an object."""

    MISSING = "missing"
    DAMAGED = "damaged"


class Shelf(StrEnum):
    """What is gone through: what belongs to tracks, then what belongs to messages."""

    TRACKS = "tracks"
    ATTACHMENTS = "attachments"


@dataclass(frozen=True, slots=True, kw_only=True)
class BadObject:
    key: str
    fate: Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckMedia:
    """Look at what the next tracks or attachments behind `after` name. Reply: `MediaChecked`.

    With `is_fast` only at presence and size; else everything is read, and its SHA-256 compared.
    """

    shelf: Shelf
    after: UUID | None
    is_fast: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaChecked:
    """`last` is where the next part goes on; None when none is left."""

    objects: int
    size_bytes: int
    bad: tuple[BadObject, ...]
    last: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectGarbage:
    """Find objects that no table names and that are older than so long; delete them if `deletes`.

    `kind` is one of `veza.persistence.media_store.KINDS`, `after` the last name of the part before. What is
    deleted is kept in the audit log. Reply: `GarbageCollected`.
    """

    kind: str
    after: str
    older_than_seconds: float
    deletes: bool
    by: Operator
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GarbageCollected:
    """`last` is where the next part goes on; empty when none is left."""

    objects: int
    size_bytes: int
    last: str
