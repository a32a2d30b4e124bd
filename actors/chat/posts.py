"""The service that knows what a message names: members, tracks, and files."""

from typing import Final

from veza.actors.database import DatabaseActor
from veza.actors.messages.attachments import AttachmentsDescribed, DescribeAttachments
from veza.actors.messages.common import RefusedError, RejectCode, Rejected
from veza.actors.messages.directory import Deliver
from veza.actors.messages.room_log import PostPrepared, PreparePost
from veza.actors.runtime.address import Address
from veza.persistence import messages, rows
from veza.persistence.pool import Pool
from veza.persistence.room_rows import Attachment, Post

ATTACHMENTS: Final = ("attachments", "")
MAX_MENTIONS: Final = 50
"""Further names stay text."""


class PostsActor(DatabaseActor):
    """Prepares messages for their rooms."""

    def __init__(self, *, pool: Pool, directory: Address) -> None:
        super().__init__(pool=pool)
        self.directory = directory

    async def receiveMsg_PreparePost(self, command: PreparePost, _sender: Address) -> PostPrepared:
        attachments = await self._attachments(command) if command.attachments else ()
        async with self.connection() as conn:
            mentions = await messages.find_members(
                conn, command.room_id, command.author_id, command.names, limit=MAX_MENTIONS
            )
            tracks = await messages.find_tracks(conn, command.tracks)
        post = Post(attachments=attachments, tracks=tracks, mentions=mentions)
        return PostPrepared(post=post)

    async def _attachments(self, command: PreparePost) -> tuple[Attachment, ...]:
        describe = DescribeAttachments(
            attachment_ids=command.attachments,
            owner_id=command.author_id,
            room_id=command.room_id,
            message_id=command.message_id,
        )
        reply = await self.ask(self.directory, Deliver(key=ATTACHMENTS, message=describe))
        match reply:
            case AttachmentsDescribed(attachments=found):
                return tuple(shown(each) for each in found)
            case Rejected(code=RejectCode.UNAVAILABLE, detail=detail):
                raise RefusedError(RejectCode.UNAVAILABLE, detail, retry_after_seconds=1.0)
            case Rejected(detail=detail):
                raise RefusedError(RejectCode.ATTACHMENT_UNUSABLE, detail)
            case _:
                raise RefusedError(
                    RejectCode.UNAVAILABLE,
                    "The files cannot be looked at just now.",
                    retry_after_seconds=1.0,
                )


def shown(attachment: rows.Attachment) -> Attachment:
    """Return a file as everybody in the room sees it."""
    return Attachment(
        id=attachment.id,
        filename=attachment.filename,
        content_type=attachment.content_type,
        size_bytes=attachment.size_bytes,
        width=attachment.width_px,
        height=attachment.height_px,
    )
