"""The presence actor, one a node: who is there, from their devices, told to the rooms they share.

A session says once that its device is there and which rooms it watches; its end is noticed by the
runtime. A device that is gone counts for a grace more, so that a reconnect of everybody changes nothing
and is told to nobody. All that is held here can be had again: devices from their sessions, members from
rooms, choices from the database, the rest from the other nodes.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.base import WhenFull
from veza.actors.chat.presence_books import KeepBook, LoadBook, ShareBook
from veza.actors.chat.presence_people import Device, Person, PresenceTimes, describe, own
from veza.actors.chat.presence_rules import OFFLINE, Choice, Truth, shown
from veza.actors.chat.presence_telling import RETRY_SECONDS, PresenceTeller
from veza.actors.fanout import FanOut
from veza.actors.messages.common import Answer
from veza.actors.messages.directory import DeliverToAll
from veza.actors.messages.presence import (
    PRESENCE_STORE,
    AcquaintanceChecked,
    CheckAcquaintance,
    CountOnline,
    DeviceActive,
    DeviceChanged,
    DeviceConnected,
    DeviceSaid,
    DevicesShared,
    LoadPresences,
    OnlineCounted,
    PresencesLoaded,
    PresencesStored,
    ReadUserPresence,
    ReportPresence,
    RoomWatched,
    ShareDevices,
    Status,
    StorePresences,
)
from veza.actors.runtime import ActorStopped
from veza.actors.runtime.address import Address
from veza.actors.topics import room_of_topic, user_topic
from veza.persistence.presence import StoredPresence

STORE_EVERY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Loading:
    user_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class _Storing:
    presences: tuple[StoredPresence, ...]


@dataclass(frozen=True, slots=True)
class _Sharing:
    """Tag: `ended` are the devices whose users' other devices are looked for before they count no more."""

    ended: tuple[Device, ...]
    read: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class _Asking:
    command: ReadUserPresence
    reply_to: Address


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


class PresenceActor(PresenceTeller):
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
        times: PresenceTimes,
    ) -> None:
        super().__init__(directory=directory, fan_out=fan_out)
        self.is_shared = is_shared
        self.times = times
        self.devices: dict[UUID, Device] = {}
        self.by_session: dict[Address, Device] = {}
        self.people: dict[UUID, Person] = {}
        self.ending: deque[Device] = deque()
        self.load = LoadBook()
        self.keep = KeepBook()
        # Half a look early: the next one would be late.
        self.share = ShareBook(times.refresh_seconds - times.share_seconds / 2)
        self.send(directory, DeliverToAll(family="session", message=ReportPresence()))
        self.wakeup_after(times.look_seconds, LookAround())
        if is_shared:
            self.wakeup_after(times.share_seconds, ShareNow())

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
        device = Device(
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
            device.outbox.push(own(person.truth))
        self.share.changed[device.session_id] = device
        if message.is_again:
            for topic in device.outbox.topics:
                room_id = room_of_topic(topic.name)
                if room_id is not None and room_id not in self.rooms:
                    self.begin(room_id).is_again = True

    def receiveMsg_DeviceChanged(self, message: DeviceChanged, _sender: Address) -> None:
        device = self.devices.get(message.session_id)
        if device is None:
            return
        device.said = message.said
        self._use(device)
        person = self._person(device.user_id)
        self._heed(person, message.said)
        self._refresh(person)
        self.share.changed.update(person.devices)

    def receiveMsg_DeviceActive(self, message: DeviceActive, _sender: Address) -> None:
        device = self.devices.get(message.session_id)
        if device is not None and self._use(device):
            self._refresh(self._person(device.user_id))

    def receiveMsg_RoomWatched(self, message: RoomWatched, _sender: Address) -> None:
        device = self.devices.get(message.session_id)
        if device is not None:
            self.enter(message.room_id, device.outbox)

    def receiveMsg_ActorStopped(self, message: ActorStopped, _sender: Address) -> None:
        device = self.by_session.pop(message.address, None)
        if device is None:
            return
        device.ends_at = monotonic() + self.times.grace_seconds
        if not self.ending:
            self.wakeup_after(self.times.grace_seconds, EndGraces())
        self.ending.append(device)
        person = self._person(device.user_id)
        if person.is_leaving():
            self._see(person)

    def receiveMsg_EndGraces(self, message: EndGraces, _sender: Address) -> None:
        now = monotonic()
        while self.ending and (self.ending[0].ends_at or 0.0) <= now:
            device = self.ending.popleft()
            if self.is_shared:
                # They may be back on another node, which has to be looked for before anything is told.
                self.share.ended.append(device)
            else:
                self._end(device)
        if self.ending:
            self.wakeup_after(max(0.01, (self.ending[0].ends_at or 0.0) - now), message)

    def _use(self, device: Device) -> bool:
        """Note that somebody uses a device; return whether it was held for unused."""
        device.active_at = monotonic()
        was_unused, device.is_unused = device.is_unused, False
        if was_unused:
            self.share.changed[device.session_id] = device
        return was_unused

    def _heed(self, person: Person, said: DeviceSaid | None) -> None:
        """Take what was chosen, if nothing newer was."""
        choice = person.newer_choice(said)
        if choice is None:
            return
        if choice.status is Status.INVISIBLE and person.choice.status is not Status.INVISIBLE:
            # To others they have gone just now; whatever they do from here on leaves no trace.
            self._see(person)
        person.choice = choice
        self._keep(person, choice)

    def _end(self, device: Device) -> None:
        del self.devices[device.session_id]
        self.share.changed.pop(device.session_id, None)
        person = self._person(device.user_id)
        person.devices.pop(device.session_id, None)
        self._refresh(person)

    # --- people ---

    def truth_for_others(self, user_id: UUID) -> Truth:
        person = self.people.get(user_id)
        return shown(person.truth if person else OFFLINE)

    def _person(self, user_id: UUID) -> Person:
        person = self.people.get(user_id)
        if person is None:
            person = self.people[user_id] = Person(user_id)
        return person

    def _refresh(self, person: Person) -> None:
        """Tell what has become of somebody, and forget them if nothing is left of them."""
        was, person.truth = person.truth, person.now()
        if was != person.truth:
            for room in self.rooms_of.get(person.user_id, ()):
                if room.put(person.user_id, shown(person.truth), person.last_seen_at):
                    self.change(room)
            if was != OFFLINE or person.truth != Truth(status=Status.ONLINE):
                self.fan_out.publish(user_topic(person.user_id), own(person.truth))
        if not person.devices and not person.others:
            self.people.pop(person.user_id, None)

    def _see(self, person: Person) -> None:
        """Note that somebody is there now, for when they are not; nothing of who wants to be unseen."""
        if person.is_loaded and person.choice.status is not Status.INVISIBLE:
            person.last_seen_at = datetime.now(UTC)
            self._keep(person, None)

    def _keep(self, person: Person, choice: Choice | None) -> None:
        self.keep.note(person.user_id, choice, person.last_seen_at)
        if not self.keep.is_storing:
            self.keep.is_storing = True
            self.wakeup_after(STORE_EVERY_SECONDS, StoreChanges())

    # --- questions and answers ---

    def receiveMsg_ReadUserPresence(self, command: ReadUserPresence, sender: Address) -> None:
        check = CheckAcquaintance(viewer=command.viewer, user_id=command.user_id)
        self.ask_key(PRESENCE_STORE, check, _Asking(command, sender))

    def receiveMsg_CountOnline(self, _command: CountOnline, _sender: Address) -> OnlineCounted:
        users = sum(1 for each in self.people.values() if each.devices and each.truth != OFFLINE)
        return OnlineCounted(users=users, devices=len(self.devices), rooms=len(self.rooms))

    def receiveMsg_Answer(self, answer: Answer, sender: Address) -> None:
        match answer:
            case Answer(tag=_Loading(user_ids=user_ids)):
                self._on_loaded(user_ids, answer.message)
            case Answer(tag=_Storing(presences=presences)):
                self._on_stored(presences, answer.message)
            case Answer(tag=_Sharing() as tag):
                self._on_shared(tag, answer.message)
            case Answer(tag=_Asking() as tag, message=AcquaintanceChecked() as found):
                known = self.people.get(tag.command.user_id)
                self.send(tag.reply_to, describe(tag.command, known, found))
            case Answer(tag=_Asking(reply_to=reply_to)):
                self.send(reply_to, answer.message)
            case _:
                super().receiveMsg_Answer(answer, sender)

    # --- what is stored ---

    def _load(self, user_id: UUID) -> None:
        self.load.add(user_id)
        if not self.load.is_asking:
            self.receiveMsg_LoadChoices(LoadChoices(), self.cell)

    def receiveMsg_LoadChoices(self, _message: LoadChoices, _sender: Address) -> None:
        """Ask for what waits; what comes until the answer is asked for together."""
        some = self.load.next()
        if some:
            self.ask_key(PRESENCE_STORE, LoadPresences(user_ids=some), _Loading(some))

    def _on_loaded(self, user_ids: tuple[UUID, ...], reply: object) -> None:
        if not isinstance(reply, PresencesLoaded):
            self.wakeup_after(RETRY_SECONDS, LoadChoices())
            return
        self.load.done(user_ids)
        for user_id in user_ids:
            person = self.people.get(user_id)
            if person is not None:
                person.take_stored(reply.stored.get(user_id))
                person.is_loaded = True
                self.share.changed.update(person.devices)
                self._see(person)
                self._refresh(person)
        self.receiveMsg_LoadChoices(LoadChoices(), self.cell)

    def receiveMsg_StoreChanges(self, _message: StoreChanges, _sender: Address) -> None:
        some = self.keep.take()
        self.ask_key(PRESENCE_STORE, StorePresences(presences=some), _Storing(some))

    def _on_stored(self, presences: tuple[StoredPresence, ...], reply: object) -> None:
        if not isinstance(reply, PresencesStored):
            self.keep.put_back(presences)
        self.keep.is_storing = bool(self.keep)
        if self.keep:
            self.wakeup_after(STORE_EVERY_SECONDS, StoreChanges())

    # --- other nodes ---

    def look_for(self, user_ids: Iterable[UUID], *, is_urgent: bool) -> None:
        if self.is_shared:
            self.share.unread.update(dict.fromkeys(user_ids))
            if is_urgent:
                self._share()

    def receiveMsg_ShareNow(self, message: ShareNow, _sender: Address) -> None:
        self.wakeup_after(self.times.share_seconds, message)
        self._share()

    def _share(self) -> None:
        if self.share.is_asking:
            return
        self.share.is_asking = True
        changed, ended = self.share.take(self.devices, monotonic())
        # Nobody is told of before it is known whether they want to be seen.
        whose = ((self._person(device.user_id), device) for device in changed)
        put = tuple(person.shared(device) for person, device in whose if person.is_loaded)
        clear = tuple(self._person(device.user_id).shared(device) for device in ended)
        others = self.share.next_to_read(self.rooms_of)
        read = tuple(dict.fromkeys((*(device.user_id for device in ended), *others)))
        command = ShareDevices(put=put, clear=clear, read=read)
        self.ask_key(PRESENCE_STORE, command, _Sharing(ended, read))

    def _on_shared(self, tag: _Sharing, reply: object) -> None:
        self.share.is_asking = False
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
                self.share.changed[device.session_id] = device
                self._refresh(self._person(device.user_id))
        self.forget_unwatched()
        self.look_at_blocks()
