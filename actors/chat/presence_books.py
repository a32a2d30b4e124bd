"""What presence has to ask of its store: whom to load, what to keep, whom to share and look for. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID

from veza.actors.chat.presence_people import Device
from veza.actors.chat.presence_rules import Choice
from veza.persistence.presence import StoredPresence

LOAD_AT_ONCE: Final = 500
STORE_AT_ONCE: Final = 2000
READ_AT_ONCE: Final = 5000
"""Users whose devices on other nodes are looked for at a time; more of them take turns."""


class LoadBook:
    """Whose choice is asked for: one question at a time, and what comes meanwhile is the next one."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, None] = {}
        self.is_asking = False

    def add(self, user_id: UUID) -> None:
        """Note that somebody's choice is needed."""
        self._waiting[user_id] = None

    def next(self) -> tuple[UUID, ...]:
        """Return whom to ask for now; they stay until they are `done`."""
        some = tuple(islice(self._waiting, LOAD_AT_ONCE))
        self.is_asking = bool(some)
        return some

    def done(self, user_ids: Iterable[UUID]) -> None:
        """Forget who was loaded."""
        for user_id in user_ids:
            del self._waiting[user_id]


class KeepBook:
    """What is to be stored of users: of each only the newest."""

    def __init__(self) -> None:
        self._kept: dict[UUID, StoredPresence] = {}
        self.is_storing = False

    def __bool__(self) -> bool:
        return bool(self._kept)

    def note(self, user_id: UUID, choice: Choice | None, last_seen_at: datetime | None) -> None:
        """Note what was chosen, if anything was, and when somebody was there."""
        kept = self._kept.get(user_id) or StoredPresence(user_id=user_id)
        if choice is not None:
            kept = replace(kept, choice=choice.status, chosen_at=choice.at)
        self._kept[user_id] = replace(kept, last_seen_at=last_seen_at)

    def take(self) -> tuple[StoredPresence, ...]:
        """Return what to store now, and forget it."""
        some = tuple(islice(self._kept.values(), STORE_AT_ONCE))
        for each in some:
            del self._kept[each.user_id]
        return some

    def put_back(self, presences: Iterable[StoredPresence]) -> None:
        """Note what could not be stored, unless there is something newer."""
        for each in presences:
            self._kept.setdefault(each.user_id, each)


@dataclass(slots=True)
class ShareBook:
    """What other nodes are to be told, and whom of theirs to look for.

    `refresh_seconds`: all devices are told again so often, else they count no more. `ended` are those whose
    users' other devices are looked for before they count no more.
    """

    refresh_seconds: float
    changed: dict[UUID, Device] = field(default_factory=dict)
    unread: dict[UUID, None] = field(default_factory=dict)
    ended: list[Device] = field(default_factory=list)
    is_asking: bool = False
    _rotation: list[UUID] = field(default_factory=list)
    _refreshed_at: float = 0.0

    def take(
        self, devices: Mapping[UUID, Device], now: float
    ) -> tuple[list[Device], tuple[Device, ...]]:
        """Return the devices to tell, and those that ended; begin anew."""
        if now - self._refreshed_at >= self.refresh_seconds:
            self.changed, self._refreshed_at = dict(devices), now
        ended, self.ended = tuple(self.ended), []
        for device in ended:
            self.changed.pop(device.session_id, None)
        changed, self.changed = list(self.changed.values()), {}
        return changed, ended

    def next_to_read(self, everybody: Iterable[UUID]) -> Iterator[UUID]:
        """Return whom to look for: first those not looked for yet, then everybody in turn."""
        first = list(islice(self.unread, READ_AT_ONCE))
        for user_id in first:
            del self.unread[user_id]
        yield from first
        if not self._rotation:
            self._rotation = list(everybody)
        for _ in range(min(READ_AT_ONCE - len(first), len(self._rotation))):
            yield self._rotation.pop()
