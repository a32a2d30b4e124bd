"""The service that reads messages one by one: themselves, their edits, threads, pins and reactions."""

from typing import ClassVar, Final

from veza.actors.database import DatabaseActor
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.reading import (
    FindRooms,
    MeasuresRead,
    MessageRead,
    MessagesRead,
    ReactorsRead,
    ReadEdits,
    ReadMeasures,
    ReadMessage,
    ReadPins,
    ReadReactors,
    ReadThread,
    RoomsFound,
)
from veza.actors.runtime.address import Address
from veza.persistence import messages, moderation_log

MAX_ROOMS: Final = 20
"""So many rooms with a message of one id are tried; clients make ids, and honest ones make each once."""


class MessagesActor(DatabaseActor):
    """Reads for whoever may: that was asked of the room before."""

    mailbox_limit: ClassVar[int] = 2048

    async def receiveMsg_FindRooms(self, command: FindRooms, _sender: Address) -> RoomsFound:
        async with self.connection() as conn:
            found = await messages.rooms_to_try(
                conn, command.message_id, command.asker, limit=MAX_ROOMS
            )
        return RoomsFound(room_ids=found)

    async def receiveMsg_ReadMessage(self, command: ReadMessage, _sender: Address) -> MessageRead:
        async with self.connection() as conn:
            message = await messages.read_message(
                conn, command.room_id, command.message_id, command.viewer
            )
        if message is None:
            raise RefusedError(RejectCode.UNKNOWN_MESSAGE, "There is no such message.")
        return MessageRead(message=message)

    async def receiveMsg_ReadEdits(self, command: ReadEdits, _sender: Address) -> MessagesRead:
        async with self.connection() as conn:
            edits = await messages.edit_history(conn, command.room_id, command.message_id)
        return MessagesRead(messages=edits)

    async def receiveMsg_ReadMeasures(
        self, command: ReadMeasures, _sender: Address
    ) -> MeasuresRead:
        async with self.connection() as conn:
            found = await moderation_log.read_measures(
                conn, command.room_id, before_seq=command.before_seq, limit=command.limit
            )
        return MeasuresRead(measures=found)

    async def receiveMsg_ReadThread(self, command: ReadThread, _sender: Address) -> MessagesRead:
        async with self.connection() as conn:
            replies = await messages.read_thread(
                conn,
                command.room_id,
                command.message_id,
                command.after_seq,
                command.limit,
                command.viewer,
            )
        return MessagesRead(messages=replies)

    async def receiveMsg_ReadPins(self, command: ReadPins, _sender: Address) -> MessagesRead:
        async with self.connection() as conn:
            pinned = await messages.read_pinned(
                conn, command.room_id, command.viewer, command.limit, command.before_seq
            )
        return MessagesRead(messages=pinned)

    async def receiveMsg_ReadReactors(
        self, command: ReadReactors, _sender: Address
    ) -> ReactorsRead:
        async with self.connection() as conn:
            reactors = await messages.read_reactors(
                conn, command.room_id, command.message_id, after=command.after, limit=command.limit
            )
        return ReactorsRead(reactors=reactors)
