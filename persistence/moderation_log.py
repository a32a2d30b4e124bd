"""The moderation log of a room: those events of its log by which somebody took a measure.

It is read from `room_events` and from nowhere else. Every measure in a room is an event there, committed with
what it changes, in one order, and never altered; the audit log has the acts of administrators beyond rooms.
"""

from typing import Final
from uuid import UUID

from veza.persistence.pool import Connection
from veza.persistence.room_events import EVENT_COLUMNS, EVENT_TABLES, event_of
from veza.persistence.room_log import LAST_SEQ
from veza.persistence.room_rows import RoomEvent

# The kinds are those of room_events_moderation_idx. What people do with their own messages is no measure.
_READ: Final = f"""
    SELECT {EVENT_COLUMNS} FROM {EVENT_TABLES}
    WHERE e.room_id = $1 AND e.seq < $2
        AND e.kind IN ('member.moderated', 'room.updated', 'message.deleted', 'message.edited')
        AND (e.kind IN ('member.moderated', 'room.updated') OR EXISTS (
            SELECT FROM room_events p
            WHERE p.room_id = e.room_id AND p.message_id = e.message_id
                AND p.kind = 'message.posted' AND p.author_id <> e.author_id
        ))
    ORDER BY e.seq DESC LIMIT $3
"""


async def read_measures(
    conn: Connection, room_id: UUID, *, before_seq: int | None, limit: int
) -> tuple[RoomEvent, ...]:
    """Return the newest measures in a room, the newest first, those before a position if given."""
    end = LAST_SEQ if before_seq is None else before_seq
    return tuple(event_of(row) for row in await conn.fetch(_READ, room_id, end, limit))
