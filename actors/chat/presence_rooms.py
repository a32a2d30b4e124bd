"""What one room is told about who is there, and what is left to tell. Pure: the time is given.

Changes are gathered and told together; what was undone meanwhile is not told at all.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from veza.actors.chat.presence_rules import OFFLINE, Truth
from veza.actors.messages.presence import PresenceTold, Seen, Status
from veza.actors.messages.rooms import RoomKind

TELL_EVERY_SECONDS: Final = 0.25
COUNT_EVERY_SECONDS: Final = 2.0
MANY: Final = 100
"""With more online, only their number is told."""
CONVERSATIONS: Final = frozenset({RoomKind.DIRECT, RoomKind.GROUP})
"""Those in them are few and know each other: they are always told one by one."""


class RoomPresence:
    """Who is there of a room's members, as others see them.

    The first thing it tells is everything, unless what holds was marked as known.
    """

    def __init__(self, room_id: UUID, kind: RoomKind, members: Iterable[UUID], seq: int) -> None:
        self.room_id = room_id
        self.kind = kind
        self.members = set(members)
        self.seq = seq
        self.online: dict[UUID, Truth] = {}
        self.snapshot_bytes: bytes | None = None
        self.is_hidden = False
        self.due_at = 0.0
        self._told: dict[UUID, Truth] | None = None
        self._told_online = -1
        self._changed: dict[UUID, datetime | None] = {}

    @property
    def is_counted(self) -> bool:
        """Whether only the number of those online is told."""
        return self.kind not in CONVERSATIONS and len(self.online) > MANY

    def mark_known(self) -> None:
        """Take what holds now as told: whoever subscribes gets it as a snapshot."""
        self._changed.clear()
        self._told = None if self.is_counted else dict(self.online)
        self._told_online = len(self.online)

    def put(self, user_id: UUID, truth: Truth, last_seen_at: datetime | None) -> bool:
        """Note how a member is seen now; return whether there is anything to tell."""
        if self.is_hidden or user_id not in self.members:
            return False
        if self.online.get(user_id, OFFLINE) == truth:
            return False
        if truth == OFFLINE:
            del self.online[user_id]
        else:
            self.online[user_id] = truth
        self._changed[user_id] = last_seen_at if truth == OFFLINE else None
        self.snapshot_bytes = None
        return True

    def admit(self, user_id: UUID, truth: Truth) -> bool:
        """Take in a new member; return whether there is anything to tell."""
        self.members.add(user_id)
        return self.put(user_id, truth, None)

    def dismiss(self, user_id: UUID) -> bool:
        """Forget somebody who is no member any more; that they went is not presence's to tell."""
        self.members.discard(user_id)
        was_online = self.online.pop(user_id, None) is not None
        if was_online:
            self.snapshot_bytes = None
        self._changed.pop(user_id, None)
        if self._told is not None:
            self._told.pop(user_id, None)
        return was_online

    def hide(self) -> bool:
        """Show nobody: one of the two blocks the other. Return whether there is anything to tell."""
        gone = list(self.online)
        for user_id in gone:
            self.put(user_id, OFFLINE, None)
        self.is_hidden = True
        return bool(gone)

    def snapshot(self) -> PresenceTold:
        """Return everything a newcomer is told."""
        people = () if self.is_counted else tuple(_seen(*each) for each in self.online.items())
        return PresenceTold(
            room_id=self.room_id, online=len(self.online), is_full=True, people=people
        )

    def take(self, now: float) -> PresenceTold | None:
        """Return what is to be told by now, as told from here on; None if nothing is."""
        told = self._next()
        self._changed.clear()
        self._told_online = len(self.online)
        if told is not None:
            every = COUNT_EVERY_SECONDS if self.is_counted else TELL_EVERY_SECONDS
            self.due_at = now + every
        return told

    def _next(self) -> PresenceTold | None:
        online = len(self.online)
        if self.is_counted:
            self._told = None
            return self.snapshot() if online != self._told_online else None
        if self._told is None:
            self._told = dict(self.online)
            return self.snapshot()
        people = tuple(self._changes(self._told))
        if not people and online == self._told_online:
            return None
        return PresenceTold(room_id=self.room_id, online=online, is_full=False, people=people)

    def _changes(self, told: dict[UUID, Truth]) -> Iterable[Seen]:
        for user_id, last_seen_at in self._changed.items():
            truth = self.online.get(user_id, OFFLINE)
            if truth == told.get(user_id, OFFLINE):
                continue
            if truth == OFFLINE:
                told.pop(user_id, None)
                yield Seen(user_id=user_id, status=Status.OFFLINE, last_seen_at=last_seen_at)
            else:
                told[user_id] = truth
                yield _seen(user_id, truth)


def _seen(user_id: UUID, truth: Truth) -> Seen:
    return Seen(user_id=user_id, status=truth.status, activity=truth.activity)
