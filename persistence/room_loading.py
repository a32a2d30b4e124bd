"""Reads what placing a batch of events needs to know, under locks on its rooms.

A batch of plain messages takes two statements. What else is read is so only if the batch has events that
ask for it.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import asyncpg

from veza.persistence.pool import Connection
from veza.persistence.room_batch import Batch, blank, user_of
from veza.persistence.room_changes import Ban, Head, MessageFate, Seat, Uses
from veza.persistence.room_events import decode_details, is_storable
from veza.persistence.room_rows import (
    Entry,
    EventKind,
    Measure,
    Moderation,
    NewEvent,
    Post,
    Role,
    RoomEvent,
    RoomKind,
    RoomSettings,
)
from veza.persistence.rows import Author

_MEMBERSHIP: Final = frozenset(
    {EventKind.MEMBER_JOINED, EventKind.MEMBER_LEFT, EventKind.MEMBER_MODERATED}
)
_REACTIONS: Final = frozenset({EventKind.REACTION_ADDED, EventKind.REACTION_REMOVED})

# Locked in order, so that two writers of the same rooms wait for each other instead of locking up. The
# time is read once the row is locked, so that it never runs against `seq`.
_LOCK = """
    WITH heads AS (
        SELECT room_id, seq, fence_seq, messages FROM room_heads WHERE room_id = ANY($1::uuid[])
        ORDER BY room_id FOR UPDATE
    )
    SELECT room_id, seq, clock_timestamp() AS at, fence_seq, messages FROM heads
"""

# All that follow are statements of their own: their snapshots are taken after the locks, so they see
# what the last holder stored, and that an account was banned while this one waited.
_SELECT_USERS = """
    SELECT u.id, u.username, EXISTS (
        SELECT FROM account_bans b
        WHERE b.user_id = u.id AND (b.until IS NULL OR b.until > now())
    ) AS is_banned
    FROM users u WHERE u.id = ANY($1::uuid[])
"""

# Looked up one by one: without statistics (a new server's first minute) the planner takes one event in 200
# for a message, and would read all there are to join them.
_FIND_POSTS = """
    SELECT w.room_id, e.seq FROM unnest($1::uuid[], $2::uuid[]) AS w (room_id, message_id)
    CROSS JOIN LATERAL (
        SELECT e.seq FROM room_events e
        WHERE e.room_id = w.room_id AND e.message_id = w.message_id AND e.kind = 'message.posted'
        LIMIT 1
    ) e
"""

_SELECT_POSTS = """
    SELECT e.room_id, e.seq, e.at, e.author_id, u.username, e.message_id, e.text, e.reply_to,
        e.thread_id, e.details
    FROM unnest($1::uuid[], $2::bigint[]) AS w (room_id, seq)
    JOIN room_events e ON e.room_id = w.room_id AND e.seq = w.seq
    JOIN users u ON u.id = e.author_id
"""

_SELECT_FATES = """
    SELECT s.* FROM unnest($1::uuid[], $2::uuid[]) AS w (room_id, message_id)
    JOIN message_states s ON s.room_id = w.room_id AND s.message_id = w.message_id
"""

_SELECT_REACTIONS = """
    SELECT r.room_id, r.message_id, r.user_id, r.emoji
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS w (room_id, message_id, user_id)
    JOIN message_reactions r ON r.room_id = w.room_id AND r.message_id = w.message_id
        AND r.user_id = w.user_id
"""

# Locked in order: pointers into the same rows are moved without the lock on the room.
_SELECT_MEMBERS = """
    SELECT m.room_id, m.user_id, m.role, m.muted_until FROM room_members m
    WHERE (m.room_id, m.user_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
        OR (m.room_id = ANY($3::uuid[]) AND m.role = 'owner')
    ORDER BY m.room_id, m.user_id FOR UPDATE
"""

_SELECT_BANS = """
    SELECT b.room_id, b.user_id, b.until FROM unnest($1::uuid[], $2::uuid[]) AS w (room_id, user_id)
    JOIN room_bans b ON b.room_id = w.room_id AND b.user_id = w.user_id
"""

_SELECT_INVITES = """
    SELECT code, room_id, max_uses - uses AS left, expires_at FROM room_invites
    WHERE code = ANY($1::text[]) AND revoked_at IS NULL
    ORDER BY code FOR UPDATE
"""

_SELECT_BLOCKS = """
    SELECT user_id, blocked_id FROM user_blocks
    WHERE user_id = ANY($1::uuid[]) AND blocked_id = ANY($1::uuid[])
"""

_SELECT_SETTINGS = """
    SELECT id, name, kind, topic, slow_mode_seconds, is_archived, rules, password_hash
    FROM rooms WHERE id = ANY($1::uuid[])
"""


async def load_batch(conn: Connection, events: Sequence[NewEvent]) -> Batch:
    """Lock the batch's rooms and read what placing its events needs."""
    batch = Batch()
    users = {event.author.id for event in events}
    users.update(event.subject.id for event in events if event.subject is not None)
    rooms = list({event.room_id for event in events})
    for row in await conn.fetch(_LOCK, rooms):
        batch.heads[row["room_id"]] = Head(row["seq"], row["at"], row["fence_seq"], row["messages"])
    for row in await conn.fetch(_SELECT_USERS, list(users)):
        batch.users[row["id"]] = Author(id=row["id"], name=row["username"])
        if row["is_banned"]:
            batch.banned.add(row["id"])
    await _load_messages(conn, batch, events)
    others = [event for event in events if event.kind is not EventKind.MESSAGE_POSTED]
    if others:
        await _load_reactions(conn, batch, others)
        await _load_members(conn, batch, others)
        await _load_settings(conn, batch, others)
    peers = {each for e in events if e.peer is not None for each in (e.author.id, e.peer)}
    if peers:
        batch.blocks.update(map(tuple, await conn.fetch(_SELECT_BLOCKS, list(peers))))
    return batch


async def _load_messages(conn: Connection, batch: Batch, events: Sequence[NewEvent]) -> None:
    wanted = {(e.room_id, e.message_id) for e in events if e.message_id is not None}
    wanted.update((e.room_id, e.reply_to) for e in events if e.reply_to is not None)
    wanted.update((e.room_id, e.thread_id) for e in events if e.thread_id is not None)
    if not wanted:
        return
    found = [(r["room_id"], r["seq"]) for r in await conn.fetch(_FIND_POSTS, *columns(2, wanted))]
    if not found:
        return
    posts = [_post(row) for row in await conn.fetch(_SELECT_POSTS, *columns(2, found))]
    keys = {(e.room_id, e.message_id) for e in posts if e.message_id is not None}
    roots = {(e.room_id, e.thread_id) for e in posts if e.thread_id is not None}
    for row in await conn.fetch(_SELECT_FATES, *columns(2, keys | roots)):
        batch.fates[row["room_id"], row["message_id"]] = _fate(row)
    for post in posts:
        if post.message_id is not None:
            fate = batch.fates.get((post.room_id, post.message_id))
            is_deleted = fate is not None and fate.deleted_at is not None
            batch.posts[post.room_id, post.message_id] = blank(post) if is_deleted else post


async def _load_reactions(conn: Connection, batch: Batch, events: Iterable[NewEvent]) -> None:
    wanted = {
        (e.room_id, e.message_id, e.author.id)
        for e in events
        if e.kind in _REACTIONS and e.message_id is not None
    }
    if wanted:
        for row in await conn.fetch(_SELECT_REACTIONS, *columns(3, wanted)):
            key = (row["room_id"], row["message_id"], row["user_id"])
            batch.reactions.setdefault(key, set()).add(row["emoji"])


async def _load_members(conn: Connection, batch: Batch, events: Iterable[NewEvent]) -> None:
    events = [event for event in events if event.kind in _MEMBERSHIP]
    if not events:
        return
    wanted = {(event.room_id, user_of(event)) for event in events}
    owned = {e.room_id for e in events if _is_handing_over(e)}
    for row in await conn.fetch(_SELECT_MEMBERS, *columns(2, wanted), list(owned)):
        seat = Seat(Role(row["role"]), row["muted_until"])
        batch.members[row["room_id"], row["user_id"]] = seat
    for row in await conn.fetch(_SELECT_BANS, *columns(2, wanted)):
        batch.bans[row["room_id"], row["user_id"]] = Ban(until=row["until"])
    codes = {
        event.details.invite
        for event in events
        if isinstance(event.details, Entry) and event.details.invite is not None
    }
    if codes:
        for row in await conn.fetch(_SELECT_INVITES, list(filter(is_storable, codes))):
            uses = Uses(row["room_id"], row["left"], row["expires_at"])
            batch.invites[row["code"]] = uses


def _is_handing_over(event: NewEvent) -> bool:
    about = event.details
    return (
        isinstance(about, Moderation) and about.measure is Measure.ROLE and about.role is Role.OWNER
    )


async def _load_settings(conn: Connection, batch: Batch, events: Iterable[NewEvent]) -> None:
    rooms = {event.room_id for event in events if event.kind is EventKind.ROOM_UPDATED}
    if rooms:
        for row in await conn.fetch(_SELECT_SETTINGS, list(rooms)):
            batch.settings[row["id"]] = settings_of(row)


def settings_of(row: asyncpg.Record) -> RoomSettings:
    """Return the settings in a row of `rooms`."""
    return RoomSettings(
        name=row["name"],
        kind=RoomKind(row["kind"]),
        topic=row["topic"],
        slow_mode_seconds=row["slow_mode_seconds"],
        is_archived=row["is_archived"],
        rules=row["rules"],
        password_hash=row["password_hash"],
    )


def _post(row: asyncpg.Record) -> RoomEvent:
    return RoomEvent(
        room_id=row["room_id"],
        seq=row["seq"],
        kind=EventKind.MESSAGE_POSTED,
        at=row["at"],
        author=Author(id=row["author_id"], name=row["username"]),
        message_id=row["message_id"],
        text=row["text"],
        reply_to=row["reply_to"],
        thread_id=row["thread_id"],
        details=decode_details(EventKind.MESSAGE_POSTED, row["details"]),
    )


def _fate(row: asyncpg.Record) -> MessageFate:
    details = decode_details(EventKind.MESSAGE_POSTED, row["details"])
    return MessageFate(
        text=row["text"],
        details=details if isinstance(details, Post) else None,
        edited_at=row["edited_at"],
        edited_by=row["edited_by"],
        deleted_at=row["deleted_at"],
        deleted_by=row["deleted_by"],
        pinned_at=row["pinned_at"],
        pinned_by=row["pinned_by"],
        replies=row["replies"],
        last_reply_at=row["last_reply_at"],
    )


def columns(width: int, rows: Iterable[tuple[object, ...]]) -> list[list[object]]:
    """Turn rows into the arrays that `unnest` turns into rows again."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
