"""The session actor: one signed-in connection, its subscriptions, and the answers it is owed."""

from collections import deque
from dataclasses import dataclass, replace
from time import monotonic, time
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.base import SupervisedActor, WhenFull
from veza.actors.chat.acts import ROOM_LOG, ROOMS
from veza.actors.fanout import FanOut, Outbox
from veza.actors.messages.accounts import Author
from veza.actors.messages.common import Answer, Busy, Key, RefusedError, RejectCode, Rejected
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
    ActInRoom,
    ActUnchanged,
    EventsRead,
    EventStored,
    LeaveRoom,
    ListMemberships,
    MarkRead,
    MembershipsListed,
    PointerMoved,
    ReadEvents,
    ReadRoom,
    Room,
    RoomAct,
    RoomEvent,
    RoomJoined,
    RoomLeft,
    TellTyping,
)
from veza.actors.messages.sessions import (
    ActDone,
    CloseSession,
    CommandFailed,
    DoInRoom,
    HistoryRead,
    MarkReceipt,
    OpenSession,
    Position,
    RequestHistory,
    RoomEntered,
    RoomExited,
    SessionOpened,
    SetTyping,
    SubscribeRoom,
    UnsubscribeRoom,
)
from veza.actors.runtime.address import Address
from veza.actors.topics import room_topic, user_topic

RESYNC: Final = 4004
REPLAY_EVENTS: Final = 1000
"""A client that missed more than this reloads: it would not read them one by one either."""
REPLAY_PAGE: Final = 200
REPLAY_PAUSE_SECONDS: Final = 0.05
RETRY_SECONDS: Final = 1.0
MAX_ROOMS: Final = 1000
"""How many rooms one connection may be in at a time."""
EVENT_BYTES: Final = 512
"""What a frame says of an event beside its text, at most."""

RoomCommand = SubscribeRoom | UnsubscribeRoom | DoInRoom
ACTIVE_EVERY_SECONDS: Final = 60.0
"""How often, at most, presence hears that the device is used."""
MAX_WAITING: Final = 100
"""As many frames as a connection may send at once."""


def room_key(room_id: UUID) -> Key:
    """Return the key of a room's actor."""
    return ("room", str(room_id))


@dataclass(frozen=True, slots=True)
class _Opening:
    reply_to: Address


@dataclass(frozen=True, slots=True)
class _Entering:
    frame_id: str | None
    room_id: UUID
    since: Position | None


@dataclass(frozen=True, slots=True)
class _Replaying:
    """Tag: events past `after_seq` were asked for. `greeting` is told before the first of them."""

    room: Room
    after_seq: int
    greeting: RoomEntered | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOn:
    """Time to see whether the connection has taken enough of a replay to be sent more of it."""

    room: Room
    after_seq: int


@dataclass(frozen=True, slots=True)
class _Leaving:
    frame_id: str | None
    room_id: UUID


@dataclass(frozen=True, slots=True)
class _Acting:
    frame_id: str | None
    room_id: UUID


@dataclass(frozen=True, slots=True)
class _Browsing:
    frame_id: str | None
    room_id: UUID


def is_recoverable(since: Position | None, room: Room) -> bool:
    """Tell whether everything a client missed since its position can be sent to it."""
    if since is None or since.epoch != room.epoch:
        return False
    return 0 <= room.seq - since.seq <= REPLAY_EVENTS


def newest_within(events: tuple[RoomEvent, ...], limit_bytes: int) -> tuple[RoomEvent, ...]:
    """Return the newest events whose frames are not longer than the limit together; one at least."""
    kept = 0
    for event in reversed(events):
        limit_bytes -= EVENT_BYTES + len(event.text.encode())
        if limit_bytes < 0 and kept:
            break
        kept += 1
    return events[len(events) - kept :]


BUSY: Final = Rejected(
    command="",
    code=RejectCode.UNAVAILABLE,
    detail="There is too much to do at this moment. Try again.",
    retry_after_seconds=RETRY_SECONDS,
)
"""What `Busy` is to a client: unlike other failures it leaves no doubt that nothing was done."""
TOO_MANY_ROOMS: Final = Rejected(
    command="",
    code=RejectCode.INVALID_STATE,
    detail=f"A connection may be in {MAX_ROOMS} rooms. Leave one first.",
)
NOT_IN_IT: Final = Rejected(command="", code=RejectCode.NOT_A_MEMBER, detail="Join the room first.")


class SessionActor(SupervisedActor):
    """One connection of a signed-in user.

    Every command with a frame id is answered by exactly one frame. The session asks rooms and the log,
    each question with its own tag, and keeps no table of what is pending: the tag carries it.
    Commands about one room take effect in the order they came: what follows a join or a leave waits
    for its answer, so a client may join and write in one breath. A session that does not get round to
    its commands ends: its client comes back and sends again what was not answered.
    """

    when_full: ClassVar[WhenFull] = "close"

    def __init__(self, *, actor_id: str, directory: Address, fan_out: FanOut) -> None:
        super().__init__()
        self.session_id = UUID(actor_id)
        self.directory = directory
        self.fan_out = fan_out
        self.user: Author | None = None
        self.is_staff = False
        self.outbox: Outbox | None = None
        self.changing: dict[UUID, deque[RoomCommand]] = {}
        self.said: DeviceSaid | None = None
        self.active_at = monotonic()

    def on_stop(self) -> None:
        if self.outbox is not None:
            self.outbox.close()

    def inspect(self) -> dict[str, object]:
        return {
            "topics": len(self.outbox.topics) if self.outbox else 0,
            "waiting_bytes": self.outbox.waiting_bytes() if self.outbox else 0,
        }

    # --- commands ---

    def receiveMsg_OpenSession(self, command: OpenSession, sender: Address) -> None:
        self.user = command.user
        self.is_staff = command.is_staff
        self.outbox = command.outbox
        self.outbox.owner = command.user.id
        topic = user_topic(command.user.id)
        self.fan_out.hold(topic, command.outbox)
        self.fan_out.subscribe(topic, command.outbox, after_seq=0, head_seq=0)
        self._ask(ROOMS, ListMemberships(user_id=command.user.id), _Opening(sender))

    def receiveMsg_CloseSession(self, _command: CloseSession, _sender: Address) -> None:
        self.stop_self()

    def receiveMsg_SubscribeRoom(self, command: SubscribeRoom, _sender: Address) -> None:
        user, outbox = self._used()
        if self._waits(command):
            return
        if len(outbox.topics) > MAX_ROOMS:
            self._fail(command.frame_id, TOO_MANY_ROOMS)
            return
        self.changing[command.room_id] = deque()
        self.fan_out.hold(room_topic(command.room_id), outbox)
        tag = _Entering(command.frame_id, command.room_id, command.since)
        self._act(command.room_id, user, command.join, tag)

    def receiveMsg_UnsubscribeRoom(self, command: UnsubscribeRoom, _sender: Address) -> None:
        user, _outbox = self._opened()
        if self._waits(command):
            return
        self.changing[command.room_id] = deque()
        self._drop_room(command.room_id)
        tag = _Leaving(command.frame_id, command.room_id)
        self._act(command.room_id, user, LeaveRoom(), tag)

    def receiveMsg_DoInRoom(self, command: DoInRoom, _sender: Address) -> None:
        user, _outbox = self._used()
        if not self._waits(command):
            tag = _Acting(command.frame_id, command.room_id)
            self._act(command.room_id, user, command.act, tag)

    def receiveMsg_MarkReceipt(self, command: MarkReceipt, _sender: Address) -> None:
        # What is delivered is said by the client of itself, with nobody before it.
        user, _outbox = self._used() if command.read_seq else self._opened()
        mark = MarkRead(by=user.id, read_seq=command.read_seq, delivered_seq=command.delivered_seq)
        tag = _Acting(command.frame_id, command.room_id)
        self._ask(room_key(command.room_id), mark, tag)

    def receiveMsg_SetTyping(self, command: SetTyping, _sender: Address) -> None:
        user, outbox = self._used()
        if self.fan_out.is_subscribed(room_topic(command.room_id), outbox):
            typing = TellTyping(by=user, is_typing=command.is_typing)
            self.send(self.directory, Deliver(key=room_key(command.room_id), message=typing))
            done = ActDone(frame_id=command.frame_id, room_id=command.room_id, event=None)
            self._push(done)
        else:
            self._fail(command.frame_id, NOT_IN_IT)

    def receiveMsg_RequestHistory(self, command: RequestHistory, _sender: Address) -> None:
        user, _outbox = self._used()
        read = ReadEvents(
            room_id=command.room_id,
            before_seq=command.before_seq,
            limit=command.limit,
            viewer=user.id,
        )
        tag = _Browsing(command.frame_id, command.room_id)
        browse = ReadRoom(by=user.id, read=read, is_staff=self.is_staff)
        self._ask(room_key(command.room_id), browse, tag)

    def receiveMsg_SetPresence(self, command: SetPresence, _sender: Address) -> None:
        _user, outbox = self._opened()
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

    def receiveMsg_Answer(self, answer: Answer, _sender: Address) -> None:
        match answer:
            case Answer(tag=_Entering() as tag, message=RoomJoined(room=room)):
                self._enter(tag, room)
            case Answer(tag=_Entering() as tag):
                self._fail(tag.frame_id, answer.message)
                self._changed(tag.room_id)
            case Answer(tag=_Replaying() as tag, message=EventsRead() as read):
                self._replay(tag, read)
            case Answer(tag=_Acting() as tag, message=EventStored(event=event)):
                self._push(ActDone(frame_id=tag.frame_id, room_id=tag.room_id, event=event))
            case Answer(tag=_Acting() as tag, message=ActUnchanged() | PointerMoved()):
                self._push(ActDone(frame_id=tag.frame_id, room_id=tag.room_id, event=None))
            case Answer(tag=_Browsing() as tag, message=EventsRead() as read):
                self._show_history(tag, read)
            case Answer(tag=_Leaving() as tag, message=RoomLeft()):
                self._push(RoomExited(frame_id=tag.frame_id, room_id=tag.room_id))
                self._changed(tag.room_id)
            case Answer(tag=_Leaving() as tag):
                self._fail(tag.frame_id, answer.message)
                self._changed(tag.room_id)
            case Answer(tag=_Replaying(room=room, greeting=None)):
                self._abandon(room.id)
            case Answer(tag=_Replaying(room=room, greeting=RoomEntered(frame_id=frame_id))):
                self._fail(frame_id, answer.message)
                self._changed(room.id)
            case Answer(tag=_Opening(reply_to=reply_to)):
                self._answer_opening(reply_to, answer.message)
            case Answer(tag=_Acting() | _Browsing() as tag):
                self._fail(tag.frame_id, answer.message)

    def receiveMsg_ReplayOn(self, message: ReplayOn, _sender: Address) -> None:
        if self._is_loaded():
            self.wakeup_after(REPLAY_PAUSE_SECONDS, message)
        else:
            self._deliver_from(message.room, message.after_seq, None)

    # --- how it is done ---

    def _waits(self, command: RoomCommand) -> bool:
        """Keep a command back while the room it is about is being entered or left."""
        waiting = self.changing.get(command.room_id)
        if waiting is None:
            return False
        if len(waiting) >= MAX_WAITING:
            self._fail(command.frame_id, Busy(command=type(command).__name__))
        else:
            waiting.append(command)
        return True

    def _changed(self, room_id: UUID) -> None:
        """Take up what waited for a join or leave that is over now, as if it had just come."""
        if not self.fan_out.is_subscribed(room_topic(room_id), self._opened()[1]):
            self._drop_room(room_id)
        for command in self.changing.pop(room_id, ()):
            match command:
                case SubscribeRoom():
                    self.receiveMsg_SubscribeRoom(command, self.cell)
                case UnsubscribeRoom():
                    self.receiveMsg_UnsubscribeRoom(command, self.cell)
                case DoInRoom():
                    self.receiveMsg_DoInRoom(command, self.cell)

    def _answer_opening(self, reply_to: Address, reply: object) -> None:
        if isinstance(reply, MembershipsListed):
            reply = SessionOpened(
                session_id=self.session_id,
                memberships=reply.memberships,
                blocked=reply.blocked,
            )
            self._connect(is_again=False)
        self.send(reply_to, reply)

    def _enter(self, tag: _Entering, room: Room) -> None:
        recovered = is_recoverable(tag.since, room)
        after_seq = tag.since.seq if recovered and tag.since else room.seq
        greeting = None
        if tag.frame_id is not None:
            greeting = RoomEntered(frame_id=tag.frame_id, room=room, recovered=recovered)
        if self.fan_out.is_subscribed(room_topic(room.id), self._opened()[1]):
            # What was missed was delivered already; a client that lost it has to reload, up to where the
            # stream it gets stands at this very frame.
            if greeting is not None:
                told = replace(room, seq=self.fan_out.hand_out(room_topic(room.id)))
                self._opened()[1].push(replace(greeting, room=told, recovered=False))
                self._tell_presence(RoomWatched(session_id=self.session_id, room_id=room.id))
            self._changed(room.id)
        else:
            self._deliver_from(room, after_seq, greeting)

    def _deliver_from(self, room: Room, after_seq: int, greeting: RoomEntered | None) -> None:
        """Subscribe past `after_seq`; what the hub keeps no more is read from the log first."""
        _user, outbox = self._opened()
        topic = room_topic(room.id)
        if not self.fan_out.is_held(topic, outbox):
            # Put out of the room meanwhile: nothing more of it goes to this connection.
            self._fail(greeting.frame_id if greeting else None, NOT_IN_IT)
            self._changed(room.id)
            return
        if self.fan_out.subscribe(
            topic, outbox, after_seq=after_seq, head_seq=room.seq, greeting=greeting
        ):
            self._watched(room.id)
            return
        # No further than the room has told: it will tell the rest itself, and that is held already.
        head_seq = max(room.seq, self.fan_out.newest_seq(topic))
        read = ReadEvents(
            room_id=room.id, after_seq=after_seq, before_seq=head_seq + 1, limit=REPLAY_PAGE
        )
        self._ask(ROOM_LOG, read, _Replaying(room, after_seq, greeting))

    def _watched(self, room_id: UUID) -> None:
        self._tell_presence(RoomWatched(session_id=self.session_id, room_id=room_id))
        self._changed(room_id)

    def _replay(self, tag: _Replaying, read: EventsRead) -> None:
        if not read.events:
            # The log holds nothing more, so the head that was told is reached.
            self._deliver_from(replace(tag.room, seq=tag.after_seq), tag.after_seq, tag.greeting)
            return
        _user, outbox = self._opened()
        if tag.greeting is not None:
            outbox.push(tag.greeting)
        after_seq = tag.after_seq
        for event in read.events:
            if self._is_loaded():
                break
            outbox.push(event)
            after_seq = event.seq
        self.receiveMsg_ReplayOn(ReplayOn(room=tag.room, after_seq=after_seq), self.cell)

    def _show_history(self, tag: _Browsing, read: EventsRead) -> None:
        events = newest_within(read.events, self._room_bytes())
        history = replace(read, events=events)
        self._push(HistoryRead(frame_id=tag.frame_id, room_id=tag.room_id, history=history))

    def _room_bytes(self) -> int:
        """Return how much of the outbox old events may take: live ones and answers need the rest."""
        return self.fan_out.limits.outbox_bytes // 4

    def _is_loaded(self) -> bool:
        return self._opened()[1].waiting_bytes() > self._room_bytes()

    def _abandon(self, room_id: UUID) -> None:
        """Part of a replay was sent and the rest cannot be had: the client must start over."""
        _user, outbox = self._opened()
        self._drop_room(room_id)
        outbox.disconnect(RESYNC, "resync")

    def _drop_room(self, room_id: UUID) -> None:
        _user, outbox = self._opened()
        self.fan_out.unsubscribe(room_topic(room_id), outbox)

    def _connect(self, *, is_again: bool) -> None:
        user, outbox = self._opened()
        self._tell_presence(
            DeviceConnected(
                user_id=user.id,
                session_id=self.session_id,
                outbox=outbox,
                said=self.said,
                is_again=is_again,
            )
        )

    def _used(self) -> tuple[Author, Outbox]:
        """Note that somebody sits there; presence hears of it now and then."""
        now = monotonic()
        if now - self.active_at >= ACTIVE_EVERY_SECONDS:
            self.active_at = now
            self._tell_presence(DeviceActive(session_id=self.session_id))
        return self._opened()

    def _tell_presence(
        self, news: DeviceActive | DeviceChanged | DeviceConnected | RoomWatched
    ) -> None:
        self.send(self.directory, Deliver(key=PRESENCE, message=news))

    def _opened(self) -> tuple[Author, Outbox]:
        if self.user is None or self.outbox is None:
            raise RefusedError(RejectCode.INVALID_STATE, "The session is not open.")
        return self.user, self.outbox

    def _push(self, frame: ActDone | HistoryRead | RoomExited) -> None:
        if frame.frame_id is not None:
            self._opened()[1].push(frame)

    def _fail(self, frame_id: str | None, reply: object) -> None:
        _user, outbox = self._opened()
        if isinstance(reply, Busy):
            reply = BUSY
        if isinstance(reply, Rejected):
            failed = CommandFailed(
                frame_id=frame_id,
                code=reply.code,
                detail=reply.detail,
                retry_after_seconds=reply.retry_after_seconds,
            )
        else:
            failed = CommandFailed(
                frame_id=frame_id, code=None, detail="The server could not answer. Try again."
            )
        outbox.push(failed)

    def _act(self, room_id: UUID, user: Author, act: RoomAct, tag: object) -> None:
        command = ActInRoom(by=user, act=act, is_staff=self.is_staff)
        self._ask(room_key(room_id), command, tag)

    def _ask(self, key: Key, message: object, tag: object) -> None:
        self.ask_later(self.directory, Deliver(key=key, message=message), tag)
