"""The encodings service: which tracks another recipe would make otherwise, and their jobs."""

from typing import Final
from uuid import UUID

from veza.actors.database import DatabaseActor
from veza.actors.messages.directory import Deliver
from veza.actors.messages.encodings import (
    EncodingsRead,
    ReadEncodings,
    ReencodeTracks,
    ReencodingsQueued,
    Which,
)
from veza.actors.messages.jobs import DISPATCHER, JobQueued
from veza.actors.runtime.address import Address
from veza.actors.runtime.context import request_context
from veza.config.ids import uuid7
from veza.persistence.audit import insert_act
from veza.persistence.encodings import BEFORE_ALL, count_outdated, queue_reencodings
from veza.persistence.pool import Pool

TRACKS_AT_ONCE: Final = 500
"""As many as take a second to queue."""


class EncodingsActor(DatabaseActor):
    """Queues what is to be encoded anew, in parts that a request has time for."""

    def __init__(self, *, pool: Pool, directory: Address, recipe: str) -> None:
        super().__init__(pool=pool)
        self.directory = directory
        self.recipe = recipe

    async def receiveMsg_ReadEncodings(
        self, _command: ReadEncodings, _sender: Address
    ) -> EncodingsRead:
        async with self.connection() as conn:
            published, outdated = await count_outdated(conn, self.recipe)
        return EncodingsRead(recipe=self.recipe, published=published, outdated=outdated)

    async def receiveMsg_ReencodeTracks(
        self, command: ReencodeTracks, _sender: Address
    ) -> ReencodingsQueued:
        by = command.by
        async with self.transaction() as conn:
            queued = await queue_reencodings(
                conn,
                limit=TRACKS_AT_ONCE,
                after=command.after or BEFORE_ALL,
                track_id=command.track_id if command.which is Which.ONE else None,
                other_than=self.recipe if command.which is Which.OUTDATED else None,
            )
            if queued:
                await insert_act(
                    conn,
                    act_id=uuid7(),
                    actor_id=UUID(by.user_id) if by.user_id else None,
                    actor_name=by.name,
                    via=by.via,
                    action="reprocess",
                    target=str(command.track_id or f"{len(queued)} tracks, {command.which}"),
                    reason=command.reason,
                    request_id=request_context.get().request_id,
                )
        self.send(self.directory, Deliver(key=DISPATCHER, message=JobQueued()))
        return ReencodingsQueued(queued=len(queued), last=queued[-1] if queued else None)
