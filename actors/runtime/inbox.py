"""The way in from other threads."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from veza.actors.runtime.letters import logger

Result = TypeVar("Result")

CALLS_LIMIT: Final = 100_000
CALLS_A_TURN: Final = 1000
"""A call takes about a microsecond."""


class Inbox:
    """Calls from other threads: a lock-free deque, and one wake-up of the loop a batch.

    While `CALLS_LIMIT` wait, a thread that puts another has to wait too, as Thespian's senders do behind
    too many messages. But an event loop must never wait, least of all for another that may wait for
    it: what an actor of another system sends then is dropped and counted.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: deque[Callable[[], object]] = deque()
        self._woken = False
        self._closed = False
        self._room = threading.Condition()
        self._waiting = 0
        self.dropped = 0

    def put(self, call: Callable[[], object]) -> bool:
        """Have it called soon. False if it will not be: dropped, or the system was shut down."""
        if self._closed or (len(self._calls) >= CALLS_LIMIT and not self._wait_for_room()):
            return False
        self._calls.append(call)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._run)
        return True

    def call(self, function: Callable[[], Result]) -> Result:
        """Run a function on the loop's thread and wait for what it returns or raises."""
        done: Future[Result] = Future()

        def run() -> None:
            try:
                done.set_result(function())
            except BaseException as error:  # noqa: BLE001  # raised again in the calling thread
                done.set_exception(error)

        if not self.put(run):
            raise RuntimeError("the actor system was shut down, or too many calls wait for it")
        return done.result()

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._room:
            self._closed = True
            self._room.notify_all()

    def _wait_for_room(self) -> bool:
        """Return whether there is room now. Who waits says so before it looks: `_run` looks after."""
        if running_loop() is not None:
            if self.dropped == 0:
                logger.error("another system sends faster than this one can take: it is dropped")
            self.dropped += 1
            return False
        with self._room:
            self._waiting += 1
            self._room.wait_for(lambda: self._closed or len(self._calls) < CALLS_LIMIT)
            self._waiting -= 1
            return not self._closed

    def _run(self) -> None:
        """`_woken` falls first: a call put in after that wakes the loop again."""
        calls = self._calls
        self._woken = is_more = len(calls) > CALLS_A_TURN
        if is_more:
            self._loop.call_soon(self._run)
        for _ in range(min(len(calls), CALLS_A_TURN)):
            calls.popleft()()
        if self._waiting:
            with self._room:
                self._room.notify_all()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs on this thread, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
