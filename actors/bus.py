"""The node's end of the bus: hands what other nodes tell to its rooms and people, and tells them its news.

Where nothing was told it looks.
"""

import random
from dataclasses import dataclass
from time import monotonic
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.base import ServiceActor, WhenFull
from veza.actors.fanout import FanOut
from veza.actors.messages.bus import EventsAnnounced, HeadMoved, NewsAnnounced
from veza.actors.messages.directory import Deliver
from veza.actors.messages.rooms import RoomAdded
from veza.actors.news import read_news, write_news
from veza.actors.runtime.address import Address
from veza.actors.topics import is_user_topic, room_of_topic
from veza.persistence.bus import Bus
from veza.persistence.errors import DatabaseUnavailableError
from veza.persistence.heads import read_heads
from veza.persistence.pool import Pool
from veza.persistence.room_rows import RoomEvent
from veza.persistence.value_codec import UnreadableError

ROOMS_AT_ONCE: Final = 2_000
TICK_SECONDS: Final = 0.5
GATHER_SECONDS: Final = 0.05
"""Rooms that start together, as after a reconnect, are looked at together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookPlan:
    """How often the heads of all rooms are read: while the bus is up, and while it is away."""

    up_seconds: float = 10.0
    away_seconds: float = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsHeard:
    """Another node told of a room."""

    room_id: UUID
    news: EventsAnnounced | NewsAnnounced


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtDoubtful:
    """Time to read the heads of the rooms that may have missed something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookIfDue:
    """Time to see whether all heads are to be read."""


class BusActor(ServiceActor):
    """Never starts a room to tell it news: whoever starts one reads the log.

    What is lost on the way (a full mailbox, the bus away, a room that joined late) is found by reading the
    heads of the rooms that run here, and telling each how far its log goes. A room takes that as often as
    it comes, so nothing here is kept but which rooms are in doubt.

    News of a room go through its actor, behind the events that came before them: whoever lost the right to
    hear them is gone by then. News of a user go to their connections at once.
    """

    when_full: ClassVar[WhenFull] = "drop"
    mailbox_limit: ClassVar[int] = 10_000

    def __init__(
        self,
        *,
        bus: Bus,
        pool: Pool,
        directory: Address,
        fan_out: FanOut,
        plan: LookPlan = LookPlan(),
    ) -> None:
        super().__init__()
        self.bus = bus
        self.fan_out = fan_out
        self.pool = pool
        self.directory = directory
        self.plan = plan
        self.doubtful: set[UUID] = set()
        self.is_looking = False
        # Nodes that started together do not look together.
        self.looked_at = monotonic() - plan.up_seconds * random.random()  # noqa: S311  # no secret
        self.looks = 0
        bus.listen(self)
        fan_out.connect(self)
        self.wakeup_after(TICK_SECONDS, LookIfDue())

    def on_stop(self) -> None:
        self.fan_out.connect(None)
        self.bus.listen(None)

    def inspect(self) -> dict[str, object]:
        return {
            "is_up": self.bus.is_up,
            "rooms": len(self.bus.rooms),
            "in_doubt": len(self.doubtful),
            "looks": self.looks,
        }

    # --- called by the bus, in the turn in which it heard ---

    def heard(self, room_id: UUID, events: tuple[RoomEvent, ...]) -> None:
        """See `BusListener`."""
        self._post(room_id, EventsAnnounced(events=events))

    def heard_news(self, topic: str, news: tuple[object, ...]) -> None:
        """See `BusListener`."""
        room_id = room_of_topic(topic)
        for each in news:
            try:
                heard = read_news(each)
            except UnreadableError:
                self.bus.counters.unreadable += 1
                continue
            if room_id is None:
                self._tell_user(topic, heard.event)
            else:
                announced = NewsAnnounced(after_seq=heard.after_seq, event=heard.event)
                self._post(room_id, announced)

    def _tell_user(self, topic: str, event: object) -> None:
        # A room that runs here tells by itself whom it has got.
        if not (isinstance(event, RoomAdded) and event.room.id in self.bus.rooms):
            self.fan_out.publish(topic, event)

    def _post(self, room_id: UUID, news: EventsAnnounced | NewsAnnounced) -> None:
        heard = NewsHeard(room_id=room_id, news=news)
        self.runtime.post_from_outside(self.cell, heard, self.runtime.nobody)

    def may_have_missed(self, room_id: UUID) -> None:
        """See `BusListener`."""
        if not self.doubtful:
            self.wakeup_after(GATHER_SECONDS, LookAtDoubtful())
        self.doubtful.add(room_id)

    # --- called by the hub, in whoever's turn told it ---

    def tell(self, name: str, event: object, after_seq: int) -> None:
        """See `Elsewhere`."""
        if self.bus.is_up:
            self.bus.tell(name, write_news(event, after_seq))
        else:
            self.bus.counters.news_dropped += 1

    def attend(self, name: str) -> None:
        """See `Elsewhere`. A room joins by itself: its events are news, too."""
        if is_user_topic(name):
            self.bus.attend(name)

    def disregard(self, name: str) -> None:
        """See `Elsewhere`."""
        if is_user_topic(name):
            self.bus.disregard(name)

    # --- what comes of it ---

    def receiveMsg_NewsHeard(self, message: NewsHeard, _sender: Address) -> None:
        self._tell(message.room_id, message.news)

    async def receiveMsg_LookAtDoubtful(self, _message: LookAtDoubtful, _sender: Address) -> None:
        doubtful, self.doubtful = self.doubtful, set()
        if not await self._look(doubtful):
            self.looked_at = -self.plan.up_seconds  # all of them, as soon as there is an answer

    async def receiveMsg_LookIfDue(self, message: LookIfDue, _sender: Address) -> None:
        self.wakeup_after(TICK_SECONDS, message)
        every = self.plan.up_seconds if self.bus.is_up else self.plan.away_seconds
        if self.is_looking or monotonic() < self.looked_at + every:
            return
        self.is_looking = True
        try:
            if await self._look(set(self.bus.rooms)):
                self.looked_at = monotonic()
        finally:
            self.is_looking = False

    async def _look(self, rooms: set[UUID]) -> bool:
        """Tell rooms how far their logs go; False if the database is away."""
        self.looks += 1
        every = list(rooms)
        for first in range(0, len(every), ROOMS_AT_ONCE):
            try:
                async with self.pool.acquire() as conn:
                    heads = await read_heads(conn, every[first : first + ROOMS_AT_ONCE])
            except DatabaseUnavailableError:
                return False
            for room_id, seq in heads.items():
                self._tell(room_id, HeadMoved(seq=seq))
        return True

    def _tell(self, room_id: UUID, news: EventsAnnounced | NewsAnnounced | HeadMoved) -> None:
        key = ("room", str(room_id))
        deliver = Deliver(key=key, message=news, starts_actor=False)
        # As nobody: a room that is too busy to hear it is told by the next look.
        self.forward(self.directory, deliver, self.runtime.nobody)
