"""The audit service: what operators did is written down, and read back newest first."""

from veza.actors.database import DatabaseActor
from veza.actors.messages.audit import (
    ActRecorded,
    ActsListed,
    ListActs,
    RecordAct,
)
from veza.actors.runtime.address import Address
from veza.persistence import audit


class AuditActor(DatabaseActor):
    """The log of privileged acts. It only ever adds: an act sent again is written down once."""

    async def receiveMsg_RecordAct(self, command: RecordAct, _sender: Address) -> ActRecorded:
        async with self.connection() as conn:
            await audit.insert_act(
                conn,
                act_id=command.act_id,
                actor_id=command.actor_id,
                actor_name=command.actor_name,
                via=command.via,
                action=command.action,
                target=command.target,
                reason=command.reason,
                request_id=command.request_id,
            )
        return ActRecorded()

    async def receiveMsg_ListActs(self, command: ListActs, _sender: Address) -> ActsListed:
        async with self.connection() as conn:
            acts = await audit.list_acts(conn, limit=command.limit, before_id=command.before_id)
        return ActsListed(acts=acts)
