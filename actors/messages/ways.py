"""The protocol of the ways into rooms, key `("ways", "")`: invites, requests, conversations, blocks, drafts.

The service does what it is told about a room: whoever asks it has asked the room first whether they may.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from veza.persistence.memberships import Draft, Invite, JoinRequest
from veza.persistence.room_rows import Member, Membership, Partners, Room, RoomBan, RoomKind
from veza.persistence.rows import Author

WAYS: Final = ("ways", "")

# --- members ---


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMembers:
    """Members of a room in the order of their ids, those past `after`. Reply: `MembersListed`."""

    room_id: UUID
    after: UUID | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersListed:
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListBans:
    """Who is kept out of a room, in the order of their ids, past `after`. Reply: `BansListed`."""

    room_id: UUID
    after: UUID | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BansListed:
    bans: tuple[RoomBan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOwnRooms:
    """Rooms a user is a member of, newest first, those older than `before`. Reply: `OwnRoomsListed`.

    `kinds`: only those; None, all.
    """

    user_id: UUID
    before: UUID | None
    limit: int
    kinds: frozenset[RoomKind] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRoomsListed:
    """`partners`: of each room, if it is a conversation."""

    memberships: tuple[Membership, ...]
    partners: tuple[Partners, ...]


# --- invites ---


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateInvite:
    """Make a code that lets people into a room. Reply: `InviteDescribed` or `Rejected`."""

    room_id: UUID
    creator_id: UUID
    max_uses: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteDescribed:
    invite: Invite


@dataclass(frozen=True, slots=True, kw_only=True)
class ListInvites:
    """A room's invites that still let somebody in, newest first. Reply: `InvitesListed`."""

    room_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitesListed:
    invites: tuple[Invite, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeInvite:
    """Let nobody in by a code any more. Reply: `WayDone`, or `Rejected` (`not_found`)."""

    room_id: UUID
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowInvite:
    """Where does a code lead? Reply: `InviteLeads`, or `Rejected` (`not_found`) if it lets nobody in."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteLeads:
    room: Room


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInvite:
    """Does a code let people into this room? Reply: `InviteChecked`, or `Rejected` (`rate_limited`).

    With a `joiner_id` it is counted as an attempt of theirs to join.
    """

    room_id: UUID
    code: str
    joiner_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteChecked:
    is_valid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CountJoin:
    """Somebody becomes a member of a room by themselves. Reply: `WayDone`, or `Rejected` (`rate_limited`)."""

    joiner_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UncountJoin:
    """What was counted came to nothing, by no fault of theirs. No reply."""

    joiner_id: UUID


# --- requests ---


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestToJoin:
    """Somebody asks to be let in; its moderators are told. Asking again changes nothing. Reply: `WayDone`."""

    room_id: UUID
    user: Author
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRequests:
    """Who asks to be let in, the first one first. Reply: `RequestsListed`."""

    room_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsListed:
    requests: tuple[JoinRequest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindRequest:
    """Does somebody ask to be let in? Reply: `WayDone`, or `Rejected` (`not_found`)."""

    room_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DropRequest:
    """Turn a request down, or take it back. Reply: `WayDone`, or `Rejected` (`not_found`)."""

    room_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMade:
    """Told to the connections of a room's moderators, and kept nowhere."""

    room_id: UUID
    user: Author
    text: str
    at: datetime


# --- conversations ---


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDirect:
    """The conversation of two, made if there is none. Reply: `ConversationOpened` or `Rejected`."""

    room_id: UUID
    creator: Author
    other_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGroup:
    """Make a conversation of several, owned by its maker. Reply: `ConversationOpened` or `Rejected`."""

    room_id: UUID
    creator: Author
    other_ids: frozenset[UUID]
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationOpened:
    room: Room
    is_new: bool


# --- blocks ---


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockUser:
    """Have nothing to do with somebody any more. Reply: `WayDone` or `Rejected`."""

    user_id: UUID
    blocked_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UnblockUser:
    """Reply: `WayDone`, also if they were not blocked."""

    user_id: UUID
    blocked_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ListBlocked:
    """Whom a user blocks, the newest first. Reply: `BlockedListed`."""

    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedListed:
    users: tuple[Author, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBlocks:
    """Who blocks whom among these? Reply: `BlocksRead`."""

    user_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlocksRead:
    pairs: frozenset[tuple[UUID, UUID]]


# --- drafts ---


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepDraft:
    """Keep what a user began to write in a room. Reply: `DraftKept`."""

    room_id: UUID
    user_id: UUID
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftKept:
    draft: Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class DropDraft:
    """Forget a draft. Reply: `WayDone`, also if there was none."""

    room_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDrafts:
    """A user's drafts, the newest first. Reply: `DraftsListed`."""

    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftsListed:
    drafts: tuple[Draft, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftChanged:
    """Told to a user's own connections: without a `text` the draft is gone."""

    room_id: UUID
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WayDone:
    """It is as was asked."""
