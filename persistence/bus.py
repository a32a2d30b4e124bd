"""What nodes tell each other: a hint of what a room's log holds already, and news that no log holds.

Nothing here waits. What is announced may be lost (the other side away, a queue full); the receiver then
learns of it later, from the log: docs/adr/0016-the-bus-only-wakes.md. News that are lost are not made up for:
what they tell is stored elsewhere, or is not worth it (docs/adr/0020-news-cross-once-or-never.md).

News are for a topic: `room:<id>`, heard where the room is joined, or `user:<id>`, where the user is.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from veza.persistence.room_rows import RoomEvent


class BusListener(Protocol):
    """Who is told on this node. Called on the event loop; must not wait."""

    def heard(self, room_id: UUID, events: tuple[RoomEvent, ...]) -> None:
        """Another node stored these, in ascending `seq`."""

    def may_have_missed(self, room_id: UUID) -> None:
        """Something of this room was not heard, or perhaps: its log may go on."""

    def heard_news(self, topic: str, news: tuple[object, ...]) -> None:
        """Another node told these of a topic; each is parsed JSON of whatever shape."""


@dataclass(slots=True)
class BusCounters:
    """What became of events and of news, and how often the other side was lost, since the start.

    `dropped`: not told to others, because nobody could be reached or too much waited. `unreadable`:
    messages of another version, or of nobody we know.
    """

    told: int = 0
    batches: int = 0
    heard: int = 0
    dropped: int = 0
    news_told: int = 0
    news_heard: int = 0
    news_dropped: int = 0
    unreadable: int = 0
    losses: int = 0


class Bus(Protocol):
    """A node's end of the bus."""

    counters: BusCounters

    @property
    def is_shared(self) -> bool:
        """Whether there may be other nodes at all."""

    @property
    def is_up(self) -> bool:
        """Whether others can be told just now."""

    @property
    def rooms(self) -> Collection[UUID]:
        """The rooms joined."""

    def listen(self, listener: BusListener | None) -> None:
        """Tell this one from now on."""

    def join(self, room_id: UUID) -> None:
        """Hear of a room from now on."""

    def leave(self, room_id: UUID) -> None:
        """Hear of it no more."""

    def announce(self, room_id: UUID, events: tuple[RoomEvent, ...]) -> None:
        """Tell the other nodes events that are committed."""

    def attend(self, topic: str) -> None:
        """Hear the news of a user's topic from now on."""

    def disregard(self, topic: str) -> None:
        """Hear them no more."""

    def tell(self, topic: str, news: bytes) -> None:
        """Tell the other nodes news of a topic, as JSON."""

    async def start(self, timeout_seconds: float) -> bool:
        """Begin to connect, and wait so long at most; tell whether others can be told already."""

    async def close(self) -> None:
        """Give up what is held; nothing is told any more."""


class LocalBus:
    """The bus of the only node: there is nobody to tell."""

    is_shared = False
    is_up = True
    rooms: Collection[UUID] = ()

    def __init__(self) -> None:
        self.counters = BusCounters()

    def listen(self, listener: BusListener | None) -> None:
        """See `Bus`."""

    def join(self, room_id: UUID) -> None:
        """See `Bus`."""

    def leave(self, room_id: UUID) -> None:
        """See `Bus`."""

    def announce(self, room_id: UUID, events: tuple[RoomEvent, ...]) -> None:
        """See `Bus`."""

    def attend(self, topic: str) -> None:
        """See `Bus`."""

    def disregard(self, topic: str) -> None:
        """See `Bus`."""

    def tell(self, topic: str, news: bytes) -> None:
        """See `Bus`."""

    async def start(self, timeout_seconds: float) -> bool:  # noqa: ARG002  # the same for both
        """See `Bus`."""
        return True

    async def close(self) -> None:
        """See `Bus`."""
