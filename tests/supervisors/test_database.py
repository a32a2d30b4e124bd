"""A private database that dies is started again; one that is away is told, and told when it is back."""

import asyncio
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from veza.persistence.pool import open_pool
from veza.persistence.postgres import EmbeddedPostgres
from veza.supervisors.database import DatabaseKeeper


async def test_a_killed_private_server_is_back_with_what_was_committed(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    pool = await open_pool(server.start(), min_size=1, max_size=4)
    keeper = DatabaseKeeper(server)
    watching = asyncio.create_task(keeper.watch(pool))
    try:
        async with pool.acquire() as conn:
            await conn.execute("CREATE TABLE kept AS SELECT 1 AS value")
        killed = server._process.pid

        os.kill(killed, signal.SIGKILL)
        async with asyncio.timeout(30):
            while not (server.is_running and server._process.pid != killed and keeper.is_up):
                await asyncio.sleep(0.05)

        async with pool.acquire() as conn:
            assert await conn.fetchval("SELECT value FROM kept") == 1
    finally:
        watching.cancel()
        await pool.close()
        server.stop()


async def test_a_database_that_is_away_is_told_until_it_answers_again(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", durable=False)
    pool = await open_pool(server.start(), min_size=1, max_size=4)
    keeper = DatabaseKeeper(None)  # somebody else's server, as far as the keeper knows
    watching = asyncio.create_task(keeper.watch(pool))
    try:
        server.stop()
        async with asyncio.timeout(30):
            while keeper.is_up:
                await asyncio.sleep(0.05)
        server.start()
        async with asyncio.timeout(30):
            while not keeper.is_up:
                await asyncio.sleep(0.05)
    finally:
        watching.cancel()
        await pool.close()
        server.stop()


async def test_a_database_that_is_not_there_for_a_while_is_looked_at_again(
    database_url: str,
) -> None:
    name = urlsplit(database_url).path.strip("/")
    pool = await open_pool(database_url, min_size=0, max_size=2)
    keeper = DatabaseKeeper(None)
    watching = asyncio.create_task(keeper.watch(pool))
    elsewhere = urlunsplit(urlsplit(database_url)._replace(path="/postgres"))
    operator = await asyncpg.connect(elsewhere)
    try:
        await pool.forget_connections()
        await operator.execute(f"ALTER DATABASE {name} RENAME TO {name}_away")
        async with asyncio.timeout(30):
            while keeper.is_up:
                await asyncio.sleep(0.05)
        await operator.execute(f"ALTER DATABASE {name}_away RENAME TO {name}")
        async with asyncio.timeout(30):
            while not keeper.is_up:
                await asyncio.sleep(0.05)
    finally:
        await operator.close()
        watching.cancel()
        await pool.close()


class SlowServer:
    """A server whose start takes until it is told to go on."""

    def __init__(self) -> None:
        self.is_running = False
        self.is_starting = threading.Event()
        self.go_on = threading.Event()

    def start(self, *, is_thread_lasting: bool = False) -> str:
        assert is_thread_lasting
        self.is_starting.set()
        self.is_running = self.go_on.wait(10)
        return ""


async def started(server: SlowServer) -> None:
    async with asyncio.timeout(30):
        while not server.is_starting.is_set():
            await asyncio.sleep(0.01)


async def test_the_loop_goes_on_while_the_private_server_is_started_again() -> None:
    server = SlowServer()
    watching = asyncio.create_task(DatabaseKeeper(server).watch_server())
    await started(server)
    assert not server.is_running  # we are here while it is being started

    server.go_on.set()
    async with asyncio.timeout(30):
        while not server.is_running:
            await asyncio.sleep(0.01)
    watching.cancel()


async def test_who_stops_watching_waits_for_a_start_that_is_under_way() -> None:
    server = SlowServer()
    watching = asyncio.create_task(DatabaseKeeper(server).watch_server())
    await started(server)
    watching.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not watching.done()

    server.go_on.set()
    with suppress(asyncio.CancelledError):
        await watching
    assert server.is_running
