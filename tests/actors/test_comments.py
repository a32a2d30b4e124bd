"""Comments stand at a moment of a track: who may say, change and delete what, and what others see."""

import pytest

from veza.actors.messages.comments import (
    COMMENTS,
    CommentDeleted,
    CommentOrder,
    CommentTold,
    DeleteComment,
    EditComment,
    ListComments,
    ListReplies,
    PostComment,
)
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.ways import BlockUser
from veza.config.ids import uuid7


class Talk:
    """One track of `owner`, 100 s long, and what people say of it."""

    def __init__(self, world, owner, track):
        self.world, self.owner, self.track = world, owner, track

    async def ask(self, command):
        return await self.world.node.ask(COMMENTS, command)

    async def say(self, who, text="Nice!", at_ms=0, reply_to=None, comment_id=None):
        command = PostComment(
            comment_id=comment_id or uuid7(),
            track_id=self.track,
            author_id=who.id,
            reply_to=reply_to and reply_to.id,
            at_ms=at_ms,
            text=text,
        )
        reply = await self.ask(command)
        return reply.comment if isinstance(reply, CommentTold) else reply

    async def delete(self, who, comment, *, is_staff=False):
        command = DeleteComment(comment_id=comment.id, by_id=who.id, is_staff=is_staff)
        return await self.ask(command)

    async def edit(self, who, comment, text):
        return await self.ask(EditComment(comment_id=comment.id, by_id=who.id, text=text))

    async def listed(self, who=None, order=CommentOrder.NEWEST, after=None, limit=50):
        command = ListComments(
            track_id=self.track,
            viewer_id=who and who.id,
            order=order,
            after=after,
            limit=limit,
        )
        return (await self.ask(command)).comments

    async def replies(self, comment, who=None):
        command = ListReplies(comment_id=comment.id, viewer_id=who and who.id, after=None, limit=50)
        return (await self.ask(command)).comments

    async def counted(self):
        async with self.world.pool.acquire() as conn:
            return await conn.fetchval("SELECT comments FROM tracks WHERE id = $1", self.track)


@pytest.fixture
async def talk(world):
    owner = await world.person("owner")
    return Talk(world, owner, await world.track(owner))


@pytest.fixture
async def fan(world):
    return await world.person("fan")


def code_of(reply):
    assert isinstance(reply, Rejected), reply
    return reply.code


async def test_comments_come_newest_first_or_as_a_player_meets_them(talk, fan):
    said = [await talk.say(fan, str(at), at_ms=at) for at in (9_000, 1_000, 5_000, 1_000)]

    newest, placed = await talk.listed(), await talk.listed(order=CommentOrder.PLACE, limit=3)
    rest = await talk.listed(
        order=CommentOrder.PLACE, after=(placed[-1].at_ms, placed[-1].id), limit=3
    )

    assert [each.id for each in newest] == [each.id for each in reversed(said)]
    assert [each.at_ms for each in (*placed, *rest)] == [1_000, 1_000, 5_000, 9_000]
    assert await talk.counted() == 4


async def test_the_same_comment_again_is_said_once(talk, fan):
    comment_id = uuid7()

    first = await talk.say(fan, comment_id=comment_id)
    again = await talk.say(fan, "Something else", comment_id=comment_id)
    theirs = await talk.say(talk.owner, comment_id=comment_id)

    assert again == first
    assert code_of(theirs) is RejectCode.ALREADY_EXISTS
    assert await talk.counted() == 1


async def test_a_reply_stands_where_what_it_replies_to_stands_one_level_deep(talk, fan):
    first = await talk.say(fan, at_ms=4_000)

    reply = await talk.say(talk.owner, "Thanks", at_ms=90_000, reply_to=first)
    deeper = await talk.say(fan, reply_to=reply)

    assert (reply.reply_to, reply.at_ms) == (first.id, 4_000)
    assert code_of(deeper) is RejectCode.VALIDATION_FAILED
    assert [each.id for each in await talk.listed()] == [first.id]
    assert (await talk.listed())[0].replies == 1
    assert await talk.replies(first) == (reply,)


async def test_nothing_is_said_behind_the_end_of_a_track(talk, fan):
    assert (await talk.say(fan, at_ms=100_000)).at_ms == 100_000
    assert code_of(await talk.say(fan, at_ms=100_001)) is RejectCode.VALIDATION_FAILED


async def test_only_its_author_changes_a_comment(talk, fan):
    said = await talk.say(fan)

    assert code_of(await talk.edit(talk.owner, said, "Awful")) is RejectCode.FORBIDDEN
    edited = (await talk.edit(fan, said, "Great!")).comment

    assert (edited.text, said.edited_at) == ("Great!", None)
    assert edited.edited_at is not None


async def test_its_author_the_tracks_owner_and_moderators_delete_a_comment(world, talk, fan):
    stranger = await world.person("stranger")
    said = [await talk.say(fan) for _ in range(3)]

    assert code_of(await talk.delete(stranger, said[0])) is RejectCode.FORBIDDEN
    for who, comment, is_staff in [
        (fan, said[0], False),
        (talk.owner, said[1], False),
        (stranger, said[2], True),
        (fan, said[0], False),
    ]:
        assert await talk.delete(who, comment, is_staff=is_staff) == CommentDeleted()

    assert await talk.listed() == ()
    assert await talk.counted() == 0
    assert code_of(await talk.edit(fan, said[0], "Back")) is RejectCode.NOT_FOUND


async def test_of_a_deleted_comment_with_replies_only_the_place_is_left(talk, fan):
    first = await talk.say(fan, "Secret")
    reply = await talk.say(talk.owner, reply_to=first)
    await talk.delete(fan, first)

    [left] = await talk.listed()
    assert (left.id, left.text, left.is_deleted, left.replies) == (first.id, "", True, 1)
    assert code_of(await talk.say(fan, reply_to=first)) is RejectCode.NOT_FOUND
    await talk.delete(talk.owner, reply)
    assert await talk.listed() == ()


async def test_who_is_blocked_says_nothing_and_who_one_blocks_is_not_seen(world, talk, fan):
    other = await world.person("other")
    by_fan, by_other = await talk.say(fan), await talk.say(other)
    await world.node.ask(("ways", ""), BlockUser(user_id=talk.owner.id, blocked_id=fan.id))

    assert code_of(await talk.say(fan)) is RejectCode.BLOCKED
    assert [each.id for each in await talk.listed(talk.owner)] == [by_other.id]
    assert len(await talk.listed(other)) == 2
    await world.node.ask(("ways", ""), BlockUser(user_id=other.id, blocked_id=fan.id))
    assert code_of(await talk.say(fan, reply_to=by_other)) is RejectCode.BLOCKED
    assert [each.id for each in await talk.replies(by_fan)] == []


async def test_what_is_said_of_a_private_track_is_as_private(world, talk, fan):
    talk.track = await world.track(talk.owner, visibility="private")
    said = await talk.say(talk.owner)

    assert code_of(await talk.say(fan)) is RejectCode.NOT_FOUND
    assert code_of(await talk.edit(fan, said, "x")) is RejectCode.NOT_FOUND
    assert code_of(await talk.delete(fan, said)) is RejectCode.NOT_FOUND
    refused = await talk.ask(ListReplies(comment_id=said.id, viewer_id=fan.id, after=None, limit=5))
    assert code_of(refused) is RejectCode.NOT_FOUND
