"""What becomes of events about members and the room itself, given what the batch holds.

Each rule changes the batch and says whether there is an event to place, or why not. No I/O.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from veza.persistence.room_batch import Batch, details_of, user_key
from veza.persistence.room_changes import Ban, Seat
from veza.persistence.room_rows import (
    Entry,
    EventKind,
    Measure,
    Moderation,
    NewEvent,
    Role,
    RoomSettings,
    Unstored,
)


def _join(batch: Batch, event: NewEvent) -> Unstored | bool:
    key, head = user_key(event), batch.heads[event.room_id]
    if key in batch.members:
        return False
    if event.peer is not None and (event.peer, event.author.id) in batch.blocks:
        return Unstored.BLOCKED
    entry = details_of(event, Entry, Entry())
    if entry.invite is not None and not _use(batch, entry.invite, head.at, event.room_id):
        return Unstored.INVALID_INVITE
    ban = batch.bans.get(key)
    if ban is not None and ban.until is not None and ban.until <= head.at:
        del batch.bans[key]
        batch.changes.bans.add(key)
    batch.members[key] = Seat(entry.role, None)
    batch.changes.joined[key] = head.seq + 1
    head.joins += 1
    return True


def _use(batch: Batch, code: str, at: datetime, room_id: UUID) -> bool:
    invite = batch.invites.get(code)
    if invite is None or invite.room_id != room_id or invite.left == 0:
        return False
    if invite.expires_at is not None and invite.expires_at <= at:
        return False
    invite.used += 1
    if invite.left is not None:
        invite.left -= 1
    return True


def _leave(batch: Batch, event: NewEvent) -> bool:
    key = user_key(event)
    if batch.members.pop(key, None) is None:
        return False
    batch.changes.seats.discard(key)
    if batch.changes.joined.pop(key, None) is None:
        batch.changes.left.add(key)
    batch.heads[event.room_id].joins -= 1
    return True


def _moderate(batch: Batch, event: NewEvent) -> bool:
    match details_of(event, Moderation).measure:
        case Measure.WARN:
            return True
        case Measure.MUTE | Measure.UNMUTE:
            return _mute(batch, event)
        case Measure.KICK:
            return _leave(batch, event)
        case Measure.BAN:
            return _ban(batch, event)
        case Measure.UNBAN:
            batch.changes.bans.add(user_key(event))
            return batch.bans.pop(user_key(event), None) is not None
        case Measure.ROLE:
            return _give_role(batch, event)


def _mute(batch: Batch, event: NewEvent) -> bool:
    key, about = user_key(event), details_of(event, Moderation)
    seat, now = batch.members.get(key), batch.heads[event.room_id].at
    until = about.until if about.measure is Measure.MUTE else None
    if seat is None or until == (
        seat.muted_until if seat.muted_until is not None and seat.muted_until > now else None
    ):
        return False
    seat.muted_until = until
    batch.changes.seats.add(key)
    return True


def _ban(batch: Batch, event: NewEvent) -> bool:
    key, until = user_key(event), details_of(event, Moderation).until
    was_member, before = _leave(batch, event), batch.bans.get(key)
    if not was_member and before is not None and before.until == until:
        return False
    batch.bans[key] = Ban(
        until=until,
        reason=event.text,
        by_id=event.author.id,
        at=batch.heads[event.room_id].at,
    )
    batch.changes.bans.add(key)
    return True


def _give_role(batch: Batch, event: NewEvent) -> bool:
    key, role = user_key(event), details_of(event, Moderation).role
    seat = batch.members.get(key)
    if seat is None or role is None or seat.role is role:
        return False
    if role is Role.OWNER:
        for other, each in batch.members.items():
            if other[0] == event.room_id and each.role is Role.OWNER:
                each.role = Role.ADMIN
                batch.changes.seats.add(other)
    seat.role = role
    batch.changes.seats.add(key)
    return True


def _update(batch: Batch, event: NewEvent) -> bool:
    settings, before = details_of(event, RoomSettings), batch.settings[event.room_id]
    if settings.password_hash is None:
        # Whoever changes something else does not know the hash.
        settings = replace(settings, password_hash=before.password_hash)
    if settings == before:
        return False
    batch.settings[event.room_id] = settings
    batch.changes.settings[event.room_id] = batch.heads[event.room_id].seq + 1
    return True


MEMBER_RULES: Final[Mapping[EventKind, Callable[[Batch, NewEvent], Unstored | bool]]] = {
    EventKind.MEMBER_JOINED: _join,
    EventKind.MEMBER_LEFT: _leave,
    EventKind.MEMBER_MODERATED: _moderate,
    EventKind.ROOM_UPDATED: _update,
}
