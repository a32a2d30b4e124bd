"""A room's memory: what its log says of members, mutes, bans and settings, event by event."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from veza.actors.chat.rights import OPEN_KINDS, RANKS, STAFF_RANK, Action, permits
from veza.actors.chat.room_rules import RoomRules
from veza.actors.messages.common import RefusedError, RejectCode
from veza.persistence.room_rows import (
    Entry,
    EventKind,
    Measure,
    Moderation,
    Role,
    Room,
    RoomEvent,
    RoomKind,
    RoomSettings,
    RoomSnapshot,
    takes_rights,
)

NO_SUCH_ROOM: Final = "There is no such room."
HIDDEN_KINDS: Final = frozenset({RoomKind.INVITE_ONLY, RoomKind.GROUP, RoomKind.DIRECT})
"""To those outside, these rooms do not exist."""
PRIVATE_TALK: Final = frozenset({RoomKind.GROUP, RoomKind.DIRECT})
"""Where administrators of the instance have no say: they are not to read along."""
MAX_POSTERS: Final = 1000
"""With more of them, those who may write again are forgotten."""


class RoomState:
    """What a room's events add up to, as of `seq`. Applying the same event twice is harmless."""

    __slots__ = (
        "bans",
        "fence",
        "joined_at",
        "last_posts",
        "members",
        "mutes",
        "room",
        "rules",
        "settings",
    )

    def __init__(self, snapshot: RoomSnapshot) -> None:
        self.room: Room = snapshot.room
        self.settings: RoomSettings = snapshot.settings
        self.rules = rules_from(snapshot.settings.rules)
        self.joined_at: dict[UUID, datetime] = {}
        """Of those who came since the room was started; the others have been here for a while."""
        self.fence = snapshot.fence
        self.members: dict[UUID, Role] = dict(snapshot.members)
        self.mutes: dict[UUID, datetime] = dict(snapshot.mutes)
        self.bans: dict[UUID, datetime | None] = dict(snapshot.bans)
        self.last_posts: dict[UUID, datetime] = dict(snapshot.last_posts)
        """While slow mode is on, who wrote when: on whichever node, as the log has it."""

    def describe(self, seq: int) -> Room:
        """Return the room as it is shown, its log told up to `seq`."""
        return replace(self.room, seq=seq, member_count=len(self.members))

    def apply(self, event: RoomEvent) -> None:
        """Take in what an event changes about the room."""
        whom = (event.subject or event.author).id
        match event.kind, event.details:
            case EventKind.MESSAGE_POSTED, _:
                if self.settings.slow_mode_seconds:
                    self._note_post(event)
            case EventKind.MEMBER_JOINED, details:
                self.members[whom] = details.role if isinstance(details, Entry) else Role.MEMBER
                self.bans.pop(whom, None)
                self.joined_at[whom] = event.at
            case EventKind.MEMBER_LEFT, _:
                self._remove(whom)
            case EventKind.MEMBER_MODERATED, Moderation() as moderation:
                self._apply_measure(whom, moderation)
            case EventKind.ROOM_UPDATED, RoomSettings() as settings:
                self._apply_settings(settings, event.seq)
        if takes_rights(event.kind, event.details):
            self.fence = max(self.fence, event.seq)

    def _note_post(self, event: RoomEvent) -> None:
        self.last_posts[event.author.id] = event.at
        if len(self.last_posts) > MAX_POSTERS:
            since = event.at - timedelta(seconds=self.settings.slow_mode_seconds)
            self.last_posts = {who: at for who, at in self.last_posts.items() if at > since}

    def _apply_measure(self, whom: UUID, moderation: Moderation) -> None:
        match moderation.measure:
            case Measure.MUTE if moderation.until is not None:
                self.mutes[whom] = moderation.until
            case Measure.UNMUTE:
                self.mutes.pop(whom, None)
            case Measure.KICK:
                self._remove(whom)
            case Measure.BAN:
                self._remove(whom)
                self.bans[whom] = moderation.until
            case Measure.UNBAN:
                self.bans.pop(whom, None)
            case Measure.ROLE if moderation.role is not None and whom in self.members:
                if moderation.role is Role.OWNER:
                    self._demote_owner()
                self.members[whom] = moderation.role

    def _remove(self, whom: UUID) -> None:
        self.members.pop(whom, None)
        self.joined_at.pop(whom, None)

    def _demote_owner(self) -> None:
        for user_id, role in self.members.items():
            if role is Role.OWNER:
                self.members[user_id] = Role.ADMIN

    def _apply_settings(self, settings: RoomSettings, seq: int) -> None:
        self.settings = settings
        self.rules = rules_from(settings.rules)
        self.room = replace(
            self.room,
            name=settings.name,
            kind=settings.kind,
            topic=settings.topic,
            slow_mode_seconds=settings.slow_mode_seconds,
            is_archived=settings.is_archived,
            changed_seq=max(seq, self.room.changed_seq),
        )

    # --- questions ---

    def hides_from(self, user_id: UUID, now: datetime, *, is_staff: bool = False) -> bool:
        """Tell whether somebody is not to learn that this room exists. Who is banned knows already."""
        is_hidden = self.room.kind in HIDDEN_KINDS and not self.is_banned(user_id, now)
        return is_hidden and self.rank(user_id, is_staff=is_staff) is None

    def require_asking(self, user_id: UUID, now: datetime) -> None:
        """Require that somebody may ask to be let in; raises `RefusedError`."""
        if user_id in self.members:
            raise RefusedError(RejectCode.INVALID_STATE, "You are a member already.")
        if self.hides_from(user_id, now):
            raise RefusedError(RejectCode.NOT_FOUND, NO_SUCH_ROOM)
        if self.is_banned(user_id, now):
            raise RefusedError(RejectCode.BANNED, "You are banned from this room.")
        if self.room.kind is not RoomKind.PRIVATE:
            raise RefusedError(RejectCode.INVALID_STATE, "Nobody needs to be asked in this room.")
        if self.room.is_archived:
            raise RefusedError(RejectCode.ROOM_ARCHIVED, "The room is archived.")

    def rank(self, user_id: UUID, *, is_staff: bool = False) -> int | None:
        """Return how high somebody stands here; None for those who are no members."""
        if is_staff and self.room.kind not in PRIVATE_TALK:
            return STAFF_RANK
        role = self.members.get(user_id)
        return None if role is None else RANKS[role]

    def is_banned(self, user_id: UUID, now: datetime) -> bool:
        """Tell whether somebody is kept out at this time."""
        return user_id in self.bans and _lasts(self.bans[user_id], now)

    def muted_seconds(self, user_id: UUID, now: datetime) -> float:
        """Return how long somebody may not write yet."""
        until = self.mutes.get(user_id)
        return max(0.0, (until - now).total_seconds()) if until else 0.0

    def peer_of(self, user_id: UUID) -> UUID | None:
        """Return the other one of a conversation of two."""
        if self.room.kind is not RoomKind.DIRECT:
            return None
        return next((each for each in self.members if each != user_id), None)

    def require(
        self, user_id: UUID, action: Action, now: datetime, *, is_staff: bool = False
    ) -> int:
        """Return the rank of somebody who may do this; raises `RefusedError`."""
        rank = self.rank(user_id, is_staff=is_staff)
        if rank is None:
            return self._require_visitor(user_id, action, now)
        if not permits(rank, action, self.room.kind, is_archived=self.room.is_archived):
            if self.room.is_archived:
                raise RefusedError(RejectCode.ROOM_ARCHIVED, "The room is archived.")
            raise RefusedError(RejectCode.FORBIDDEN, "Your role in this room does not allow that.")
        return rank

    def is_allowed(
        self, user_id: UUID, action: Action, now: datetime, *, is_staff: bool = False
    ) -> bool:
        """Tell whether somebody may do this."""
        rank = self.rank(user_id, is_staff=is_staff)
        if rank is not None:
            return permits(rank, action, self.room.kind, is_archived=self.room.is_archived)
        is_open = action is Action.READ and self.room.kind in OPEN_KINDS
        return is_open and not self.is_banned(user_id, now)

    def _require_visitor(self, user_id: UUID, action: Action, now: datetime) -> int:
        if self.is_banned(user_id, now):
            raise RefusedError(RejectCode.BANNED, "You are banned from this room.")
        if action is Action.READ and self.room.kind in OPEN_KINDS:
            return RANKS[Role.READ_ONLY]
        if self.room.kind in HIDDEN_KINDS:
            raise RefusedError(RejectCode.NOT_FOUND, NO_SUCH_ROOM)
        raise RefusedError(RejectCode.NOT_A_MEMBER, "Join the room first.")


def rules_from(text: str) -> RoomRules:
    """Return a room's automatic rules: its own, or those that rooms have without any."""
    return RoomRules.from_json(json.loads(text)) if text else RoomRules()


def _lasts(until: datetime | None, now: datetime) -> bool:
    return until is None or until > now
