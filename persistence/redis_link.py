"""How this program speaks to Redis: commands of 7.0 only, short waits, and one error for "it is away".

Redis holds nothing that would be missed: presence and rate limits, which come back by themselves.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from veza.persistence.errors import PersistenceError

ANSWER_SECONDS: Final = 1.0
"""A server beside us answers in a millisecond; who waits for it has somebody waiting in turn."""
LOST: Final = (RedisError, OSError, TimeoutError)
"""What the driver raises when the server is away, hangs, or refuses."""


class SharedStateUnavailableError(PersistenceError):
    """Redis is away or refuses. Whether a change under way took effect is unknown."""


async def end_task(task: "asyncio.Task[None]") -> None:
    """Cancel a task that uses Redis, and wait for its end.

    More than once if need be: a cancellation that meets a connection just failing can be lost in the
    driver's time limits or a group of tasks (Python 3.11), and the task goes on.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=ANSWER_SECONDS)


def connect(url: str) -> Redis:
    """Return a client; it connects at its first command. Raises `ValueError` for a URL that is none.

    It does not try again by itself: who asks decides what to do without an answer.
    """
    client: Redis = Redis.from_url(
        url,
        protocol=2,
        # Without errors to retry on: else the driver connects once more before it tells of a loss.
        retry=Retry(NoBackoff(), 0, supported_errors=()),
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
    )
    return client


@contextmanager
def translated() -> Iterator[None]:
    """Raise `SharedStateUnavailableError` for whatever the driver raises."""
    try:
        yield
    except LOST as error:
        raise SharedStateUnavailableError(f"{type(error).__name__}: {error}") from error


async def read_version(url: str) -> str:
    """Return the server's version. Raises `SharedStateUnavailableError`, and `ValueError` for no URL."""
    client = connect(url)
    try:
        with translated():
            info = await client.info("server")
    finally:
        await client.aclose()
    return str(info["redis_version"])
