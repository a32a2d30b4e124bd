"""A database that goes away is told apart from a bug, and a connection comes back as it was lent."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from veza.persistence.errors import DatabaseUnavailableError
from veza.persistence.pool import Connection, Pool, open_pool, split_pgbouncer
from veza.persistence.postgres import EmbeddedPostgres
from veza.persistence.postgres.postmaster import processes_of


async def end_connections(pool: Pool) -> None:
    """End all connections to the test's database, this one too."""
    async with pool.acquire() as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() ORDER BY pid = pg_backend_pid()"
        )


async def test_a_connection_that_the_server_ends_is_a_lost_database(pool: Pool) -> None:
    with pytest.raises(DatabaseUnavailableError):
        await end_connections(pool)
    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT 1") == 1


async def test_a_transaction_whose_connection_is_lost_is_a_lost_database(pool: Pool) -> None:
    async def lose() -> None:
        async with pool.transaction() as conn:
            pid = await conn.fetchval("SELECT pg_backend_pid()")
            async with pool.acquire() as other:
                await other.execute("SELECT pg_terminate_backend($1, 5000)", pid)

    with pytest.raises(DatabaseUnavailableError):
        await lose()


@pytest.fixture
def server(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(data_dir, durable=False)
    yield server
    server.stop()


async def until_back(work: Callable[[], Awaitable[object]]) -> object:
    """Old connections of the pool are found dead one by one, each at the cost of a refusal."""
    for _ in range(8):
        with suppress(DatabaseUnavailableError):
            return await work()
    return await work()


async def gone(server: EmbeddedPostgres) -> None:
    async with asyncio.timeout(30):
        while server.is_running:  # a process has no event to wait for
            await asyncio.sleep(0.001)


def kill_server(data_dir: Path) -> None:
    os.kill(int((data_dir / "cluster/postmaster.pid").read_text().split()[0]), signal.SIGQUIT)


async def test_a_killed_server_is_a_lost_database_until_it_is_back(
    server: EmbeddedPostgres, data_dir: Path
) -> None:
    pool = await open_pool(server.start(), min_size=1, max_size=4)

    async def run(sql: str) -> object:
        async with pool.acquire() as conn:
            return await conn.fetchval(sql)

    under_way = [asyncio.create_task(run("SELECT pg_sleep(60)")) for _ in range(3)]
    assert await run("SELECT 1") == 1
    kill_server(data_dir)
    for task in under_way:
        with pytest.raises(DatabaseUnavailableError):
            await task
    await gone(server)
    with pytest.raises(DatabaseUnavailableError):
        await run("SELECT 1")
    server.start()
    assert await until_back(lambda: run("SELECT 1")) == 1
    await pool.close()


def kill_all(data_dir: Path) -> None:
    for pid in processes_of(data_dir / "cluster"):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("kill", [kill_server, kill_all])
async def test_whatever_the_driver_says_of_a_server_that_dies_is_a_lost_database(
    server: EmbeddedPostgres, data_dir: Path, kill: Callable[[Path], None]
) -> None:
    pool = await open_pool(server.start(), min_size=4, max_size=8)
    told: list[Exception] = []
    done = 0

    async def work() -> None:
        nonlocal done
        async with pool.transaction() as conn:
            await conn.fetchval("SELECT $1::int", 1)
            await conn.execute("SELECT 1; SELECT 2")
        async with pool.acquire() as conn:
            await conn.executemany("SELECT $1::int", [(1,), (2,)])
        done += 1
        if done == 100:
            kill(data_dir)

    async def work_on() -> None:
        for _ in range(40):
            try:
                await work()
            except Exception as error:  # noqa: BLE001  # whatever there is, that is the question
                told.append(error)

    await asyncio.gather(*[work_on() for _ in range(8)])
    assert {type(error) for error in told} == {DatabaseUnavailableError}
    await gone(server)
    server.start()
    await until_back(work)
    await pool.close()


async def test_no_server_is_a_lost_database(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailableError):
        await open_pool(f"postgresql://veza@/postgres?host={tmp_path}", min_size=1, max_size=1)


async def test_a_database_that_does_not_exist_is_told_as_such(database_url: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match="nowhere"):
        await open_pool(database_url.replace("/veza_", "/nowhere_"), min_size=1, max_size=1)


async def test_a_slow_statement_is_a_lost_database(pool: Pool) -> None:
    async def wait() -> None:
        async with pool.transaction() as conn:
            await conn.execute("SET LOCAL statement_timeout = '20ms'")
            await conn.execute("SELECT pg_sleep(60)")

    with pytest.raises(DatabaseUnavailableError):
        await wait()


async def test_wrong_sql_and_wrong_arguments_are_bugs(pool: Pool) -> None:
    async def run(sql: str, *arguments: object) -> None:
        async with pool.acquire() as conn:
            await conn.fetch(sql, *arguments)

    with pytest.raises(asyncpg.PostgresSyntaxError):
        await run("SELEKT")
    with pytest.raises(asyncpg.DataError):
        await run("SELECT $1::uuid", 5)


async def test_two_uses_of_a_connection_at_once_are_a_bug(pool: Pool) -> None:
    async def use_twice() -> None:
        async with pool.acquire() as conn:
            await asyncio.gather(conn.fetch("SELECT pg_sleep(0.05)"), conn.fetch("SELECT 1"))

    with pytest.raises(asyncpg.InterfaceError, match="another operation"):
        await use_twice()


async def test_a_connection_comes_back_without_its_transaction(database_url: str) -> None:
    pool = await open_pool(database_url, min_size=1, max_size=1)
    try:
        async with pool.acquire() as conn:
            await conn.execute("BEGIN")
            await conn.execute("CREATE TABLE half_done ()")
        async with pool.acquire() as conn:
            assert not conn.is_in_transaction()
            assert await conn.fetchval("SELECT to_regclass('half_done')") is None
    finally:
        await pool.close()


async def test_the_server_knows_who_connects_and_limits_what_hangs(conn: Connection) -> None:
    assert await conn.fetchval("SHOW application_name") == "veza"
    assert await conn.fetchval("SHOW statement_timeout") == "30s"
    assert await conn.fetchval("SHOW lock_timeout") == "10s"
    assert await conn.fetchval("SHOW plan_cache_mode") == "force_custom_plan"


async def test_behind_pgbouncer_nothing_is_left_in_the_session(database_url: str) -> None:
    pool = await open_pool(f"{database_url}&pgbouncer=true", min_size=1, max_size=1)
    try:
        async with pool.acquire() as conn:
            for _ in range(3):
                assert await conn.fetchval("SELECT $1::int", 5) == 5
            assert await conn.fetchval("SELECT count(*) FROM pg_prepared_statements") == 0
            assert await conn.fetchval("SHOW statement_timeout") == "0"
    finally:
        await pool.close()


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgres://u:p@h:5432/d", ("postgres://u:p@h:5432/d", False)),
        ("postgresql+asyncpg://h/d?a=1", ("postgresql://h/d?a=1", False)),
        ("postgresql://h/d?pgbouncer=true&a=1", ("postgresql://h/d?a=1", True)),
        ("postgresql://h/d?pgbouncer=false", ("postgresql://h/d", False)),
        ("postgresql://u:p%40@/d?host=%2Fa%2Fb", ("postgresql://u:p%40@/d?host=%2Fa%2Fb", False)),
    ],
)
def test_a_dsn_may_be_spelt_as_other_tools_do(dsn: str, expected: tuple[str, bool]) -> None:
    assert split_pgbouncer(dsn) == expected
