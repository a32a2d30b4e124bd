"""The presence actor, one a node: who is there, from their devices, told to the rooms they share.

A session says once that its device is there and which rooms it watches; its end is noticed by the
runtime. A device that is gone counts for a grace more, so that a reconnect of everybody changes nothing
and is told to nobody. All that is held here can be had again: devices from their sessions, members from
rooms, choices from the database, the rest from the other nodes.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from time import monotonic
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.base import SupervisedActor, WhenFull
from veza.actors.chat.presence_rooms import TELL_EVERY_SECONDS, RoomPresence
from veza.actors.chat.presence_rules import (
    CHOICES,
    OFFLINE,
    Choice,
    DeviceState,
    Truth,
    read_word,
    shown,
    truth_of,
    word_of,
)
from veza.actors.fanout import FanOut, Outbox
from veza.actors.messages.common import Answer, RejectCode, Rejected
from veza.actors.messages.directory import Deliver, DeliverToAll
from veza.actors.messages.presence import (
    PRESENCE_STORE,
    AcquaintanceChecked,
    BlocksLoaded,
    CheckAcquaintance,
    CountOnline,
    DeviceActive,
    DeviceChanged,
    DeviceConnected,
    DeviceSaid,
    DevicesShared,
    LoadBlocks,
    LoadPresences,
    MemberIdsRead,
    MemberMoved,
    OnlineCounted,
    OwnPresence,
    PresencesLoaded,
    PresencesStored,
    ReadMemberIds,
    ReadRoomPresence,
    ReadUserPresence,
    ReportPresence,
    RoomWatched,
    Seen,
    ShareDevices,
    Status,
    StorePresences,
    UserPresenceRead,
)
from veza.actors.messages.rooms import RoomKind
from veza.actors.runtime import ActorStopped
from veza.actors.runtime.address import Address
from veza.actors.topics import room_of_topic, room_topic, user_topic
from veza.persistence.presence import StoredPresence
from veza.persistence.shared_presence import REFRESH_SECONDS, Device

RETRY_SECONDS: Final = 1.0
STORE_EVERY_SECONDS: Final = 1.0
SHARE_EVERY_SECONDS: Final = 2.0
RECOVERY_SECONDS: Final = 2.0
"""After a crash nothing is told for so long: by then the sessions have said again who is there."""
LOAD_AT_ONCE: Final = 500
STORE_AT_ONCE: Final = 2000
READ_AT_ONCE: Final = 5000
"""Users whose devices on other nodes are looked for at a time; more of them take turns."""
TELL_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceTimes:
    """What may take how long.

    `grace_seconds`: a device that is gone still counts. `idle_seconds`: a device unused for so long is idle.
    `look_seconds`: between looks for those, and for rooms that nobody watches any more.
    """

    grace_seconds: float = 5.0
    idle_seconds: float = 600.0
    look_seconds: float = 15.0


@dataclass(slots=True, eq=False)
class _Device:
    session_id: UUID
    user_id: UUID
    session: Address
    outbox: Outbox
    active_at: float
    said: DeviceSaid | None = None
    is_unused: bool = False
    ends_at: float | None = None

    def state(self) -> DeviceState:
        if self.said is None:
            return DeviceState(is_idle=self.is_unused)
        return DeviceState(
            is_idle=self.is_unused or self.said.status is Status.IDLE,
            activity=self.said.activity,
            said_ms=self.said.at_ms,
        )


@dataclass(slots=True, eq=False)
class _Person:
    """A user who is there on this node or another one. Nobody is shown before their choice is known."""

    user_id: UUID
    devices: dict[UUID, _Device] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    choice: Choice = field(default_factory=Choice)
    is_loaded: bool = False
    last_seen_at: datetime | None = None
    truth: Truth = OFFLINE

    def now(self) -> Truth:
        elsewhere = [read_word(word) for word in self.others]
        states = [device for device, _choice in elsewhere]
        if self.is_loaded:
            states += [device.state() for device in self.devices.values()]
        return truth_of(states, max((self.choice, *(choice for _device, choice in elsewhere))))


@dataclass(frozen=True, slots=True)
class _Loading:
    user_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class _Storing:
    presences: tuple[StoredPresence, ...]


@dataclass(frozen=True, slots=True)
class _Sharing:
    """Tag: `ended` are the devices whose users' other devices are looked for before they count no more."""

    ended: tuple[_Device, ...]
    read: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class _Watching:
    room_id: UUID


@dataclass(frozen=True, slots=True)
class _Blocking:
    """Tag: who blocks whom was asked for; `made` is the room that waits for it, else it is a look at all."""

    made: MemberIdsRead | None


@dataclass(frozen=True, slots=True)
class _Asking:
    command: ReadUserPresence
    reply_to: Address


@dataclass(slots=True)
class _Waiting:
    """Who waits to hear of a room whose members are being asked for."""

    outboxes: list[Outbox] = field(default_factory=list)
    readers: list[tuple[ReadRoomPresence, Address]] = field(default_factory=list)
    is_again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TellChanges:
    """Time to tell the rooms what changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndGraces:
    """Time to see whose grace is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadChoices:
    """Time to ask once more for what could not be loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreChanges:
    """Time to store what users chose and when they were seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareNow:
    """Time to tell other nodes, and to look what they know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAround:
    """Time to see which devices are unused, and which rooms nobody watches any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchAgain:
    """Time to ask once more for a room's members."""

    room_id: UUID


class PresenceActor(SupervisedActor):
    """Devices in, one frame a room and quarter of a second out."""

    mailbox_limit: ClassVar[int] = 200_000
    slot_messages: ClassVar[int] = 256
    when_full: ClassVar[WhenFull] = "drop"

    def __init__(
        self,
        *,
        directory: Address,
        fan_out: FanOut,
        is_shared: bool,
        times: PresenceTimes = PresenceTimes(),
    ) -> None:
        super().__init__()
        self.directory = directory
        self.fan_out = fan_out
        self.is_shared = is_shared
        self.times = times
        self.devices: dict[UUID, _Device] = {}
        self.by_session: dict[Address, _Device] = {}
        self.people: dict[UUID, _Person] = {}
        self.rooms: dict[UUID, RoomPresence] = {}
        self.rooms_of: dict[UUID, set[RoomPresence]] = {}
        self.waiting: dict[UUID, _Waiting] = {}
        self.dirty: dict[RoomPresence, None] = {}
        self.is_telling = False
        self.ending: deque[_Device] = deque()
        self.to_load: dict[UUID, None] = {}
        self.is_loading = False
        self.to_store: dict[UUID, StoredPresence] = {}
        self.is_storing = False
        self.ended: list[_Device] = []
        self.to_share: dict[UUID, _Device] = {}
        self.to_read: dict[UUID, None] = {}
        self.rotation: list[UUID] = []
        self.shared_at = 0.0
        self.is_sharing = False
        self.told = 0
        self.send(directory, DeliverToAll(family="session", message=ReportPresence()))
        self.wakeup_after(times.look_seconds, LookAround())
        if is_shared:
            self.wakeup_after(SHARE_EVERY_SECONDS, ShareNow())

    def inspect(self) -> dict[str, object]:
        return {
            "devices": len(self.devices),
            "people": len(self.people),
            "rooms": len(self.rooms),
            "ending": len(self.ending),
            "told": self.told,
        }

    # --- devices ---

    def receiveMsg_DeviceConnected(self, message: DeviceConnected, sender: Address) -> None:
        if message.session_id in self.devices:
            return
        device = _Device(
            message.session_id, message.user_id, sender, message.outbox, monotonic(), message.said
        )
        self.devices[device.session_id] = self.by_session[sender] = device
        self.watch(sender)
        person = self._person(device.user_id)
        was_there = person.truth
        person.devices[device.session_id] = device
        self._heed(person, message.said)
        if person.is_loaded:
            self._refresh(person)
        else:
            self._load(person.user_id)
        if was_there != OFFLINE and person.truth != Truth(status=Status.ONLINE):
            device.outbox.push(_own(person.truth))
        self.to_share[device.session_id] = device
        if message.is_again:
            for topic in device.outbox.topics:
                room_id = room_of_topic(topic.name)
                if room_id is not None and room_id not in self.rooms:
                    self._watch(room_id).is_again = True

    def receiveMsg_DeviceChanged(self, message: DeviceChanged, _sender: Address) -> None:
        device = self.devices.get(message.session_id)
        if device is None:
            return
        device.said = message.said
        self._use(device)
        person = self._person(device.user_id)
        self._heed(person, message.said)
        self._refresh(person)
        self.to_share.update(person.devices)

    def receiveMsg_DeviceActive(self, message: DeviceActive, _sender: Address) -> None:
        device = self.devices.get(message.session_id)
        if device is not None and self._use(device):
            self._refresh(self._person(device.user_id))

    def receiveMsg_ActorStopped(self, message: ActorStopped, _sender: Address) -> None:
        device = self.by_session.pop(message.address, None)
        if device is None:
            return
        device.ends_at = monotonic() + self.times.grace_seconds
        if not self.ending:
            self.wakeup_after(self.times.grace_seconds, EndGraces())
        self.ending.append(device)
        person = self._person(device.user_id)
        if all(each.ends_at is not None for each in person.devices.values()):
            self._see(person)

    def receiveMsg_EndGraces(self, message: EndGraces, _sender: Address) -> None:
        now = monotonic()
        while self.ending and (self.ending[0].ends_at or 0.0) <= now:
            device = self.ending.popleft()
            if self.is_shared:
                # They may be back on another node, which has to be looked for before anything is told.
                self.ended.append(device)
            else:
                self._end(device)
        if self.ending:
            self.wakeup_after(max(0.01, (self.ending[0].ends_at or 0.0) - now), message)

    def _use(self, device: _Device) -> bool:
        """Note that somebody uses a device; return whether it was held for unused."""
        device.active_at = monotonic()
        was_unused, device.is_unused = device.is_unused, False
        if was_unused:
            self.to_share[device.session_id] = device
        return was_unused

    def _heed(self, person: _Person, said: DeviceSaid | None) -> None:
        """Take what was chosen, if nothing newer was."""
        if said is None or said.status not in CHOICES:
            return
        choice = Choice(at_ms=said.at_ms, status=said.status)
        if choice <= person.choice:
            return
        if choice.status is Status.INVISIBLE and person.choice.status is not Status.INVISIBLE:
            # To others they have gone just now; whatever they do from here on leaves no trace.
            self._see(person)
        person.choice = choice
        self._keep(person, choice)

    def _end(self, device: _Device) -> None:
        del self.devices[device.session_id]
        self.to_share.pop(device.session_id, None)
        person = self._person(device.user_id)
        person.devices.pop(device.session_id, None)
        self._refresh(person)

    # --- people ---

    def _person(self, user_id: UUID) -> _Person:
        person = self.people.get(user_id)
        if person is None:
            person = self.people[user_id] = _Person(user_id)
        return person

    def _refresh(self, person: _Person) -> None:
        """Tell what has become of somebody, and forget them if nothing is left of them."""
        was, person.truth = person.truth, person.now()
        if was != person.truth:
            for room in self.rooms_of.get(person.user_id, ()):
                if room.put(person.user_id, shown(person.truth), person.last_seen_at):
                    self._change(room)
            if was != OFFLINE or person.truth != Truth(status=Status.ONLINE):
                self.fan_out.publish(user_topic(person.user_id), _own(person.truth))
        if not person.devices and not person.others:
            self.people.pop(person.user_id, None)

    def _see(self, person: _Person) -> None:
        """Note that somebody is there now, for when they are not; nothing of who wants to be unseen."""
        if person.is_loaded and person.choice.status is not Status.INVISIBLE:
            person.last_seen_at = datetime.now(UTC)
            self._keep(person, None)

    def _keep(self, person: _Person, choice: Choice | None) -> None:
        kept = self.to_store.get(person.user_id) or StoredPresence(user_id=person.user_id)
        if choice is not None:
            kept = replace(kept, choice=choice.status, chosen_at=choice.at)
        self._store(replace(kept, last_seen_at=person.last_seen_at))

    # --- rooms ---

    def receiveMsg_RoomWatched(self, message: RoomWatched, _sender: Address) -> None:
        device = self.devices.get(message.session_id)
        if device is None:
            return
        room = self.rooms.get(message.room_id)
        if room is None:
            self._watch(message.room_id).outboxes.append(device.outbox)
        else:
            self._show(room, device.outbox)

    def receiveMsg_MemberMoved(self, message: MemberMoved, _sender: Address) -> None:
        room = self.rooms.get(message.room_id)
        if room is None or message.seq <= room.seq:
            return
        room.seq = message.seq
        if message.is_member:
            self.rooms_of.setdefault(message.user_id, set()).add(room)
            person = self.people.get(message.user_id)
            is_news = room.admit(message.user_id, shown(person.truth if person else OFFLINE))
            self.to_read[message.user_id] = None
        else:
            self._forget_in(room, message.user_id)
            is_news = room.dismiss(message.user_id)
        if is_news:
            self._change(room)

    def receiveMsg_WatchAgain(self, message: WatchAgain, _sender: Address) -> None:
        is_watched = self.fan_out.subscribers(room_topic(message.room_id)) > 0
        if is_watched and message.room_id not in self.rooms:
            self._watch(message.room_id).is_again = True

    def _watch(self, room_id: UUID) -> _Waiting:
        """Ask for a room's members, once for all who wait for them."""
        waiting = self.waiting.get(room_id)
        if waiting is None:
            waiting = self.waiting[room_id] = _Waiting()
            self._ask(("room", str(room_id)), ReadMemberIds(), _Watching(room_id))
        return waiting

    def _make_room(self, read: MemberIdsRead, blocks: frozenset[tuple[UUID, UUID]]) -> None:
        room = RoomPresence(read.room_id, read.kind, read.members, read.seq)
        self.rooms[read.room_id] = room
        for user_id in read.members:
            self.rooms_of.setdefault(user_id, set()).add(room)
            person = self.people.get(user_id)
            if person is not None:
                room.put(user_id, shown(person.truth), None)
        if _is_blocked(room, blocks):
            room.hide()
        if self.is_shared:
            self.to_read.update(dict.fromkeys(read.members))
            self._share()
        self._welcome(room, self.waiting.pop(read.room_id, _Waiting()))

    def _welcome(self, room: RoomPresence, waiting: _Waiting) -> None:
        if waiting.is_again:
            room.due_at = monotonic() + RECOVERY_SECONDS
            self._change(room)
        else:
            room.mark_known()
        for outbox in waiting.outboxes:
            self._show(room, outbox)
        for command, reply_to in waiting.readers:
            self.send(reply_to, self._read(room, command))

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

    # --- telling ---

    def _change(self, room: RoomPresence) -> None:
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

    # --- questions ---

    def receiveMsg_ReadRoomPresence(self, command: ReadRoomPresence, sender: Address) -> object:
        room = self.rooms.get(command.room_id)
        if room is not None:
            return self._read(room, command)
        self._watch(command.room_id).readers.append((command, sender))
        return None

    def receiveMsg_ReadUserPresence(self, command: ReadUserPresence, sender: Address) -> None:
        check = CheckAcquaintance(viewer=command.viewer, user_id=command.user_id)
        self._ask(PRESENCE_STORE, check, _Asking(command, sender))

    def receiveMsg_CountOnline(self, _command: CountOnline, _sender: Address) -> OnlineCounted:
        users = sum(1 for each in self.people.values() if each.devices and each.truth != OFFLINE)
        return OnlineCounted(users=users, devices=len(self.devices), rooms=len(self.rooms))

    def _read(self, room: RoomPresence, command: ReadRoomPresence) -> object:
        if command.viewer in room.members:
            return room.snapshot()
        return Rejected(
            command=ReadRoomPresence.__name__,
            code=RejectCode.NOT_A_MEMBER,
            detail="Join the room first.",
        )

    def _answer_asking(self, tag: _Asking, found: AcquaintanceChecked) -> None:
        command = tag.command
        if not found.is_acquainted:
            refused = Rejected(
                command=ReadUserPresence.__name__,
                code=RejectCode.NOT_FOUND,
                detail="There is no such user in your rooms.",
            )
            self.send(tag.reply_to, refused)
            return
        person = self.people.get(command.user_id) or _Person(command.user_id)
        person = _Person(
            command.user_id, person.devices, found.others, person.choice, is_loaded=True
        )
        _take_stored(person, found.stored)
        truth = person.now()
        if command.viewer != command.user_id:
            truth = shown(truth)
        last_seen_at = person.last_seen_at if truth == OFFLINE else None
        seen = Seen(
            user_id=command.user_id,
            status=truth.status,
            activity=truth.activity,
            last_seen_at=last_seen_at,
        )
        self.send(tag.reply_to, UserPresenceRead(seen=seen))

    # --- answers ---

    def receiveMsg_Answer(self, answer: Answer, _sender: Address) -> None:
        match answer:
            case Answer(tag=_Watching(), message=MemberIdsRead(kind=RoomKind.DIRECT) as read):
                self._ask(PRESENCE_STORE, LoadBlocks(user_ids=tuple(read.members)), _Blocking(read))
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
            case Answer(tag=_Loading(user_ids=user_ids)):
                self._on_loaded(user_ids, answer.message)
            case Answer(tag=_Storing(presences=presences)):
                self._on_stored(presences, answer.message)
            case Answer(tag=_Sharing() as tag):
                self._on_shared(tag, answer.message)
            case Answer(tag=_Asking() as tag, message=AcquaintanceChecked() as found):
                self._answer_asking(tag, found)
            case Answer(tag=_Asking(reply_to=reply_to)):
                self.send(reply_to, answer.message)

    def _fail(self, room_id: UUID, why: object) -> None:
        """Give up on a room for now; who watches it gets it later."""
        for _command, reply_to in self.waiting.pop(room_id, _Waiting()).readers:
            self.send(reply_to, why)
        self.wakeup_after(RETRY_SECONDS, WatchAgain(room_id=room_id))

    # --- what is stored ---

    def _load(self, user_id: UUID) -> None:
        self.to_load[user_id] = None
        if not self.is_loading:
            self.receiveMsg_LoadChoices(LoadChoices(), self.cell)

    def receiveMsg_LoadChoices(self, _message: LoadChoices, _sender: Address) -> None:
        """Ask for what waits; what comes until the answer is asked for together."""
        some = tuple(islice(self.to_load, LOAD_AT_ONCE))
        self.is_loading = bool(some)
        if some:
            self._ask(PRESENCE_STORE, LoadPresences(user_ids=some), _Loading(some))

    def _on_loaded(self, user_ids: tuple[UUID, ...], reply: object) -> None:
        if not isinstance(reply, PresencesLoaded):
            self.wakeup_after(RETRY_SECONDS, LoadChoices())
            return
        for user_id in user_ids:
            del self.to_load[user_id]
            person = self.people.get(user_id)
            if person is not None:
                _take_stored(person, reply.stored.get(user_id))
                person.is_loaded = True
                self.to_share.update(person.devices)
                self._see(person)
                self._refresh(person)
        self.receiveMsg_LoadChoices(LoadChoices(), self.cell)

    def _store(self, presence: StoredPresence) -> None:
        self.to_store[presence.user_id] = presence
        if not self.is_storing:
            self.is_storing = True
            self.wakeup_after(STORE_EVERY_SECONDS, StoreChanges())

    def receiveMsg_StoreChanges(self, _message: StoreChanges, _sender: Address) -> None:
        some = tuple(islice(self.to_store.values(), STORE_AT_ONCE))
        for each in some:
            del self.to_store[each.user_id]
        self._ask(PRESENCE_STORE, StorePresences(presences=some), _Storing(some))

    def _on_stored(self, presences: tuple[StoredPresence, ...], reply: object) -> None:
        if not isinstance(reply, PresencesStored):
            for each in presences:
                self.to_store.setdefault(each.user_id, each)
        self.is_storing = bool(self.to_store)
        if self.to_store:
            self.wakeup_after(STORE_EVERY_SECONDS, StoreChanges())

    # --- other nodes ---

    def receiveMsg_ShareNow(self, message: ShareNow, _sender: Address) -> None:
        self.wakeup_after(SHARE_EVERY_SECONDS, message)
        self._share()

    def _share(self) -> None:
        if self.is_sharing:
            return
        self.is_sharing = True
        now = monotonic()
        if now - self.shared_at >= REFRESH_SECONDS - SHARE_EVERY_SECONDS / 2:
            self.to_share, self.shared_at = dict(self.devices), now
        ended, self.ended = tuple(self.ended), []
        for device in ended:
            self.to_share.pop(device.session_id, None)
        # Nobody is told of before it is known whether they want to be seen.
        put = tuple(
            self._shared(device)
            for device in self.to_share.values()
            if self._person(device.user_id).is_loaded
        )
        self.to_share = {}
        clear = tuple(self._shared(device) for device in ended)
        read = tuple(dict.fromkeys((*(device.user_id for device in ended), *self._next_to_read())))
        command = ShareDevices(put=put, clear=clear, read=read)
        self._ask(PRESENCE_STORE, command, _Sharing(ended, read))

    def _next_to_read(self) -> Iterator[UUID]:
        """Return whom to look for: first those not looked for yet, then everybody in turn."""
        first = list(islice(self.to_read, READ_AT_ONCE))
        for user_id in first:
            del self.to_read[user_id]
        yield from first
        if not self.rotation:
            self.rotation = list(self.rooms_of)
        for _ in range(min(READ_AT_ONCE - len(first), len(self.rotation))):
            yield self.rotation.pop()

    def _shared(self, device: _Device) -> Device:
        word = word_of(device.state(), self._person(device.user_id).choice)
        return Device(user_id=device.user_id, device_id=device.session_id, status=word)

    def _on_shared(self, tag: _Sharing, reply: object) -> None:
        self.is_sharing = False
        if isinstance(reply, DevicesShared):
            for user_id in tag.read:
                self._take_others(user_id, reply.others.get(user_id, ()))
        for device in tag.ended:
            self._end(device)

    def _take_others(self, user_id: UUID, others: tuple[str, ...]) -> None:
        person = self.people.get(user_id)
        if person is None and not others:
            return
        person = self._person(user_id)
        if person.others != others:
            if not others and shown(person.truth) != OFFLINE:
                # Their node may be dead: whoever saw them last says so.
                person.last_seen_at = datetime.now(UTC)
                self._keep(person, None)
            person.others = others
            self._refresh(person)

    # --- now and then ---

    def receiveMsg_LookAround(self, message: LookAround, _sender: Address) -> None:
        self.wakeup_after(self.times.look_seconds, message)
        since = monotonic() - self.times.idle_seconds
        for device in self.devices.values():
            if not device.is_unused and device.active_at < since:
                device.is_unused = True
                self.to_share[device.session_id] = device
                self._refresh(self._person(device.user_id))
        for room in list(self.rooms.values()):
            if not self.fan_out.subscribers(room_topic(room.room_id)):
                self._drop(room)
        paired = {
            user_id
            for room in self.rooms.values()
            if room.kind is RoomKind.DIRECT
            for user_id in room.members
        }
        if paired:
            self._ask(PRESENCE_STORE, LoadBlocks(user_ids=tuple(paired)), _Blocking(None))

    def _drop(self, room: RoomPresence) -> None:
        del self.rooms[room.room_id]
        self.dirty.pop(room, None)
        for user_id in room.members:
            self._forget_in(room, user_id)

    def _hide_blocked(self, blocks: frozenset[tuple[UUID, UUID]]) -> None:
        """Show nothing in conversations of two of whom one blocks the other, and all again in others."""
        for room in self.rooms.values():
            is_blocked = _is_blocked(room, blocks)
            if is_blocked and not room.is_hidden and room.hide():
                self._change(room)
            elif room.is_hidden and not is_blocked:
                room.is_hidden = False
                for user_id in room.members:
                    person = self.people.get(user_id)
                    if person is not None and room.put(user_id, shown(person.truth), None):
                        self._change(room)

    def _ask(self, key: tuple[str, str], message: object, tag: object) -> None:
        self.ask_later(self.directory, Deliver(key=key, message=message), tag)


def _is_blocked(room: RoomPresence, blocks: frozenset[tuple[UUID, UUID]]) -> bool:
    if room.kind is not RoomKind.DIRECT:
        return False
    return any((one, other) in blocks for one in room.members for other in room.members)


def _take_stored(person: _Person, stored: StoredPresence | None) -> None:
    """Take what is stored of somebody, unless something newer is known."""
    if stored is None:
        return
    if stored.choice is not None and stored.chosen_at is not None:
        at_ms = round(stored.chosen_at.timestamp() * 1000)
        person.choice = max(person.choice, Choice(at_ms=at_ms, status=Status(stored.choice)))
    if person.last_seen_at is None:
        person.last_seen_at = stored.last_seen_at


def _own(truth: Truth) -> OwnPresence:
    return OwnPresence(status=truth.status, activity=truth.activity)
