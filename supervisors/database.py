"""Keeps an eye on the database: says whether it answers, and starts a private server again that died."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

from veza.persistence.errors import DatabaseUnavailableError, PostgresStartError
from veza.persistence.pool import Pool

LOOK_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


class Server(Protocol):
    """A database server that is this process's own."""

    @property
    def is_running(self) -> bool:
        """Whether it lives."""

    def start(self, *, is_thread_lasting: bool = False) -> str:
        """Start it, or start it again; return its DSN. Called on a thread that stays."""


class DatabaseKeeper:
    """Looks once a second. Without a server of its own it only tells how things stand."""

    def __init__(self, server: Server | None) -> None:
        self.server = server
        self.is_up = True
        # The kernel ends the server with the thread that started it: this one lives as long as we do.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")

    async def watch(self, pool: Pool) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._mend()
            await self._look(pool)

    async def watch_server(self) -> None:
        """Look only whether the server of one's own lives, until cancelled: others use it."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._mend()

    async def _mend(self) -> None:
        if self.server is not None and not self.server.is_running:
            await self._start_again(self.server)

    async def _start_again(self, server: Server) -> None:
        """Start it on a thread of its own: recovery takes seconds, and clients are to hear why they wait.

        Whoever cancels this waits for the start to be over, so that nobody stops a server half started.
        """
        logger.error("the private database server ended; starting it again")
        self.is_up = False
        start = partial(server.start, is_thread_lasting=True)
        starting = asyncio.get_running_loop().run_in_executor(self._thread, start)
        try:
            await asyncio.shield(starting)
        except PostgresStartError:
            logger.exception("the private database server cannot be started")
        finally:
            await asyncio.wait([starting])

    async def _look(self, pool: Pool) -> None:
        was_up, self.is_up = self.is_up, False
        with suppress(DatabaseUnavailableError, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS), pool.acquire() as conn:
                await conn.execute("SELECT 1")
                self.is_up = True
        if self.is_up and not was_up:
            # Else each dead connection would fail whoever is lent it next.
            await pool.forget_connections()
        if was_up != self.is_up:
            logger.warning("the database %s", "answers" if self.is_up else "does not answer")
