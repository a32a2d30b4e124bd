"""Every limit refuses with its code and says when to come back, and only those it is for."""

import asyncio
import time
from itertools import cycle
from uuid import uuid4

import aiohttp
import pytest

LIMITS = {
    "VEZA_ROOMS_PER_HOUR": "5",
    "VEZA_REACTIONS_PER_MIN": "60",
    "VEZA_CONNECTIONS_PER_ADDRESS": "3",
    "VEZA_WS_FRAMES_PER_5S": "5",
    "VEZA_MESSAGE_RATE_PER_10S": "1",
    "VEZA_MESSAGE_BURST": "2",
}
ELSEWHERE = "127.0.0.2"


@pytest.fixture(scope="module")
def narrow(new_node):
    node = new_node(**LIMITS).start()
    yield node
    node.stop()


@pytest.fixture
def somebody(narrow, person):
    async def make():
        return await (await person(narrow)).register()

    return make


async def call(person, method, path, body=None):
    async with person.request(method, path, json=body) as answer:
        return answer.status, answer.headers, await answer.json() if await answer.read() else None


async def spend(person, times, method, path, body=None):
    """Do something so often; return its statuses."""
    return [(await call(person, method, path, body))[0] for _ in range(times)]


async def refused(person, method, path, body=None):
    status, headers, problem = await call(person, method, path, body)
    assert (status, problem["code"], problem["retryable"]) == (429, "rate_limited", True)
    assert int(headers["Retry-After"]) >= 1
    return headers.get("RateLimit-Policy")


async def test_an_account_makes_5_rooms_an_hour_and_another_is_not_held_to_that(somebody):
    ada, bob = await somebody(), await somebody()
    body = {"name": "Kitchen"}

    assert await spend(ada, 5, "POST", "/rooms", body) == [201] * 5
    assert await refused(ada, "POST", "/rooms", body) == '"rooms";q=5;w=3600'
    assert await spend(bob, 1, "POST", "/rooms", body) == [201]
    assert (await ada.get("/instance"))["limits"]["rooms_per_hour"] == 5


async def test_an_account_files_10_reports_an_hour(somebody):
    ada = await somebody()
    about = {"user_id": str(uuid4()), "reason": "spam"}

    assert await spend(ada, 10, "POST", "/reports", about) == [404] * 10
    assert await refused(ada, "POST", "/reports", about) == '"reports";q=10;w=3600'


async def test_an_account_makes_10_invites_a_minute(somebody):
    ada = await somebody()
    path = f"/rooms/{await ada.room()}/invites"

    assert await spend(ada, 10, "POST", path, {}) == [201] * 10
    assert await refused(ada, "POST", path, {}) == '"invites";q=10;w=60'


async def test_an_account_joins_20_times_in_five_minutes(somebody):
    ada, bob = await somebody(), await somebody()
    path = f"/rooms/{await ada.room()}/members/me"

    assert await spend(bob, 20, "PUT", path) == [200] * 20
    assert await refused(bob, "PUT", path) == '"joins";q=20;w=300'


async def test_an_account_opens_20_conversations_in_five_minutes(somebody):
    ada, bob = await somebody(), await somebody()
    body = {"user_ids": [bob.id]}

    assert set(await spend(ada, 20, "POST", "/dms", body)) == {200, 201}
    assert await refused(ada, "POST", "/dms", body) == '"conversations";q=20;w=300'


async def test_an_account_uploads_10_tracks_in_ten_minutes(somebody):
    ada = await somebody()

    assert set(await spend(ada, 10, "POST", "/tracks", {})) == {415}
    assert await refused(ada, "POST", "/tracks", {}) == '"tracks";q=10;w=600'


async def test_a_member_reacts_60_times_a_minute_and_may_still_do_other_things(somebody):
    ada = await somebody()
    room = await ada.room()
    said = (await ada.post(f"/rooms/{room}/messages", {"text": "hello"}))["message_id"]
    path = f"/messages/{said}/reactions/%F0%9F%91%8D"

    began, done = time.monotonic(), 0
    for method in cycle(("PUT", "DELETE")):
        status, _, problem = await call(ada, method, path)
        if status != 204:
            break
        done += 1

    assert (status, problem["code"], problem["retryable"]) == (429, "rate_limited", True)
    # One comes back each second.
    assert 60 <= done <= 61 + time.monotonic() - began
    assert await spend(ada, 1, "PUT", f"/messages/{said}/pin") == [204]


async def test_a_room_takes_ten_times_what_one_member_may_write(somebody):
    people = await asyncio.gather(*(somebody() for _ in range(12)))
    room = await people[0].room()
    for each in people[1:]:
        assert await spend(each, 1, "PUT", f"/rooms/{room}/members/me") == [200]
    path, body = f"/rooms/{room}/messages", {"text": "hello"}

    statuses = [s for each in people[:10] for s in await spend(each, 2, "POST", path, body)]

    assert statuses == [201] * 20
    replies = [s for each in people[10:] for s in await spend(each, 2, "POST", path, body)]
    assert replies.count(429) >= 2, replies


def elsewhere():
    connector = aiohttp.TCPConnector(local_addr=(ELSEWHERE, 0))
    return aiohttp.ClientSession(connector=connector)


def address(node):
    return f"{node.url.replace('http', 'ws', 1).replace('localhost', '127.0.0.1')}/api/v1/ws?v=1"


async def test_an_address_has_so_many_connections_and_places_come_back(narrow, somebody):
    ada = await somebody()
    async with elsewhere() as session:
        open_ones = [await session.ws_connect(address(narrow)) for _ in range(3)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as full:
            await session.ws_connect(address(narrow))
        wire = await ada.connect()  # of this machine itself: not counted
        assert (await wire.ask("ping"))["t"] == "pong"
        await wire.socket.close()
        await open_ones.pop().close()
        async with asyncio.timeout(30):
            while len(open_ones) < 3:
                try:
                    open_ones.append(await session.ws_connect(address(narrow)))
                except aiohttp.WSServerHandshakeError:
                    await asyncio.sleep(0.05)
        for each in open_ones:
            await each.close()

    assert full.value.status == 429
    assert int(full.value.headers["Retry-After"]) >= 1


async def test_an_address_says_ten_times_what_one_connection_may(narrow):
    async def answer(ws):
        """What a ping is answered with."""
        await ws.send_str('{"t": "ping"}')
        while True:
            frame = (await ws.receive(timeout=10)).json()
            if frame["t"] != "hello":
                return frame["d"].get("code", "pong")

    said = []
    async with elsewhere() as session, session.ws_connect(address(narrow)):
        while "rate_limited" not in said and len(said) < 400:
            async with session.ws_connect(address(narrow)) as ws:  # with a whole bucket of its own
                said += [await answer(ws) for _ in range(4)]

    assert said[:50] == ["pong"] * 50
    assert "rate_limited" in said
