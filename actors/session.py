"""The session actor: one signed-in connection, its subscriptions, and the answers it is owed."""

from dataclasses import dataclass, replace
from time import monotonic, time
from typing import Final
from uuid import UUID

from veza.actors.connected import room_key
from veza.actors.fanout import FanOut, Outbox
from veza.actors.messages.accounts import ARRIVALS, Author
from veza.actors.messages.common import Answer
from veza.actors.messages.directory import Deliver
from veza.actors.messages.presence import (
    PRESENCE,
    DeviceActive,
    DeviceChanged,
    DeviceConnected,
    DeviceSaid,
    PresenceTaken,
    ReportPresence,
    RoomWatched,
    SetPresence,
)
from veza.actors.messages.rooms import (
    EventsRead,
    MarkRead,
    ReadEvents,
    ReadRoom,
    RoomEvent,
    TellTyping,
)
from veza.actors.messages.rooms_service import ListMemberships, MembershipsListed
from veza.actors.messages.sessions import (
    ActDone,
    CloseSession,
    HistoryRead,
    MarkReceipt,
    OpenSession,
    RequestHistory,
    SessionOpened,
    SetStaff,
    SetTyping,
)
from veza.actors.room_follower import NOT_IN_IT, Acting, RoomFollower
from veza.actors.runtime.address import Address
from veza.actors.topics import room_topic, user_topic

EVENT_BYTES: Final = 512
"""What a frame says of an event beside its text, at most."""
ACTIVE_EVERY_SECONDS: Final = 60.0
"""How often, at most, presence hears that the device is used."""


@dataclass(frozen=True, slots=True)
class _Opening:
    reply_to: Address


@dataclass(frozen=True, slots=True)
class _Browsing:
    frame_id: str | None
    room_id: UUID


def newest_within(events: tuple[RoomEvent, ...], limit_bytes: int) -> tuple[RoomEvent, ...]:
    """Return the newest events whose frames are not longer than the limit together; one at least."""
    kept = 0
    for event in reversed(events):
        limit_bytes -= EVENT_BYTES + len(event.text.encode())
        if limit_bytes < 0 and kept:
            break
        kept += 1
    return events[len(events) - kept :]


class SessionActor(RoomFollower):
    """One connection of a signed-in user.

    Every command with a frame id is answered by exactly one frame. The session asks rooms and the log,
    each question with its own tag, and keeps no table of what is pending: the tag carries it. A session
    that does not get round to its commands ends: its client comes back and sends again what was not
    answered.
    """

    def __init__(self, *, actor_id: str, directory: Address, fan_out: FanOut) -> None:
        super().__init__(directory=directory, fan_out=fan_out)
        self.session_id = UUID(actor_id)
        self.said: DeviceSaid | None = None
        self.active_at = monotonic()

    def inspect(self) -> dict[str, object]:
        return {
            "topics": len(self.outbox.topics) if self.outbox else 0,
            "waiting_bytes": self.outbox.waiting_bytes() if self.outbox else 0,
        }

    def on_entered(self, room_id: UUID) -> None:
        self._tell_presence(RoomWatched(session_id=self.session_id, room_id=room_id))

    # --- commands ---

    def receiveMsg_OpenSession(self, command: OpenSession, sender: Address) -> None:
        self.user = command.user
        self.is_staff = command.is_staff
        self.outbox = command.outbox
        self.outbox.owner = command.user.id
        topic = user_topic(command.user.id)
        self.fan_out.hold(topic, command.outbox)
        self.fan_out.subscribe(topic, command.outbox, after_seq=0, head_seq=0)
        self.ask_of(ARRIVALS, ListMemberships(user_id=command.user.id), _Opening(sender))

    def receiveMsg_SetStaff(self, command: SetStaff, _sender: Address) -> None:
        self.is_staff = command.is_staff

    def receiveMsg_CloseSession(self, _command: CloseSession, _sender: Address) -> None:
        self.stop_self()

    def receiveMsg_MarkReceipt(self, command: MarkReceipt, _sender: Address) -> None:
        # What is delivered is said by the client of itself, with nobody before it.
        user, _outbox = self.used() if command.read_seq else self.opened()
        mark = MarkRead(by=user.id, read_seq=command.read_seq, delivered_seq=command.delivered_seq)
        tag = Acting(command.frame_id, command.room_id)
        self.ask_of(room_key(command.room_id), mark, tag)

    def receiveMsg_SetTyping(self, command: SetTyping, _sender: Address) -> None:
        user, outbox = self.used()
        if self.fan_out.is_subscribed(room_topic(command.room_id), outbox):
            typing = TellTyping(by=user, is_typing=command.is_typing)
            self.send(self.directory, Deliver(key=room_key(command.room_id), message=typing))
            done = ActDone(frame_id=command.frame_id, room_id=command.room_id, event=None)
            self.push(done)
        else:
            self.fail(command.frame_id, NOT_IN_IT)

    def receiveMsg_RequestHistory(self, command: RequestHistory, _sender: Address) -> None:
        user, _outbox = self.used()
        read = ReadEvents(
            room_id=command.room_id,
            before_seq=command.before_seq,
            limit=command.limit,
            viewer=user.id,
        )
        tag = _Browsing(command.frame_id, command.room_id)
        browse = ReadRoom(by=user.id, read=read, is_staff=self.is_staff)
        self.ask_of(room_key(command.room_id), browse, tag)

    def receiveMsg_SetPresence(self, command: SetPresence, _sender: Address) -> None:
        _user, outbox = self.opened()
        self.said = DeviceSaid(
            status=command.status, activity=command.activity, at_ms=round(time() * 1000)
        )
        self._tell_presence(DeviceChanged(session_id=self.session_id, said=self.said))
        if command.frame_id is not None:
            outbox.push(PresenceTaken(frame_id=command.frame_id, status=command.status))

    def receiveMsg_ReportPresence(self, _message: ReportPresence, _sender: Address) -> None:
        if self.user is not None:
            self._connect(is_again=True)

    # --- answers ---

    def receiveMsg_Answer(self, answer: Answer, sender: Address) -> None:
        match answer:
            case Answer(tag=_Opening(reply_to=reply_to)):
                self._answer_opening(reply_to, answer.message)
            case Answer(tag=_Browsing() as tag, message=EventsRead() as read):
                self._show_history(tag, read)
            case Answer(tag=_Browsing() as tag):
                self.fail(tag.frame_id, answer.message)
            case _:
                super().receiveMsg_Answer(answer, sender)

    # --- how it is done ---

    def _answer_opening(self, reply_to: Address, reply: object) -> None:
        if isinstance(reply, MembershipsListed):
            reply = SessionOpened(
                session_id=self.session_id,
                memberships=reply.memberships,
                blocked=reply.blocked,
            )
            self._connect(is_again=False)
        self.send(reply_to, reply)

    def _show_history(self, tag: _Browsing, read: EventsRead) -> None:
        events = newest_within(read.events, self.replay_bytes())
        history = replace(read, events=events)
        self.push(HistoryRead(frame_id=tag.frame_id, room_id=tag.room_id, history=history))

    def _connect(self, *, is_again: bool) -> None:
        user, outbox = self.opened()
        self._tell_presence(
            DeviceConnected(
                user_id=user.id,
                session_id=self.session_id,
                outbox=outbox,
                said=self.said,
                is_again=is_again,
            )
        )

    def used(self) -> tuple[Author, Outbox]:
        """Note that somebody sits there; presence hears of it now and then."""
        now = monotonic()
        if now - self.active_at >= ACTIVE_EVERY_SECONDS:
            self.active_at = now
            self._tell_presence(DeviceActive(session_id=self.session_id))
        return self.opened()

    def _tell_presence(
        self, news: DeviceActive | DeviceChanged | DeviceConnected | RoomWatched
    ) -> None:
        self.send(self.directory, Deliver(key=PRESENCE, message=news))
