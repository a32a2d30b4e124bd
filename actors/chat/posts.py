"""The service that knows what a message names: members, tracks, and files."""

from typing import Final

from veza.actors.database import DatabaseActor
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.rooms import PostPrepared, PreparePost
from veza.actors.runtime.address import Address
from veza.persistence import messages
from veza.persistence.room_rows import Post

MAX_MENTIONS: Final = 50
"""Further names stay text."""


class PostsActor(DatabaseActor):
    """Prepares messages for their rooms."""

    async def receiveMsg_PreparePost(self, command: PreparePost, _sender: Address) -> PostPrepared:
        if command.attachments:
            raise RefusedError(
                RejectCode.ATTACHMENT_UNUSABLE, "That file is not yours to send here."
            )
        async with self.connection() as conn:
            mentions = await messages.find_members(
                conn, command.room_id, command.author_id, command.names, limit=MAX_MENTIONS
            )
            tracks = await messages.find_tracks(conn, command.tracks)
        return PostPrepared(post=Post(tracks=tracks, mentions=mentions))
