"""Follows a room's log: every event is told once and in order, whatever way the room hears of it."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.base import DEFAULT_TIMEOUT_SECONDS, SupervisedActor
from veza.actors.chat.acts import ROOM_LOG
from veza.actors.chat.rights import OPEN_KINDS
from veza.actors.chat.room_state import NO_SUCH_ROOM, RoomState
from veza.actors.fanout import FanOut
from veza.actors.messages.bus import EventsAnnounced, HeadMoved, NewsAnnounced
from veza.actors.messages.common import Answer, Key, RefusedError, RejectCode
from veza.actors.messages.directory import Deliver, Retire
from veza.actors.messages.presence import PRESENCE, MemberIdsRead, MemberMoved, ReadMemberIds
from veza.actors.messages.room_log import OpenRoom, RoomOpened
from veza.actors.messages.rooms import (
    EventKind,
    EventsRead,
    Measure,
    Moderation,
    ReadEvents,
    RoomEvent,
)
from veza.actors.runtime.address import Address
from veza.actors.topics import room_topic
from veza.persistence.bus import Bus

CATCH_UP_EVENTS: Final = 200
RETRY_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 60.0
EARLY_NEWS: Final = 100
"""News of other nodes that wait for events; the oldest go."""
EXPELLING: Final = frozenset({Measure.KICK, Measure.BAN})


@dataclass(frozen=True, slots=True)
class _Opening:
    """Tag: the state to start from was asked for."""


@dataclass(frozen=True, slots=True)
class _CatchingUp:
    """Tag: events that were stored but not told yet were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAgain:
    """The room log did not answer: ask once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUp:
    """Time to read what the log may hold beyond what was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookIdle:
    """Time to see whether anybody still needs this room."""


class LogFollower(SupervisedActor):
    """The half of a room that listens.

    `told_seq` is the event its members have come to, `stored_seq` the newest it knows of; what lies
    between is read from the log. `state` is what the told events add up to. A subclass hears of each
    event as it is told (`on_told`), and once all that is known is told (`on_level`).
    """

    stash_until_ready: ClassVar[frozenset[type] | None] = frozenset({OpenAgain})

    def __init__(self, *, room_id: UUID, directory: Address, fan_out: FanOut, bus: Bus) -> None:
        super().__init__()
        self.room_id = room_id
        self.topic = room_topic(room_id)
        self.directory = directory
        self.fan_out = fan_out
        self.bus = bus
        self.state: RoomState | None = None
        self.told_seq = 0
        self.stored_seq = 0
        self.is_catching_up = False
        self.is_in_doubt = False
        self.was_used = False
        self.early: deque[NewsAnnounced] = deque(maxlen=EARLY_NEWS)
        self.bus.join(room_id)
        self.receiveMsg_OpenAgain(OpenAgain(), self.cell)

    def on_stop(self) -> None:
        self.bus.leave(self.room_id)

    def on_told(self, event: RoomEvent) -> None:
        """Take note of an event that is told now."""

    def on_news(self, event: object) -> None:
        """Tell what another node told, now that its turn has come."""
        self.fan_out.publish(self.topic, event)

    def on_level(self) -> None:
        """Go on with what waited for the whole log to be told."""

    def is_busy(self) -> bool:
        """Tell whether the room has something to do still."""
        return self.is_catching_up

    # --- news ---

    def receiveMsg_EventsAnnounced(self, message: EventsAnnounced, _sender: Address) -> None:
        self.tell(message.events)
        self.catch_up()

    def receiveMsg_NewsAnnounced(self, message: NewsAnnounced, _sender: Address) -> None:
        """Tell what another node told, but not before what it had told by then: rights may have gone."""
        self.early.append(message)
        self.stored_seq = max(self.stored_seq, message.after_seq)
        self._tell_early()
        self.catch_up()

    def receiveMsg_HeadMoved(self, message: HeadMoved, _sender: Address) -> None:
        self.stored_seq = max(self.stored_seq, message.seq)
        self.catch_up()

    def receiveMsg_Answer(self, answer: Answer, _sender: Address) -> None:
        match answer:
            case Answer(tag=_CatchingUp(), message=EventsRead(events=events)):
                self.is_catching_up = False
                self.tell(events)
                self.is_in_doubt |= len(events) == CATCH_UP_EVENTS
                self.catch_up()
            case Answer(tag=_CatchingUp()):
                self.is_catching_up = False
                self.doubt()
            case Answer(tag=_Opening()):
                self._on_opened(answer.message)

    def receiveMsg_ReadMemberIds(self, _command: ReadMemberIds, _sender: Address) -> MemberIdsRead:
        state = self.existing_room()
        return MemberIdsRead(
            room_id=self.room_id,
            kind=state.room.kind,
            seq=self.told_seq,
            members=frozenset(state.members),
        )

    def receiveMsg_OpenAgain(self, _message: OpenAgain, _sender: Address) -> None:
        self.ask_service(ROOM_LOG, OpenRoom(room_id=self.room_id), _Opening())

    def receiveMsg_CatchUp(self, _message: CatchUp, _sender: Address) -> None:
        self.catch_up()

    def receiveMsg_LookIdle(self, _message: LookIdle, _sender: Address) -> None:
        is_needed = self.is_busy() or self.fan_out.subscribers(self.topic)
        if self.state is None or not (is_needed or self.was_used):
            self.send(self.directory, Retire(key=("room", str(self.room_id))))
        self.was_used = False
        self.wakeup_after(IDLE_SECONDS, LookIdle())

    # --- for the other half ---

    def existing_room(self) -> RoomState:
        """Return what is known of the room; refuse if there is none."""
        self.was_used = True
        if self.state is None:
            raise RefusedError(RejectCode.NOT_FOUND, NO_SUCH_ROOM)
        return self.state

    def tell(self, events: Iterable[RoomEvent]) -> None:
        """Announce what comes next in order; anything past a hole only tells how far the log goes."""
        for event in events:
            self.stored_seq = max(self.stored_seq, event.seq)
            if event.seq == self.told_seq + 1:
                self.told_seq = event.seq
                self.existing_room().apply(event)
                self.on_told(event)
                self.fan_out.publish(self.topic, event, seq=event.seq)
                self._expel(event)
                self._tell_presence(event)
        if self.early:
            self._tell_early()
        if self.told_seq >= self.stored_seq:
            self.on_level()

    def doubt(self) -> None:
        """Nobody can say what the log holds: read it, but not while the database is still coming back."""
        if not self.is_in_doubt:
            self.is_in_doubt = True
            self.wakeup_after(RETRY_SECONDS, CatchUp())

    def catch_up(self) -> None:
        """Read what is known to be stored and was not told, or might be."""
        is_behind = self.is_in_doubt or self.stored_seq > self.told_seq
        if is_behind and not self.is_catching_up:
            self.is_catching_up, self.is_in_doubt = True, False
            read = ReadEvents(room_id=self.room_id, after_seq=self.told_seq, limit=CATCH_UP_EVENTS)
            self.ask_service(ROOM_LOG, read, _CatchingUp())

    def ask_service(
        self,
        key: Key,
        message: object,
        tag: object,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        """Ask somebody by key; the answer comes with the tag."""
        deliver = Deliver(key=key, message=message)
        self.ask_later(self.directory, deliver, tag, timeout_seconds)

    def tell_service(self, key: Key, message: object) -> None:
        """Tell somebody by key; nothing is answered."""
        self.send(self.directory, Deliver(key=key, message=message))

    # --- how it is done ---

    def _on_opened(self, reply: object) -> None:
        match reply:
            case RoomOpened(snapshot=snapshot):
                self.state = RoomState(snapshot)
                seq = self.stored_seq = snapshot.room.seq
                told_seq = self.fan_out.told_seq(self.topic)
                self.told_seq = seq if told_seq is None else min(told_seq, seq)
                self.become_ready()
                self.wakeup_after(IDLE_SECONDS, LookIdle())
                self.catch_up()
            case _ if getattr(reply, "code", None) is RejectCode.NOT_FOUND:
                self.become_ready()
                self.wakeup_after(RETRY_SECONDS, LookIdle())
            case _:
                self.wakeup_after(RETRY_SECONDS, OpenAgain())

    def _tell_early(self) -> None:
        while self.early and self.early[0].after_seq <= self.told_seq:
            self.on_news(self.early.popleft().event)

    def _expel(self, event: RoomEvent) -> None:
        """Whoever may not read any more gets this event as the last one.

        A room that is open to all is left by one device; the others of its owner may listen on.
        """
        is_open = self.existing_room().room.kind in OPEN_KINDS
        is_gone = event.kind is EventKind.MEMBER_LEFT and not is_open
        if isinstance(event.details, Moderation):
            is_gone = event.details.measure in EXPELLING
        if is_gone:
            self.fan_out.expel(self.topic, (event.subject or event.author).id)

    def _tell_presence(self, event: RoomEvent) -> None:
        is_gone = event.kind is EventKind.MEMBER_LEFT
        if isinstance(event.details, Moderation):
            is_gone = event.details.measure in EXPELLING
        if is_gone or event.kind is EventKind.MEMBER_JOINED:
            moved = MemberMoved(
                room_id=self.room_id,
                user_id=(event.subject or event.author).id,
                is_member=not is_gone,
                seq=event.seq,
            )
            self.tell_service(PRESENCE, moved)
