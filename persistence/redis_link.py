"""How this program speaks to Redis: commands of 7.0 only, short waits, and one error for "it is away".

Redis holds nothing that would be missed: presence and rate limits, which come back by themselves.
"""

import asyncio
from collections.abc import Collection, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from veza.persistence.errors import PersistenceError

ANSWER_SECONDS: Final = 1.0
"""A server beside us answers in a millisecond; who waits for it has somebody waiting in turn."""
AGAIN_SECONDS: Final = 0.2
"""How long a cancelled task has before it is cancelled again."""
LOST: Final = (RedisError, OSError, TimeoutError)
"""What the driver raises when the server is away, hangs, or refuses."""


class SharedStateUnavailableError(PersistenceError):
    """Redis is away or refuses. Whether a change under way took effect is unknown."""


async def end_tasks(tasks: Collection["asyncio.Task[None]"]) -> None:
    """Cancel tasks that use Redis, and wait for their end, also if cancelled oneself meanwhile.

    More than once if need be: a cancellation that meets an answer or a failing connection can be lost in
    the driver's time limits, and the task goes on.
    """
    is_cancelled = False
    while waiting := [task for task in tasks if not task.done()]:
        for task in waiting:
            task.cancel()
        try:
            await asyncio.wait(waiting, timeout=AGAIN_SECONDS)
        except asyncio.CancelledError:
            is_cancelled = True
    for task in tasks:
        if not task.cancelled():
            task.exception()  # or it would be told as one that nobody heard of
    if is_cancelled:
        raise asyncio.CancelledError


async def together(*parts: Coroutine[Any, Any, None]) -> None:
    """Run what works on one connection until the first of it fails, and raise that.

    As a group of tasks would; but a group cancels its tasks once, and waits for ever for one that lost that.
    """
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end_tasks(tasks)


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
