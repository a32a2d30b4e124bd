"""The durable log of rooms: hands out `seq` and stores events, many rooms in one transaction.

The row of a room in `room_heads` is locked from before its `seq` is read until the commit, so the order
of a room is total whoever writes, on any number of nodes (docs/adr/0003-who-hands-out-seq.md).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.pool import Connection
from veza.persistence.rows import (
    Appended,
    Author,
    EventKind,
    NewEvent,
    NothingChanged,
    RoomEvent,
    StoredEvent,
    UnknownAuthor,
    UnknownRoom,
    UnstorableText,
)

LAST_SEQ: Final = 2**63 - 1
MEMBERSHIP: Final = frozenset({EventKind.MEMBER_JOINED, EventKind.MEMBER_LEFT})

# Locked in order, so that two writers of the same rooms wait for each other instead of locking up. The
# time is read once the row is locked, so that it never runs against `seq`.
_OPEN = """
    WITH heads AS (
        SELECT room_id, seq FROM room_heads WHERE room_id = ANY($1::uuid[])
        ORDER BY room_id FOR UPDATE
    )
    SELECT room_id AS id, seq, clock_timestamp() AS at, NULL AS username FROM heads
    UNION ALL SELECT id, NULL, NULL, username FROM users WHERE id = ANY($2::uuid[])
"""

# These two are statements of their own: their snapshots are taken after the locks, so they see what the
# last holder stored.
_SELECT_STORED = """
    SELECT e.room_id, e.seq, e.kind, e.at, e.author_id, u.username, e.message_id, e.text, e.reply_to
    FROM unnest($1::uuid[], $2::uuid[]) AS w (room_id, message_id)
    JOIN room_events e ON e.room_id = w.room_id AND e.message_id = w.message_id
    JOIN users u ON u.id = e.author_id
"""

_SELECT_MEMBERS = """
    SELECT m.room_id, m.user_id FROM unnest($1::uuid[], $2::uuid[]) AS w (room_id, user_id)
    JOIN room_members m ON m.room_id = w.room_id AND m.user_id = w.user_id
"""

_INSERT_EVENTS = """
    WITH moved AS (
        UPDATE room_heads h SET seq = d.seq, member_count = h.member_count + d.joins
        FROM unnest($9::uuid[], $10::bigint[], $11::bigint[]) AS d (room_id, seq, joins)
        WHERE h.room_id = d.room_id
    )
    INSERT INTO room_events (room_id, seq, kind, author_id, at, message_id, text, reply_to)
    SELECT * FROM unnest(
        $1::uuid[], $2::bigint[], $3::text[], $4::uuid[], $5::timestamptz[], $6::uuid[], $7::text[],
        $8::uuid[]
    )
"""

_DELETE_MEMBERS = """
    DELETE FROM room_members m USING unnest($1::uuid[], $2::uuid[]) AS w (room_id, user_id)
    WHERE m.room_id = w.room_id AND m.user_id = w.user_id
"""

# What was said before somebody came is not unread to them.
_INSERT_MEMBERS = """
    INSERT INTO room_members (room_id, user_id, read_seq)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[])
"""

_READ_FORWARD = """
    SELECT e.room_id, e.seq, e.kind, e.at, e.author_id, u.username, e.message_id, e.text, e.reply_to
    FROM room_events e JOIN users u ON u.id = e.author_id
    WHERE e.room_id = $1 AND e.seq > $2 AND e.seq < $3
    ORDER BY e.seq LIMIT $4
"""

_READ_BACKWARD = """
    SELECT e.room_id, e.seq, e.kind, e.at, e.author_id, u.username, e.message_id, e.text, e.reply_to
    FROM room_events e JOIN users u ON u.id = e.author_id
    WHERE e.room_id = $1 AND e.seq < $2
    ORDER BY e.seq DESC LIMIT $3
"""


async def append_events(conn: Connection, events: Sequence[NewEvent]) -> list[Appended]:
    """Store a batch in one transaction and say, in the same order, what became of each event.

    A message whose id its room has already, or that is in the batch twice, is answered with the first
    one. Joins and leavings change the members in the same transaction. An event that cannot be stored
    does not keep the others from it.

    If the connection is lost, the batch may have been committed: send it again. Messages are then found
    by their ids; for the rest compare the `seq` of an answer with the newest one told, and read what lies
    between with `read_events`. Announcing only what `is_new` would keep the room from what was committed.
    """
    if not events:
        return []
    async with conn.transaction():
        batch = await _load(conn, events)
        results = [batch.place(event) for event in events]
        if batch.placed:
            await _store(conn, batch)
    return results


async def read_events(
    conn: Connection,
    room_id: UUID,
    *,
    after_seq: int | None = None,
    before_seq: int | None = None,
    limit: int,
) -> tuple[RoomEvent, ...]:
    """Return events of a room in ascending `seq`.

    With `after_seq`: the first `limit` past it (and before `before_seq`, if that is given too). With
    `before_seq` alone: the last `limit` before it. With neither: the newest `limit`.
    """
    end = LAST_SEQ if before_seq is None else before_seq
    if after_seq is not None:
        rows = await conn.fetch(_READ_FORWARD, room_id, after_seq, end, limit)
    else:
        rows = (await conn.fetch(_READ_BACKWARD, room_id, end, limit))[::-1]
    return tuple(_event(row) for row in rows)


class _Batch:
    """What the database holds of the batch's rooms, and what the batch adds to it."""

    def __init__(self) -> None:
        self.heads: dict[UUID, int] = {}
        self.times: dict[UUID, datetime] = {}
        self.names: dict[UUID, str] = {}
        self.stored: dict[tuple[UUID, UUID], RoomEvent] = {}
        self.members: set[tuple[UUID, UUID]] = set()
        self.placed: list[RoomEvent] = []
        self.joins: dict[UUID, int] = {}
        self.left: set[tuple[UUID, UUID]] = set()
        self.joined: dict[tuple[UUID, UUID], int] = {}

    def place(self, event: NewEvent) -> Appended:
        """Give an event the next `seq` of its room, unless it is there already or cannot be stored."""
        if event.room_id not in self.heads:
            return UnknownRoom(room_id=event.room_id)
        if event.author.id not in self.names:
            return UnknownAuthor(author_id=event.author.id)
        if not _is_storable(event.text):
            return UnstorableText()
        if event.message_id is not None:
            first = self.stored.get((event.room_id, event.message_id))
            if first is not None:
                return StoredEvent(event=first, is_new=False)
        if event.kind in MEMBERSHIP and not self._change_membership(event):
            return NothingChanged(head_seq=self.heads[event.room_id])
        return StoredEvent(event=self._add(event), is_new=True)

    def _add(self, event: NewEvent) -> RoomEvent:
        seq = self.heads[event.room_id] = self.heads[event.room_id] + 1
        placed = RoomEvent(
            room_id=event.room_id,
            seq=seq,
            kind=event.kind,
            at=self.times[event.room_id],
            author=Author(id=event.author.id, name=self.names[event.author.id]),
            message_id=event.message_id,
            text=event.text,
            reply_to=event.reply_to,
        )
        self.placed.append(placed)
        self.joins.setdefault(event.room_id, 0)
        if event.message_id is not None:
            self.stored[event.room_id, event.message_id] = placed
        return placed

    def _change_membership(self, event: NewEvent) -> bool:
        """Note a join or leaving about to be placed; return whether it changes anything."""
        key = (event.room_id, event.author.id)
        is_join = event.kind is EventKind.MEMBER_JOINED
        if is_join == (key in self.members):
            return False
        if is_join:
            self.members.add(key)
            self.joined[key] = self.heads[event.room_id] + 1
        else:
            self.members.remove(key)
            if self.joined.pop(key, None) is None:
                self.left.add(key)
        self.joins[event.room_id] = self.joins.get(event.room_id, 0) + (1 if is_join else -1)
        return True


async def _load(conn: Connection, events: Sequence[NewEvent]) -> _Batch:
    batch = _Batch()
    rooms = list({event.room_id for event in events})
    for row in await conn.fetch(_OPEN, rooms, list({event.author.id for event in events})):
        if row["username"] is not None:
            batch.names[row["id"]] = row["username"]
        else:
            batch.heads[row["id"]], batch.times[row["id"]] = row["seq"], row["at"]
    messages = {(e.room_id, e.message_id) for e in events if e.message_id is not None}
    if messages:
        for row in await conn.fetch(_SELECT_STORED, *_columns(messages)):
            batch.stored[row["room_id"], row["message_id"]] = _event(row)
    members = {(e.room_id, e.author.id) for e in events if e.kind in MEMBERSHIP}
    if members:
        rows = await conn.fetch(_SELECT_MEMBERS, *_columns(members))
        batch.members.update((row["room_id"], row["user_id"]) for row in rows)
    return batch


async def _store(conn: Connection, batch: _Batch) -> None:
    events = batch.placed
    await conn.execute(
        _INSERT_EVENTS,
        [event.room_id for event in events],
        [event.seq for event in events],
        [event.kind for event in events],
        [event.author.id for event in events],
        [event.at for event in events],
        [event.message_id for event in events],
        [event.text for event in events],
        [event.reply_to for event in events],
        list(batch.joins),
        [batch.heads[room_id] for room_id in batch.joins],
        list(batch.joins.values()),
    )
    if batch.left:
        await conn.execute(_DELETE_MEMBERS, *_columns(batch.left))
    if batch.joined:
        seqs = list(batch.joined.values())
        await conn.execute(_INSERT_MEMBERS, *_columns(batch.joined), seqs)


def _columns(pairs: Iterable[tuple[UUID, UUID]]) -> tuple[list[UUID], list[UUID]]:
    pairs = list(pairs)
    return [first for first, _ in pairs], [second for _, second in pairs]


def _is_storable(text: str) -> bool:
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _event(row: asyncpg.Record) -> RoomEvent:
    return RoomEvent(
        room_id=row["room_id"],
        seq=row["seq"],
        kind=EventKind(row["kind"]),
        at=row["at"],
        author=Author(id=row["author_id"], name=row["username"]),
        message_id=row["message_id"],
        text=row["text"],
        reply_to=row["reply_to"],
    )
