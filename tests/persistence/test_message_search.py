"""The search index follows the log: whatever is written, in any order of passes, and after a crash."""

from uuid import uuid4

import pytest

from veza.actors.chat.search_text import compose, fold, read_query, searchable
from veza.persistence import message_search as search
from veza.persistence.errors import TooSlowError
from veza.persistence.room_log import append_events
from veza.persistence.room_rows import Entry, EventKind, Measure, Moderation, NewEvent


class Log:
    """A connection that writes messages and indexes them, as the actors do."""

    def __init__(self, conn):
        self.conn = conn

    async def write(self, room, author, text, kind=EventKind.MESSAGE_POSTED, message_id=None):
        event = NewEvent(
            room_id=room.id,
            kind=kind,
            author=author,
            message_id=message_id or uuid4(),
            text=text,
            fence=10**9,
        )
        (stored,) = await append_events(self.conn, [event])
        return stored.event

    async def join(self, room, member, kind=EventKind.MEMBER_JOINED, details=None):
        event = NewEvent(
            room_id=room.id,
            kind=kind,
            author=member,
            subject=member if details else None,
            details=details or Entry(),
            fence=10**9,
        )
        await append_events(self.conn, [event])

    async def index(self, limit=500):
        """Pass after pass until nothing is behind; return how many it took."""
        passes = 0
        while rooms := await search.rooms_behind(self.conn, 50):
            passes += 1
            async with self.conn.transaction():
                news = await search.take_news(self.conn, rooms, limit)
                texts = [each.text and searchable(each.text) for each in news.texts]
                await search.store_words(self.conn, news, texts)
        return passes

    async def query(self, text):
        groups = read_query(text)
        terms = [term.text for group in groups for term in group]
        return compose(groups, iter(await search.stems(self.conn, terms)))

    async def find(self, room, text, limit=50, before_seq=None):
        query = await self.query(text)
        found = await search.find_in_room(
            self.conn, query, room.id, before_seq=before_seq, limit=limit
        )
        return [place.seq for place in found]

    async def find_in_all(self, user, text, limit=50, before=None):
        query = await self.query(text)
        return list(await search.find_in_all(self.conn, query, user.id, before=before, limit=limit))


@pytest.fixture
def log(conn):
    return Log(conn)


@pytest.fixture
async def room(new_room):
    return await new_room()


@pytest.fixture
async def ada(new_author):
    return await new_author()


@pytest.mark.parametrize(
    ("written", "query"),
    [
        ("un bel été", "ete"),
        ("un bel ete", "Été"),
        ("des chansons françaises", "chanson francaise"),
        ("Il chante", "chanter"),
        ("mes morceaux préférés", "préférée"),
        ("les musicaux", "musical"),
        ("we were playing", "play"),
        ("two drummers", "drummer"),
        ("The Who", "the who"),
        ("fin de la phrase", '"de la phrase"'),
        ("un rendez-vous", "rendez vous"),
        ("take 12 of track3", "track3 12"),
        ("chien", "chat or chien"),
        ("jazz modal", "jazz -free"),
        ("je joue, we are singing", "jouer sing"),
        ("привет Москва", "москва"),
    ],
)
async def test_words_are_found_by_their_stems_without_accents(log, room, ada, written, query):
    said = await log.write(room, ada, written)
    await log.index()

    assert await log.find(room, query) == [said.seq]


@pytest.mark.parametrize(
    ("written", "query"),
    [
        ("free jazz", "jazz -free"),
        ("jazz played freely, runs", "jazz -run"),
        ("la phrase de fin", '"de la phrase"'),
        ("un deux", '"deux un"'),
        ("chat", "chien"),
        ("un seul mot", "un autre mot"),
    ],
)
async def test_what_does_not_fit_is_not_found(log, room, ada, written, query):
    await log.write(room, ada, written)
    await log.index()

    assert await log.find(room, query) == []


async def test_an_edited_message_is_found_by_its_newest_text_only(log, room, ada):
    said = await log.write(room, ada, "premier")
    await log.index()
    await log.write(room, ada, "second", EventKind.MESSAGE_EDITED, said.message_id)
    await log.index()

    assert await log.find(room, "premier") == []
    assert await log.find(room, "second") == [said.seq]


async def test_a_deleted_message_is_gone_from_the_index_and_before_that_from_the_answers(
    log, room, ada
):
    said = await log.write(room, ada, "secret")
    await log.index()
    await log.write(room, ada, "", EventKind.MESSAGE_DELETED, said.message_id)
    query = await log.query("secret")
    places = await search.find_in_room(log.conn, query, room.id, before_seq=None, limit=9)

    assert await search.read_found(log.conn, places, ada.id) == {}
    await log.index()
    assert await log.find(room, "secret") == []


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
async def test_passes_of_any_length_come_to_the_same(log, new_room, ada, limit):
    rooms = [await new_room() for _ in range(3)]
    for number in range(4):
        for room in rooms:
            said = await log.write(room, ada, f"mot{number}")
            if number == 2:
                await log.write(room, ada, "autre", EventKind.MESSAGE_EDITED, said.message_id)
    await log.index(limit)

    for room in rooms:
        assert len(await log.find(room, "mot0 or mot1 or mot3")) == 3
        assert await log.find(room, "mot2") == []
        assert len(await log.find(room, "autre")) == 1


async def test_no_pass_waits_for_the_disk(log, room, ada):
    await log.write(room, ada, "tard")
    async with log.conn.transaction():
        await log.conn.execute("SET LOCAL synchronous_commit = on")
        news = await search.take_news(log.conn, [room.id], 500)
        await search.store_words(log.conn, news, ["tard"])
        assert await log.conn.fetchval("SHOW synchronous_commit") == "off"


async def test_a_pass_that_is_cut_off_is_made_again(log, room, ada):
    said = await log.write(room, ada, "perdu")
    transaction = log.conn.transaction()
    await transaction.start()
    news = await search.take_news(log.conn, [room.id], 500)
    await search.store_words(log.conn, news, ["perdu"])
    await transaction.rollback()

    assert await log.index() == 1
    assert await log.find(room, "perdu") == [said.seq]
    assert await log.index() == 0


async def test_the_newest_come_first_and_pages_go_on_where_the_last_one_ended(log, room, ada):
    seqs = [(await log.write(room, ada, f"salut {n}")).seq for n in range(5)]
    await log.index()

    assert await log.find(room, "salut", limit=2) == [seqs[4], seqs[3]]
    assert await log.find(room, "salut", limit=9, before_seq=seqs[3]) == seqs[2::-1]


async def test_all_rooms_are_those_one_is_a_member_of_and_not_banned_from(
    log, new_room, new_author, ada
):
    mine, other, left = [await new_room() for _ in range(3)]
    bob = await new_author()
    for each in (mine, left):
        await log.join(each, bob)
    for each in (mine, other, left):
        await log.write(each, ada, "partout")
    await log.index()
    assert {each.room_id for each in await log.find_in_all(bob, "partout")} == {mine.id, left.id}

    ban = Moderation(measure=Measure.BAN)
    await log.join(left, bob, EventKind.MEMBER_MODERATED, ban)

    assert {each.room_id for each in await log.find_in_all(bob, "partout")} == {mine.id}
    assert await log.find_in_all(ada, "partout") == []


async def test_pages_over_all_rooms_have_everything_once_newest_first(log, new_room, ada):
    rooms = [await new_room() for _ in range(3)]
    for room in rooms:
        await log.join(room, ada)
        for number in range(4):
            await log.write(room, ada, f"partout {number}")
    await log.index()

    found, before = [], None
    while page := await log.find_in_all(ada, "partout", limit=5, before=before):
        found += page
        before = page[-1]

    assert len(found) == len(set(found)) == 12
    assert found == sorted(found, key=lambda p: (p.at, p.room_id, p.seq), reverse=True)


async def test_marks_stand_around_the_words_that_fit(log, room):
    text = fold("Les chansons d'été, we sang songs").text
    query = await log.query("chanson été song")

    ((french, english),) = await search.mark_words(log.conn, [text], query)

    assert "\x01chansons\x02" in french
    assert "\x01ete\x02" in french
    assert "\x01songs\x02" in english


async def test_a_search_that_takes_too_long_is_given_up(log):
    with pytest.raises(TooSlowError):
        async with log.conn.transaction(), search.bounded(log.conn, 0.01):
            await log.conn.execute("SELECT pg_sleep(5)")
