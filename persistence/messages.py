"""Messages of rooms as they are now: one of them, its history, its thread, who reacted, and the pinned."""

from collections.abc import Collection, Sequence
from uuid import UUID

import asyncpg

from veza.persistence.attachments import with_sizes
from veza.persistence.pool import Connection
from veza.persistence.room_events import EVENT_COLUMNS, EVENT_TABLES, current_of, event_of
from veza.persistence.room_log import LAST_SEQ, with_reactions
from veza.persistence.room_rows import MessageFound, Post, Reactor, RoomEvent, TrackCard
from veza.persistence.rows import Author

_POSTED = f"""
    SELECT {EVENT_COLUMNS} FROM {EVENT_TABLES}
    WHERE e.room_id = $1 AND e.message_id = $2 AND e.kind = 'message.posted'
"""

_EDITS = f"""
    SELECT {EVENT_COLUMNS} FROM {EVENT_TABLES}
    WHERE e.room_id = $1 AND e.message_id = $2 AND e.kind = 'message.edited'
    ORDER BY e.seq
"""

# Those of which the asker is a member first: whoever else made a message with this id cannot hide theirs.
_ROOMS_TO_TRY = """
    SELECT e.room_id FROM room_events e JOIN rooms r ON r.id = e.room_id
    LEFT JOIN room_members m ON m.room_id = e.room_id AND m.user_id = $2
    WHERE e.message_id = $1 AND e.kind = 'message.posted'
    ORDER BY m.user_id IS NULL, r.kind <> 'public', e.room_id LIMIT $3
"""

_REACTORS = """
    SELECT r.emoji, r.user_id, u.username, r.at
    FROM message_reactions r JOIN users u ON u.id = r.user_id
    WHERE r.room_id = $1 AND r.message_id = $2
        AND ($3::text IS NULL OR (r.emoji, r.user_id) > ($3, $4::uuid))
    ORDER BY r.emoji, r.user_id LIMIT $5
"""

_PINNED = f"""
    SELECT {EVENT_COLUMNS} FROM {EVENT_TABLES}
    WHERE s.room_id = $1 AND s.pinned_at IS NOT NULL
        AND e.room_id = $1 AND e.kind = 'message.posted' AND e.seq < $2
    ORDER BY e.seq DESC LIMIT $3
"""

_THREAD = f"""
    SELECT {EVENT_COLUMNS} FROM {EVENT_TABLES}
    WHERE e.room_id = $1 AND e.thread_id = $2 AND e.kind = 'message.posted' AND e.seq > $3
    ORDER BY e.seq LIMIT $4
"""

_MEMBERS = """
    SELECT m.user_id FROM room_members m JOIN users u ON u.id = m.user_id
    WHERE m.room_id = $1 AND lower(u.username) = ANY($3::text[]) AND m.user_id <> $2
        AND NOT EXISTS (
            SELECT 1 FROM user_blocks b WHERE b.user_id = m.user_id AND b.blocked_id = $2
        )
    ORDER BY m.user_id LIMIT $4
"""

_TRACKS = """
    SELECT id FROM tracks WHERE id = ANY($1::uuid[]) AND state IN ('playable', 'published')
"""


async def find_members(
    conn: Connection, room_id: UUID, author_id: UUID, names: Collection[str], *, limit: int
) -> tuple[UUID, ...]:
    """Return members of a room by their names in lower case, but none who has blocked the author."""
    if not names:
        return ()
    rows = await conn.fetch(_MEMBERS, room_id, author_id, list(names), limit)
    return tuple(row["user_id"] for row in rows)


async def find_tracks(conn: Connection, cards: Sequence[TrackCard]) -> tuple[TrackCard, ...]:
    """Return the cards whose tracks are there to be heard."""
    if not cards:
        return ()
    rows = await conn.fetch(_TRACKS, [card.track_id for card in cards])
    found = {row["id"] for row in rows}
    return tuple(card for card in cards if card.track_id in found)


async def find_message(conn: Connection, room_id: UUID, message_id: UUID) -> MessageFound | None:
    """Return what deciding about a message needs, with its newest text; None if the room has none such."""
    row = await conn.fetchrow(_POSTED, room_id, message_id)
    if row is None:
        return None
    event = current_of(row)
    return MessageFound(
        message_id=message_id,
        author_id=event.author.id,
        at=event.at,
        is_deleted=row["deleted_at"] is not None,
        text=event.text,
        details=event.details if isinstance(event.details, Post) else None,
    )


async def rooms_to_try(
    conn: Connection, message_id: UUID, asker: UUID, *, limit: int
) -> tuple[UUID, ...]:
    """Return rooms that have a message with the id, in the order in which to ask them for the right to read.

    Clients make ids, so it may be several.
    """
    rows = await conn.fetch(_ROOMS_TO_TRY, message_id, asker, limit)
    return tuple(row["room_id"] for row in rows)


async def read_reactors(
    conn: Connection, room_id: UUID, message_id: UUID, *, after: tuple[str, UUID] | None, limit: int
) -> tuple[Reactor, ...]:
    """Return who reacted to a message, by emoji and then by person, those behind `after`."""
    rows = await conn.fetch(_REACTORS, room_id, message_id, *(after or (None, None)), limit)
    return tuple(
        Reactor(
            emoji=row["emoji"], user=Author(id=row["user_id"], name=row["username"]), at=row["at"]
        )
        for row in rows
    )


async def read_message(
    conn: Connection, room_id: UUID, message_id: UUID, viewer: UUID | None
) -> RoomEvent | None:
    """Return a message as `viewer` sees it now, or None."""
    rows = await conn.fetch(_POSTED, room_id, message_id)
    events = await with_reactions(conn, room_id, rows, viewer)
    return events[0] if events else None


async def edit_history(conn: Connection, room_id: UUID, message_id: UUID) -> tuple[RoomEvent, ...]:
    """Return a message as it was posted and as it was edited each time; blank if it was deleted."""
    rows = await conn.fetch(_POSTED, room_id, message_id)
    rows += await conn.fetch(_EDITS, room_id, message_id)
    return await with_sizes(conn, [event_of(row) for row in rows])


async def read_pinned(
    conn: Connection, room_id: UUID, viewer: UUID | None, limit: int, before: int | None
) -> tuple[RoomEvent, ...]:
    """Return the pinned messages, the newest message first, those whose `seq` is less than `before`."""
    end = LAST_SEQ if before is None else before
    rows: Sequence[asyncpg.Record] = await conn.fetch(_PINNED, room_id, end, limit)
    return await with_reactions(conn, room_id, rows, viewer)


async def read_thread(
    conn: Connection,
    room_id: UUID,
    thread_id: UUID,
    after_seq: int,
    limit: int,
    viewer: UUID | None,
) -> tuple[RoomEvent, ...]:
    """Return the first `limit` replies past `after_seq` in the thread of a message."""
    rows = await conn.fetch(_THREAD, room_id, thread_id, after_seq, limit)
    return await with_reactions(conn, room_id, rows, viewer)
