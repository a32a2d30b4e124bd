"""The devices of people, how long each counts, and what is to be seen of a person from all of them. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

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
from veza.actors.fanout import Outbox
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.presence import (
    AcquaintanceChecked,
    DeviceSaid,
    OwnPresence,
    ReadUserPresence,
    Seen,
    Status,
    UserPresenceRead,
)
from veza.actors.runtime.address import Address
from veza.persistence import shared_presence
from veza.persistence.presence import StoredPresence


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceTimes:
    """What may take how long.

    `grace_seconds`: a device that is gone still counts. `idle_seconds`: a device unused for so long is idle.
    `look_seconds`: between looks for those, and for rooms that nobody watches any more. `share_seconds`:
    between looks for what other nodes know. `refresh_seconds`: between two times all devices are told them.
    """

    grace_seconds: float = 5.0
    idle_seconds: float = 600.0
    look_seconds: float = 15.0
    share_seconds: float = 2.0
    refresh_seconds: float = shared_presence.REFRESH_SECONDS


_USED, _UNUSED = DeviceState(is_idle=False), DeviceState(is_idle=True)


@dataclass(slots=True, eq=False)
class Device:
    """One connection of this node, until its grace is over (`ends_at`, by the clock of `active_at`)."""

    session_id: UUID
    user_id: UUID
    session: Address
    outbox: Outbox
    active_at: float
    said: DeviceSaid | None = None
    is_unused: bool = False
    ends_at: float | None = None

    def state(self) -> DeviceState:
        """Return what it adds to its user's presence."""
        if self.said is None:
            return _UNUSED if self.is_unused else _USED
        return DeviceState(
            is_idle=self.is_unused or self.said.status is Status.IDLE,
            activity=self.said.activity,
            said_ms=self.said.at_ms,
        )


@dataclass(slots=True, eq=False)
class Person:
    """A user who is there on this node or another one. Nobody is shown before their choice is known."""

    user_id: UUID
    devices: dict[UUID, Device] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    choice: Choice = field(default_factory=Choice)
    is_loaded: bool = False
    last_seen_at: datetime | None = None
    truth: Truth = OFFLINE

    def now(self) -> Truth:
        """Return what their presence is by now; `truth` is what it was when somebody last looked."""
        elsewhere = [read_word(word) for word in self.others]
        states = [device for device, _choice in elsewhere]
        if self.is_loaded:
            states += [device.state() for device in self.devices.values()]
        return truth_of(states, max((self.choice, *(choice for _device, choice in elsewhere))))

    def is_leaving(self) -> bool:
        """Tell whether none of their devices here is connected any more."""
        return all(each.ends_at is not None for each in self.devices.values())

    def newer_choice(self, said: DeviceSaid | None) -> Choice | None:
        """Return what a device chose for its user, if nothing newer was chosen."""
        if said is None or said.status not in CHOICES:
            return None
        choice = Choice(at_ms=said.at_ms, status=said.status)
        return choice if choice > self.choice else None

    def take_stored(self, stored: StoredPresence | None) -> None:
        """Take what is stored of them, unless something newer is known."""
        if stored is None:
            return
        if stored.choice is not None and stored.chosen_at is not None:
            at_ms = round(stored.chosen_at.timestamp() * 1000)
            self.choice = max(self.choice, Choice(at_ms=at_ms, status=Status(stored.choice)))
        if self.last_seen_at is None:
            self.last_seen_at = stored.last_seen_at

    def shared(self, device: Device) -> shared_presence.Device:
        """Return a device of theirs as other nodes learn of it."""
        word = word_of(device.state(), self.choice)
        return shared_presence.Device(
            user_id=self.user_id, device_id=device.session_id, status=word
        )


def own(truth: Truth) -> OwnPresence:
    """Return what a user's own devices are told."""
    return OwnPresence(status=truth.status, activity=truth.activity)


def describe(command: ReadUserPresence, known: Person | None, found: AcquaintanceChecked) -> object:
    """Return the answer about somebody, of whom this node may know something."""
    if not found.is_acquainted:
        return Rejected(
            command=ReadUserPresence.__name__,
            code=RejectCode.NOT_FOUND,
            detail="There is no such user in your rooms.",
        )
    person = Person(command.user_id, others=found.others, is_loaded=True)
    if known is not None:
        person.devices, person.choice = known.devices, known.choice
    person.take_stored(found.stored)
    truth = person.now()
    if command.viewer != command.user_id:
        truth = shown(truth)
    seen = Seen(
        user_id=command.user_id,
        status=truth.status,
        activity=truth.activity,
        last_seen_at=person.last_seen_at if truth == OFFLINE else None,
    )
    return UserPresenceRead(seen=seen)
