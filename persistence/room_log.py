"""The durable log of rooms: hands out `seq` and stores events, many rooms in one transaction.

The row of a room in `room_heads` is locked from before its `seq` is read until the commit, so the order
of a room is total whoever writes, on any number of nodes (docs/adr/0003-who-hands-out-seq.md).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.attachments import bind_attachments, with_sizes
from veza.persistence.pool import Connection
from veza.persistence.room_events import EVENT_COLUMNS, EVENT_TABLES, current_of, event_of
from veza.persistence.room_loading import load_batch
from veza.persistence.room_placing import bindings_of, place
from veza.persistence.room_posts import post_plain
from veza.persistence.room_rows import (
    Appended,
    EventKind,
    NewEvent,
    Reaction,
    RoomEvent,
    Unstored,
)
from veza.persistence.room_store import store_batch

LAST_SEQ: Final = 2**63 - 1

_READ_FORWARD = f"""
    SELECT {EVENT_COLUMNS} FROM {EVENT_TABLES}
    WHERE e.room_id = $1 AND e.seq > $2 AND e.seq < $3
    ORDER BY e.seq LIMIT $4
"""

_READ_BACKWARD = f"""
    SELECT {EVENT_COLUMNS} FROM {EVENT_TABLES}
    WHERE e.room_id = $1 AND e.seq < $2
    ORDER BY e.seq DESC LIMIT $3
"""

# In the order in which each emoji came first.
_COUNT_REACTIONS = """
    SELECT message_id, emoji, count(*) AS count, coalesce(bool_or(user_id = $3), false) AS mine
    FROM message_reactions WHERE room_id = $1 AND message_id = ANY($2::uuid[])
    GROUP BY message_id, emoji ORDER BY message_id, min(at), emoji
"""


async def append_events(conn: Connection, events: Sequence[NewEvent]) -> list[Appended]:
    """Store a batch in one transaction and say, in the same order, what became of each event.

    A message whose id its room has already, or that is in the batch twice, is answered with the first
    one, whatever the rooms' fences are. What the events change beside the log (members, roles, bans,
    invites, what became of messages, settings, the audit log) changes in the same transaction. An event
    that cannot be stored does not keep the others from it.

    If the connection is lost, the batch may have been committed: send it again. Messages are then found
    by their ids; for the rest compare the `seq` of an answer with the newest one told, and read what lies
    between with `read_events`. Announcing only what `is_new` would keep the room from what was committed.
    """
    stored = await post_plain(conn, events)
    rest = [event for place, event in enumerate(events) if place not in stored]
    others = iter(await _append_by_rules(conn, rest) if rest else ())
    return [stored[place] if place in stored else next(others) for place in range(len(events))]


async def _append_by_rules(conn: Connection, events: Sequence[NewEvent]) -> list[Appended]:
    """Store events of all kinds in one transaction, each by the rules of its kind."""
    async with conn.transaction():
        batch = await load_batch(conn, events)
        results: list[Appended] = []
        for event in events:
            bindings = () if event.details is None else bindings_of(batch, event)
            if bindings and await bind_attachments(conn, bindings):
                results.append(Unstored.UNKNOWN_ATTACHMENT)
            else:
                results.append(place(batch, event))
        if batch.placed:
            await store_batch(conn, batch)
    return results


async def read_events(
    conn: Connection,
    room_id: UUID,
    *,
    after_seq: int | None = None,
    before_seq: int | None = None,
    limit: int,
    viewer: UUID | None = None,
    with_state: bool = False,
) -> tuple[RoomEvent, ...]:
    """Return events of a room in ascending `seq`.

    With `after_seq`: the first `limit` past it (and before `before_seq`, if that is given too). With
    `before_seq` alone: the last `limit` before it. With neither: the newest `limit`.

    Deleted messages are blank. `with_state`, messages have their newest text and what became of them,
    as `viewer` sees it; without it they are as they were posted.
    """
    end = LAST_SEQ if before_seq is None else before_seq
    if after_seq is not None:
        rows = await conn.fetch(_READ_FORWARD, room_id, after_seq, end, limit)
    else:
        rows = (await conn.fetch(_READ_BACKWARD, room_id, end, limit))[::-1]
    if with_state:
        return await with_reactions(conn, room_id, rows, viewer)
    return await with_sizes(conn, [event_of(row) for row in rows])


async def with_reactions(
    conn: Connection, room_id: UUID, rows: Iterable[asyncpg.Record], viewer: UUID | None
) -> tuple[RoomEvent, ...]:
    """Return the events of rows of one room, messages as they are now."""
    events = await with_sizes(conn, [current_of(row) for row in rows])
    posted = [e.message_id for e in events if e.kind is EventKind.MESSAGE_POSTED]
    if not posted:
        return events
    reactions: dict[UUID, list[Reaction]] = {}
    for row in await conn.fetch(_COUNT_REACTIONS, room_id, posted, viewer):
        reaction = Reaction(emoji=row["emoji"], count=row["count"], mine=row["mine"])
        reactions.setdefault(row["message_id"], []).append(reaction)
    return tuple(_reacted(event, reactions) for event in events)


def _reacted(event: RoomEvent, reactions: dict[UUID, list[Reaction]]) -> RoomEvent:
    if event.state is None or event.message_id not in reactions:
        return event
    state = replace(event.state, reactions=tuple(reactions[event.message_id]))
    return replace(event, state=state)
