"""The protocol of the audit log: every privileged act, with who and why; only ever added to.

Key: `("audit", "")`.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.persistence.rows import RecordedAct

AUDIT: Final = ("audit", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAct:
    """Write an act down. Reply: `ActRecorded`.

    `actor_id` is the account, None for whoever holds the unix socket; `actor_name` is for people.
    """

    act_id: UUID
    actor_id: UUID | None
    actor_name: str
    via: str
    action: str
    target: str
    reason: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActRecorded:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ListActs:
    """List acts, newest first, those before `before_id` if given. Reply: `ActsListed`."""

    limit: int
    before_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActsListed:
    acts: tuple[RecordedAct, ...]
