"""The services around rooms: making and listing them, reading their events, committing new ones."""

import json
from collections.abc import Sequence
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.base import ServiceActor
from veza.actors.chat.room_rules import RoomRules, RulesError
from veza.actors.chat.room_state import NO_SUCH_ROOM, rules_from
from veza.actors.database import DatabaseActor
from veza.actors.messages.common import Crashed, RefusedError, RejectCode
from veza.actors.messages.directory import Deliver
from veza.actors.messages.reading import IndexRooms
from veza.actors.messages.room_log import (
    AppendEvent,
    EventAppended,
    FindMessage,
    MessageLookedUp,
    OpenRoom,
    RoomOpened,
)
from veza.actors.messages.rooms import EventsRead, ReadEvents, Room
from veza.actors.messages.rooms_service import (
    CheckRoomPassword,
    CheckRoomRules,
    CreateRoom,
    DescribeRoom,
    HashRoomPassword,
    ListRooms,
    ReadRoomRules,
    RoomDescribed,
    RoomPasswordChecked,
    RoomPasswordHashed,
    RoomRulesChecked,
    RoomRulesRead,
    RoomsListed,
)
from veza.actors.passwords import PasswordHasher
from veza.actors.runtime.address import Address
from veza.actors.shared_rates import SharedRates, spend_join
from veza.config.ids import uuid7
from veza.persistence import messages, room_log, rooms
from veza.persistence.errors import DatabaseUnavailableError
from veza.persistence.pool import Connection, Pool
from veza.persistence.room_rows import Entry, EventKind, NewEvent, Role

SEARCH_INDEX: Final = ("search_index", "")


class RoomsActor(DatabaseActor):
    """Rooms as a table: made, listed, described; and their passwords."""

    def __init__(self, *, pool: Pool, bcrypt_cost: int, rates: SharedRates) -> None:
        super().__init__(pool=pool)
        self.rates = rates
        self.passwords = PasswordHasher(bcrypt_cost)

    def on_stop(self) -> None:
        self.passwords.close()

    async def receiveMsg_CreateRoom(self, command: CreateRoom, _sender: Address) -> RoomDescribed:
        async with self.transaction() as conn:
            await rooms.insert_room(
                conn,
                room_id=command.room_id,
                settings=command.settings,
                epoch=uuid7(),
                creator_id=command.creator.id,
            )
            joined = NewEvent(
                room_id=command.room_id,
                kind=EventKind.MEMBER_JOINED,
                author=command.creator,
                details=Entry(role=Role.OWNER),
            )
            await room_log.append_events(conn, [joined])
            return RoomDescribed(room=await existing_room(conn, command.room_id))

    async def receiveMsg_DescribeRoom(
        self, command: DescribeRoom, _sender: Address
    ) -> RoomDescribed:
        async with self.connection() as conn:
            return RoomDescribed(room=await existing_room(conn, command.room_id))

    async def receiveMsg_ListRooms(self, command: ListRooms, _sender: Address) -> RoomsListed:
        async with self.connection() as conn:
            found = await rooms.list_rooms(conn, before=command.before, limit=command.limit)
        return RoomsListed(rooms=tuple(found))

    def receiveMsg_CheckRoomRules(
        self, command: CheckRoomRules, _sender: Address
    ) -> RoomRulesChecked:
        try:
            RoomRules.from_json(json.loads(command.rules))
        except RulesError as error:
            return RoomRulesChecked(rules=None, where=error.where, reason=error.reason)
        # As they were given: what was left out goes on to be as by default.
        return RoomRulesChecked(rules=command.rules)

    async def receiveMsg_ReadRoomRules(
        self, command: ReadRoomRules, _sender: Address
    ) -> RoomRulesRead:
        async with self.connection() as conn:
            rules = await rooms.get_rules(conn, command.room_id)
        if rules is None:
            raise RefusedError(RejectCode.NOT_FOUND, NO_SUCH_ROOM)
        return RoomRulesRead(rules=json.dumps(rules_from(rules).to_json()))

    async def receiveMsg_HashRoomPassword(
        self, command: HashRoomPassword, _sender: Address
    ) -> RoomPasswordHashed:
        return RoomPasswordHashed(password_hash=await self.passwords.hash(command.password))

    async def receiveMsg_CheckRoomPassword(
        self, command: CheckRoomPassword, _sender: Address
    ) -> RoomPasswordChecked:
        if command.joiner_id is not None:
            await spend_join(self.rates, command.joiner_id)
        async with self.connection() as conn:
            stored_hash = await rooms.get_password_hash(conn, command.room_id)
        is_right = await self.passwords.matches(command.password, stored_hash)
        return RoomPasswordChecked(is_right=is_right)


class RoomLogActor(DatabaseActor):
    """The events of all rooms, for reading."""

    async def receiveMsg_OpenRoom(self, command: OpenRoom, _sender: Address) -> RoomOpened:
        async with (
            self.connection() as conn,
            conn.transaction(isolation="repeatable_read"),
        ):
            snapshot = await rooms.load_snapshot(conn, command.room_id)
        if snapshot is None:
            raise RefusedError(RejectCode.NOT_FOUND, NO_SUCH_ROOM)
        return RoomOpened(snapshot=snapshot)

    async def receiveMsg_ReadEvents(self, command: ReadEvents, _sender: Address) -> EventsRead:
        async with self.connection() as conn:
            events = await room_log.read_events(
                conn,
                command.room_id,
                after_seq=command.after_seq,
                before_seq=command.before_seq,
                limit=command.limit,
                viewer=command.viewer,
                with_state=command.viewer is not None,
            )
        return EventsRead(events=tuple(events))

    async def receiveMsg_FindMessage(
        self, command: FindMessage, _sender: Address
    ) -> MessageLookedUp:
        async with self.connection() as conn:
            found = await messages.find_message(conn, command.room_id, command.message_id)
        return MessageLookedUp(found=found)


class RoomWriterActor(ServiceActor):
    """Commits what all rooms of this node want stored, everything that waits in one transaction.

    One batch is in flight at a time and its answers go out in order, so a room hears of its events
    in the order of their `seq`. The mailbox is the queue: when it is full the room is told `Busy`.
    A commit whose answer was lost is `Crashed`: nobody knows, and the client's retry finds out.
    """

    batch_limit: ClassVar[int] = 500
    mailbox_limit: ClassVar[int] = 5000

    def __init__(self, *, pool: Pool, directory: Address) -> None:
        super().__init__()
        self.pool = pool
        self.directory = directory

    async def receive_batch(self, batch: Sequence[tuple[object, Address]]) -> None:
        appends = [(m.event, sender) for m, sender in batch if isinstance(m, AppendEvent)]
        if not appends:
            return
        try:
            async with self.pool.acquire() as conn:
                results = await room_log.append_events(conn, [event for event, _sender in appends])
        except DatabaseUnavailableError:
            # The database keeper has logged it; a traceback a batch would say nothing more.
            for _event, sender in appends:
                self.send(sender, Crashed(command=AppendEvent.__name__))
            return
        for (_event, sender), result in zip(appends, results, strict=True):
            self.send(sender, EventAppended(result=result))
        rooms_written = frozenset(each.room_id for each, _sender in appends)
        index = IndexRooms(room_ids=rooms_written)
        self.send(self.directory, Deliver(key=SEARCH_INDEX, message=index))


async def existing_room(conn: Connection, room_id: UUID) -> Room:
    """Read a room; refuse if there is none."""
    room = await rooms.get_room(conn, room_id)
    if room is None:
        raise RefusedError(RejectCode.NOT_FOUND, NO_SUCH_ROOM)
    return room
