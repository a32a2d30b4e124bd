"""Connections to PostgreSQL: a pool that tells a lost database apart from a bug."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from veza.persistence.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    _Base = asyncpg.Connection[asyncpg.Record]
else:
    _Base = asyncpg.Connection

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
"""What repositories take first. The caller owns it, and with it the transaction."""

CONNECT_TIMEOUT_SECONDS: Final = 10.0
STATEMENT_TIMEOUT_SECONDS: Final = 30.0
# The server gives up first, so that a slow statement ends as itself, not as a lost connection.
COMMAND_TIMEOUT_SECONDS: Final = STATEMENT_TIMEOUT_SECONDS + 5.0
IDLE_SECONDS: Final = 300.0
PREPARED_STATEMENTS: Final = 256

_LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # Refused when it connects anew: the password or the database was changed meanwhile.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
# A kept plan is made for the table as it was: one made while the room log was empty reads all of it ten
# seconds later (appends fell from 1,100 to 100 a second until the server's next statistics). Planning anew
# costs 50 us a statement. Compiling never pays for statements this short.
_SESSION: Final = {
    "plan_cache_mode": "force_custom_plan",
    "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS:.0f}s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",
}


class _Connection(_Base):
    """A connection that sessions leave as they found it: no temporary settings, listeners or session locks.

    So handing it back needs no reset query, a round trip saved on every acquire; an open transaction is
    rolled back all the same.
    """

    def get_reset_query(self) -> str:
        return ""


class Pool:
    """A bounded set of connections on one event loop."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    @property
    def lent(self) -> int:
        """Return how many connections are at work just now."""
        return self._pool.get_size() - self._pool.get_idle_size()

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """Lend a connection for SQL and nothing else; each statement is a transaction of its own.

        Raises `DatabaseUnavailableError` for whatever the driver raises when the database goes away.
        """
        try:
            async with self._pool.acquire(timeout=CONNECT_TIMEOUT_SECONDS) as conn:
                try:
                    yield conn
                except asyncpg.InterfaceError as error:
                    # The driver's word for misuse too: only a closed connection makes it a loss.
                    if _is_closed(conn):
                        raise _unavailable(error) from error
                    raise
                except asyncpg.InternalClientError as error:
                    # So it says when a dying server's last words were read and its end was not yet.
                    conn.terminate()
                    raise _unavailable(error) from error
        except _LOST as error:
            raise _unavailable(error) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection with a transaction: committed at the end, rolled back on an exception."""
        async with self.acquire() as conn, conn.transaction():
            yield conn

    async def forget_connections(self) -> None:
        """Replace every connection before its next use: the server they were made to is gone."""
        await self._pool.expire_connections()

    async def close(self) -> None:
        """Wait for lent connections, then close; after ten seconds cut them off."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


async def open_pool(dsn: str, *, min_size: int, max_size: int) -> Pool:
    """Connect to the database, or raise `DatabaseUnavailableError`.

    `pgbouncer=true` in the DSN's query says that a transaction-pooling PgBouncer is in between: then no
    prepared statement is kept and no session setting sent (docs/adr/0002-embedded-postgresql.md has
    what that costs).
    """
    dsn, is_pgbouncer = split_pgbouncer(dsn)
    try:
        pool = await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            connection_class=_Connection,
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=COMMAND_TIMEOUT_SECONDS,
            max_inactive_connection_lifetime=IDLE_SECONDS,
            statement_cache_size=0 if is_pgbouncer else PREPARED_STATEMENTS,
            server_settings={"application_name": "veza"} | ({} if is_pgbouncer else _SESSION),
        )
    except (*_LOST, asyncpg.InterfaceError) as error:
        raise _unavailable(error) from error
    return Pool(pool)


async def fetch_one(conn: Connection, query: str, *arguments: object) -> asyncpg.Record:
    """Return the row of a query that always has one."""
    row = await conn.fetchrow(query, *arguments)
    if row is None:
        raise LookupError(f"no row came of {query}")
    return row


def _is_closed(conn: Connection) -> bool:
    try:
        return conn.is_closed()
    except asyncpg.InterfaceError:
        return True  # the pool has taken it back already, as it does when the server hangs up


def _unavailable(error: BaseException) -> DatabaseUnavailableError:
    return DatabaseUnavailableError(f"{type(error).__name__}: {error}")


def split_pgbouncer(dsn: str) -> tuple[str, bool]:
    """Return the DSN as the driver takes it, and whether its query said `pgbouncer=true`.

    Accepts the spellings of other tools: `postgres://`, `postgresql://` and `postgresql+asyncpg://`.
    """
    parts = urlsplit(dsn)
    query = parse_qsl(parts.query, keep_blank_values=True)
    is_pgbouncer = ("pgbouncer", "true") in query
    rest = urlencode([(name, value) for name, value in query if name != "pgbouncer"])
    scheme = parts.scheme.removesuffix("+asyncpg")
    return urlunsplit(parts._replace(scheme=scheme, query=rest)), is_pgbouncer
