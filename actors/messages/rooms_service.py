"""The protocol of the service that makes, describes and lists rooms, key `("rooms", "")`.

It also answers what a room may not wait for: whether rules are rules, and what is stored of a password.
What sessions ask when they begin is answered by `("arrivals", "")`.
"""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from veza.persistence.room_rows import Membership, Room, RoomSettings
from veza.persistence.rows import Author

ROOMS: Final = ("rooms", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRoom:
    """Make a room, owned by its maker. Reply: `RoomDescribed` or `Rejected`.

    `room_id` is chosen by the sender: the same command again is harmless.
    """

    room_id: UUID
    creator: Author
    settings: RoomSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeRoom:
    """Reply: `RoomDescribed`, or `Rejected` (`not_found`)."""

    room_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRooms:
    """Rooms anybody may find, newest first, those older than `before`. Reply: `RoomsListed`."""

    before: UUID | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMemberships:
    """The newest rooms one user is a member of, and whom they block. Reply: `MembershipsListed`."""

    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomDescribed:
    room: Room


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomsListed:
    rooms: tuple[Room, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipsListed:
    memberships: tuple[Membership, ...]
    blocked: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRoomRules:
    """Are these automatic rules, in JSON? Reply: `RoomRulesChecked`."""

    rules: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomRulesChecked:
    """`rules` is what may be stored, or None if they cannot be: `where` says in which field, and why."""

    rules: str | None
    where: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRoomRules:
    """Reply: `RoomRulesRead`, or `Rejected` (`not_found`)."""

    room_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomRulesRead:
    """All rules of a room in JSON, those that are so by default among them."""

    rules: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRoomPassword:
    """Is this the room's password? Reply: `RoomPasswordChecked`, or `Rejected` (`rate_limited`).

    With a `joiner_id` it is counted as an attempt of theirs to join.
    """

    room_id: UUID
    password: str = field(repr=False)
    joiner_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomPasswordChecked:
    is_right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HashRoomPassword:
    """Turn a new room password into what may be stored. Reply: `RoomPasswordHashed`."""

    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomPasswordHashed:
    password_hash: str = field(repr=False)
