"""The bus over Redis pub/sub: a channel a topic, everything of a loop turn in one write.

Two connections: one publishes, one subscribes. When either is lost both are made anew, with a growing wait
between attempts; until then what is announced is dropped and counted. Messages say which node sent them, and
in which version; a node does not hear itself.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import orjson
from redis.exceptions import ConnectionError as LostError

from veza.persistence.bus import BusCounters, BusListener
from veza.persistence.redis_link import LOST, connect, end_tasks, together
from veza.persistence.room_rows import RoomEvent
from veza.persistence.value_codec import UnreadableError, decoder, encode

VERSION: Final = 2
MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
"""Redis cuts off a subscriber for whom 8 MiB waited a minute; what is beyond this is read from the log."""
NEWS_SHARE: Final = 0.25
"""How much of that may wait when news are dropped: they never take the place of events."""
SUBSCRIBE_AT_ONCE: Final = 500
READ_AT_ONCE: Final = 64
"""Messages after which the loop gets its turn: what is in the buffer already is read without waiting."""
PING_SECONDS: Final = 3.0
"""How often to look whether the server still answers; two of them without a sign of it end the connection."""
FIRST_WAIT_SECONDS: Final = 0.1
LONGEST_WAIT_SECONDS: Final = 5.0
PREFIX: Final = "veza:"
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
        self._joined: set[str] = set()
        self._subscribed: set[str] = set()
        self._changed: set[str] = set()
        self._waiting: dict[str, _Waiting] = {}
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
        self._join(f"{CHANNEL}{room_id}")

    def leave(self, room_id: UUID) -> None:
        """See `Bus`."""
        self._rooms.discard(room_id)
        self._leave(f"{CHANNEL}{room_id}")

    def attend(self, topic: str) -> None:
        """See `Bus`."""
        self._join(PREFIX + topic)

    def disregard(self, topic: str) -> None:
        """See `Bus`."""
        self._leave(PREFIX + topic)

    def _join(self, channel: str) -> None:
        self._joined.add(channel)
        self._changed.add(channel)
        self._work.set()

    def _leave(self, channel: str) -> None:
        self._joined.discard(channel)
        self._changed.add(channel)
        self._work.set()

    def announce(self, room_id: UUID, events: tuple[RoomEvent, ...]) -> None:
        """See `Bus`."""
        if not self.is_up or self._waiting_bytes > self._max_waiting_bytes:
            self.counters.dropped += len(events)
            return
        parts = [encode(event) for event in events]
        self._waiting.setdefault(f"{CHANNEL}{room_id}", _Waiting()).events.extend(parts)
        self._waiting_bytes += sum(map(len, parts))
        self._work.set()

    def tell(self, topic: str, news: bytes) -> None:
        """See `Bus`."""
        if not self.is_up or self._waiting_bytes > self._max_waiting_bytes * NEWS_SHARE:
            self.counters.news_dropped += 1
            return
        self._waiting.setdefault(PREFIX + topic, _Waiting()).news.append(news)
        self._waiting_bytes += len(news)
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
            await end_tasks([task])

    # --- the connection ---

    async def _run(self) -> None:
        wait_seconds = FIRST_WAIT_SECONDS
        while True:
            was_up = False
            try:
                await self._connected()
            except LOST as error:
                was_up = self._up.is_set()
                self._lose(error)
            except Exception as error:
                # A bug, ours or the driver's, must not end the bus for good.
                was_up = self._up.is_set()
                logger.exception("the bus failed; connecting anew")
                self._lose(error)
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
            self._changed |= self._joined
            self._work.set()
            await together(self._read(pubsub), self._write(client, pubsub), self._watch(pubsub))
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

    def _drop(self, unsent: dict[str, "_Waiting"]) -> None:
        self.counters.dropped += sum(len(each.events) for each in unsent.values())
        self.counters.news_dropped += sum(len(each.news) for each in unsent.values())

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
        come = (changed & self._joined) - self._subscribed
        gone = (changed - self._joined) & self._subscribed
        self._subscribed |= come
        self._subscribed -= gone
        for channels, act in ((come, pubsub.subscribe), (gone, pubsub.unsubscribe)):
            names = list(channels)
            for first in range(0, len(names), SUBSCRIBE_AT_ONCE):
                await act(*names[first : first + SUBSCRIBE_AT_ONCE])

    async def _publish(self, client: Any) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, {}, 0
        pipeline = client.pipeline(transaction=False)
        for channel, each in waiting.items():
            pipeline.publish(channel, self._head + each.joined())
        try:
            await pipeline.execute()
        except BaseException:
            self._drop(waiting)
            raise
        self.counters.told += sum(len(each.events) for each in waiting.values())
        self.counters.news_told += sum(len(each.news) for each in waiting.values())
        self.counters.batches += 1

    # --- from the others ---

    async def _read(self, pubsub: Any) -> None:
        while True:
            message = await pubsub.get_message(timeout=None)
            self._signs += 1
            if self._signs % READ_AT_ONCE == 0:
                await asyncio.sleep(0)
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
        if data.startswith(self._head) or channel not in self._joined:
            return
        try:
            events, news = _read_message(channel, data)
        except (UnreadableError, ValueError) as error:
            self.counters.unreadable += 1
            logger.debug("a message on %s cannot be read: %s", channel, error)
            self._doubt(channel)
            return
        self.counters.heard += len(events)
        self.counters.news_heard += len(news)
        if self._listener is None:
            return
        if events:
            self._listener.heard(events[0].room_id, events)
        if news:
            self._listener.heard_news(channel.removeprefix(PREFIX), news)

    def _doubt(self, channel: str) -> None:
        is_room = channel.startswith(CHANNEL) and channel in self._joined
        if is_room and self._listener is not None:
            self._listener.may_have_missed(UUID(channel.removeprefix(CHANNEL)))


@dataclass(slots=True)
class _Waiting:
    """What goes out together on one channel."""

    events: list[bytes] = field(default_factory=list)
    news: list[bytes] = field(default_factory=list)

    def joined(self) -> bytes:
        return b",".join(self.events) + b'],"news":[' + b",".join(self.news) + b"]}"


def _read_message(channel: str, data: bytes) -> tuple[tuple[RoomEvent, ...], tuple[object, ...]]:
    """Read a message: events of the channel's room, and news. Raises `UnreadableError` or `ValueError`."""
    message = orjson.loads(data)
    if not isinstance(message, dict) or message.get("v") != VERSION:
        raise UnreadableError("another version, or no message of a node")
    events, news = read_events(message.get("events")), message.get("news")
    if not isinstance(news, list) or not (events or news):
        raise UnreadableError("nothing is told")
    if any(f"{CHANNEL}{event.room_id}" != channel for event in events):
        raise UnreadableError("events of another room")
    return events, tuple(news)
