"""The PostgreSQL of a run: its process, and the rooms' logs as it has them, read past the nodes."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
from soak.records import (
    Audited,
    Banned,
    Fate,
    Head,
    Pointer,
    Reaction,
    Record,
    Reported,
    Row,
    Seat,
    SessionEnded,
)

from veza.persistence.postgres import EmbeddedPostgres
from veza.persistence.postgres.launcher import socket_dsn
from veza.persistence.postgres.postmaster import is_postmaster, read_pid_file

CONNECT_SECONDS: Final = 5.0
AWAY: Final = (OSError, IndexError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What reading is refused with while the server is down."""
SOCKET_LINE: Final = 4
"""Where `postmaster.pid` names the folder of the socket."""

_HEADS: Final = "SELECT room_id, seq FROM room_heads WHERE room_id = ANY($1::uuid[])"
_ROWS: Final = """
    SELECT *, extract(epoch FROM at)::float AS time, xmin::text AS commit,
        details ->> 'measure' AS measure, details ->> 'role' AS role,
        extract(epoch FROM (details ->> 'until')::timestamptz)::float AS until
    FROM room_events WHERE room_id = ANY($1::uuid[]) ORDER BY room_id, seq
"""
"""`xmin` is the transaction that wrote a row as it is now (PostgreSQL documentation, 5.5)."""
_MEMBERS: Final = (
    "SELECT room_id, user_id, role, read_seq FROM room_members WHERE room_id = ANY($1::uuid[])"
)
_BANS: Final = "SELECT room_id, user_id FROM room_bans WHERE room_id = ANY($1::uuid[])"
_FATES: Final = """
    SELECT room_id, message_id, deleted_at IS NOT NULL AS is_deleted,
        CASE WHEN edited_at IS NOT NULL THEN text END AS text
    FROM message_states WHERE room_id = ANY($1::uuid[])
"""
_REACTIONS: Final = """
    SELECT room_id, message_id, user_id, emoji FROM message_reactions WHERE room_id = ANY($1::uuid[])
"""
_AUDITED: Final = """
    SELECT id, action, target, actor_id, extract(epoch FROM at)::float AS time, xmin::text AS commit
    FROM audit_log
"""
_SESSIONS: Final = """
    SELECT id, user_id, xmin::text AS commit FROM auth_sessions WHERE revoked_at IS NOT NULL
"""
_REPORTS: Final = """
    SELECT id, state, coalesce(extract(epoch FROM handled_at), 0)::float AS time,
        xmin::text AS commit
    FROM reports
"""
_MAKE_ADMIN: Final = "INSERT INTO user_roles (user_id, role) VALUES ($1, 'admin')"


class Database:
    """A server in a folder. Without `server` it is a node's, which starts it again by itself."""

    def __init__(self, folder: Path, server: EmbeddedPostgres | None) -> None:
        self._folder = folder
        self._server = server

    @property
    def _cluster(self) -> Path:
        link = self._folder / "moved-to"
        return (link.readlink() if link.is_symlink() else self._folder.resolve()) / "cluster"

    def postmaster(self) -> int | None:
        """Return the server's process, if it runs."""
        pid_file = read_pid_file(self._cluster)
        if pid_file is None or not is_postmaster(pid_file.pid, self._cluster):
            return None
        return pid_file.pid

    def bring_back(self) -> None:
        """Start it again, if nobody else does."""
        if self._server is not None and not self._server.is_running:
            self._server.start()

    async def answers(self) -> bool:
        """Tell whether it takes connections."""
        try:
            async with self.reading():
                return True
        except AWAY:
            return False

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend a connection. Raises one of `AWAY`."""
        lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        if not lines[SOCKET_LINE]:
            raise ConnectionRefusedError("the server has not made its socket yet")
        url = socket_dsn(Path(lines[SOCKET_LINE]))
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
        try:
            yield connection
        finally:
            await connection.close(timeout=CONNECT_SECONDS)

    async def heads(self, rooms: Sequence[str]) -> dict[str, int]:
        """Return how far the rooms have come."""
        async with self.reading() as connection:
            rows = await connection.fetch(_HEADS, [UUID(room) for room in rooms])
        return {str(row["room_id"]): row["seq"] for row in rows}

    async def logs(self, rooms: Sequence[str]) -> list[Record]:
        """Return everything the judge needs of the rooms, of one moment."""
        ids = [UUID(room) for room in rooms]
        async with (
            self.reading() as connection,
            connection.transaction(isolation="repeatable_read"),
        ):
            return [
                record
                for query, as_records in TABLES
                for row in await connection.fetch(query, *([ids] if "$1" in query else []))
                for record in as_records(row)
            ]

    async def make_admin(self, user: str) -> None:
        """Give an account the role of an administrator, past the nodes."""
        async with self.reading() as connection:
            await connection.execute(_MAKE_ADMIN, UUID(user))


def as_row(row: asyncpg.Record) -> Row:
    return Row(
        room=str(row["room_id"]),
        seq=row["seq"],
        kind=row["kind"],
        author=str(row["author_id"]),
        message_id=as_id(row["message_id"]),
        text=row["text"],
        subject=as_id(row["subject_id"]),
        measure=row["measure"],
        role=row["role"],
        until=row["until"],
        time=row["time"],
        commit=row["commit"],
    )


def as_seat(row: asyncpg.Record) -> tuple[Pointer, Seat]:
    where = {"room": str(row["room_id"]), "user": str(row["user_id"])}
    return Pointer(**where, seq=row["read_seq"]), Seat(**where, role=row["role"])


def as_fate(row: asyncpg.Record) -> Fate:
    return Fate(
        room=str(row["room_id"]),
        message_id=str(row["message_id"]),
        is_deleted=row["is_deleted"],
        text=row["text"],
    )


def as_reaction(row: asyncpg.Record) -> Reaction:
    return Reaction(
        room=str(row["room_id"]),
        message_id=str(row["message_id"]),
        user=str(row["user_id"]),
        emoji=row["emoji"],
    )


def as_audited(row: asyncpg.Record) -> Audited:
    return Audited(
        act_id=str(row["id"]),
        action=row["action"],
        target=row["target"],
        by=str(row["actor_id"]),
        time=row["time"],
        commit=row["commit"],
    )


def as_ended(row: asyncpg.Record) -> SessionEnded:
    return SessionEnded(session=str(row["id"]), user=str(row["user_id"]), commit=row["commit"])


def as_reported(row: asyncpg.Record) -> Reported:
    return Reported(
        report=str(row["id"]),
        state=row["state"],
        time=row["time"],
        commit=row["commit"],
    )


def as_id(value: object) -> str | None:
    return None if value is None else str(value)


TABLES: Final[tuple[tuple[str, Callable[[asyncpg.Record], Iterable[Record]]], ...]] = (
    (_HEADS, lambda row: [Head(room=str(row["room_id"]), seq=row["seq"])]),
    (_ROWS, lambda row: [as_row(row)]),
    (_MEMBERS, as_seat),
    (_BANS, lambda row: [Banned(room=str(row["room_id"]), user=str(row["user_id"]))]),
    (_FATES, lambda row: [as_fate(row)]),
    (_REACTIONS, lambda row: [as_reaction(row)]),
    (_AUDITED, lambda row: [as_audited(row)]),
    (_SESSIONS, lambda row: [as_ended(row)]),
    (_REPORTS, lambda row: [as_reported(row)]),
)
"""What is read of a run, and the records that each row of it gives."""
