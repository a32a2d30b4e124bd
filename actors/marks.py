"""The marks service: likes, reposts, and the feed of those whom one follows."""

from typing import ClassVar
from uuid import UUID

from veza.actors.database import DatabaseActor
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.marks import (
    FeedRead,
    ListMarked,
    MarkedListed,
    MarkTold,
    ReadFeed,
    ReadMark,
    SetMark,
)
from veza.actors.runtime.address import Address
from veza.persistence import marks, tracks
from veza.persistence.memberships import blocks_between
from veza.persistence.pool import Connection
from veza.persistence.rows import MarkKind, Track, Visibility


class MarksActor(DatabaseActor):
    """Toggles as rows; their counters change in the same statement."""

    concurrency: ClassVar[int] = 8

    async def receiveMsg_SetMark(self, command: SetMark, _sender: Address) -> MarkTold:
        async with self.transaction() as conn:
            track = await audible(conn, command.track_id, command.user_id)
            if command.is_set:
                await _refuse_unfit(conn, track, command)
                await marks.set_mark(conn, command.user_id, command.kind, track.id)
            else:
                await marks.take_back_mark(conn, command.user_id, command.kind, track.id)
            mark = await marks.read_mark(conn, command.user_id, command.kind, track.id)
        return MarkTold(mark=mark)

    async def receiveMsg_ReadMark(self, command: ReadMark, _sender: Address) -> MarkTold:
        async with self.connection() as conn:
            await audible(conn, command.track_id, command.viewer_id)
            mark = await marks.read_mark(conn, command.viewer_id, command.kind, command.track_id)
        return MarkTold(mark=mark)

    async def receiveMsg_ListMarked(self, command: ListMarked, _sender: Address) -> MarkedListed:
        async with self.connection() as conn:
            found = await marks.list_marked(
                conn,
                viewer_id=command.viewer_id,
                user_id=command.user_id,
                kind=command.kind,
                before=command.before,
                limit=command.limit,
            )
        return MarkedListed(tracks=found)

    async def receiveMsg_ReadFeed(self, command: ReadFeed, _sender: Address) -> FeedRead:
        async with self.connection() as conn:
            items = await marks.read_feed(
                conn, command.viewer_id, before=command.before, limit=command.limit
            )
        return FeedRead(items=items)


async def audible(conn: Connection, track_id: UUID, viewer_id: UUID | None) -> Track:
    """Return a track that somebody may hear; raises `RefusedError` (`not_found`)."""
    track = await tracks.get_audible_track(conn, track_id, viewer_id)
    if track is None:
        raise RefusedError(RejectCode.NOT_FOUND, "There is no such track.")
    return track


async def refuse_blocked(conn: Connection, one: UUID, other: UUID) -> None:
    """Raise `RefusedError` (`blocked`) if one of two blocks the other."""
    if one != other and await blocks_between(conn, (one, other)):
        raise RefusedError(RejectCode.BLOCKED, "One of you has blocked the other.")


async def _refuse_unfit(conn: Connection, track: Track, command: SetMark) -> None:
    await refuse_blocked(conn, command.user_id, track.owner.id)
    if command.kind is MarkKind.REPOST:
        if track.owner.id == command.user_id:
            raise RefusedError(RejectCode.INVALID_STATE, "Your own tracks are in feeds already.")
        if track.visibility is not Visibility.PUBLIC:
            raise RefusedError(RejectCode.INVALID_STATE, "This track is not for everybody.")
