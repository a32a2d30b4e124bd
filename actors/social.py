"""The social service: who follows whom."""

from veza.actors.database import DatabaseActor
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.social import (
    FollowedListed,
    FollowingRead,
    ListFollowed,
    ReadFollowing,
    SetFollowing,
)
from veza.actors.runtime.address import Address
from veza.persistence import follows
from veza.persistence.errors import AccountUnknownError


class SocialActor(DatabaseActor):
    """Following as rows; counts are counted, so that they cannot be wrong."""

    async def receiveMsg_SetFollowing(
        self, command: SetFollowing, _sender: Address
    ) -> FollowingRead:
        if command.follower_id == command.followed_id:
            raise RefusedError(RejectCode.INVALID_STATE, "Nobody follows themselves.")
        change = follows.follow if command.is_following else follows.unfollow
        async with self.connection() as conn:
            try:
                await change(conn, command.follower_id, command.followed_id)
            except AccountUnknownError as error:
                raise RefusedError(RejectCode.NOT_FOUND, "There is nobody of that id.") from error
            following = await follows.read_following(conn, command.followed_id, command.follower_id)
        return FollowingRead(following=following)

    async def receiveMsg_ReadFollowing(
        self, command: ReadFollowing, _sender: Address
    ) -> FollowingRead:
        async with self.connection() as conn:
            following = await follows.read_following(conn, command.user_id, command.viewer_id)
        return FollowingRead(following=following)

    async def receiveMsg_ListFollowed(
        self, command: ListFollowed, _sender: Address
    ) -> FollowedListed:
        async with self.connection() as conn:
            people = await follows.list_followed(
                conn, command.follower_id, after=command.after, limit=command.limit
            )
        return FollowedListed(people=people)
