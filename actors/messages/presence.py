"""What is said about who is there: by sessions and rooms to the presence actor, and by it to everybody."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from veza.actors.fanout import Outbox
from veza.actors.messages.rooms import RoomKind
from veza.persistence.presence import StoredPresence
from veza.persistence.shared_presence import Device

PRESENCE: Final = ("presence", "")
PRESENCE_STORE: Final = ("presence_store", "")


class Status(StrEnum):
    """`offline` and `invisible` are never told of others but as `offline`."""

    ONLINE = "online"
    IDLE = "idle"
    DND = "dnd"
    INVISIBLE = "invisible"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """What somebody listens to. `track_id` if it is one of ours."""

    track_id: UUID | None
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One user as others see them. `last_seen_at` only of who is not there."""

    user_id: UUID
    status: Status
    activity: Listening | None = None
    last_seen_at: datetime | None = None


# --- told to clients; `gateway/wire/` gives each its frame ---


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceTold:
    """Who is there in a room.

    `is_full`: whoever is not among `people` is offline, or the room is so full that only `online` is
    told. Otherwise `people` are those who changed.
    """

    room_id: UUID
    online: int
    is_full: bool
    people: tuple[Seen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPresence:
    """What the server holds of a user, told to their own devices: `invisible` too."""

    status: Status
    activity: Listening | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceTaken:
    """`presence.set` is taken; others are told soon."""

    frame_id: str | None
    status: Status


# --- what a client says to its session ---


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPresence:
    """`presence.set`: answered with `PresenceTaken` in the outbox."""

    frame_id: str | None
    status: Status
    activity: Listening | None = None


# --- what sessions say; the sender is the session, whose end is the device's ---


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSaid:
    """What a device said last of its user, and when, in milliseconds since 1970."""

    status: Status
    activity: Listening | None
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceConnected:
    """A device is there. No reply. `is_again`: told once more because it was asked for."""

    user_id: UUID
    session_id: UUID
    outbox: Outbox
    said: DeviceSaid | None = None
    is_again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChanged:
    """The device says something new of its user. No reply."""

    session_id: UUID
    said: DeviceSaid


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceActive:
    """Somebody used the device just now; told at most once a minute. No reply."""

    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomWatched:
    """The device receives a room's events from now on: it gets who is there. No reply."""

    session_id: UUID
    room_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPresence:
    """To every session: what was known is lost; say again that you are there (`DeviceConnected`)."""


# --- what rooms say ---


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMemberIds:
    """Ask a room who its members are. Reply: `MemberIdsRead`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberIdsRead:
    """The members as of the event `seq`."""

    room_id: UUID
    kind: RoomKind
    seq: int
    members: frozenset[UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberMoved:
    """The event `seq` let somebody into a room, or out of it. No reply."""

    room_id: UUID
    user_id: UUID
    is_member: bool
    seq: int


# --- what the gateway asks ---


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRoomPresence:
    """Reply: `PresenceTold`, or `Rejected` for who is no member."""

    room_id: UUID
    viewer: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadUserPresence:
    """Reply: `UserPresenceRead`, or `Rejected` for who shares no room with the user."""

    user_id: UUID
    viewer: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPresenceRead:
    seen: Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class CountOnline:
    """Reply: `OnlineCounted`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineCounted:
    """Users with a device on this node, their devices, and the rooms whose presence is told here."""

    users: int
    devices: int
    rooms: int


# --- the presence store ---


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPresences:
    """Reply: `PresencesLoaded`."""

    user_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PresencesLoaded:
    """Of each user that anything is stored of."""

    stored: Mapping[UUID, StoredPresence]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePresences:
    """Keep what is newer than what is stored. Reply: `PresencesStored`."""

    presences: tuple[StoredPresence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PresencesStored:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBlocks:
    """Reply: `BlocksLoaded`."""

    user_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlocksLoaded:
    """Who blocks whom."""

    blocks: frozenset[tuple[UUID, UUID]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAcquaintance:
    """May `viewer` know whether the user is there? Reply: `AcquaintanceChecked`."""

    viewer: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquaintanceChecked:
    """What is stored of the user, and their devices on other nodes."""

    is_acquainted: bool
    stored: StoredPresence | None
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareDevices:
    """Tell other nodes of devices, and read theirs. Reply: `DevicesShared`."""

    put: tuple[Device, ...]
    clear: tuple[Device, ...]
    read: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicesShared:
    """The devices of the users that were asked for, on other nodes; none of who has none."""

    others: Mapping[UUID, tuple[str, ...]]
