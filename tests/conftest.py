"""Real databases for every test: one private server a test process, an empty migrated database a test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from veza.persistence.migrate import migrate
from veza.persistence.pool import Pool, open_pool
from veza.persistence.postgres import EmbeddedPostgres

TEMPLATE = "veza_template"


def named(dsn: str, database: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


def run(work: Callable[[asyncpg.Connection], Awaitable[object]], dsn: str) -> object:
    """Do one thing on a loop and connection of its own, whatever loop the test is going to have."""

    async def connected() -> object:
        conn = await asyncpg.connect(dsn)
        try:
            return await work(conn)
        finally:
            await conn.close()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(connected())


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a running server without durability, this test process's own."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), durable=False)
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def database_maker(postgres: str) -> Callable[[], str]:
    """Makes one empty, migrated database a call and returns its DSN."""
    run(lambda conn: conn.execute(f"CREATE DATABASE {TEMPLATE}"), postgres)
    run(migrate, named(postgres, TEMPLATE))
    numbers = count(1)

    def make() -> str:
        name = f"veza_{next(numbers)}"
        run(
            lambda conn: conn.execute(
                f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY wal_log"
            ),
            postgres,
        )
        return named(postgres, name)

    return make


@pytest.fixture
def database_url(postgres: str, database_maker: Callable[[], str]) -> Iterator[str]:
    """The DSN of an empty, migrated database, this test's own."""
    url = database_maker()
    yield url
    name = urlsplit(url).path.removeprefix("/")
    run(lambda conn: conn.execute(f"DROP DATABASE {name} WITH (FORCE)"), postgres)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool on the test's own database and loop."""
    pool = await open_pool(database_url, min_size=1, max_size=8)
    yield pool
    await pool.close()
