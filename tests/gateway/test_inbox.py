"""Nothing that a connection was to do is left lying about when it ends."""

import asyncio
import gc

from veza.gateway.inbox import Inbox


class Line:
    """A connection that is never slowed down here."""

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def test_what_a_connection_never_came_to_do_is_put_away() -> None:
    """Python warns of a coroutine that nobody awaited, and here a warning fails the test."""
    inbox = Inbox(Line(), lambda message: None, lambda error: None)
    begun = asyncio.Event()

    async def welcome() -> None:
        begun.set()

    inbox.work(welcome())
    inbox.stop()
    await asyncio.sleep(0)  # the cancelled task ends
    await asyncio.sleep(0)  # and its callbacks are called

    gc.collect()
    assert not begun.is_set()
