"""The schema goes forward once, whoever starts first, and never over a change it does not understand."""

import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest

from veza.persistence.errors import MigrationError
from veza.persistence.migrate import MIGRATIONS, migrate, read_migrations
from veza.persistence.pool import Connection, Pool


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


@pytest.mark.parametrize("name", ["0009_gap.sql", "extra.sql", "0001_twice.sql"])
def test_files_that_are_not_numbered_in_turn_are_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError):
        read_migrations(folder)
