"""Writes what a batch of events did: one statement for plain messages, more only where more was changed.

All of it is guarded by the locks on `room_heads` that loading the batch took.
"""

from collections.abc import Sequence
from uuid import UUID, uuid5

from veza.persistence.attachments import expire_attachments_of
from veza.persistence.audit import insert_act
from veza.persistence.pool import Connection
from veza.persistence.room_batch import Batch
from veza.persistence.room_changes import Act, Key, MessageFate
from veza.persistence.room_events import encode_details
from veza.persistence.room_loading import columns
from veza.persistence.room_rows import (
    RoomSettings,
)

_MOVE_HEADS = """
    UPDATE room_heads h SET seq = d.seq, member_count = h.member_count + d.joins,
        fence_seq = d.fence_seq, messages = d.messages
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
        AS d (room_id, seq, joins, fence_seq, messages)
    WHERE h.room_id = d.room_id
"""

_INSERT_PLAIN = f"""
    WITH moved AS ({_MOVE_HEADS})
    INSERT INTO room_events (room_id, seq, kind, author_id, at, message_id, text, reply_to, messages)
    SELECT * FROM unnest(
        $6::uuid[], $7::bigint[], $8::text[], $9::uuid[], $10::timestamptz[], $11::uuid[],
        $12::text[], $13::uuid[], $14::bigint[]
    )
"""

# Three columns more, which most batches have nothing for.
_INSERT_EVENTS = f"""
    WITH moved AS ({_MOVE_HEADS})
    INSERT INTO room_events (
        room_id, seq, kind, author_id, at, message_id, text, reply_to, messages, thread_id,
        subject_id, details
    )
    SELECT n.room_id, n.seq, n.kind, n.author_id, n.at, n.message_id, n.text, n.reply_to, n.messages,
        n.thread_id, n.subject_id, n.details::jsonb
    FROM unnest(
        $6::uuid[], $7::bigint[], $8::text[], $9::uuid[], $10::timestamptz[], $11::uuid[],
        $12::text[], $13::uuid[], $14::bigint[], $15::uuid[], $16::uuid[], $17::text[]
    ) AS n (
        room_id, seq, kind, author_id, at, message_id, text, reply_to, messages, thread_id,
        subject_id, details
    )
"""

_DELETE_MEMBERS = """
    DELETE FROM room_members m USING unnest($1::uuid[], $2::uuid[]) AS w (room_id, user_id)
    WHERE m.room_id = w.room_id AND m.user_id = w.user_id
"""

# What was said before somebody came is not unread to them.
_INSERT_MEMBERS = """
    WITH answered AS (
        DELETE FROM room_join_requests q USING unnest($1::uuid[], $2::uuid[]) AS w (room_id, user_id)
        WHERE q.room_id = w.room_id AND q.user_id = w.user_id
    )
    INSERT INTO room_members (room_id, user_id, read_seq, delivered_seq, role, muted_until)
    SELECT n.room_id, n.user_id, n.seq, n.seq, n.role, n.muted_until
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[])
        AS n (room_id, user_id, seq, role, muted_until)
"""

_UPDATE_MEMBERS = """
    UPDATE room_members m SET role = w.role, muted_until = w.muted_until
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[])
        AS w (room_id, user_id, role, muted_until)
    WHERE m.room_id = w.room_id AND m.user_id = w.user_id
"""

_DELETE_BANS = """
    DELETE FROM room_bans b USING unnest($1::uuid[], $2::uuid[]) AS w (room_id, user_id)
    WHERE b.room_id = w.room_id AND b.user_id = w.user_id
"""

_UPSERT_BANS = """
    INSERT INTO room_bans (room_id, user_id, until, reason, by_id, at)
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::uuid[], $6::timestamptz[]
    )
    ON CONFLICT (room_id, user_id) DO UPDATE
    SET until = excluded.until, reason = excluded.reason, by_id = excluded.by_id, at = excluded.at
"""

_UPSERT_FATES = """
    INSERT INTO message_states (
        room_id, message_id, text, details, edited_at, edited_by, deleted_at, deleted_by, pinned_at,
        pinned_by, replies, last_reply_at
    )
    SELECT n.room_id, n.message_id, n.text, n.details::jsonb, n.edited_at, n.edited_by, n.deleted_at,
        n.deleted_by, n.pinned_at, n.pinned_by, n.replies, n.last_reply_at
    FROM unnest(
        $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::uuid[],
        $7::timestamptz[], $8::uuid[], $9::timestamptz[], $10::uuid[], $11::bigint[],
        $12::timestamptz[]
    ) AS n (
        room_id, message_id, text, details, edited_at, edited_by, deleted_at, deleted_by, pinned_at,
        pinned_by, replies, last_reply_at
    )
    ON CONFLICT (room_id, message_id) DO UPDATE
    SET text = excluded.text, details = excluded.details,
        edited_at = excluded.edited_at, edited_by = excluded.edited_by,
        deleted_at = excluded.deleted_at, deleted_by = excluded.deleted_by,
        pinned_at = excluded.pinned_at, pinned_by = excluded.pinned_by,
        replies = excluded.replies, last_reply_at = excluded.last_reply_at
"""

_INSERT_REACTIONS = """
    INSERT INTO message_reactions (room_id, message_id, user_id, emoji, at)
    SELECT n.*, h.at
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[])
        AS n (room_id, message_id, user_id, emoji)
    JOIN unnest($5::uuid[], $6::timestamptz[]) AS h (room_id, at) ON h.room_id = n.room_id
    ON CONFLICT DO NOTHING
"""

_DELETE_REACTIONS = """
    DELETE FROM message_reactions r
    USING unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[])
        AS w (room_id, message_id, user_id, emoji)
    WHERE r.room_id = w.room_id AND r.message_id = w.message_id AND r.user_id = w.user_id
        AND r.emoji = w.emoji
"""

_DELETE_ALL_REACTIONS = """
    DELETE FROM message_reactions r USING unnest($1::uuid[], $2::uuid[]) AS w (room_id, message_id)
    WHERE r.room_id = w.room_id AND r.message_id = w.message_id
"""

_DELETE_MENTIONS = """
    DELETE FROM room_mentions m USING unnest($1::uuid[], $2::bigint[]) AS w (room_id, seq)
    WHERE m.room_id = w.room_id AND m.seq = w.seq
"""

# Who is not there cannot be called.
_INSERT_MENTIONS = """
    INSERT INTO room_mentions (room_id, seq, user_id, author_id)
    SELECT n.* FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[])
        AS n (room_id, seq, user_id, author_id)
    WHERE n.user_id IS NULL OR EXISTS (SELECT FROM users u WHERE u.id = n.user_id)
"""

_USE_INVITES = """
    UPDATE room_invites i SET uses = i.uses + w.used
    FROM unnest($1::text[], $2::integer[]) AS w (code, used) WHERE i.code = w.code
"""

_UPDATE_SETTINGS = """
    UPDATE rooms SET name = $2, kind = $3, topic = $4, slow_mode_seconds = $5, is_archived = $6,
        rules = $7, password_hash = $8, changed_seq = $9
    WHERE id = $1
"""


async def store_batch(conn: Connection, batch: Batch) -> None:
    """Write the placed events and all that they change."""
    await _store_events(conn, batch)
    changes = batch.changes
    if changes.fates:
        await _store_fates(conn, {key: batch.fates[key] for key in changes.fates})
    if batch.reacted or changes.unreacted:
        await _store_reactions(conn, batch)
    if changes.unreacted:
        await expire_attachments_of(conn, changes.unreacted)
    if changes.unmentioned:
        await conn.execute(_DELETE_MENTIONS, *columns(2, changes.unmentioned))
    if changes.mentions:
        await conn.execute(_INSERT_MENTIONS, *columns(4, changes.mentions))
    await _store_members(conn, batch)
    for room_id, seq in changes.settings.items():
        await _store_settings(conn, room_id, batch.settings[room_id], seq)
    for act in changes.acts:
        await _store_act(conn, act)


async def _store_events(conn: Connection, batch: Batch) -> None:
    events = batch.placed
    heads = [(room_id, head) for room_id, head in batch.heads.items() if head.is_moved]
    columns: list[Sequence[object]] = [
        [room_id for room_id, _ in heads],
        [head.seq for _, head in heads],
        [head.joins for _, head in heads],
        [head.fence for _, head in heads],
        [head.messages for _, head in heads],
        [event.room_id for event in events],
        [event.seq for event in events],
        [event.kind for event in events],
        [event.author.id for event in events],
        [event.at for event in events],
        [event.message_id for event in events],
        [event.text for event in events],
        [event.reply_to for event in events],
        batch.counts,
    ]
    if all(e.details is None and e.thread_id is None and e.subject is None for e in events):
        await conn.execute(_INSERT_PLAIN, *columns)
        return
    columns += [
        [event.thread_id for event in events],
        [None if event.subject is None else event.subject.id for event in events],
        [encode_details(event.details) for event in events],
    ]
    await conn.execute(_INSERT_EVENTS, *columns)


async def _store_fates(conn: Connection, fates: dict[Key, MessageFate]) -> None:
    rows = [
        (
            *key,
            f.text,
            encode_details(f.details),
            *(f.edited_at, f.edited_by, f.deleted_at, f.deleted_by, f.pinned_at, f.pinned_by),
            *(f.replies, f.last_reply_at),
        )
        for key, f in fates.items()
    ]
    await conn.execute(_UPSERT_FATES, *columns(12, rows))


async def _store_reactions(conn: Connection, batch: Batch) -> None:
    gone = batch.changes.unreacted
    kept = [(key, is_there) for key, is_there in batch.reacted.items() if key[:2] not in gone]
    added = [key for key, is_there in kept if is_there]
    removed = [key for key, is_there in kept if not is_there]
    if gone:
        await conn.execute(_DELETE_ALL_REACTIONS, *columns(2, gone))
    if removed:
        await conn.execute(_DELETE_REACTIONS, *columns(4, removed))
    if added:
        times = [(room_id, batch.heads[room_id].at) for room_id in {key[0] for key in added}]
        await conn.execute(_INSERT_REACTIONS, *columns(4, added), *columns(2, times))


async def _store_members(conn: Connection, batch: Batch) -> None:
    changes, members = batch.changes, batch.members
    if changes.left:
        await conn.execute(_DELETE_MEMBERS, *columns(2, changes.left))
    if changes.joined:
        rows = [
            (*key, seq, members[key].role, members[key].muted_until)
            for key, seq in changes.joined.items()
        ]
        await conn.execute(_INSERT_MEMBERS, *columns(5, rows))
    seats = changes.seats - changes.joined.keys()
    if seats:
        moved = [(*key, members[key].role, members[key].muted_until) for key in seats]
        await conn.execute(_UPDATE_MEMBERS, *columns(4, moved))
    await _store_bans(conn, batch)
    used = [(code, invite.used) for code, invite in batch.invites.items() if invite.used]
    if used:
        await conn.execute(_USE_INVITES, *columns(2, used))


async def _store_bans(conn: Connection, batch: Batch) -> None:
    lifted = batch.changes.bans - batch.bans.keys()
    if lifted:
        await conn.execute(_DELETE_BANS, *columns(2, lifted))
    bans = [(key, batch.bans[key]) for key in batch.changes.bans & batch.bans.keys()]
    if bans:
        rows = [(*key, ban.until, ban.reason, ban.by_id, ban.at) for key, ban in bans]
        await conn.execute(_UPSERT_BANS, *columns(6, rows))


async def _store_settings(
    conn: Connection, room_id: UUID, settings: RoomSettings, seq: int
) -> None:
    await conn.execute(
        _UPDATE_SETTINGS,
        room_id,
        settings.name,
        settings.kind,
        settings.topic,
        settings.slow_mode_seconds,
        settings.is_archived,
        settings.rules,
        settings.password_hash,
        seq,
    )


async def _store_act(conn: Connection, act: Act) -> None:
    event = act.event
    await insert_act(
        conn,
        act_id=uuid5(event.room_id, str(event.seq)),
        actor_id=event.author.id,
        actor_name=event.author.name,
        via="chat",
        action=act.action,
        target=act.target,
        reason=event.text,
        request_id="",
    )
