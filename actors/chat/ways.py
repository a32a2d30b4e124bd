"""The service of the ways into rooms: members, invites, requests, conversations, blocks and drafts."""

from datetime import UTC, datetime
from secrets import token_urlsafe
from typing import Final
from uuid import UUID

from veza.actors.chat.room_state import NO_SUCH_ROOM, PRIVATE_TALK
from veza.actors.database import DatabaseActor
from veza.actors.fanout import FanOut
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.rooms import RoomAdded
from veza.actors.messages.ways import (
    BansListed,
    BlockedListed,
    BlocksRead,
    BlockUser,
    CheckInvite,
    ConversationOpened,
    CountJoin,
    CreateInvite,
    DraftChanged,
    DraftKept,
    DraftsListed,
    DropDraft,
    DropRequest,
    FindRequest,
    FollowInvite,
    InviteChecked,
    InviteDescribed,
    InviteLeads,
    InvitesListed,
    KeepDraft,
    ListBans,
    ListBlocked,
    ListDrafts,
    ListInvites,
    ListMembers,
    ListOwnRooms,
    ListRequests,
    MembersListed,
    OpenDirect,
    OpenGroup,
    OwnRoomsListed,
    ReadBlocks,
    RequestMade,
    RequestsListed,
    RequestToJoin,
    RevokeInvite,
    UnblockUser,
    UncountJoin,
    WayDone,
)
from veza.actors.runtime.address import Address
from veza.actors.shared_rates import SharedRates, give_back_join, spend_join
from veza.actors.topics import user_topic
from veza.config.ids import uuid7
from veza.persistence import memberships, room_log, rooms
from veza.persistence.pool import Connection, Pool
from veza.persistence.room_rows import (
    Entry,
    EventKind,
    NewEvent,
    Partners,
    Role,
    Room,
    RoomKind,
    RoomSettings,
)
from veza.persistence.rows import Author

INVITE_BYTES: Final = 16
MAX_INVITES: Final = 200
"""Of a room, that still let somebody in."""
MAX_REQUESTS: Final = 200
MODERATORS_TOLD: Final = 100
MAX_BLOCKED: Final = 1000
"""`ready` names them all: 40 KB."""
MAX_DRAFTS: Final = 200
"""The oldest go."""
PARTNERS_SHOWN: Final = 10


class WaysActor(DatabaseActor):
    """Ways into rooms as tables. Whether somebody may is the rooms' to say, but for blocks."""

    def __init__(self, *, pool: Pool, fan_out: FanOut, rates: SharedRates) -> None:
        super().__init__(pool=pool)
        self.fan_out = fan_out
        self.rates = rates

    # --- members ---

    async def receiveMsg_ListMembers(self, command: ListMembers, _sender: Address) -> MembersListed:
        async with self.connection() as conn:
            found = await rooms.list_members(
                conn, command.room_id, after=command.after, limit=command.limit
            )
        return MembersListed(members=found)

    async def receiveMsg_ListBans(self, command: ListBans, _sender: Address) -> BansListed:
        async with self.connection() as conn:
            found = await rooms.list_bans(
                conn, command.room_id, after=command.after, limit=command.limit
            )
        return BansListed(bans=found)

    async def receiveMsg_ListOwnRooms(
        self, command: ListOwnRooms, _sender: Address
    ) -> OwnRoomsListed:
        async with self.connection() as conn:
            found = await rooms.list_memberships(
                conn,
                command.user_id,
                limit=command.limit,
                before=command.before,
                kinds=command.kinds,
            )
            talks = [each.room.id for each in found if each.room.kind in PRIVATE_TALK]
            partners = await rooms.list_partners(conn, talks, command.user_id, limit=PARTNERS_SHOWN)
        return OwnRoomsListed(
            memberships=found,
            partners=tuple(partners.get(each.room.id, Partners()) for each in found),
        )

    # --- invites ---

    async def receiveMsg_CreateInvite(
        self, command: CreateInvite, _sender: Address
    ) -> InviteDescribed:
        if command.expires_at is not None and command.expires_at <= datetime.now(UTC):
            raise RefusedError(RejectCode.VALIDATION_FAILED, "`expires_at` is in the past.")
        async with self.connection() as conn:
            if len(await memberships.list_invites(conn, command.room_id, limit=MAX_INVITES)) >= (
                MAX_INVITES
            ):
                raise RefusedError(RejectCode.INVALID_STATE, "Revoke other invitations first.")
            invite = await memberships.insert_invite(
                conn,
                code=token_urlsafe(INVITE_BYTES),
                room_id=command.room_id,
                creator_id=command.creator_id,
                max_uses=command.max_uses,
                expires_at=command.expires_at,
            )
        return InviteDescribed(invite=invite)

    async def receiveMsg_ListInvites(self, command: ListInvites, _sender: Address) -> InvitesListed:
        async with self.connection() as conn:
            found = await memberships.list_invites(conn, command.room_id, limit=MAX_INVITES)
        return InvitesListed(invites=found)

    async def receiveMsg_RevokeInvite(self, command: RevokeInvite, _sender: Address) -> WayDone:
        async with self.connection() as conn:
            was_there = await memberships.revoke_invite(conn, command.room_id, command.code)
        return _done(was_there, "There is no such invitation.")

    async def receiveMsg_FollowInvite(self, command: FollowInvite, _sender: Address) -> InviteLeads:
        async with self.connection() as conn:
            invite = await memberships.find_open_invite(conn, command.code)
            room = None if invite is None else await rooms.get_room(conn, invite.room_id)
        if room is None or room.is_archived:
            raise RefusedError(RejectCode.NOT_FOUND, "That invitation leads nowhere.")
        return InviteLeads(room=room)

    async def receiveMsg_CountJoin(self, command: CountJoin, _sender: Address) -> WayDone:
        await spend_join(self.rates, command.joiner_id)
        return WayDone()

    async def receiveMsg_UncountJoin(self, command: UncountJoin, _sender: Address) -> None:
        await give_back_join(self.rates, command.joiner_id)

    async def receiveMsg_CheckInvite(self, command: CheckInvite, _sender: Address) -> InviteChecked:
        if command.joiner_id is not None:
            await spend_join(self.rates, command.joiner_id)
        async with self.connection() as conn:
            invite = await memberships.find_open_invite(conn, command.code)
        return InviteChecked(is_valid=invite is not None and invite.room_id == command.room_id)

    # --- requests ---

    async def receiveMsg_RequestToJoin(self, command: RequestToJoin, _sender: Address) -> WayDone:
        async with self.connection() as conn:
            if await memberships.count_requests(conn, command.room_id) >= MAX_REQUESTS:
                raise RefusedError(RejectCode.ROOM_FULL, "Too many ask to be let in already.")
            is_new = await memberships.insert_request(
                conn, command.room_id, command.user.id, command.text
            )
            moderators = await rooms.list_moderators(conn, command.room_id, limit=MODERATORS_TOLD)
        if is_new:
            news = RequestMade(
                room_id=command.room_id,
                user=command.user,
                text=command.text,
                at=datetime.now(UTC),
            )
            self._tell(moderators, news)
        return WayDone()

    async def receiveMsg_ListRequests(
        self, command: ListRequests, _sender: Address
    ) -> RequestsListed:
        async with self.connection() as conn:
            found = await memberships.list_requests(conn, command.room_id, limit=MAX_REQUESTS)
        return RequestsListed(requests=found)

    async def receiveMsg_FindRequest(self, command: FindRequest, _sender: Address) -> WayDone:
        async with self.connection() as conn:
            request = await memberships.find_request(conn, command.room_id, command.user_id)
        return _done(request, "They do not ask to be let in.")

    async def receiveMsg_DropRequest(self, command: DropRequest, _sender: Address) -> WayDone:
        async with self.connection() as conn:
            was_there = await memberships.delete_request(conn, command.room_id, command.user_id)
        return _done(was_there, "They do not ask to be let in.")

    # --- conversations ---

    async def receiveMsg_OpenDirect(
        self, command: OpenDirect, _sender: Address
    ) -> ConversationOpened:
        pair = sorted((str(command.creator.id), str(command.other_id)))
        settings = RoomSettings(name="", kind=RoomKind.DIRECT)
        return await self._open(
            command, settings, frozenset({command.other_id}), Role.MEMBER, ":".join(pair)
        )

    async def receiveMsg_OpenGroup(
        self, command: OpenGroup, _sender: Address
    ) -> ConversationOpened:
        settings = RoomSettings(name=command.name, kind=RoomKind.GROUP)
        return await self._open(command, settings, command.other_ids, Role.OWNER, None)

    async def _open(
        self,
        command: OpenDirect | OpenGroup,
        settings: RoomSettings,
        other_ids: frozenset[UUID],
        role: Role,
        direct_key: str | None,
    ) -> ConversationOpened:
        creator = command.creator
        async with self.transaction() as conn:
            await _require_willing(conn, creator, other_ids)
            room = await rooms.insert_room(
                conn,
                room_id=command.room_id,
                settings=settings,
                epoch=uuid7(),
                creator_id=creator.id,
                direct_key=direct_key,
            )
            is_new = room.seq == 0
            if is_new:
                await room_log.append_events(conn, _first_members(room, creator, other_ids, role))
                room = await _room(conn, room.id)
        if is_new:
            self._tell((creator.id, *other_ids), RoomAdded(room=room, by=creator))
        return ConversationOpened(room=room, is_new=is_new)

    # --- blocks ---

    async def receiveMsg_BlockUser(self, command: BlockUser, _sender: Address) -> WayDone:
        if command.user_id == command.blocked_id:
            raise RefusedError(RejectCode.INVALID_STATE, "Nobody blocks themselves.")
        async with self.connection() as conn:
            if command.blocked_id not in await memberships.find_users(conn, (command.blocked_id,)):
                raise RefusedError(RejectCode.NOT_FOUND, "There is no such account.")
            blocked = {each.id for each in await memberships.list_blocks(conn, command.user_id)}
            if len(blocked - {command.blocked_id}) >= MAX_BLOCKED:
                raise RefusedError(
                    RejectCode.INVALID_STATE, f"At most {MAX_BLOCKED} accounts are blocked."
                )
            await memberships.set_block(conn, command.user_id, command.blocked_id)
        return WayDone()

    async def receiveMsg_UnblockUser(self, command: UnblockUser, _sender: Address) -> WayDone:
        async with self.connection() as conn:
            await memberships.clear_block(conn, command.user_id, command.blocked_id)
        return WayDone()

    async def receiveMsg_ListBlocked(self, command: ListBlocked, _sender: Address) -> BlockedListed:
        async with self.connection() as conn:
            return BlockedListed(users=await memberships.list_blocks(conn, command.user_id))

    async def receiveMsg_ReadBlocks(self, command: ReadBlocks, _sender: Address) -> BlocksRead:
        async with self.connection() as conn:
            return BlocksRead(pairs=await memberships.blocks_between(conn, command.user_ids))

    # --- drafts ---

    async def receiveMsg_KeepDraft(self, command: KeepDraft, _sender: Address) -> DraftKept:
        async with self.transaction() as conn:
            draft = await memberships.put_draft(
                conn, command.room_id, command.user_id, command.text
            )
            await memberships.trim_drafts(conn, command.user_id, keep=MAX_DRAFTS)
        self._tell((command.user_id,), DraftChanged(room_id=draft.room_id, text=draft.text))
        return DraftKept(draft=draft)

    async def receiveMsg_DropDraft(self, command: DropDraft, _sender: Address) -> WayDone:
        async with self.connection() as conn:
            was_there = await memberships.delete_draft(conn, command.room_id, command.user_id)
        if was_there:
            self._tell((command.user_id,), DraftChanged(room_id=command.room_id, text=None))
        return WayDone()

    async def receiveMsg_ListDrafts(self, command: ListDrafts, _sender: Address) -> DraftsListed:
        async with self.connection() as conn:
            found = await memberships.list_drafts(conn, command.user_id, limit=MAX_DRAFTS)
        return DraftsListed(drafts=found)

    def _tell(self, user_ids: tuple[UUID, ...], news: object) -> None:
        for user_id in user_ids:
            self.fan_out.publish_everywhere(user_topic(user_id), news)


def _done(found: object, detail: str) -> WayDone:
    """Return that it is done, or refuse because there was nothing to do it with."""
    if not found:
        raise RefusedError(RejectCode.NOT_FOUND, detail)
    return WayDone()


async def _room(conn: Connection, room_id: UUID) -> Room:
    room = await rooms.get_room(conn, room_id)
    if room is None:
        raise RefusedError(RejectCode.NOT_FOUND, NO_SUCH_ROOM)
    return room


async def _require_willing(conn: Connection, creator: Author, others: frozenset[UUID]) -> None:
    """Refuse if one of the others is not there, or one of them and the maker block each other."""
    known = await memberships.find_users(conn, others)
    if others - known.keys():
        raise RefusedError(RejectCode.NOT_FOUND, "There is no such account.")
    for pair in await memberships.blocks_between(conn, {creator.id, *others}):
        if creator.id in pair:
            raise RefusedError(RejectCode.BLOCKED, "One of you has blocked the other.")


def _first_members(
    room: Room, creator: Author, others: frozenset[UUID], role: Role
) -> list[NewEvent]:
    made = NewEvent(
        room_id=room.id,
        kind=EventKind.MEMBER_JOINED,
        author=creator,
        details=Entry(role=role),
    )
    added = [
        NewEvent(
            room_id=room.id,
            kind=EventKind.MEMBER_JOINED,
            author=creator,
            subject=Author(id=user_id, name=""),
            details=Entry(),
        )
        for user_id in sorted(others)
    ]
    return [made, *added]
