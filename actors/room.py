"""The room actor: who may speak in a chat room, and in which order all are heard."""

from dataclasses import dataclass, replace
from time import monotonic
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.base import SupervisedActor
from veza.actors.fanout import FanOut
from veza.actors.messages.common import Answer, Busy, RefusedError, RejectCode, Rejected
from veza.actors.messages.directory import Deliver, Retire
from veza.actors.messages.rooms import (
    AppendEvent,
    Author,
    EventKind,
    EventsRead,
    EventStored,
    JoinRoom,
    LeaveRoom,
    MembershipUnchanged,
    NewEvent,
    OpenRoom,
    PostMessage,
    ReadEvents,
    Room,
    RoomEvent,
    RoomJoined,
    RoomLeft,
    RoomOpened,
)
from veza.actors.rate_limit import Rate, RateLimiter
from veza.actors.runtime.address import Address

ROOM_LOG: Final = ("room_log", "")
ROOM_WRITER: Final = ("room_writer", "")
CATCH_UP_EVENTS: Final = 200
RETRY_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 60.0
MAX_PENDING: Final = 1000
"""Two batches of the writer: past it the room refuses, so that one room never fills the writer's mailbox."""
STORE_SECONDS: Final = 600.0
"""The writer answers in any case. Whoever asked the room waits less; the room must still hear of it."""


def room_topic(room_id: UUID) -> str:
    """Return the fan-out topic that carries a room's events."""
    return f"room:{room_id}"


@dataclass(frozen=True, slots=True)
class _Opening:
    """Tag: the state to start from was asked for."""


@dataclass(frozen=True, slots=True)
class _CatchingUp:
    """Tag: events that were stored but not told yet were asked for."""


@dataclass(frozen=True, slots=True)
class _Storing:
    """Tag: an event was given to the writer for somebody who waits to hear of it."""

    event: NewEvent
    reply_to: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAgain:
    """The room log did not answer: ask once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUp:
    """Time to read what the log may hold beyond what was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookIdle:
    """Time to see whether anybody still needs this room."""


class RoomActor(SupervisedActor):
    """One chat room. It owns membership and the order of telling; the log owns history.

    An event is announced only after it is committed, in order of `seq` and without a hole: what this
    actor did not hear of (its answer was lost with a connection, another node stored it, or this actor
    crashed meanwhile) is read from the log before anything newer is told. Nothing that a client was told
    is kept only here.
    """

    stash_until_ready: ClassVar[frozenset[type] | None] = frozenset({OpenAgain})

    def __init__(
        self, *, actor_id: str, directory: Address, fan_out: FanOut, message_rate: Rate
    ) -> None:
        super().__init__()
        self.room_id = UUID(actor_id)
        self.topic = room_topic(self.room_id)
        self.directory = directory
        self.fan_out = fan_out
        self.room: Room | None = None
        self.members: set[UUID] = set()
        self.leaving: set[UUID] = set()
        self.posting: RateLimiter[UUID] = RateLimiter(message_rate)
        self.told_seq = 0
        self.stored_seq = 0
        self.pending = 0
        self.is_catching_up = False
        self.is_in_doubt = False
        self.was_used = False
        self.receiveMsg_OpenAgain(OpenAgain(), self.cell)

    # --- commands ---

    def receiveMsg_JoinRoom(self, command: JoinRoom, sender: Address) -> RoomJoined | None:
        room = self._existing_room()
        if command.member.id in self.members:
            return RoomJoined(room=room)
        self.posting.spend(command.member.id, monotonic())
        self._check_pending()
        self._store(EventKind.MEMBER_JOINED, command.member, sender)
        return None

    def receiveMsg_LeaveRoom(self, command: LeaveRoom, sender: Address) -> RoomLeft | None:
        self._existing_room()
        if command.member.id not in self.members:
            return RoomLeft(room_id=self.room_id)
        self.posting.spend(command.member.id, monotonic())
        self._check_pending()
        self.leaving.add(command.member.id)
        self._store(EventKind.MEMBER_LEFT, command.member, sender)
        return None

    def receiveMsg_PostMessage(self, command: PostMessage, sender: Address) -> None:
        self._existing_room()
        if command.author.id not in self.members or command.author.id in self.leaving:
            raise RefusedError(RejectCode.NOT_A_MEMBER, "Join the room before you write to it.")
        self.posting.spend(command.author.id, monotonic())
        self._check_pending()
        event = NewEvent(
            room_id=self.room_id,
            kind=EventKind.MESSAGE_POSTED,
            author=command.author,
            message_id=command.message_id,
            text=command.text,
            reply_to=command.reply_to,
        )
        self._append(event, sender)

    # --- answers ---

    def receiveMsg_Answer(self, answer: Answer, _sender: Address) -> None:
        match answer:
            case Answer(tag=_Storing(event=event, reply_to=reply_to)):
                self.pending -= 1
                if event.kind is EventKind.MEMBER_LEFT:
                    self.leaving.discard(event.author.id)
                self._on_stored(answer.message, reply_to)
            case Answer(tag=_CatchingUp(), message=EventsRead(events=events)):
                self.is_catching_up = False
                self._tell(events)
                self.is_in_doubt |= len(events) == CATCH_UP_EVENTS
                self._catch_up()
            case Answer(tag=_CatchingUp()):
                self.is_catching_up = False
                self._doubt()
            case Answer(tag=_Opening()):
                self._on_opened(answer.message)

    def receiveMsg_OpenAgain(self, _message: OpenAgain, _sender: Address) -> None:
        self._ask(ROOM_LOG, OpenRoom(room_id=self.room_id), _Opening())

    def receiveMsg_CatchUp(self, _message: CatchUp, _sender: Address) -> None:
        self._catch_up()

    def receiveMsg_LookIdle(self, _message: LookIdle, _sender: Address) -> None:
        is_needed = self.pending or self.is_catching_up or self.fan_out.subscribers(self.topic)
        if self.room is None or not (is_needed or self.was_used):
            self.send(self.directory, Retire(key=("room", str(self.room_id))))
        self.was_used = False
        self.wakeup_after(IDLE_SECONDS, LookIdle())

    def inspect(self) -> dict[str, object]:
        return {
            "members": len(self.members),
            "told_seq": self.told_seq,
            "stored_seq": self.stored_seq,
            "pending": self.pending,
            "subscribers": self.fan_out.subscribers(self.topic),
        }

    # --- how it is done ---

    def _existing_room(self) -> Room:
        self.was_used = True
        if self.room is None:
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such room.")
        return replace(self.room, seq=self.told_seq, member_count=len(self.members))

    def _check_pending(self) -> None:
        """Refuse while more is being stored than the room may have under way."""
        if self.pending >= MAX_PENDING:
            raise RefusedError(
                RejectCode.UNAVAILABLE,
                "Too much is being written in this room at this moment.",
                retry_after_seconds=RETRY_SECONDS,
            )

    def _on_opened(self, reply: object) -> None:
        match reply:
            case RoomOpened(room=room, members=members):
                self.room = room
                self.members = set(members)
                self.stored_seq = room.seq
                told_seq = self.fan_out.told_seq(self.topic)
                self.told_seq = room.seq if told_seq is None else min(told_seq, room.seq)
                self.become_ready()
                self.wakeup_after(IDLE_SECONDS, LookIdle())
                self._catch_up()
            case _ if getattr(reply, "code", None) is RejectCode.NOT_FOUND:
                self.become_ready()
                self.wakeup_after(RETRY_SECONDS, LookIdle())
            case _:
                self.wakeup_after(RETRY_SECONDS, OpenAgain())

    def _store(self, kind: EventKind, author: Author, reply_to: Address) -> None:
        self._append(NewEvent(room_id=self.room_id, kind=kind, author=author), reply_to)

    def _append(self, event: NewEvent, reply_to: Address) -> None:
        self.pending += 1
        append = Deliver(key=ROOM_WRITER, message=AppendEvent(event=event))
        self.ask_later(self.directory, append, _Storing(event, reply_to), STORE_SECONDS)

    def _ask(self, key: tuple[str, str], message: object, tag: object) -> None:
        self.ask_later(self.directory, Deliver(key=key, message=message), tag)

    def _on_stored(self, reply: object, reply_to: Address) -> None:
        match reply:
            case EventStored(event=event):
                self._change_members(event.kind, event.author)
                self.send(reply_to, self._confirmation(event.kind, reply))
                self._tell((event,))
                self._catch_up()
            case MembershipUnchanged(kind=kind, author=author):
                self._change_members(kind, author)
                self.send(reply_to, self._confirmation(kind, reply))
            case Rejected() | Busy():
                self.send(reply_to, reply)
            case _:
                self.send(reply_to, reply)
                self._doubt()

    def _confirmation(self, kind: EventKind, stored: object) -> object:
        match kind:
            case EventKind.MEMBER_JOINED:
                return RoomJoined(room=self._existing_room())
            case EventKind.MEMBER_LEFT:
                return RoomLeft(room_id=self.room_id)
            case EventKind.MESSAGE_POSTED:
                return stored

    def _change_members(self, kind: EventKind, author: Author) -> None:
        """Keep the set as the log has it; hearing of the same change twice is harmless."""
        if kind is EventKind.MEMBER_JOINED:
            self.members.add(author.id)
        elif kind is EventKind.MEMBER_LEFT:
            self.members.discard(author.id)

    def _tell(self, events: tuple[RoomEvent, ...]) -> None:
        """Announce what comes next in order; anything past a hole only tells how far the log goes."""
        for event in events:
            self.stored_seq = max(self.stored_seq, event.seq)
            if event.seq == self.told_seq + 1:
                self.told_seq = event.seq
                self._change_members(event.kind, event.author)
                self.fan_out.publish(self.topic, event, seq=event.seq)

    def _doubt(self) -> None:
        """Nobody can say what the log holds: read it, but not while the database is still coming back."""
        if not self.is_in_doubt:
            self.is_in_doubt = True
            self.wakeup_after(RETRY_SECONDS, CatchUp())

    def _catch_up(self) -> None:
        is_behind = self.is_in_doubt or self.stored_seq > self.told_seq
        if is_behind and not self.is_catching_up:
            self.is_catching_up, self.is_in_doubt = True, False
            read = ReadEvents(room_id=self.room_id, after_seq=self.told_seq, limit=CATCH_UP_EVENTS)
            self._ask(ROOM_LOG, read, _CatchingUp())
