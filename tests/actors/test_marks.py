"""Likes and reposts: counters that equal rows, feeds that show each track once, and who may do it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.marks import (
    MARKS,
    FeedKind,
    ListMarked,
    Mark,
    MarkKind,
    MarkTold,
    ReadFeed,
    ReadMark,
    SetMark,
)
from veza.actors.messages.social import SOCIAL, SetFollowing
from veza.actors.messages.ways import BlockUser
from veza.config.ids import uuid7


class Fans:
    """People and tracks, and what the service says of them."""

    def __init__(self, world):
        self.world, self.ask = world, lambda command: world.node.ask(MARKS, command)

    async def mark(self, who, track, kind=MarkKind.LIKE, *, is_set=True):
        command = SetMark(user_id=who.id, kind=kind, track_id=track, is_set=is_set)
        return await self.ask(command)

    async def follow(self, who, *others):
        for other in others:
            command = SetFollowing(follower_id=who.id, followed_id=other.id, is_following=True)
            await self.world.node.ask(SOCIAL, command)

    async def feed(self, who, limit=50, before=None):
        return (await self.ask(ReadFeed(viewer_id=who.id, before=before, limit=limit))).items

    async def marked(self, viewer, who, kind=MarkKind.LIKE, before=None, limit=50):
        viewer_id = viewer and viewer.id
        command = ListMarked(
            viewer_id=viewer_id, user_id=who.id, kind=kind, before=before, limit=limit
        )
        return (await self.ask(command)).tracks


@pytest.fixture
def fans(world):
    return Fans(world)


def code_of(reply):
    assert isinstance(reply, Rejected), reply
    return reply.code


async def test_a_thousand_flips_at_once_leave_counters_equal_to_rows(world, fans):
    owner = await world.person("owner")
    people = [await world.person(f"fan{n}") for n in range(10)]
    track = await world.track(owner)

    replies = await asyncio.gather(
        *(
            fans.mark(people[n % 10], track, list(MarkKind)[n % 2], is_set=n % 3 > 0)
            for n in range(1_000)
        )
    )

    assert {type(each) for each in replies} == {MarkTold}
    async with world.pool.acquire() as conn:
        rows = await conn.fetch("SELECT kind, count(*) FROM track_marks GROUP BY kind")
        counted = await conn.fetchrow("SELECT likes, reposts FROM tracks")
    by_kind = dict(rows)
    assert tuple(counted) == (by_kind.get("like", 0), by_kind.get("repost", 0))


async def test_a_mark_is_set_once_and_taken_back_once(world, fans):
    owner, fan = await world.person("owner"), await world.person("fan")
    track = await world.track(owner)

    replies = [await fans.mark(fan, track, is_set=is_set) for is_set in (True, True, False, False)]
    seen = await fans.ask(ReadMark(viewer_id=None, kind=MarkKind.LIKE, track_id=track))

    expected = [Mark(count=1, is_set=True)] * 2 + [Mark(count=0, is_set=False)] * 2
    assert [each.mark for each in replies] == expected
    assert seen == MarkTold(mark=expected[-1])


async def test_what_one_may_not_hear_is_not_there_to_be_liked(world, fans):
    owner, fan = await world.person("owner"), await world.person("fan")
    private = await world.track(owner, visibility="private")

    assert code_of(await fans.mark(fan, private)) is RejectCode.NOT_FOUND
    assert code_of(await fans.mark(fan, uuid7())) is RejectCode.NOT_FOUND
    assert isinstance(await fans.mark(owner, private), MarkTold)
    assert [each.track.id for each in await fans.marked(owner, owner)] == [private]
    assert await fans.marked(fan, owner) == ()


async def test_between_people_who_block_each_other_nothing_is_marked(world, fans):
    owner, fan = await world.person("owner"), await world.person("fan")
    track = await world.track(owner)
    await fans.mark(fan, track)
    await world.node.ask(("ways", ""), BlockUser(user_id=owner.id, blocked_id=fan.id))

    assert code_of(await fans.mark(fan, track, MarkKind.REPOST)) is RejectCode.BLOCKED
    assert (await fans.mark(fan, track, is_set=False)).mark == Mark(count=0, is_set=False)


async def test_only_what_is_everybodys_and_somebody_elses_is_reposted(world, fans):
    owner, fan = await world.person("owner"), await world.person("fan")
    own, unlisted = await world.track(fan), await world.track(owner, visibility="unlisted")

    for track in (own, unlisted):
        refused = await fans.mark(fan, track, MarkKind.REPOST)
        assert code_of(refused) is RejectCode.INVALID_STATE


async def test_likes_are_listed_newest_first_and_pages_hold_while_more_come(world, fans):
    owner, fan = await world.person("owner"), await world.person("fan")
    tracks = [await world.track(owner) for _ in range(5)]
    for track in tracks[:4]:
        await fans.mark(fan, track)

    first = await fans.marked(None, fan, limit=2)
    await fans.mark(fan, tracks[4])
    second = await fans.marked(None, fan, before=(first[-1].at, first[-1].track.id), limit=10)

    assert [each.track.id for each in (*first, *second)] == tracks[3::-1]


async def test_a_feed_is_what_those_one_follows_put_out_each_track_once(world, fans):
    me, maker, friend, stranger = [
        await world.person(name) for name in ("me", "maker", "friend", "stranger")
    ]
    await fans.follow(me, maker, friend)
    now = datetime.now(UTC)
    old = await world.track(maker, created_at=now - timedelta(days=2))
    await world.track(maker, visibility="private")
    await world.track(maker, visibility="unlisted")
    await world.track(maker, state="processing")
    await world.track(maker, release_at=now + timedelta(days=1))
    mine = await world.track(me, created_at=now - timedelta(days=3))
    found = await world.track(stranger, created_at=now - timedelta(days=4))
    late = await world.track(
        maker, created_at=now - timedelta(days=5), release_at=now - timedelta(days=1)
    )
    for track in (mine, found, old):
        await fans.mark(friend, track, MarkKind.REPOST)
    await fans.mark(stranger, late, MarkKind.REPOST)

    items = await fans.feed(me)

    assert [(each.kind, each.by.name, each.track.id) for each in items] == [
        (FeedKind.REPOST, "friend", old),
        (FeedKind.REPOST, "friend", found),
        (FeedKind.UPLOAD, "maker", late),
    ]
    pages, before = [], None
    while page := await fans.feed(me, limit=1, before=before):
        pages += page
        before = (page[-1].at, page[-1].track.id)
    assert [each.track.id for each in pages] == [each.track.id for each in items]
