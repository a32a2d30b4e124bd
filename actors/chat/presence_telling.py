"""The half of presence that tells rooms who is there: gathered, and hidden where it must be."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final
from uuid import UUID

from veza.actors.base import SupervisedActor
from veza.actors.chat.presence_rooms import TELL_EVERY_SECONDS, RoomPresence
from veza.actors.chat.presence_rules import Truth
from veza.actors.fanout import FanOut, Outbox
from veza.actors.messages.common import Answer, Key, RejectCode, Rejected
from veza.actors.messages.directory import Deliver
from veza.actors.messages.presence import (
    PRESENCE_STORE,
    BlocksLoaded,
    LoadBlocks,
    MemberIdsRead,
    MemberMoved,
    ReadMemberIds,
    ReadRoomPresence,
)
from veza.actors.messages.rooms import RoomKind
from veza.actors.runtime.address import Address
from veza.actors.topics import room_topic

RETRY_SECONDS: Final = 1.0
RECOVERY_SECONDS: Final = 2.0
"""After a crash nothing is told for so long: by then the sessions have said again who is there."""
TELL_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class _Watching:
    room_id: UUID


@dataclass(frozen=True, slots=True)
class _Blocking:
    """Tag: who blocks whom was asked for; `made` is the room that waits for it, else it is a look at all."""

    made: MemberIdsRead | None


@dataclass(slots=True)
class Waiting:
    """Who waits to hear of a room whose members are being asked for."""

    outboxes: list[Outbox] = field(default_factory=list)
    readers: list[tuple[ReadRoomPresence, Address]] = field(default_factory=list)
    is_again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TellChanges:
    """Time to tell the rooms what changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchAgain:
    """Time to ask once more for a room's members."""

    room_id: UUID


class PresenceTeller(SupervisedActor):
    """Rooms that somebody watches, and what each is still to be told.

    A subclass knows how people are seen, and hears whose devices elsewhere matter from now on.
    """

    def __init__(self, *, directory: Address, fan_out: FanOut) -> None:
        super().__init__()
        self.directory = directory
        self.fan_out = fan_out
        self.rooms: dict[UUID, RoomPresence] = {}
        self.rooms_of: dict[UUID, set[RoomPresence]] = {}
        self.waiting: dict[UUID, Waiting] = {}
        self.dirty: dict[RoomPresence, None] = {}
        self.is_telling = False
        self.told = 0

    def truth_for_others(self, user_id: UUID) -> Truth:
        """Return how others see somebody."""
        raise NotImplementedError

    def look_for(self, user_ids: Iterable[UUID], *, is_urgent: bool) -> None:
        """Find out about their devices on other nodes."""
        raise NotImplementedError

    # --- rooms ---

    def receiveMsg_MemberMoved(self, message: MemberMoved, _sender: Address) -> None:
        room = self.rooms.get(message.room_id)
        if room is None or message.seq <= room.seq:
            return
        room.seq = message.seq
        if message.is_member:
            self.rooms_of.setdefault(message.user_id, set()).add(room)
            is_news = room.admit(message.user_id, self.truth_for_others(message.user_id))
            self.look_for((message.user_id,), is_urgent=False)
        else:
            self._forget_in(room, message.user_id)
            is_news = room.dismiss(message.user_id)
        if is_news:
            self.change(room)

    def receiveMsg_WatchAgain(self, message: WatchAgain, _sender: Address) -> None:
        is_watched = self.fan_out.subscribers(room_topic(message.room_id)) > 0
        if is_watched and message.room_id not in self.rooms:
            self.begin(message.room_id).is_again = True

    def enter(self, room_id: UUID, outbox: Outbox) -> None:
        """Give somebody who receives a room's events from now on who is there."""
        room = self.rooms.get(room_id)
        if room is None:
            self.begin(room_id).outboxes.append(outbox)
        else:
            self._show(room, outbox)

    def begin(self, room_id: UUID) -> Waiting:
        """Ask for a room's members, once for all who wait for them."""
        waiting = self.waiting.get(room_id)
        if waiting is None:
            waiting = self.waiting[room_id] = Waiting()
            self.ask_key(("room", str(room_id)), ReadMemberIds(), _Watching(room_id))
        return waiting

    def forget_unwatched(self) -> None:
        """Let go of the rooms that nobody here watches any more."""
        for room in list(self.rooms.values()):
            if not self.fan_out.subscribers(room_topic(room.room_id)):
                del self.rooms[room.room_id]
                self.dirty.pop(room, None)
                for user_id in room.members:
                    self._forget_in(room, user_id)

    def look_at_blocks(self) -> None:
        """Ask who blocks whom in conversations of two: a block may have been set at another node."""
        paired = {
            user_id
            for room in self.rooms.values()
            if room.kind is RoomKind.DIRECT
            for user_id in room.members
        }
        if paired:
            self.ask_key(PRESENCE_STORE, LoadBlocks(user_ids=tuple(paired)), _Blocking(None))

    def _make_room(self, read: MemberIdsRead, blocks: frozenset[tuple[UUID, UUID]]) -> None:
        room = RoomPresence(read.room_id, read.kind, read.members, read.seq)
        self.rooms[read.room_id] = room
        for user_id in read.members:
            self.rooms_of.setdefault(user_id, set()).add(room)
            room.put(user_id, self.truth_for_others(user_id), None)
        if _is_blocked(room, blocks):
            room.hide()
        self.look_for(read.members, is_urgent=True)
        self._welcome(room, self.waiting.pop(read.room_id, Waiting()))

    def _welcome(self, room: RoomPresence, waiting: Waiting) -> None:
        if waiting.is_again:
            room.due_at = monotonic() + RECOVERY_SECONDS
            self.change(room)
        else:
            room.mark_known()
        for outbox in waiting.outboxes:
            self._show(room, outbox)
        for command, reply_to in waiting.readers:
            self.send(reply_to, _answer(room, command))

    def _show(self, room: RoomPresence, outbox: Outbox) -> None:
        """Give a newcomer the whole; encoded once for all who come before it changes."""
        if not self.fan_out.is_subscribed(room_topic(room.room_id), outbox):
            return
        if room.snapshot_bytes is None:
            room.snapshot_bytes = self.fan_out.encode(room.snapshot())
        outbox.append(room.snapshot_bytes)

    def _forget_in(self, room: RoomPresence, user_id: UUID) -> None:
        rooms = self.rooms_of.get(user_id)
        if rooms is not None:
            rooms.discard(room)
            if not rooms:
                del self.rooms_of[user_id]

    def _hide_blocked(self, blocks: frozenset[tuple[UUID, UUID]]) -> None:
        """Show nothing in conversations of two of whom one blocks the other, and all again in others."""
        for room in self.rooms.values():
            is_blocked = _is_blocked(room, blocks)
            if is_blocked and not room.is_hidden and room.hide():
                self.change(room)
            elif room.is_hidden and not is_blocked:
                room.is_hidden = False
                for user_id in room.members:
                    if room.put(user_id, self.truth_for_others(user_id), None):
                        self.change(room)

    # --- telling ---

    def change(self, room: RoomPresence) -> None:
        """Note that a room is to be told something."""
        self.dirty[room] = None
        if not self.is_telling:
            self.is_telling = True
            self.wakeup_after(TELL_EVERY_SECONDS, TellChanges())

    def receiveMsg_TellChanges(self, message: TellChanges, _sender: Address) -> None:
        now = monotonic()
        due = [room for room in self.dirty if room.due_at <= now]
        for room in due[:TELL_AT_ONCE]:
            del self.dirty[room]
            told = room.take(now)
            if told is not None:
                self.told += 1
                self.fan_out.publish(room_topic(room.room_id), told)
        self.is_telling = bool(self.dirty)
        if len(due) > TELL_AT_ONCE:
            self.send_always(self.cell, message)
        elif self.dirty:
            self.wakeup_after(TELL_EVERY_SECONDS, message)

    # --- questions and answers ---

    def receiveMsg_ReadRoomPresence(self, command: ReadRoomPresence, sender: Address) -> object:
        room = self.rooms.get(command.room_id)
        if room is not None:
            return _answer(room, command)
        self.begin(command.room_id).readers.append((command, sender))
        return None

    def receiveMsg_Answer(self, answer: Answer, _sender: Address) -> None:
        match answer:
            case Answer(tag=_Watching(), message=MemberIdsRead(kind=RoomKind.DIRECT) as read):
                load = LoadBlocks(user_ids=tuple(read.members))
                self.ask_key(PRESENCE_STORE, load, _Blocking(read))
            case Answer(tag=_Watching(), message=MemberIdsRead() as read):
                self._make_room(read, frozenset())
            case Answer(tag=_Watching(room_id=room_id)):
                self._fail(room_id, answer.message)
            case Answer(tag=_Blocking(made=None), message=BlocksLoaded(blocks=blocks)):
                self._hide_blocked(blocks)
            case Answer(
                tag=_Blocking(made=MemberIdsRead() as read), message=BlocksLoaded() as found
            ):
                self._make_room(read, found.blocks)
            case Answer(tag=_Blocking(made=MemberIdsRead(room_id=room_id))):
                self._fail(room_id, answer.message)

    def _fail(self, room_id: UUID, why: object) -> None:
        """Give up on a room for now; who watches it gets it later."""
        for _command, reply_to in self.waiting.pop(room_id, Waiting()).readers:
            self.send(reply_to, why)
        self.wakeup_after(RETRY_SECONDS, WatchAgain(room_id=room_id))

    def ask_key(self, key: Key, message: object, tag: object) -> None:
        """Ask somebody by key; the answer comes with the tag."""
        self.ask_later(self.directory, Deliver(key=key, message=message), tag)


def _answer(room: RoomPresence, command: ReadRoomPresence) -> object:
    if command.viewer in room.members:
        return room.snapshot()
    return Rejected(
        command=ReadRoomPresence.__name__,
        code=RejectCode.NOT_A_MEMBER,
        detail="Join the room first.",
    )


def _is_blocked(room: RoomPresence, blocks: frozenset[tuple[UUID, UUID]]) -> bool:
    if room.kind is not RoomKind.DIRECT:
        return False
    return any((one, other) in blocks for one in room.members for other in room.members)
