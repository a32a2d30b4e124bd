"""Search over a whole node: only for those who may read, and nothing stays unindexed."""

import asyncio
from uuid import UUID, uuid4

import pytest
from aiohttp.test_utils import TestClient, TestServer

from veza.actors.chat import search_index
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.reading import LookBehind, SearchDone, SearchRoom, SearchRooms
from veza.actors.messages.rooms import (
    ActInRoom,
    EventKind,
    EventStored,
    JoinRoom,
    Measure,
    ModerateMember,
    NewEvent,
    PostMessage,
    RequireRight,
)
from veza.gateway.app import make_app
from veza.gateway.tokens import SigningKeys
from veza.persistence.room_log import append_events

SEARCH, INDEX = ("search", ""), ("search_index", "")


async def act(world, room, by, what):
    return await world.node.ask(("room", str(room.id)), ActInRoom(by=by, act=what))


async def say(world, room, by, text):
    stored = await act(world, room, by, PostMessage(message_id=uuid4(), text=text))
    assert isinstance(stored, EventStored), stored
    return stored.event


async def write_past_the_node(world, room, author, *texts):
    """Put messages into the log that nobody tells the index of, as another node does that then dies."""
    events = [
        NewEvent(
            room_id=room.id,
            kind=EventKind.MESSAGE_POSTED,
            author=author,
            message_id=uuid4(),
            text=text,
            fence=10**9,
        )
        for text in texts
    ]
    async with world.pool.acquire() as conn:
        await append_events(conn, events)


async def found(world, command, count):
    """The texts found, once there are as many."""
    async with asyncio.timeout(60):
        while True:
            done = await world.node.ask(SEARCH, command)
            assert isinstance(done, SearchDone), done
            if len(done.found) == count:
                return [each.message.text for each in done.found]
            await asyncio.sleep(0.02)


def in_room(room, viewer, query):
    return SearchRoom(room_id=room.id, viewer=viewer.id, query=query, before_seq=None, limit=200)


def in_all(viewer, query):
    return SearchRooms(viewer=viewer.id, query=query, before=None, limit=200)


@pytest.fixture
async def ada(world):
    return await world.person("ada")


@pytest.fixture
async def bob(world):
    return await world.person("bob")


@pytest.fixture
async def room(world, ada):
    return await world.room(ada)


async def test_a_banned_user_finds_nothing_of_that_room(world, ada, bob, room):
    other = await world.room(ada, "Attic")
    for each in (room, other):
        await act(world, each, bob, JoinRoom())
        await say(world, each, ada, "bonjour")
    assert len(await found(world, in_all(bob, "bonjour"), 2)) == 2

    ban = ModerateMember(user_id=bob.id, measure=Measure.BAN)
    assert isinstance(await act(world, room, ada, ban), EventStored)

    done = await world.node.ask(SEARCH, in_all(bob, "bonjour"))
    assert [each.message.room_id for each in done.found] == [other.id]
    refused = await world.node.ask(("room", str(room.id)), RequireRight(by=bob.id, action="READ"))
    assert isinstance(refused, Rejected)
    assert refused.code is RejectCode.BANNED


async def test_to_a_banned_user_there_is_no_such_message(world, ada, room):
    said = await say(world, room, ada, "bonjour")
    app = make_app(world.settings, world.node, world.fan_out, SigningKeys.random())
    async with TestClient(TestServer(app)) as client:
        account = {"username": "eve", "email": "eve@example.org", "password": "correct horse"}
        answer = await client.post("/api/v1/auth/register", json=account)
        eve = await answer.json()
        headers = {"Authorization": f"Bearer {eve['access_token']}"}
        path = f"/api/v1/messages/{said.message_id}"
        assert (await client.get(path, headers=headers)).status == 200

        ban = ModerateMember(user_id=UUID(eve["user"]["id"]), measure=Measure.BAN)
        await act(world, room, ada, ban)

        for each in (path, f"{path}/history", f"{path}/thread", f"{path}/reactions"):
            refused = await client.get(each, headers=headers)
            assert (refused.status, (await refused.json())["code"]) == (404, "unknown_message")
        search = f"/api/v1/rooms/{room.id}/messages?q=bonjour"
        assert (await (await client.get(search, headers=headers)).json())["code"] == "banned"


async def test_what_nobody_told_the_index_of_is_found_by_looking(world, ada, room):
    await say(world, room, ada, "premier")
    await found(world, in_room(room, ada, "premier"), 1)
    await write_past_the_node(world, room, ada, *(f"second {n}" for n in range(120)))

    world.node.tell(INDEX, LookBehind(is_first=False))

    assert len(await found(world, in_room(room, ada, "second"), 120)) == 120


async def test_a_node_that_starts_catches_up_with_many_rooms(world, ada, pool, tmp_path):
    rooms = [await world.room(ada, f"Room {number}") for number in range(60)]
    for each in rooms:
        await write_past_the_node(world, each, ada, "partout")
    other = type(world)(pool, tmp_path / "media", world.settings)

    await other.node.start()
    texts = await found(other, in_all(ada, "partout"), 60)
    assert await other.node.stop(60) == []

    assert texts == ["partout"] * 60


async def test_an_index_that_crashes_goes_on_where_it_was(world, ada, room):
    await say(world, room, ada, "avant")
    await found(world, in_room(room, ada, "avant"), 1)
    world.node.runtime.kill(world.cell("services/search_index"))
    for number in range(20):
        await say(world, room, ada, f"pendant {number}")
    world.node.tell(INDEX, LookBehind(is_first=False))

    assert len(await found(world, in_room(room, ada, "pendant"), 20)) == 20


async def test_a_node_that_ends_does_not_wait_for_an_index_that_rests(
    world, ada, pool, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        search_index, "CAUGHT_UP_REST_SECONDS", 8.0
    )  # longer than an actor has to end
    room = await world.room(ada)
    other = type(world)(pool, tmp_path / "media", world.settings)
    await write_past_the_node(world, room, ada, "partout")
    await other.node.start()
    await found(other, in_room(room, ada, "partout"), 1)

    assert await other.node.stop(60) == []


async def test_the_index_tells_how_far_behind_it_is(world, ada, room):
    await say(world, room, ada, "salut")
    await found(world, in_room(room, ada, "salut"), 1)

    figures = world.cell("services/search_index").instance.inspect()

    assert figures["rooms_left"] == 0
    assert 0 <= figures["lag_seconds"] < 60


@pytest.mark.parametrize("query", ["", "-non", "?!", '""', "or"])
async def test_a_query_without_a_word_is_refused(world, ada, room, query):
    refused = await world.node.ask(SEARCH, in_room(room, ada, query))

    assert isinstance(refused, Rejected)
    assert refused.code is RejectCode.VALIDATION_FAILED
