"""Every event but a plain message: what it changes, when it changes nothing, and when it is refused."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from veza.persistence import audit, bans, memberships, messages, rooms
from veza.persistence.attachments import get_attachment, insert_attachment
from veza.persistence.pool import Connection, Pool
from veza.persistence.room_log import LAST_SEQ, append_events, read_events
from veza.persistence.room_message_rules import MAX_EMOJI_EACH
from veza.persistence.room_rows import (
    Appended,
    Attachment,
    Entry,
    EventKind,
    Measure,
    MessageState,
    Moderation,
    NewEvent,
    NothingChanged,
    Outdated,
    Post,
    Reaction,
    Role,
    Room,
    RoomEvent,
    RoomKind,
    RoomSettings,
    RoomSnapshot,
    StoredEvent,
    Unstored,
)
from veza.persistence.rows import Author

MakeAuthor = Callable[[], Awaitable[Author]]
MakeRoom = Callable[[], Awaitable[Room]]
LATER = datetime(2999, 1, 1, tzinfo=UTC)
EARLIER = datetime(2001, 1, 1, tzinfo=UTC)


class Log:
    """A room's log, written by one author unless said otherwise."""

    def __init__(self, conn: Connection, room_id: UUID, author: Author) -> None:
        self.conn, self.room_id, self.author = conn, room_id, author

    def event(self, kind: EventKind, **more: Any) -> NewEvent:
        values = {"author": self.author, "fence": LAST_SEQ} | more
        return NewEvent(room_id=self.room_id, kind=kind, **values)

    async def all(self, events: Sequence[NewEvent]) -> list[Appended]:
        return await append_events(self.conn, events)

    async def add(self, kind: EventKind, **more: Any) -> Appended:
        (result,) = await self.all([self.event(kind, **more)])
        return result

    async def post(self, text: str = "hello", **more: Any) -> RoomEvent:
        values = {"message_id": uuid4()} | more
        result = await self.add(EventKind.MESSAGE_POSTED, text=text, **values)
        assert isinstance(result, StoredEvent), result
        return result.event

    async def measure(
        self, user: Author, measure: Measure, text: str = "", **more: Any
    ) -> Appended:
        fence = more.pop("fence", LAST_SEQ)
        details = Moderation(measure=measure, **more)
        return await self.add(
            EventKind.MEMBER_MODERATED, subject=user, details=details, text=text, fence=fence
        )

    async def join(self, user: Author, role: Role = Role.MEMBER, **more: Any) -> Appended:
        details = Entry(role=role, **more)
        return await self.add(EventKind.MEMBER_JOINED, author=user, details=details)

    async def snapshot(self) -> RoomSnapshot:
        snapshot = await rooms.load_snapshot(self.conn, self.room_id)
        assert snapshot is not None
        assert snapshot.room.member_count == len(snapshot.members)
        return snapshot

    async def read(self, message_id: UUID | None, viewer: UUID | None = None) -> RoomEvent:
        assert message_id is not None
        event = await messages.read_message(self.conn, self.room_id, message_id, viewer)
        assert event is not None
        return event

    async def state(self, message_id: UUID | None, viewer: UUID | None = None) -> MessageState:
        state = (await self.read(message_id, viewer)).state
        assert state is not None
        return state


@pytest.fixture
async def log(conn: Connection, new_room: MakeRoom, new_author: MakeAuthor) -> Log:
    return Log(conn, (await new_room()).id, await new_author())


@pytest.fixture
async def other(new_author: MakeAuthor) -> Author:
    return await new_author()


def is_new(result: Appended) -> bool:
    return isinstance(result, StoredEvent) and result.is_new


async def test_what_an_event_says_reads_back_the_same(log: Log, other: Author) -> None:
    root = await log.post("root")
    await log.join(other, Role.MODERATOR, invite=None)
    told = [
        await log.add(
            EventKind.MESSAGE_POSTED,
            message_id=uuid4(),
            text="@all",
            thread_id=root.message_id,
            details=Post(mentions=(other.id,), mentions_room=True),
        ),
        await log.measure(other, Measure.MUTE, "loud", until=LATER),
        await log.measure(other, Measure.ROLE, role=Role.READ_ONLY),
        await log.add(
            EventKind.ROOM_UPDATED,
            details=RoomSettings(name="Ü", kind=RoomKind.PRIVATE, topic="t", rules='{"a":1}'),
        ),
    ]
    events = tuple(result.event for result in told if isinstance(result, StoredEvent))
    assert len(events) == len(told)
    assert await read_events(log.conn, log.room_id, after_seq=2, limit=9) == events


async def test_an_event_decided_before_rights_were_taken_is_outdated(
    log: Log, other: Author
) -> None:
    await log.join(other)
    sent = log.event(EventKind.MESSAGE_POSTED, message_id=uuid4(), author=other, fence=0)
    assert is_new((await log.all([sent]))[0])
    kick = log.event(
        EventKind.MEMBER_MODERATED, subject=other, details=Moderation(measure=Measure.KICK)
    )
    late = log.event(EventKind.MESSAGE_POSTED, message_id=uuid4(), author=other, fence=2)
    knowing = log.event(EventKind.MESSAGE_POSTED, message_id=uuid4(), fence=3)
    results = await log.all([kick, late, knowing, sent])
    assert is_new(results[0])
    assert results[1] == Outdated(head_seq=3)
    assert is_new(results[2])
    assert isinstance(results[3], StoredEvent)
    assert not results[3].is_new  # what is stored is stored, whatever was taken since
    assert await log.all([late]) == [Outdated(head_seq=4)]
    assert (await log.snapshot()).fence == 3


@pytest.mark.parametrize(
    ("measure", "raises"),
    [
        (Moderation(measure=Measure.WARN), False),
        (Moderation(measure=Measure.MUTE, until=LATER), True),
        (Moderation(measure=Measure.KICK), True),
        (Moderation(measure=Measure.BAN), True),
        (Moderation(measure=Measure.ROLE, role=Role.READ_ONLY), True),
    ],
)
async def test_only_what_takes_rights_away_raises_the_fence(
    log: Log, other: Author, measure: Moderation, *, raises: bool
) -> None:
    await log.join(other)
    assert is_new(await log.add(EventKind.MEMBER_MODERATED, subject=other, details=measure))
    assert (await log.snapshot()).fence == (2 if raises else 0)


async def test_leaving_and_new_settings_raise_the_fence_and_giving_back_does_not(
    log: Log, other: Author
) -> None:
    await log.join(other)
    await log.add(EventKind.MEMBER_LEFT, author=other)
    assert (await log.snapshot()).fence == 2
    settings = RoomSettings(name="New", kind=RoomKind.PUBLIC)
    await log.add(EventKind.ROOM_UPDATED, details=settings)
    assert (await log.snapshot()).fence == 3
    await log.measure(other, Measure.BAN)
    await log.measure(other, Measure.UNBAN)
    assert (await log.snapshot()).fence == 4


async def test_of_two_writers_the_one_who_did_not_know_of_the_ban_decides_again(
    pool: Pool, log: Log, other: Author
) -> None:
    await log.join(other)
    ban = log.event(
        EventKind.MEMBER_MODERATED, subject=other, details=Moderation(measure=Measure.BAN)
    )
    posts = [
        log.event(EventKind.MESSAGE_POSTED, message_id=uuid4(), author=other, fence=0)
        for _ in range(100)
    ]

    async def write() -> list[Appended]:
        results = []
        for post in posts:
            async with pool.acquire() as conn:
                results += await append_events(conn, [post])
        return results

    async def banish() -> Appended:
        while (await log.snapshot()).room.seq < 10:
            await asyncio.sleep(0)
        (result,) = await log.all([ban])
        return result

    results, banned = await asyncio.gather(write(), banish())
    assert isinstance(banned, StoredEvent)
    seqs = [result.event.seq for result in results if isinstance(result, StoredEvent)]
    assert seqs
    assert max(seqs) < banned.event.seq
    assert all(isinstance(r, Outdated) for r in results[len(seqs) :])
    assert len(seqs) < len(posts)


# Messages.


async def test_replies_and_threads_need_a_message_that_is_there(
    log: Log, new_room: MakeRoom
) -> None:
    root, gone = await log.post(), await log.post()
    await log.add(EventKind.MESSAGE_DELETED, message_id=gone.message_id)
    elsewhere = Log(log.conn, (await new_room()).id, log.author)
    foreign = await elsewhere.post()
    for message_id in (uuid4(), gone.message_id, foreign.message_id):
        for place in ("reply_to", "thread_id"):
            wrong = {place: message_id, "message_id": uuid4()}
            assert await log.add(EventKind.MESSAGE_POSTED, **wrong) is Unstored.UNKNOWN_MESSAGE
    inner = await log.post(thread_id=root.message_id, reply_to=root.message_id)
    nested = {"thread_id": inner.message_id, "message_id": uuid4()}
    assert await log.add(EventKind.MESSAGE_POSTED, **nested) is Unstored.UNKNOWN_MESSAGE
    first = log.event(EventKind.MESSAGE_POSTED, message_id=uuid4())
    second = log.event(EventKind.MESSAGE_POSTED, message_id=uuid4(), thread_id=first.message_id)
    assert all(map(is_new, await log.all([first, second])))


async def test_a_thread_counts_its_replies_and_reads_apart(log: Log) -> None:
    root = await log.post("root")
    replies = [await log.post(str(number), thread_id=root.message_id) for number in range(3)]
    await log.post("beside")
    state = await log.state(root.message_id)
    assert (state.replies, state.last_reply_at) == (3, replies[2].at)
    await log.add(EventKind.MESSAGE_DELETED, message_id=replies[1].message_id)
    assert (await log.state(root.message_id)).replies == 2
    assert root.message_id is not None
    thread = await messages.read_thread(log.conn, log.room_id, root.message_id, 0, 9, None)
    assert [event.text for event in thread] == ["0", "", "2"]
    thread = await messages.read_thread(
        log.conn, log.room_id, root.message_id, thread[1].seq, 9, None
    )
    assert [event.text for event in thread] == ["2"]


async def test_an_edit_is_what_is_read_and_the_log_keeps_each_text(log: Log, other: Author) -> None:
    post = await log.post("one")
    assert post.message_id is not None
    edit = {"message_id": post.message_id, "text": "two"}
    assert is_new(await log.add(EventKind.MESSAGE_EDITED, **edit))
    assert await log.add(EventKind.MESSAGE_EDITED, **edit) == NothingChanged(head_seq=2)
    assert is_new(
        await log.add(EventKind.MESSAGE_EDITED, **edit, details=Post(mentions=(other.id,)))
    )
    now = await log.read(post.message_id)
    assert (now.text, now.details) == ("two", Post(mentions=(other.id,)))
    assert now.state is not None
    assert now.state.edited_at is not None
    history = await messages.edit_history(log.conn, log.room_id, post.message_id)
    assert [(e.kind, e.text) for e in history] == [
        (EventKind.MESSAGE_POSTED, "one"),
        (EventKind.MESSAGE_EDITED, "two"),
        (EventKind.MESSAGE_EDITED, "two"),
    ]
    found = await messages.find_message(log.conn, log.room_id, post.message_id)
    assert found is not None
    assert (found.text, found.author_id, found.is_deleted) == ("two", log.author.id, False)
    assert found.details == Post(mentions=(other.id,))
    raw = await read_events(log.conn, log.room_id, after_seq=0, limit=9)
    assert [event.text for event in raw] == ["one", "two", "two"]
    wrong = await log.add(EventKind.MESSAGE_EDITED, message_id=uuid4(), text="x")
    assert wrong is Unstored.UNKNOWN_MESSAGE


async def test_a_deleted_message_is_blank_wherever_it_is_read(log: Log) -> None:
    message_id = (await log.post("one", details=Post(mentions_room=True))).message_id
    assert message_id is not None
    await log.add(EventKind.MESSAGE_EDITED, message_id=message_id, text="two")
    await log.add(EventKind.MESSAGE_PINNED, message_id=message_id)
    await log.add(EventKind.REACTION_ADDED, message_id=message_id, text="🎧")
    assert is_new(await log.add(EventKind.MESSAGE_DELETED, message_id=message_id, text="spam"))
    again = await log.add(EventKind.MESSAGE_DELETED, message_id=message_id)
    assert again == NothingChanged(head_seq=5)
    for with_state in (False, True):
        read = await read_events(log.conn, log.room_id, limit=9, with_state=with_state)
        assert [e.text for e in read] == ["", "", "", "🎧", "spam"]
        assert [e.details for e in read] == [None] * 5
    state = await log.state(message_id)
    assert state.deleted_at is not None
    assert (state.pinned_at, state.reactions) == (None, ())
    history = await messages.edit_history(log.conn, log.room_id, message_id)
    assert [event.text for event in history] == ["", ""]
    found = await messages.find_message(log.conn, log.room_id, message_id)
    assert found is not None
    assert (found.text, found.is_deleted) == ("", True)
    for kind in (
        EventKind.MESSAGE_EDITED,
        EventKind.MESSAGE_PINNED,
        EventKind.MESSAGE_UNPINNED,
        EventKind.REACTION_ADDED,
        EventKind.REACTION_REMOVED,
    ):
        assert await log.add(kind, message_id=message_id, text="x") is Unstored.UNKNOWN_MESSAGE
    sent_again = await log.add(EventKind.MESSAGE_POSTED, message_id=message_id, text="one")
    assert isinstance(sent_again, StoredEvent)
    assert (sent_again.event.text, sent_again.is_new) == ("", False)
    assert await messages.read_pinned(log.conn, log.room_id, None, 9, None) == ()


async def test_pins_are_read_newest_message_first(log: Log) -> None:
    posts = [await log.post(str(number)) for number in range(4)]
    for post in (posts[2], posts[0], posts[3]):
        assert is_new(await log.add(EventKind.MESSAGE_PINNED, message_id=post.message_id))
    again = await log.add(EventKind.MESSAGE_PINNED, message_id=posts[0].message_id)
    assert isinstance(again, NothingChanged)
    assert is_new(await log.add(EventKind.MESSAGE_UNPINNED, message_id=posts[3].message_id))
    none = await log.add(EventKind.MESSAGE_UNPINNED, message_id=posts[1].message_id)
    assert isinstance(none, NothingChanged)
    pinned = await messages.read_pinned(log.conn, log.room_id, None, 9, None)
    assert [event.text for event in pinned] == ["2", "0"]
    pinned = await messages.read_pinned(log.conn, log.room_id, None, 9, pinned[0].seq)
    assert [event.text for event in pinned] == ["0"]


async def test_reactions_count_and_tell_the_viewers_own(log: Log, other: Author) -> None:
    message_id = (await log.post()).message_id

    async def react(kind: EventKind, author: Author, emoji: str) -> Appended:
        return await log.add(kind, message_id=message_id, author=author, text=emoji)

    for author, emoji in ((log.author, "🎧"), (other, "🎧"), (other, "👍")):
        assert is_new(await react(EventKind.REACTION_ADDED, author, emoji))
        again = await react(EventKind.REACTION_ADDED, author, emoji)
        assert isinstance(again, NothingChanged)
    assert (await log.state(message_id, log.author.id)).reactions == (
        Reaction(emoji="🎧", count=2, mine=True),
        Reaction(emoji="👍", count=1),
    )
    assert is_new(await react(EventKind.REACTION_REMOVED, other, "🎧"))
    assert isinstance(await react(EventKind.REACTION_REMOVED, other, "🎧"), NothingChanged)
    assert (await log.state(message_id)).reactions[1] == Reaction(emoji="🎧", count=1) or (
        await log.state(message_id)
    ).reactions[0] == Reaction(emoji="🎧", count=1)


async def test_one_user_puts_only_so_many_emoji_on_a_message(log: Log, other: Author) -> None:
    message_id = (await log.post()).message_id
    events = [
        log.event(EventKind.REACTION_ADDED, message_id=message_id, text=f"e{number}")
        for number in range(MAX_EMOJI_EACH + 1)
    ]
    results = await log.all(events)
    assert all(map(is_new, results[:-1]))
    assert results[-1] is Unstored.TOO_MANY_REACTIONS
    assert is_new(
        await log.add(EventKind.REACTION_ADDED, message_id=message_id, author=other, text="e0")
    )


async def upload(log: Log) -> Attachment:
    """A file of the author's that waits for a message in the room."""
    inserted = await insert_attachment(
        log.conn,
        attachment_id=uuid4(),
        owner_id=log.author.id,
        room_id=log.room_id,
        filename="a.png",
        content_type="image/png",
        size_bytes=9,
        sha256=b"",
        key="a",
        job_id=None,
    )
    assert inserted is not None
    row, _ = inserted
    return Attachment(id=row.id, filename="a.png", content_type="image/png", size_bytes=9)


async def test_attachments_are_bound_all_or_none_with_the_message(log: Log) -> None:
    mine, taken = await upload(log), await upload(log)

    def post(*files: Attachment) -> NewEvent:
        details = Post(attachments=files)
        return log.event(EventKind.MESSAGE_POSTED, message_id=uuid4(), details=details)

    assert is_new(*await append_events(log.conn, [post(taken)]))
    bad, good = post(mine, taken), post(mine)
    results = await append_events(log.conn, [bad, good, good])
    assert results[0] is Unstored.UNKNOWN_ATTACHMENT
    assert [is_new(result) for result in results] == [False, True, False]
    assert (await log.read(good.message_id)).details == good.details
    foreign = Attachment(id=uuid4(), filename="b", content_type="text/plain", size_bytes=1)
    assert await append_events(log.conn, [post(foreign)]) == [Unstored.UNKNOWN_ATTACHMENT]
    more = {"message_id": good.message_id, "details": Post(attachments=(mine, taken))}
    assert await log.add(EventKind.MESSAGE_EDITED, **more) is Unstored.UNKNOWN_ATTACHMENT
    assert is_new(await log.add(EventKind.MESSAGE_EDITED, message_id=good.message_id, text="-"))


async def test_a_deleted_message_gives_its_files_up(log: Log) -> None:
    file, message_id = await upload(log), uuid4()
    details = Post(attachments=(file,))
    await log.add(EventKind.MESSAGE_POSTED, message_id=message_id, details=details)

    await log.add(EventKind.MESSAGE_DELETED, message_id=message_id)

    assert await get_attachment(log.conn, file.id) is None


async def test_a_block_in_either_direction_keeps_messages_from_a_peer(
    log: Log, other: Author
) -> None:
    async def send(author: Author, peer: Author) -> Appended:
        message = {"message_id": uuid4(), "author": author, "peer": peer.id}
        return await log.add(EventKind.MESSAGE_POSTED, **message)

    assert is_new(await send(log.author, other))
    assert await memberships.set_block(log.conn, other.id, log.author.id)
    assert await send(log.author, other) is Unstored.BLOCKED
    assert await send(other, log.author) is Unstored.BLOCKED
    assert is_new(await log.add(EventKind.MESSAGE_POSTED, message_id=uuid4()))
    assert await memberships.clear_block(log.conn, other.id, log.author.id)
    assert is_new(await send(log.author, other))


# Members and the room.


async def test_somebody_is_let_in_with_a_role_and_their_request_is_answered(
    log: Log, other: Author
) -> None:
    assert await memberships.insert_request(log.conn, log.room_id, other.id, "please")
    letting_in = {"subject": other, "details": Entry(role=Role.READ_ONLY)}
    assert is_new(await log.add(EventKind.MEMBER_JOINED, **letting_in))
    assert isinstance(await log.add(EventKind.MEMBER_JOINED, **letting_in), NothingChanged)
    assert (await log.snapshot()).members == {other.id: Role.READ_ONLY}
    assert await memberships.list_requests(log.conn, log.room_id, limit=9) == ()
    (membership,) = await rooms.list_memberships(log.conn, other.id, limit=9)
    assert (membership.role, membership.read_seq) == (Role.READ_ONLY, 1)


async def test_an_invite_lets_in_as_often_as_it_says(
    log: Log, new_author: MakeAuthor, new_room: MakeRoom
) -> None:
    async def invite(code: str, room_id: UUID, **more: Any) -> None:
        values = {"max_uses": None, "expires_at": None} | more
        await memberships.insert_invite(
            log.conn, code=code, room_id=room_id, creator_id=log.author.id, **values
        )

    await invite("twice", log.room_id, max_uses=2)
    await invite("over", log.room_id, expires_at=EARLIER)
    await invite("revoked", log.room_id)
    await invite("elsewhere", (await new_room()).id)
    assert await memberships.revoke_invite(log.conn, log.room_id, "revoked")
    for code in ("over", "revoked", "elsewhere", "unknown", "\0"):
        result = await log.join(await new_author(), invite=code)
        assert result in (Unstored.INVALID_INVITE, Unstored.UNSTORABLE_TEXT)
    users = [await new_author() for _ in range(4)]
    batch = [
        log.event(EventKind.MEMBER_JOINED, author=user, details=Entry(invite="twice"))
        for user in (users[0], users[0], users[1], users[2])
    ]
    results = await log.all(batch)
    assert [is_new(result) for result in results] == [True, False, True, False]
    assert results[3] is Unstored.INVALID_INVITE
    assert await log.join(users[3], invite="twice") is Unstored.INVALID_INVITE
    used = await memberships.find_invite(log.conn, "twice")
    assert used is not None
    assert used.uses == 2


async def test_an_invite_is_not_used_up_twice_by_writers_at_once(
    pool: Pool, log: Log, new_author: MakeAuthor
) -> None:
    users = [await new_author() for _ in range(10)]
    await memberships.insert_invite(
        log.conn,
        code="few",
        room_id=log.room_id,
        creator_id=log.author.id,
        max_uses=3,
        expires_at=LATER,
    )

    async def join(user: Author) -> bool:
        event = log.event(EventKind.MEMBER_JOINED, author=user, details=Entry(invite="few"))
        async with pool.acquire() as conn:
            (result,) = await append_events(conn, [event])
        return is_new(result)

    assert sum(await asyncio.gather(*map(join, users))) == 3
    assert len((await log.snapshot()).members) == 3


async def test_a_mute_is_kept_until_it_ends_or_is_lifted(log: Log, other: Author) -> None:
    assert isinstance(await log.measure(other, Measure.MUTE, until=LATER), NothingChanged)
    await log.join(other)
    assert is_new(await log.measure(other, Measure.MUTE, until=LATER))
    assert isinstance(await log.measure(other, Measure.MUTE, until=LATER), NothingChanged)
    assert (await log.snapshot()).mutes == {other.id: LATER}
    (member,) = await rooms.list_members(log.conn, log.room_id, after=None, limit=9)
    assert member.muted_until == LATER
    assert is_new(await log.measure(other, Measure.UNMUTE))
    assert isinstance(await log.measure(other, Measure.UNMUTE), NothingChanged)
    assert (await log.snapshot()).mutes == {}


async def test_a_ban_removes_a_member_until_it_is_lifted_or_over(log: Log, other: Author) -> None:
    await log.join(other)
    assert is_new(await log.measure(other, Measure.BAN, "spam", until=LATER))
    snapshot = await log.snapshot()
    assert (snapshot.members, snapshot.bans) == ({}, {other.id: LATER})
    assert isinstance(await log.measure(other, Measure.BAN, until=LATER), NothingChanged)
    assert is_new(await log.measure(other, Measure.BAN))
    assert (await log.snapshot()).bans == {other.id: None}
    assert is_new(await log.measure(other, Measure.UNBAN))
    assert isinstance(await log.measure(other, Measure.UNBAN), NothingChanged)
    assert (await log.snapshot()).bans == {}
    await log.measure(other, Measure.BAN, until=EARLIER)
    assert is_new(await log.join(other))
    assert await log.conn.fetchval("SELECT count(*) FROM room_bans") == 0


async def test_a_kick_removes_a_member_and_nobody_else(log: Log, other: Author) -> None:
    assert isinstance(await log.measure(other, Measure.KICK), NothingChanged)
    await log.join(other)
    assert is_new(await log.measure(other, Measure.KICK))
    assert (await log.snapshot()).members == {}
    assert is_new(await log.join(other))


async def test_a_new_owner_makes_the_former_one_an_admin(log: Log, other: Author) -> None:
    await log.join(log.author, Role.OWNER)
    await log.join(other)
    assert is_new(await log.measure(other, Measure.ROLE, role=Role.MODERATOR))
    assert isinstance(await log.measure(other, Measure.ROLE, role=Role.MODERATOR), NothingChanged)
    assert is_new(await log.measure(other, Measure.ROLE, role=Role.OWNER))
    assert (await log.snapshot()).members == {log.author.id: Role.ADMIN, other.id: Role.OWNER}


async def test_new_settings_are_the_rooms_and_no_password_is_in_the_log(log: Log) -> None:
    settings = RoomSettings(
        name="Secret", kind=RoomKind.PASSWORD, slow_mode_seconds=5, password_hash="$2b$hash"
    )
    result = await log.add(EventKind.ROOM_UPDATED, details=settings)
    assert isinstance(result, StoredEvent)
    assert "$2b$" not in str(await log.conn.fetch("SELECT * FROM room_events"))
    assert isinstance(result.event.details, RoomSettings)
    assert result.event.details.password_hash is None
    snapshot = await log.snapshot()
    assert snapshot.settings == settings
    assert (snapshot.room.name, snapshot.room.changed_seq) == ("Secret", 1)
    again = await log.add(EventKind.ROOM_UPDATED, details=settings)
    assert again == NothingChanged(head_seq=1)
    unstorable = RoomSettings(name="a\0", kind=RoomKind.PUBLIC)
    refused = await log.add(EventKind.ROOM_UPDATED, details=unstorable)
    assert refused is Unstored.UNSTORABLE_TEXT


async def test_what_moderators_do_is_in_the_audit_log(log: Log, other: Author) -> None:
    await log.join(other)
    own, foreign = await log.post(), await log.post(author=other)
    await log.add(EventKind.MESSAGE_DELETED, message_id=own.message_id)
    await log.add(EventKind.MESSAGE_DELETED, message_id=foreign.message_id, text="rude")
    await log.measure(other, Measure.WARN, "mind the tone")
    await log.measure(other, Measure.KICK, "again")
    await log.measure(other, Measure.KICK, "not there")
    settings = RoomSettings(name="New", kind=RoomKind.PUBLIC)
    await log.add(EventKind.ROOM_UPDATED, details=settings, text="tidy")
    acts = await audit.list_acts(log.conn, limit=9, before_id=None)
    room = f"room:{log.room_id}"
    assert {(act.action, act.target, act.reason) for act in acts} == {
        ("room.delete_message", f"{room}/message:{foreign.message_id}", "rude"),
        ("room.warn", f"{room}/user:{other.id}", "mind the tone"),
        ("room.kick", f"{room}/user:{other.id}", "again"),
        ("room.update", room, "tidy"),
    }
    assert {(act.actor_id, act.via) for act in acts} == {(log.author.id, "chat")}


async def test_a_large_mixed_batch_keeps_the_counters_right(
    log: Log, new_author: MakeAuthor
) -> None:
    dice = random.Random(7)
    users = [await new_author() for _ in range(8)]
    posted: list[UUID] = []
    for _ in range(3):
        batch = [_any_event(log, dice, users, posted) for _ in range(500)]
        results = await log.all(batch)
        assert sum(map(is_new, results)) > 100
    events = await read_events(log.conn, log.room_id, after_seq=0, limit=5000)
    snapshot = await log.snapshot()
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert snapshot.room.seq == len(events)
    counts = await log.conn.fetchrow("SELECT * FROM room_heads WHERE room_id = $1", log.room_id)
    assert counts is not None
    posts = [event for event in events if event.kind is EventKind.MESSAGE_POSTED]
    assert counts["messages"] == len(posts)
    rows = await log.conn.fetch("SELECT seq, messages FROM room_events ORDER BY seq")
    assert all(row["messages"] == sum(p.seq <= row["seq"] for p in posts) for row in rows)
    takes = {EventKind.MEMBER_LEFT}
    assert snapshot.fence == max((e.seq for e in events if e.kind in takes), default=0)
    await _reactions_add_up(log, events)


def _any_event(log: Log, dice: random.Random, users: list[Author], posted: list[UUID]) -> NewEvent:
    author, kind = dice.choice(users), dice.choice([*EventKind][:9])
    about = dice.choice(posted) if posted else uuid4()
    if kind is EventKind.MESSAGE_POSTED:
        posted.append(uuid4())
        return log.event(kind, author=author, message_id=posted[-1], text="x")
    text = dice.choice("abc")
    is_membership = kind in (EventKind.MEMBER_JOINED, EventKind.MEMBER_LEFT)
    return log.event(kind, author=author, message_id=None if is_membership else about, text=text)


async def _reactions_add_up(log: Log, events: Sequence[RoomEvent]) -> None:
    """What is counted is what a replay of the log gives."""
    there: set[tuple[UUID | None, UUID, str]] = set()
    for event in events:
        key = (event.message_id, event.author.id, event.text)
        if event.kind is EventKind.REACTION_ADDED:
            there.add(key)
        elif event.kind is EventKind.REACTION_REMOVED:
            there.remove(key)
        elif event.kind is EventKind.MESSAGE_DELETED:
            there = {each for each in there if each[0] != event.message_id}
    rows = await log.conn.fetch("SELECT message_id, user_id, emoji FROM message_reactions")
    assert {(row["message_id"], row["user_id"], row["emoji"]) for row in rows} == there


async def test_the_rooms_of_a_message_id_are_all_that_have_it(log: Log, new_room: MakeRoom) -> None:
    message_id = uuid4()
    twin = Log(log.conn, (await new_room()).id, log.author)
    assert await messages.rooms_to_try(log.conn, message_id, uuid4(), limit=20) == ()
    await log.post(message_id=message_id)
    await twin.post(message_id=message_id)
    found = await messages.rooms_to_try(log.conn, message_id, uuid4(), limit=20)
    assert set(found) == {log.room_id, twin.room_id}


async def test_a_mute_that_is_over_is_none(log: Log, other: Author) -> None:
    await log.join(other)
    soon = datetime.now(UTC) - timedelta(seconds=1)
    await log.measure(other, Measure.MUTE, until=soon)
    assert (await log.snapshot()).mutes == {}


async def test_who_is_banned_from_the_server_while_their_event_waits_stores_nothing(
    log: Log, pool: Pool, new_author: MakeAuthor
) -> None:
    author, admin = await new_author(), await new_author()
    said = log.event(EventKind.MEMBER_JOINED, author=author)
    async with pool.acquire() as holder, pool.acquire() as writer:
        async with holder.transaction():
            await holder.execute(
                "SELECT FROM room_heads WHERE room_id = $1 FOR UPDATE", log.room_id
            )
            waiting = asyncio.create_task(append_events(writer, [said]))
            while not await log.conn.fetchval(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
            ):
                assert not waiting.done()
            await bans.store_ban(
                log.conn, user_id=author.id, until=None, reason="spam", by_id=admin.id
            )
        assert await waiting == [Unstored.BANNED_AUTHOR]
