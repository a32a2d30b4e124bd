"""The service behind the presence actor: what is stored of users, and what other nodes know of them."""

from typing import ClassVar

from veza.actors.database import DatabaseActor
from veza.actors.messages.presence import (
    AcquaintanceChecked,
    BlocksLoaded,
    CheckAcquaintance,
    DevicesShared,
    LoadBlocks,
    LoadPresences,
    PresencesLoaded,
    PresencesStored,
    ShareDevices,
    StorePresences,
)
from veza.actors.runtime.address import Address
from veza.persistence import memberships, presence
from veza.persistence.pool import Pool
from veza.persistence.shared_presence import Presence


class PresenceStoreActor(DatabaseActor):
    """PostgreSQL for what lasts, the nodes' common presence for what does not."""

    concurrency: ClassVar[int] = 4

    def __init__(self, *, pool: Pool, shared: Presence) -> None:
        super().__init__(pool=pool)
        self.shared = shared

    async def receiveMsg_LoadPresences(
        self, command: LoadPresences, _sender: Address
    ) -> PresencesLoaded:
        async with self.connection() as conn:
            stored = await presence.load_presences(conn, command.user_ids)
        return PresencesLoaded(stored=stored)

    async def receiveMsg_StorePresences(
        self, command: StorePresences, _sender: Address
    ) -> PresencesStored:
        async with self.connection() as conn:
            await presence.store_presences(conn, command.presences)
        return PresencesStored()

    async def receiveMsg_LoadBlocks(self, command: LoadBlocks, _sender: Address) -> BlocksLoaded:
        async with self.connection() as conn:
            return BlocksLoaded(blocks=await memberships.blocks_between(conn, command.user_ids))

    async def receiveMsg_CheckAcquaintance(
        self, command: CheckAcquaintance, _sender: Address
    ) -> AcquaintanceChecked:
        viewer, user_id = command.viewer, command.user_id
        async with self.connection() as conn:
            is_acquainted = viewer == user_id or await presence.share_a_room(conn, viewer, user_id)
            stored = await presence.load_presences(conn, [user_id])
        others = await self.shared.others([user_id])
        return AcquaintanceChecked(
            is_acquainted=is_acquainted, stored=stored.get(user_id), others=others.get(user_id, ())
        )

    async def receiveMsg_ShareDevices(
        self, command: ShareDevices, _sender: Address
    ) -> DevicesShared:
        await self.shared.put(command.put)
        await self.shared.clear(command.clear)
        return DevicesShared(others=await self.shared.others(command.read))
