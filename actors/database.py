"""The base of services that work on PostgreSQL: a database that is away is a refusal, not a bug."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from veza.actors.base import ServiceActor
from veza.actors.messages.common import RefusedError, RejectCode
from veza.persistence.errors import DatabaseUnavailableError
from veza.persistence.pool import Connection, Pool

RETRY_SECONDS = 1.0


class DatabaseActor(ServiceActor):
    """A service with a pool. What it does must be harmless to repeat: a lost commit is refused too."""

    def __init__(self, *, pool: Pool) -> None:
        super().__init__()
        self.pool = pool

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection; each statement is a transaction of its own."""
        try:
            async with self.pool.acquire() as conn:
                yield conn
        except DatabaseUnavailableError as error:
            raise RefusedError(
                RejectCode.UNAVAILABLE,
                "The database is not reachable at present. Try again.",
                retry_after_seconds=RETRY_SECONDS,
            ) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection with a transaction around what is done with it."""
        async with self.connection() as conn, conn.transaction():
            yield conn
