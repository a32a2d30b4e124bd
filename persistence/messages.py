"""Messages of rooms as they are now: one of them, its history, those around it, in a thread, or pinned."""

from collections.abc import Collection, Sequence
from uuid import UUID

import asyncpg

from veza.persistence.pool import Connection
from veza.persistence.room_events import EVENT_COLUMNS, EVENT_TABLES, current_of, event_of
from veza.persistence.room_log import LAST_SEQ, read_events, with_reactions
from veza.persistence.room_rows import MessageFound, Post, RoomEvent, TrackCard

_POSTED = f"""
    SELECT {EVENT_COLUMNS} FROM {EVENT_TABLES}
    WHERE e.room_id = $1 AND e.message_id = $2 AND e.kind = 'message.posted'
"""

_EDITS = f"""
    SELECT {EVENT_COLUMNS} FROM {EVENT_TABLES}
    WHERE e.room_id = $1 AND e.message_id = $2 AND e.kind = 'message.edited'
    ORDER BY e.seq
"""

_ROOMS_OF_MESSAGE = """
    SELECT room_id FROM room_events WHERE message_id = $1 AND kind = 'message.posted'
    ORDER BY room_id
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


async def room_of_message(conn: Connection, message_id: UUID) -> tuple[UUID, ...]:
    """Return the rooms that have a message with the id: clients make ids, so it may be several."""
    rows = await conn.fetch(_ROOMS_OF_MESSAGE, message_id)
    return tuple(row["room_id"] for row in rows)


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
    return tuple(event_of(row) for row in rows)


async def read_around(
    conn: Connection, room_id: UUID, seq: int, limit: int, viewer: UUID | None
) -> tuple[RoomEvent, ...]:
    """Return the events around one: half of the `limit` before it, the others from it on."""
    before = limit // 2
    start = await read_events(
        conn, room_id, before_seq=seq, limit=before, viewer=viewer, with_state=True
    )
    rest = await read_events(
        conn, room_id, after_seq=seq - 1, limit=limit - before, viewer=viewer, with_state=True
    )
    return start + rest


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
