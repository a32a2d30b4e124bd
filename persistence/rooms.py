"""Rooms and who is in them, in SQL. Their events are in `room_log.py`, the ways in in `memberships.py`."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.errors import AlreadyExistsError
from veza.persistence.pool import Connection, fetch_one
from veza.persistence.room_loading import settings_of
from veza.persistence.room_rows import (
    Member,
    Membership,
    Partners,
    Role,
    Room,
    RoomBan,
    RoomKind,
    RoomSettings,
    RoomSnapshot,
)
from veza.persistence.rows import Author

Pointers = tuple[UUID, UUID, int | None, int | None]
"""A room, one of its members, how far they have read, and how far it was delivered to them."""

SLOW_EVENTS: Final = 2000
"""So far back it is looked for who wrote last, where people may write only now and then."""

_ROOM = """
    r.id, r.kind, r.name, r.epoch, r.created_by, r.created_at, r.topic, r.slow_mode_seconds,
    r.is_archived, r.changed_seq, h.seq, h.member_count
"""

_ROOMS = "rooms r JOIN room_heads h ON h.room_id = r.id"

_INSERT_ROOM = """
    WITH made AS (
        INSERT INTO rooms (
            id, epoch, created_by, direct_key, name, kind, topic, slow_mode_seconds, is_archived,
            rules, password_hash
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT DO NOTHING RETURNING id
    )
    INSERT INTO room_heads (room_id) SELECT id FROM made
"""

_GET_ROOM = f"SELECT {_ROOM} FROM {_ROOMS} WHERE r.id = $1"

_GET_DIRECT = f"SELECT {_ROOM} FROM {_ROOMS} WHERE r.direct_key = $1"

_LIST_ROOMS = f"""
    SELECT {_ROOM} FROM {_ROOMS}
    WHERE r.kind IN ('public', 'password') AND NOT r.is_archived AND ($1::uuid IS NULL OR r.id < $1)
    ORDER BY r.id DESC LIMIT $2
"""

# One statement sees all as of one moment, whoever writes meanwhile.
_LOAD_SNAPSHOT = f"""
    SELECT {_ROOM}, r.rules, r.password_hash, h.fence_seq,
        m.ids AS member_ids, m.roles, m.mutes, b.ids AS banned_ids, b.untils,
        p.ids AS poster_ids, p.times AS posted_at
    FROM {_ROOMS},
    LATERAL (
        SELECT array_agg(user_id) AS ids, array_agg(role) AS roles,
            array_agg(CASE WHEN muted_until > now() THEN muted_until END) AS mutes
        FROM room_members WHERE room_id = r.id
    ) m,
    LATERAL (
        SELECT array_agg(user_id) AS ids, array_agg(until) AS untils
        FROM room_bans WHERE room_id = r.id AND (until IS NULL OR until > now())
    ) b,
    LATERAL (
        SELECT array_agg(author_id) AS ids, array_agg(at) AS times FROM (
            SELECT e.author_id, max(e.at) AS at FROM room_events e
            WHERE e.room_id = r.id AND e.seq > h.seq - {SLOW_EVENTS}
                AND e.kind = 'message.posted'
                AND e.at > now() - make_interval(secs => r.slow_mode_seconds)
            GROUP BY e.author_id
        ) newest WHERE r.slow_mode_seconds > 0
    ) p
    WHERE r.id = $1
"""

_GET_HASH = "SELECT password_hash FROM rooms WHERE id = $1"

_GET_RULES = "SELECT rules FROM rooms WHERE id = $1"

_MEMBERSHIP = f"""
    {_ROOM}, m.user_id, m.role, m.read_seq, h.messages - coalesce(e.messages, 0) AS unread,
        (
            SELECT count(*) FROM room_mentions c
            WHERE c.room_id = m.room_id AND c.seq > m.read_seq AND c.user_id = m.user_id
        ) + (
            SELECT count(*) FROM room_mentions c
            WHERE c.room_id = m.room_id AND c.seq > m.read_seq AND c.user_id IS NULL
                AND c.author_id <> m.user_id
        ) AS mentions
    FROM room_members m JOIN rooms r ON r.id = m.room_id JOIN room_heads h ON h.room_id = r.id
    LEFT JOIN room_events e ON e.room_id = m.room_id AND e.seq = m.read_seq
"""

_LIST_MEMBERSHIPS = f"""
    SELECT {_MEMBERSHIP}
    WHERE m.user_id = $1 AND ($3::uuid IS NULL OR r.id < $3)
        AND ($4::text[] IS NULL OR r.kind = ANY($4))
    ORDER BY r.id DESC LIMIT $2
"""

_MEMBERSHIPS_OF = f"""
    SELECT found.*
    FROM unnest($1::uuid[]) AS w (user_id), LATERAL (
        SELECT {_MEMBERSHIP}
        WHERE m.user_id = w.user_id ORDER BY r.id DESC LIMIT $2
    ) found
    ORDER BY found.id DESC
"""

# Few of each: who they are is shown in place of a name.
_LIST_PARTNERS = """
    SELECT w.room_id, p.user_id, u.username, p.at
    FROM unnest($1::uuid[]) AS w (room_id)
    LEFT JOIN LATERAL (
        SELECT at FROM room_events
        WHERE room_id = w.room_id AND kind = 'message.posted' ORDER BY seq DESC LIMIT 1
    ) e ON true
    LEFT JOIN LATERAL (
        SELECT user_id FROM room_members WHERE room_id = w.room_id AND user_id <> $2
        ORDER BY joined_at, user_id LIMIT $3
    ) m ON true
    LEFT JOIN users u ON u.id = m.user_id
    CROSS JOIN LATERAL (SELECT m.user_id, e.at) p
    ORDER BY w.room_id, p.user_id
"""

_LIST_BANS = """
    SELECT b.user_id, u.username, b.until, b.reason, b.by_id, w.username AS by_name, b.at
    FROM room_bans b JOIN users u ON u.id = b.user_id LEFT JOIN users w ON w.id = b.by_id
    WHERE b.room_id = $1 AND ($2::uuid IS NULL OR b.user_id > $2)
        AND (b.until IS NULL OR b.until > now())
    ORDER BY b.user_id LIMIT $3
"""

_LIST_MODERATORS = """
    SELECT user_id FROM room_members
    WHERE room_id = $1 AND role IN ('owner', 'admin', 'moderator') ORDER BY user_id LIMIT $2
"""

_LIST_MEMBERS = """
    SELECT m.user_id, u.username, m.role, m.joined_at,
        CASE WHEN m.muted_until > now() THEN m.muted_until END AS muted_until
    FROM room_members m JOIN users u ON u.id = m.user_id
    WHERE m.room_id = $1 AND ($2::uuid IS NULL OR m.user_id > $2)
    ORDER BY m.user_id LIMIT $3
"""

# What is read was delivered. Rows are locked in order, as by whoever else locks several.
# A commit that nobody waits for is not flushed: messages wait for each flush of the disk.
_MOVE_POINTERS = """
    WITH wanted AS (
        SELECT room_id, user_id, coalesce(max(read_seq), 0) AS read_seq,
            coalesce(greatest(max(read_seq), max(delivered_seq)), 0) AS delivered_seq
        FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[])
            AS w (room_id, user_id, read_seq, delivered_seq)
        GROUP BY room_id, user_id
    ), held AS (
        SELECT m.room_id, m.user_id, m.read_seq AS old_read, m.delivered_seq AS old_delivered,
            greatest(m.read_seq, least(w.read_seq, h.seq)) AS new_read,
            greatest(m.delivered_seq, least(w.delivered_seq, h.seq)) AS new_delivered
        FROM wanted w JOIN room_heads h ON h.room_id = w.room_id
        JOIN room_members m ON m.room_id = w.room_id AND m.user_id = w.user_id
        ORDER BY m.room_id, m.user_id FOR UPDATE OF m
    )
    UPDATE room_members m SET read_seq = p.new_read, delivered_seq = p.new_delivered
    FROM held p
    WHERE m.room_id = p.room_id AND m.user_id = p.user_id
        AND (p.new_read > p.old_read OR p.new_delivered > p.old_delivered)
    RETURNING CASE WHEN NOT $5 THEN set_config('synchronous_commit', 'off', true) END,
        m.room_id, m.user_id,
        CASE WHEN p.new_read > p.old_read THEN p.new_read END AS read_seq,
        CASE WHEN p.new_delivered > p.old_delivered THEN p.new_delivered END AS delivered_seq
"""


async def insert_room(
    conn: Connection,
    *,
    room_id: UUID,
    settings: RoomSettings,
    epoch: UUID,
    creator_id: UUID,
    direct_key: str | None = None,
) -> Room:
    """Make a room without members or events; the same id by the same creator again returns the room there is.

    If there is a direct room with the key, that one is returned whoever made it. Raises
    `AlreadyExistsError` if somebody else made a room with the id.
    """
    async with conn.transaction():
        await conn.execute(
            _INSERT_ROOM,
            room_id,
            epoch,
            creator_id,
            direct_key,
            settings.name,
            settings.kind,
            settings.topic,
            settings.slow_mode_seconds,
            settings.is_archived,
            settings.rules,
            settings.password_hash,
        )
        if direct_key is not None:
            direct = await conn.fetchrow(_GET_DIRECT, direct_key)
            if direct is not None:
                return _room(direct)
        row = await fetch_one(conn, _GET_ROOM, room_id)
        if row["created_by"] != creator_id:
            raise AlreadyExistsError(f"room {room_id} was made by another account")
        return _room(row)


async def get_room(conn: Connection, room_id: UUID) -> Room | None:
    """Return a room, or None."""
    row = await conn.fetchrow(_GET_ROOM, room_id)
    return None if row is None else _room(row)


async def list_rooms(conn: Connection, *, before: UUID | None, limit: int) -> tuple[Room, ...]:
    """Return rooms that are listed and not archived, newest first, those older than `before`."""
    return tuple(_room(row) for row in await conn.fetch(_LIST_ROOMS, before, limit))


async def load_snapshot(conn: Connection, room_id: UUID) -> RoomSnapshot | None:
    """Return what a room must know to decide, as of one moment; no mutes and bans that ran out."""
    row = await conn.fetchrow(_LOAD_SNAPSHOT, room_id)
    if row is None:
        return None
    members: Sequence[UUID] = row["member_ids"] or ()
    mutes: Iterable[datetime | None] = row["mutes"] or ()
    return RoomSnapshot(
        room=_room(row),
        settings=settings_of(row),
        fence=row["fence_seq"],
        members=dict(zip(members, map(Role, row["roles"] or ()), strict=True)),
        mutes={
            user_id: until
            for user_id, until in zip(members, mutes, strict=True)
            if until is not None
        },
        bans=dict(zip(row["banned_ids"] or (), row["untils"] or (), strict=True)),
        last_posts=dict(zip(row["poster_ids"] or (), row["posted_at"] or (), strict=True)),
    )


async def get_password_hash(conn: Connection, room_id: UUID) -> str | None:
    """Return what is stored of a room's password, or None."""
    found: str | None = await conn.fetchval(_GET_HASH, room_id)
    return found


async def get_rules(conn: Connection, room_id: UUID) -> str | None:
    """Return what is stored of a room's automatic rules, maybe empty; None if there is no such room."""
    found: str | None = await conn.fetchval(_GET_RULES, room_id)
    return found


async def list_memberships(
    conn: Connection,
    user_id: UUID,
    *,
    limit: int,
    before: UUID | None = None,
    kinds: Collection[RoomKind] | None = None,
) -> tuple[Membership, ...]:
    """Return the newest `limit` rooms a user is a member of, newest first: of some kinds, older than one."""
    wanted = None if kinds is None else list(kinds)
    rows = await conn.fetch(_LIST_MEMBERSHIPS, user_id, limit, before, wanted)
    return tuple(_membership(row) for row in rows)


async def memberships_of(
    conn: Connection, user_ids: Collection[UUID], *, limit: int
) -> dict[UUID, tuple[Membership, ...]]:
    """Return, of each user, the newest `limit` rooms they are a member of, newest first."""
    found: dict[UUID, list[Membership]] = {user_id: [] for user_id in user_ids}
    for row in await conn.fetch(_MEMBERSHIPS_OF, list(user_ids), limit):
        found[row["user_id"]].append(_membership(row))
    return {user_id: tuple(each) for user_id, each in found.items()}


async def list_partners(
    conn: Connection, room_ids: Sequence[UUID], user_id: UUID, *, limit: int
) -> dict[UUID, Partners]:
    """Return, of each room, who is in it beside a user, at most `limit`, and when something was said last."""
    found = dict.fromkeys(room_ids, Partners())
    for row in await conn.fetch(_LIST_PARTNERS, list(room_ids), user_id, limit):
        before = found[row["room_id"]]
        people = before.people
        if row["user_id"] is not None:
            people = (*people, Author(id=row["user_id"], name=row["username"]))
        found[row["room_id"]] = Partners(people=people, last_message_at=row["at"])
    return found


async def list_bans(
    conn: Connection, room_id: UUID, *, after: UUID | None, limit: int
) -> tuple[RoomBan, ...]:
    """Return who is kept out of a room, in the order of their ids, those past `after`."""
    rows = await conn.fetch(_LIST_BANS, room_id, after, limit)
    return tuple(
        RoomBan(
            user=Author(id=row["user_id"], name=row["username"]),
            until=row["until"],
            reason=row["reason"],
            by=None if row["by_id"] is None else Author(id=row["by_id"], name=row["by_name"]),
            at=row["at"],
        )
        for row in rows
    )


async def list_moderators(conn: Connection, room_id: UUID, *, limit: int) -> tuple[UUID, ...]:
    """Return members of a room who moderate it."""
    return tuple(row["user_id"] for row in await conn.fetch(_LIST_MODERATORS, room_id, limit))


async def list_members(
    conn: Connection, room_id: UUID, *, after: UUID | None, limit: int
) -> tuple[Member, ...]:
    """Return a room's members in the order of their ids, those past `after`."""
    rows = await conn.fetch(_LIST_MEMBERS, room_id, after, limit)
    return tuple(
        Member(
            user=Author(id=row["user_id"], name=row["username"]),
            role=Role(row["role"]),
            joined_at=row["joined_at"],
            muted_until=row["muted_until"],
        )
        for row in rows
    )


async def move_pointers(
    conn: Connection, pointers: Sequence[Pointers], *, is_awaited: bool = True
) -> list[Pointers]:
    """Move how far members have read and what was delivered to them; never back, never past the newest event.

    With nobody waiting to hear of it, the last moves before a crash of the database may be lost.

    Returns where those stand that moved, None for the one of the two that did not.
    """
    if not pointers:
        return []
    columns = (list(column) for column in zip(*pointers, strict=True))
    rows = await conn.fetch(_MOVE_POINTERS, *columns, is_awaited)
    return [(r["room_id"], r["user_id"], r["read_seq"], r["delivered_seq"]) for r in rows]


def _membership(row: asyncpg.Record) -> Membership:
    return Membership(
        room=_room(row),
        role=Role(row["role"]),
        read_seq=row["read_seq"],
        unread=row["unread"],
        mentions=row["mentions"],
    )


def _room(row: asyncpg.Record) -> Room:
    return Room(
        id=row["id"],
        kind=RoomKind(row["kind"]),
        name=row["name"],
        epoch=row["epoch"],
        seq=row["seq"],
        member_count=row["member_count"],
        created_at=row["created_at"],
        topic=row["topic"],
        slow_mode_seconds=row["slow_mode_seconds"],
        is_archived=row["is_archived"],
        changed_seq=row["changed_seq"],
    )
