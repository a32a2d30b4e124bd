"""Rooms and who is in them, in SQL. Their events are in `room_log.py`."""

from uuid import UUID

import asyncpg

from veza.persistence.errors import AlreadyExistsError
from veza.persistence.pool import Connection, fetch_one
from veza.persistence.rows import Membership, Room, RoomKind

_ROOM = "r.id, r.kind, r.name, r.epoch, r.created_by, r.created_at, h.seq, h.member_count"

_INSERT_ROOM = """
    INSERT INTO rooms (id, kind, name, epoch, created_by) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (id) DO NOTHING
"""

_INSERT_HEAD = "INSERT INTO room_heads (room_id) VALUES ($1) ON CONFLICT DO NOTHING"

_GET_ROOM = f"""
    SELECT {_ROOM} FROM rooms r JOIN room_heads h ON h.room_id = r.id WHERE r.id = $1
"""

_LIST_ROOMS = f"""
    SELECT {_ROOM} FROM rooms r JOIN room_heads h ON h.room_id = r.id
    WHERE r.kind = 'public' AND ($1::uuid IS NULL OR r.id < $1)
    ORDER BY r.id DESC LIMIT $2
"""

_LIST_MEMBERSHIPS = f"""
    SELECT {_ROOM}, m.read_seq
    FROM room_members m JOIN rooms r ON r.id = m.room_id JOIN room_heads h ON h.room_id = r.id
    WHERE m.user_id = $1
    ORDER BY r.id DESC LIMIT $2
"""

_LOAD_MEMBERS = "SELECT user_id FROM room_members WHERE room_id = $1"


async def insert_room(
    conn: Connection, *, room_id: UUID, name: str, kind: RoomKind, epoch: UUID, creator_id: UUID
) -> Room:
    """Make a room without members or events; the same id by the same creator again returns the room there is.

    Raises `AlreadyExistsError` if somebody else made a room with the id.
    """
    async with conn.transaction():
        await conn.execute(_INSERT_ROOM, room_id, kind, name, epoch, creator_id)
        await conn.execute(_INSERT_HEAD, room_id)
        row = await fetch_one(conn, _GET_ROOM, room_id)
        if row["created_by"] != creator_id:
            raise AlreadyExistsError(f"room {room_id} was made by another account")
        return _room(row)


async def get_room(conn: Connection, room_id: UUID) -> Room | None:
    """Return a room, or None."""
    row = await conn.fetchrow(_GET_ROOM, room_id)
    return None if row is None else _room(row)


async def list_rooms(conn: Connection, *, before: UUID | None, limit: int) -> tuple[Room, ...]:
    """Return rooms anybody may enter, newest first, those older than `before`."""
    return tuple(_room(row) for row in await conn.fetch(_LIST_ROOMS, before, limit))


async def list_memberships(
    conn: Connection, user_id: UUID, *, limit: int
) -> tuple[Membership, ...]:
    """Return the newest `limit` rooms a user is a member of, newest first."""
    rows = await conn.fetch(_LIST_MEMBERSHIPS, user_id, limit)
    return tuple(
        Membership(
            room=_room(row), read_seq=row["read_seq"], unread=max(0, row["seq"] - row["read_seq"])
        )
        for row in rows
    )


async def load_members(conn: Connection, room_id: UUID) -> frozenset[UUID]:
    """Return the ids of a room's members."""
    return frozenset(row["user_id"] for row in await conn.fetch(_LOAD_MEMBERS, room_id))


def _room(row: asyncpg.Record) -> Room:
    return Room(
        id=row["id"],
        kind=RoomKind(row["kind"]),
        name=row["name"],
        epoch=row["epoch"],
        seq=row["seq"],
        member_count=row["member_count"],
        created_at=row["created_at"],
    )
