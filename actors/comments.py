"""The comments service: what people say at a moment of a track."""

from typing import ClassVar, Final
from uuid import UUID

from veza.actors.database import DatabaseActor
from veza.actors.marks import audible, refuse_blocked
from veza.actors.messages.comments import (
    CommentDeleted,
    CommentOrder,
    CommentsListed,
    CommentTold,
    DeleteComment,
    EditComment,
    ListComments,
    ListReplies,
    PostComment,
)
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.runtime.address import Address
from veza.persistence import comments
from veza.persistence.errors import AlreadyExistsError
from veza.persistence.pool import Connection
from veza.persistence.rows import Comment, Track

LAST_MOMENT_MS: Final = 24 * 3600 * 1000
"""Of a track whose length is not known yet."""


class CommentsActor(DatabaseActor):
    """Who may hear a track may comment on it; authors, the track's owner and moderators delete."""

    concurrency: ClassVar[int] = 8

    async def receiveMsg_PostComment(self, command: PostComment, _sender: Address) -> CommentTold:
        async with self.transaction() as conn:
            track = await audible(conn, command.track_id, command.author_id)
            await refuse_blocked(conn, command.author_id, track.owner.id)
            at_ms = command.at_ms
            if command.reply_to is not None:
                at_ms = (await self._replied_to(conn, command, command.reply_to)).at_ms
            refuse_behind_the_end(track, at_ms)
            try:
                comment = await comments.insert_comment(
                    conn,
                    comment_id=command.comment_id,
                    track_id=track.id,
                    author_id=command.author_id,
                    reply_to=command.reply_to,
                    at_ms=at_ms,
                    text=command.text,
                )
            except AlreadyExistsError as error:
                raise RefusedError(RejectCode.ALREADY_EXISTS, "The id is taken.") from error
        return CommentTold(comment=comment)

    async def _replied_to(self, conn: Connection, command: PostComment, reply_to: UUID) -> Comment:
        parent = await comments.get_comment(conn, reply_to)
        if parent is None or parent.track_id != command.track_id or parent.is_deleted:
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such comment.")
        if parent.reply_to is not None:
            detail = "Reply to the first comment of the thread."
            raise RefusedError(RejectCode.VALIDATION_FAILED, detail)
        await refuse_blocked(conn, command.author_id, parent.author.id)
        return parent

    async def receiveMsg_EditComment(self, command: EditComment, _sender: Address) -> CommentTold:
        async with self.transaction() as conn:
            comment = await self._seen(conn, command.comment_id, command.by_id)
            if comment.is_deleted:
                raise RefusedError(RejectCode.NOT_FOUND, "There is no such comment.")
            if comment.author.id != command.by_id:
                raise RefusedError(RejectCode.FORBIDDEN, "Somebody else said it.")
            await comments.edit_comment(conn, comment.id, command.text)
            return CommentTold(comment=await self._seen(conn, comment.id, command.by_id))

    async def receiveMsg_DeleteComment(
        self, command: DeleteComment, _sender: Address
    ) -> CommentDeleted:
        async with self.transaction() as conn:
            viewer = None if command.is_staff else command.by_id
            comment = await self._seen(conn, command.comment_id, viewer, is_staff=command.is_staff)
            is_theirs = command.by_id in {comment.author.id, comment.track_owner_id}
            if not (is_theirs or command.is_staff):
                raise RefusedError(RejectCode.FORBIDDEN, "Somebody else said it.")
            await comments.delete_comment(conn, comment.id)
        return CommentDeleted()

    async def receiveMsg_ListComments(
        self, command: ListComments, _sender: Address
    ) -> CommentsListed:
        async with self.connection() as conn:
            await audible(conn, command.track_id, command.viewer_id)
            asked = (conn, command.track_id, command.viewer_id)
            if command.order is CommentOrder.PLACE:
                found = await comments.list_by_place(
                    *asked, after=command.after, limit=command.limit
                )
            else:
                before = command.after and command.after[1]
                found = await comments.list_newest(*asked, before=before, limit=command.limit)
        return CommentsListed(comments=found)

    async def receiveMsg_ListReplies(
        self, command: ListReplies, _sender: Address
    ) -> CommentsListed:
        async with self.connection() as conn:
            parent = await self._seen(conn, command.comment_id, command.viewer_id)
            found = await comments.list_replies(
                conn, parent.id, command.viewer_id, after=command.after, limit=command.limit
            )
        return CommentsListed(comments=found)

    async def _seen(
        self, conn: Connection, comment_id: UUID, viewer_id: UUID | None, *, is_staff: bool = False
    ) -> Comment:
        """Return a comment on a track that the viewer may hear."""
        comment = await comments.get_comment(conn, comment_id)
        if comment is None:
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such comment.")
        if not is_staff:
            await audible(conn, comment.track_id, viewer_id)
        return comment


def refuse_behind_the_end(track: Track, at_ms: int) -> None:
    """Raise `RefusedError` (`validation_failed`) for a moment that a track has not."""
    end_ms = LAST_MOMENT_MS if track.duration_ms is None else track.duration_ms
    if at_ms > end_ms:
        raise RefusedError(RejectCode.VALIDATION_FAILED, f"The track ends at {end_ms} ms.")
