"""The bus over Redis pub/sub: a channel a room, everything of a loop turn in one write.

Two connections: one publishes, one subscribes. When either is lost both are made anew, with a growing wait
between attempts; until then what is announced is dropped and counted. Messages say which node sent them, and
in which version; a node does not hear itself.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import orjson
from redis.exceptions import ConnectionError as LostError

from veza.persistence.bus import BusCounters, BusListener
from veza.persistence.redis_link import LOST, connect
from veza.persistence.room_rows import RoomEvent
from veza.persistence.value_codec import UnreadableError, decoder, encode

VERSION: Final = 1
MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
"""Redis cuts off a subscriber for whom 8 MiB waited a minute; what is beyond this is read from the log."""
SUBSCRIBE_AT_ONCE: Final = 500
PING_SECONDS: Final = 3.0
"""How often to look whether the server still answers; two of them without a sign of it end the connection."""
FIRST_WAIT_SECONDS: Final = 0.1
LONGEST_WAIT_SECONDS: Final = 5.0
CHANNEL: Final = "veza:room:"
NODES: Final = "veza:nodes"
"""Every node subscribes to it: that it is confirmed says that the connection is there."""

logger = logging.getLogger(__name__)
read_events: Final[Callable[[object], tuple[RoomEvent, ...]]] = decoder(tuple[RoomEvent, ...])


class RedisBus:
    """One node's end. Make it on the event loop, `start` it once, `close` it once.

    Raises `ValueError` for a URL that is none.
    """

    is_shared = True

    def __init__(
        self, url: str, node_id: UUID, *, max_waiting_bytes: int = MAX_WAITING_BYTES
    ) -> None:
        connect(url)
        self.counters = BusCounters()
        self._url = url
        self._head = b'{"v":%d,"node":"%s","events":[' % (VERSION, str(node_id).encode())
        self._max_waiting_bytes = max_waiting_bytes
        self._listener: BusListener | None = None
        self._rooms: set[UUID] = set()
        self._subscribed: set[UUID] = set()
        self._changed: set[UUID] = set()
        self._waiting: dict[UUID, list[bytes]] = {}
        self._waiting_bytes = 0
        self._work = asyncio.Event()
        self._signs = 0
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        """See `Bus`."""
        return self._up.is_set()

    @property
    def rooms(self) -> Collection[UUID]:
        """See `Bus`."""
        return self._rooms

    def listen(self, listener: BusListener | None) -> None:
        """See `Bus`."""
        self._listener = listener

    def join(self, room_id: UUID) -> None:
        """See `Bus`."""
        self._rooms.add(room_id)
        self._changed.add(room_id)
        self._work.set()

    def leave(self, room_id: UUID) -> None:
        """See `Bus`."""
        self._rooms.discard(room_id)
        self._changed.add(room_id)
        self._work.set()

    def announce(self, room_id: UUID, events: tuple[RoomEvent, ...]) -> None:
        """See `Bus`."""
        if not self.is_up or self._waiting_bytes > self._max_waiting_bytes:
            self.counters.dropped += len(events)
            return
        parts = [encode(event) for event in events]
        self._waiting.setdefault(room_id, []).extend(parts)
        self._waiting_bytes += sum(map(len, parts))
        self._work.set()

    async def start(self, timeout_seconds: float) -> bool:
        """See `Bus`. It goes on trying."""
        self._task = asyncio.create_task(self._run())
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._up.wait()
        if not self.is_up:
            logger.warning("Redis does not answer: other nodes' messages come later")
        return self.is_up

    async def close(self) -> None:
        """See `Bus`."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    # --- the connection ---

    async def _run(self) -> None:
        wait_seconds = FIRST_WAIT_SECONDS
        while True:
            was_up = False
            try:
                await self._connected()
            except* LOST as errors:
                was_up = self._up.is_set()
                self._lose(errors.exceptions[0])
            except* Exception as errors:
                # A bug, ours or the driver's, must not end the bus for good.
                was_up = self._up.is_set()
                logger.exception("the bus failed; connecting anew")
                self._lose(errors.exceptions[0])
            wait_seconds = FIRST_WAIT_SECONDS if was_up else wait_seconds
            # Apart from each other, or all nodes come back in the same instant.
            await asyncio.sleep(wait_seconds * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
            wait_seconds = min(2 * wait_seconds, LONGEST_WAIT_SECONDS)

    async def _connected(self) -> None:
        """Make both connections and use them until one is lost."""
        client: Any = connect(self._url)
        pubsub = client.pubsub()
        try:
            await client.ping()
            await pubsub.subscribe(NODES)
            self._subscribed.clear()
            self._changed |= self._rooms
            self._work.set()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(pubsub))
                group.create_task(self._write(client, pubsub))
                group.create_task(self._watch(pubsub))
        finally:
            for end in (pubsub, client):
                with suppress(*LOST):
                    await end.aclose()

    def _lose(self, error: BaseException) -> None:
        if self._up.is_set():
            self._up.clear()
            self.counters.losses += 1
            logger.warning("Redis is away: other nodes' messages come later (%s)", error)
        self._drop(self._waiting)
        self._waiting, self._waiting_bytes = {}, 0

    def _drop(self, unsent: dict[UUID, list[bytes]]) -> None:
        self.counters.dropped += sum(map(len, unsent.values()))

    async def _watch(self, pubsub: Any) -> None:
        """Find out about a server that neither answers nor hangs up."""
        while True:
            before = self._signs
            await pubsub.ping()
            await asyncio.sleep(PING_SECONDS)
            if self._signs == before:
                raise LostError(f"no answer within {PING_SECONDS:.0f} s")

    # --- to the others ---

    async def _write(self, client: Any, pubsub: Any) -> None:
        while True:
            await self._work.wait()
            # Whoever else has something to say in this turn of the loop says it first.
            await asyncio.sleep(0)
            self._work.clear()
            await self._subscribe(pubsub)
            if self._waiting:
                await self._publish(client)

    async def _subscribe(self, pubsub: Any) -> None:
        changed, self._changed = self._changed, set()
        come = (changed & self._rooms) - self._subscribed
        gone = (changed - self._rooms) & self._subscribed
        self._subscribed = (self._subscribed | come) - gone
        for rooms, act in ((come, pubsub.subscribe), (gone, pubsub.unsubscribe)):
            names = [f"{CHANNEL}{room_id}" for room_id in rooms]
            for first in range(0, len(names), SUBSCRIBE_AT_ONCE):
                await act(*names[first : first + SUBSCRIBE_AT_ONCE])

    async def _publish(self, client: Any) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, {}, 0
        pipeline = client.pipeline(transaction=False)
        for room_id, parts in waiting.items():
            pipeline.publish(f"{CHANNEL}{room_id}", self._head + b",".join(parts) + b"]}")
        try:
            await pipeline.execute()
        except BaseException:
            self._drop(waiting)
            raise
        self.counters.told += sum(map(len, waiting.values()))
        self.counters.batches += 1

    # --- from the others ---

    async def _read(self, pubsub: Any) -> None:
        while True:
            message = await pubsub.get_message(timeout=None)
            self._signs += 1
            match message:
                case {"type": "message", "channel": channel, "data": data}:
                    self._on_message(channel.decode(), data)
                case {"type": "subscribe", "channel": channel}:
                    self._on_subscribed(channel.decode())

    def _on_subscribed(self, channel: str) -> None:
        """From here on nothing is missed; what was told since the room read its log may have been."""
        if channel != NODES:
            self._doubt(channel)
        elif not self._up.is_set():
            self._up.set()
            logger.info("Redis answers: other nodes' messages come at once")

    def _on_message(self, channel: str, data: bytes) -> None:
        if data.startswith(self._head) or not channel.startswith(CHANNEL):
            return
        try:
            room_id, events = _read_message(channel, data)
        except (UnreadableError, ValueError) as error:
            self.counters.unreadable += 1
            logger.debug("a message on %s cannot be read: %s", channel, error)
            self._doubt(channel)
            return
        self.counters.heard += len(events)
        if self._listener is not None and room_id in self._rooms:
            self._listener.heard(room_id, events)

    def _doubt(self, channel: str) -> None:
        with suppress(ValueError):
            room_id = UUID(channel.removeprefix(CHANNEL))
            if self._listener is not None and room_id in self._rooms:
                self._listener.may_have_missed(room_id)


def _read_message(channel: str, data: bytes) -> tuple[UUID, tuple[RoomEvent, ...]]:
    """Read a message. Raises `UnreadableError` or `ValueError`."""
    room_id = UUID(channel.removeprefix(CHANNEL))
    message = orjson.loads(data)
    if not isinstance(message, dict) or message.get("v") != VERSION:
        raise UnreadableError("another version, or no message of a node")
    events = read_events(message.get("events"))
    if not events or any(event.room_id != room_id for event in events):
        raise UnreadableError("events of another room, or none")
    return room_id, events
