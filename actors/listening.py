"""The listening service: what players report becomes plays that count, positions to go on from, and days."""

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Final

from veza.actors.database import DatabaseActor
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.listening import (
    ListeningReported,
    ListUnfinished,
    ReadTrackFigures,
    ReportListening,
    TrackFiguresRead,
    UnfinishedListed,
)
from veza.actors.runtime.address import Address
from veza.persistence import listening
from veza.persistence.listening import PlayRule
from veza.persistence.pool import Pool

ROLL_UP_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RollUp:
    """Time to bring the days up to date. On several nodes all try; one at a time does it."""


class ListeningActor(DatabaseActor):
    """Listenings as a table. Reports carry the whole of what was heard, so one that is lost costs nothing."""

    concurrency: ClassVar[int] = 4

    def __init__(self, *, pool: Pool, rule: PlayRule | None = None) -> None:
        super().__init__(pool=pool)
        self.rule = rule or PlayRule()
        self.wakeup_after(ROLL_UP_SECONDS, RollUp())

    async def receiveMsg_ReportListening(
        self, command: ReportListening, _sender: Address
    ) -> ListeningReported:
        async with self.transaction() as conn:
            is_play = await listening.report(conn, command.heard, self.rule)
        if is_play is None:
            detail = "The id is another listening's, or an old one's. Begin a new one."
            raise RefusedError(RejectCode.ALREADY_EXISTS, detail)
        return ListeningReported(is_play=is_play)

    async def receiveMsg_ListUnfinished(
        self, command: ListUnfinished, _sender: Address
    ) -> UnfinishedListed:
        async with self.connection() as conn:
            return UnfinishedListed(unfinished=await listening.unfinished(conn, command.user_id))

    async def receiveMsg_ReadTrackFigures(
        self, command: ReadTrackFigures, _sender: Address
    ) -> TrackFiguresRead:
        async with self.connection() as conn:
            days = await listening.read_days(conn, command.track_id, command.days)
            stops = await listening.read_stops(conn, command.track_id)
        return TrackFiguresRead(days=days, stops=tuple(stops))

    async def receiveMsg_RollUp(self, message: RollUp, _sender: Address) -> None:
        self.wakeup_after(ROLL_UP_SECONDS, message)
        with suppress(RefusedError):  # no database now: the next time tells of the same
            async with self.transaction() as conn:
                await listening.roll_up(conn, self.rule)
