"""The schema goes forward once, whoever starts first, and never over a change it does not understand."""

import asyncio
import shutil
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from veza.persistence import rooms
from veza.persistence.errors import MigrationError
from veza.persistence.migrate import MIGRATIONS, migrate, read_migrations
from veza.persistence.pool import Connection, Pool
from veza.persistence.room_log import read_events
from veza.persistence.room_rows import Role

# As the first version wrote them.
INSERT_USER = """
    INSERT INTO users (id, username, email, password_hash) VALUES ($1, $2, $2, 'hash')
"""
INSERT_ROOM = """
    INSERT INTO rooms (id, kind, name, epoch, created_by) VALUES ($1, 'public', 'A', $1, $2)
"""
INSERT_EVENT = """
    INSERT INTO room_events (room_id, seq, kind, author_id, at, message_id)
    VALUES ($1, $2, $3, $4, now(), $5)
"""
INSERT_MEMBER = "INSERT INTO room_members (room_id, user_id, read_seq) VALUES ($1, $2, $3)"


def rewrite(migration: Path, sql: str) -> None:
    migration.write_text(sql)


@pytest.fixture
def newest(tmp_path: Path) -> Path:
    """One migration more than the real ones, beside copies of them."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    newest = folder / f"{len(read_migrations()) + 1:04}_more.sql"
    rewrite(newest, "CREATE TABLE more (); CREATE TABLE most ();")
    return newest


@pytest.fixture
def folder(newest: Path) -> Path:
    return newest.parent


async def exists(conn: Connection, table: str) -> bool:
    return await conn.fetchval("SELECT to_regclass($1) IS NOT NULL", table)


async def test_only_what_is_missing_is_applied(conn: Connection, folder: Path) -> None:
    assert await migrate(conn) == 0
    assert await migrate(conn, folder) == 1
    assert await exists(conn, "most")
    assert await migrate(conn, folder) == 0


async def test_of_many_nodes_that_start_at_once_one_migrates(pool: Pool, folder: Path) -> None:
    async def start() -> int:
        async with pool.acquire() as conn:
            return await migrate(conn, folder)

    assert sorted(await asyncio.gather(*[start() for _ in range(6)])) == [0, 0, 0, 0, 0, 1]


async def test_a_migration_that_fails_leaves_nothing(conn: Connection, newest: Path) -> None:
    rewrite(newest, "CREATE TABLE more (); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(conn, newest.parent)
    assert not await exists(conn, "more")
    rewrite(newest, "CREATE TABLE more ();")
    assert await migrate(conn, newest.parent) == 1


async def test_a_database_of_a_newer_version_is_refused(conn: Connection, folder: Path) -> None:
    await migrate(conn, folder)
    with pytest.raises(MigrationError, match="newer Veza"):
        await migrate(conn)


async def test_an_edited_migration_is_refused(conn: Connection, newest: Path) -> None:
    await migrate(conn, newest.parent)
    rewrite(newest, "CREATE TABLE more (); CREATE TABLE most (); -- an afterthought")
    with pytest.raises(MigrationError, match="never edited"):
        await migrate(conn, newest.parent)


@pytest.mark.parametrize("name", ["0999_gap.sql", "extra.sql", "0001_twice.sql"])
def test_files_that_are_not_numbered_in_turn_are_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError):
        read_migrations(folder)


async def test_rooms_of_the_first_version_keep_working(pool: Pool, tmp_path: Path) -> None:
    """Their makers own them, and what is unread is counted from the messages there are."""
    old = tmp_path / "old"
    shutil.copytree(MIGRATIONS, old)
    for newer in sorted(old.glob("*.sql"))[2:]:
        newer.unlink()
    room_id, owner, reader = uuid4(), uuid4(), uuid4()
    async with pool.acquire() as conn:
        await conn.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        assert await migrate(conn, old) == 2
        for user_id, name in ((owner, "owner"), (reader, "reader")):
            await conn.execute(INSERT_USER, user_id, name)
        await conn.execute(INSERT_ROOM, room_id, owner)
        await conn.execute("INSERT INTO room_heads VALUES ($1, 4, 2)", room_id)
        for seq, kind, who in (
            (1, "member.joined", owner),
            (2, "message.posted", owner),
            (3, "member.joined", reader),
            (4, "message.posted", owner),
        ):
            message_id = uuid4() if kind == "message.posted" else None
            await conn.execute(INSERT_EVENT, room_id, seq, kind, who, message_id)
        for who, read_seq in ((owner, 1), (reader, 3)):
            await conn.execute(INSERT_MEMBER, room_id, who, read_seq)
        assert await migrate(conn) > 0
        told = [await rooms.list_memberships(conn, who, limit=2) for who in (owner, reader)]
        assert [(each.role, each.unread) for (each,) in told] == [
            (Role.OWNER, 2),
            (Role.MEMBER, 1),
        ]
        events = await read_events(conn, room_id, limit=9)
        assert [event.seq for event in events] == [1, 2, 3, 4]
