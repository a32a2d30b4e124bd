"""How a connection comes to hear rooms: it joins, leaves or resumes, and misses and doubles nothing.

Commands about one room take effect in the order they came: what follows a join, a leave or a resume waits
for its answer, so a client may join and write in one breath.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from veza.actors.chat.acts import ROOM_LOG
from veza.actors.chat.rights import Action
from veza.actors.connected import ConnectedActor, room_key
from veza.actors.fanout import FanOut
from veza.actors.messages.common import Answer, Busy, RejectCode, Rejected
from veza.actors.messages.rooms import (
    ActUnchanged,
    EventsRead,
    EventStored,
    LeaveRoom,
    PointerMoved,
    ReadEvents,
    RequireRight,
    Room,
    RoomJoined,
    RoomLeft,
)
from veza.actors.messages.sessions import (
    ActDone,
    DoInRoom,
    Position,
    ResumedRoom,
    ResumeRooms,
    RoomEntered,
    RoomExited,
    RoomsResumed,
    SubscribeRoom,
    UnsubscribeRoom,
)
from veza.actors.resuming import Resumption, is_recoverable
from veza.actors.runtime.address import Address
from veza.actors.topics import room_topic

RESYNC: Final = 4004
REPLAY_PAGE: Final = 200
REPLAY_PAUSE_SECONDS: Final = 0.05
MAX_ROOMS: Final = 1000
"""How many rooms one connection may be in at a time."""
MAX_WAITING: Final = 100
"""As many frames as a connection may send at once."""

RoomCommand = SubscribeRoom | UnsubscribeRoom | DoInRoom

TOO_MANY_ROOMS: Final = Rejected(
    command="",
    code=RejectCode.INVALID_STATE,
    detail=f"A connection may be in {MAX_ROOMS} rooms. Leave one first.",
)
NOT_IN_IT: Final = Rejected(command="", code=RejectCode.NOT_A_MEMBER, detail="Join the room first.")
IN_BETWEEN: Final = Rejected(
    command="",
    code=RejectCode.INVALID_STATE,
    detail="One of these rooms is just being entered or left. Wait for that.",
)


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
class Acting:
    """Tag: a room, or one of its services, was asked to do something."""

    frame_id: str | None
    room_id: UUID


@dataclass(frozen=True, slots=True)
class _Resuming:
    """Tag: a room was asked where it is, and whether the user still belongs there."""

    resumption: Resumption
    room_id: UUID


class RoomFollower(ConnectedActor):
    """The rooms of one connection."""

    def __init__(self, *, directory: Address, fan_out: FanOut) -> None:
        super().__init__(directory=directory, fan_out=fan_out)
        self.changing: dict[UUID, deque[RoomCommand]] = {}
        self.to_replay: deque[tuple[Room, int]] = deque()
        self.replayed_in_line: UUID | None = None

    def on_entered(self, room_id: UUID) -> None:
        """Take note that a room is heard from now on."""
        raise NotImplementedError

    # --- commands ---

    def receiveMsg_SubscribeRoom(self, command: SubscribeRoom, _sender: Address) -> None:
        user, outbox = self.used()
        if self._waits(command):
            return
        if len(outbox.topics) > MAX_ROOMS:
            self.fail(command.frame_id, TOO_MANY_ROOMS)
            return
        self.changing[command.room_id] = deque()
        self.fan_out.hold(room_topic(command.room_id), outbox)
        tag = _Entering(command.frame_id, command.room_id, command.since)
        self.act_in(command.room_id, user, command.join, tag)

    def receiveMsg_UnsubscribeRoom(self, command: UnsubscribeRoom, _sender: Address) -> None:
        user, _outbox = self.opened()
        if self._waits(command):
            return
        self.changing[command.room_id] = deque()
        self._drop_room(command.room_id)
        tag = _Leaving(command.frame_id, command.room_id)
        self.act_in(command.room_id, user, LeaveRoom(), tag)

    def receiveMsg_DoInRoom(self, command: DoInRoom, _sender: Address) -> None:
        user, _outbox = self.used()
        if not self._waits(command):
            tag = Acting(command.frame_id, command.room_id)
            self.act_in(command.room_id, user, command.act, tag)

    def receiveMsg_ResumeRooms(self, command: ResumeRooms, _sender: Address) -> None:
        user, outbox = self.used()
        refusal = self._refusal_of(command.positions)
        if refusal is not None:
            self.fail(command.frame_id, refusal)
            return
        resumption = Resumption(command.frame_id, command.positions)
        for room_id in command.positions:
            self.changing[room_id] = deque()
            # Before the room is asked: what it tells from then on is kept for this connection.
            self.fan_out.hold(room_topic(room_id), outbox)
            may_read = RequireRight(by=user.id, action=Action.READ.name, is_staff=self.is_staff)
            self.ask_of(room_key(room_id), may_read, _Resuming(resumption, room_id))

    # --- answers ---

    def receiveMsg_Answer(self, answer: Answer, _sender: Address) -> None:
        match answer:
            case Answer(tag=Acting() as tag, message=EventStored(event=event)):
                self.push(ActDone(frame_id=tag.frame_id, room_id=tag.room_id, event=event))
            case Answer(tag=Acting() as tag, message=ActUnchanged() | PointerMoved()):
                self.push(ActDone(frame_id=tag.frame_id, room_id=tag.room_id, event=None))
            case Answer(tag=Acting() as tag):
                self.fail(tag.frame_id, answer.message)
            case Answer(tag=_Entering() as tag, message=RoomJoined(room=room)):
                self._enter(tag, room)
            case Answer(tag=_Replaying() as tag, message=EventsRead() as read):
                self._replay(tag, read)
            case Answer(tag=_Resuming(resumption=resumption, room_id=room_id)):
                if resumption.note(room_id, answer.message):
                    self._resume(resumption)
            case Answer(tag=_Leaving() as tag, message=RoomLeft()):
                self.push(RoomExited(frame_id=tag.frame_id, room_id=tag.room_id))
                self._changed(tag.room_id)
            case Answer(tag=_Entering() | _Leaving() as tag):
                self.fail(tag.frame_id, answer.message)
                self._changed(tag.room_id)
            case Answer(tag=_Replaying(room=room, greeting=None)):
                self._abandon(room.id)
            case Answer(tag=_Replaying(room=room, greeting=RoomEntered(frame_id=frame_id))):
                self.fail(frame_id, answer.message)
                self._changed(room.id)

    def receiveMsg_ReplayOn(self, message: ReplayOn, _sender: Address) -> None:
        if self._is_loaded():
            self.wakeup_after(REPLAY_PAUSE_SECONDS, message)
        else:
            self._deliver_from(message.room, message.after_seq, None)
            self._replay_next()

    # --- how it is done ---

    def _waits(self, command: RoomCommand) -> bool:
        """Keep a command back while the room it is about is being entered or left."""
        waiting = self.changing.get(command.room_id)
        if waiting is None:
            return False
        if len(waiting) >= MAX_WAITING:
            self.fail(command.frame_id, Busy(command=type(command).__name__))
        else:
            waiting.append(command)
        return True

    def _changed(self, room_id: UUID) -> None:
        """Take up what waited for a join or leave that is over now, as if it had just come."""
        if not self.fan_out.is_subscribed(room_topic(room_id), self.opened()[1]):
            self._drop_room(room_id)
        if self.replayed_in_line == room_id:
            self.replayed_in_line = None
        for command in self.changing.pop(room_id, ()):
            match command:
                case SubscribeRoom():
                    self.receiveMsg_SubscribeRoom(command, self.cell)
                case UnsubscribeRoom():
                    self.receiveMsg_UnsubscribeRoom(command, self.cell)
                case DoInRoom():
                    self.receiveMsg_DoInRoom(command, self.cell)

    def _enter(self, tag: _Entering, room: Room) -> None:
        recovered = is_recoverable(tag.since, room)
        after_seq = tag.since.seq if recovered and tag.since else room.seq
        greeting = None
        if tag.frame_id is not None:
            greeting = RoomEntered(frame_id=tag.frame_id, room=room, recovered=recovered)
        if self.fan_out.is_subscribed(room_topic(room.id), self.opened()[1]):
            # What was missed was delivered already; a client that lost it has to reload, up to where the
            # stream it gets stands at this very frame.
            if greeting is not None:
                told = replace(room, seq=self.fan_out.hand_out(room_topic(room.id)))
                self.opened()[1].push(replace(greeting, room=told, recovered=False))
                self.on_entered(room.id)
            self._changed(room.id)
        else:
            self._deliver_from(room, after_seq, greeting)

    def _deliver_from(self, room: Room, after_seq: int, greeting: RoomEntered | None) -> None:
        """Subscribe past `after_seq`; what the hub keeps no more is read from the log first."""
        _user, outbox = self.opened()
        topic = room_topic(room.id)
        if not self.fan_out.is_held(topic, outbox):
            # Put out of the room meanwhile: nothing more of it goes to this connection.
            self.fail(greeting.frame_id if greeting else None, NOT_IN_IT)
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
        self.ask_of(ROOM_LOG, read, _Replaying(room, after_seq, greeting))

    def _watched(self, room_id: UUID) -> None:
        self.on_entered(room_id)
        self._changed(room_id)

    def _replay(self, tag: _Replaying, read: EventsRead) -> None:
        if not read.events:
            # The log holds nothing more, so the head that was told is reached.
            self._deliver_from(replace(tag.room, seq=tag.after_seq), tag.after_seq, tag.greeting)
            self._replay_next()
            return
        _user, outbox = self.opened()
        if tag.greeting is not None:
            outbox.push(tag.greeting)
        after_seq = tag.after_seq
        for event in read.events:
            if self._is_loaded():
                break
            outbox.push(event)
            after_seq = event.seq
        self.receiveMsg_ReplayOn(ReplayOn(room=tag.room, after_seq=after_seq), self.cell)

    def replay_bytes(self) -> int:
        """Return how much of the outbox old events may take: live ones and answers need the rest."""
        return self.fan_out.limits.outbox_bytes // 4

    def _is_loaded(self) -> bool:
        return self.opened()[1].waiting_bytes() > self.replay_bytes()

    def _abandon(self, room_id: UUID) -> None:
        """Part of a replay was sent and the rest cannot be had: the client must start over."""
        _user, outbox = self.opened()
        self._drop_room(room_id)
        outbox.disconnect(RESYNC, "resync")

    def _drop_room(self, room_id: UUID) -> None:
        _user, outbox = self.opened()
        self.fan_out.unsubscribe(room_topic(room_id), outbox)

    # --- many rooms at once ---

    def _refusal_of(self, positions: Mapping[UUID, Position]) -> Rejected | None:
        """Say why rooms cannot be resumed now, if so."""
        _user, outbox = self.opened()
        if not self.changing.keys().isdisjoint(positions):
            return IN_BETWEEN
        more = sum(not self.fan_out.is_held(room_topic(each), outbox) for each in positions)
        return TOO_MANY_ROOMS if len(outbox.topics) + more > MAX_ROOMS + 1 else None

    def _resume(self, resumption: Resumption) -> None:
        """Answer once every room has; then tell what was missed, one room read from the log at a time."""
        if resumption.failure is not None:
            self.fail(resumption.frame_id, resumption.failure)
            for room_id in resumption.positions:
                self._changed(room_id)
            return
        resumed = {
            room_id: each
            for room_id, since in resumption.positions.items()
            if (each := self._position_in(room_id, since, resumption)) is not None
        }
        if resumption.frame_id is not None:
            told = RoomsResumed(frame_id=resumption.frame_id, rooms=tuple(resumed.values()))
            self.opened()[1].push(told)
        for room_id, since in resumption.positions.items():
            self._go_on(room_id, since, resumed.get(room_id))

    def _position_in(
        self, room_id: UUID, since: Position, resumption: Resumption
    ) -> ResumedRoom | None:
        """Return where a room is; None if it is closed to the user, or was closed meanwhile."""
        room, (_user, outbox) = resumption.rooms.get(room_id), self.opened()
        topic = room_topic(room_id)
        if room is None or not self.fan_out.is_held(topic, outbox):
            return None
        if self.fan_out.is_subscribed(topic, outbox):
            # What was missed was delivered already: only a client that has all of it goes on.
            room = replace(room, seq=self.fan_out.hand_out(topic))
            return ResumedRoom(
                room=room, recovered=since == Position(epoch=room.epoch, seq=room.seq)
            )
        return ResumedRoom(room=room, recovered=is_recoverable(since, room))

    def _go_on(self, room_id: UUID, since: Position, resumed: ResumedRoom | None) -> None:
        """Tell what follows the position that was answered, or stop listening."""
        _user, outbox = self.opened()
        if resumed is None:
            self._drop_room(room_id)
            self._changed(room_id)
        elif self.fan_out.is_subscribed(room_topic(room_id), outbox):
            self._changed(room_id)
        else:
            after_seq = since.seq if resumed.recovered else resumed.room.seq
            self.to_replay.append((resumed.room, after_seq))
            self._replay_next()

    def _replay_next(self) -> None:
        """Tell the next room what was missed, unless one before it is still being told."""
        while self.to_replay and self.replayed_in_line is None:
            room, after_seq = self.to_replay.popleft()
            self.replayed_in_line = room.id
            self._deliver_from(room, after_seq, None)
