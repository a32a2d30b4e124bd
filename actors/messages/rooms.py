"""The protocol of chat rooms.

The room itself, key `("room", <room id>)`, decides who may speak and in which order. The services
around it: `("rooms", "")` makes and lists rooms, `("room_log", "")` reads a room's events, and
`("room_writer", "")` commits new ones, all rooms' together.
"""

from dataclasses import dataclass
from uuid import UUID

from veza.persistence.rows import Author, EventKind, Membership, NewEvent, Room, RoomEvent, RoomKind

# --- the rooms service ---


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRoom:
    """Make a room whose first member is its maker. Reply: `RoomDescribed` or `Rejected`.

    `room_id` is chosen by the sender: the same command again is harmless.
    """

    room_id: UUID
    creator: Author
    name: str
    kind: RoomKind


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeRoom:
    """Reply: `RoomDescribed`, or `Rejected` (`not_found`)."""

    room_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRooms:
    """Rooms anybody may enter, newest first, those older than `before`. Reply: `RoomsListed`."""

    before: UUID | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMemberships:
    """The rooms one user is a member of. Reply: `MembershipsListed`."""

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


# --- the room ---


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRoom:
    """Become a member if one is not, and learn where the log stands.

    Reply: `RoomJoined` or `Rejected`.
    """

    member: Author


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveRoom:
    """Stop being a member. Reply: `RoomLeft`, also if one was none."""

    member: Author


@dataclass(frozen=True, slots=True, kw_only=True)
class PostMessage:
    """Store a message, then announce it. Reply: `EventStored` or `Rejected` (`not_a_member`).

    The client chooses `message_id`; sending the command again is harmless and gets the first answer.
    """

    message_id: UUID
    author: Author
    text: str
    reply_to: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomJoined:
    """`seq` is the newest event when the join was decided; the join itself is an event of its own."""

    room: Room


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLeft:
    room_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStored:
    """The event is committed. `is_new` is False if it had been stored by an earlier sending."""

    event: RoomEvent
    is_new: bool


# --- the room writer and the room log ---


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendEvent:
    """Give the event the next `seq` of its room and commit it.

    Membership events change the table of members in the same transaction.
    Reply: `EventStored`, `MembershipUnchanged` or `Rejected` (`not_found`).
    """

    event: NewEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipUnchanged:
    """Whoever joined was a member already, or whoever left was none: there is no event to tell."""

    kind: EventKind
    author: Author


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRoom:
    """What a room must know to start. Reply: `RoomOpened` or `Rejected` (`not_found`)."""

    room_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomOpened:
    room: Room
    members: frozenset[UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEvents:
    """Events of a room in ascending `seq`. Reply: `EventsRead`.

    With `after_seq`: the first `limit` events past it. With `before_seq`: the last `limit` events
    before it. With neither: the newest `limit`.
    """

    room_id: UUID
    after_seq: int | None = None
    before_seq: int | None = None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsRead:
    events: tuple[RoomEvent, ...]
