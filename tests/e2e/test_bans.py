"""A banned account gets nothing more: neither in nor a frame of what is committed after the ban."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

BANNED = 4503
PASSWORD = "correct horse battery"


async def call(person, method, path, body=None):
    async with person.request(method, path, json=body) as answer:
        return answer.status, (await answer.json() if await answer.read() else None)


async def ban(boss, who, **more):
    status, body = await call(boss, "PUT", f"/users/{who.id}/ban", {"reason": "spam", **more})
    assert status == 200, body
    return body


async def refused(person, method, path, body=None):
    status, problem = await call(person, method, path, body)
    return status, problem["code"]


async def test_no_way_in_is_left_to_a_banned_account_and_all_are_back_after_it(boss, newcomer):
    bob = await newcomer()
    login = {"login": bob.name, "password": PASSWORD}
    async with bob.request("POST", "/auth/login", json=login) as answer:
        signed_in = await answer.json()
        cookie = {"Cookie": f"veza_session={answer.cookies['veza_session'].value}"}
    ticket = (await bob.post("/realtime/ticket"))["ticket"]

    told = await ban(boss, bob)

    assert (told["user"]["id"], told["by"]["name"], told["until"]) == (bob.id, "boss", None)
    banned = (403, "account_banned")
    assert await refused(bob, "GET", "/me") == banned
    assert await refused(bob, "GET", "/tracks") == banned
    assert await refused(bob, "POST", "/auth/login", login) == banned
    assert (
        await refused(bob, "POST", "/auth/refresh", {"refresh_token": signed_in["refresh_token"]})
        == banned
    )
    for token in (bob.token, ticket):
        wire = await bob.open()
        answer = await wire.ask("auth", token=token)
        assert (answer["t"], answer["d"]["code"]) == ("error", "account_banned"), answer
        assert await wire.closed() == BANNED
    bob.token, token = "", bob.token
    async with bob.request("GET", "/me", headers=cookie) as answer:
        assert (answer.status, (await answer.json())["code"]) == banned
    address = f"{bob.url.replace('http', 'ws', 1)}/api/v1/ws?v=1"
    headers = {**cookie, "Origin": bob.url}
    wire = type(wire)(await bob.session.ws_connect(address, headers=headers))
    assert (await wire.find(lambda f: f["t"] == "error"))["d"]["code"] == "account_banned"
    assert await wire.closed() == BANNED
    bob.token = token
    wrong = {**login, "password": "not the password"}
    assert await refused(bob, "POST", "/auth/login", wrong) == (401, "bad_credentials")

    assert await call(boss, "DELETE", f"/users/{bob.id}/ban?reason=sorry") == (204, None)
    assert await call(boss, "DELETE", f"/users/{bob.id}/ban") == (204, None)
    assert await refused(bob, "GET", "/me") == (401, "invalid_token")
    await bob.sign_in(PASSWORD)
    await bob.connect()


async def test_nothing_committed_after_a_ban_reaches_the_banned_and_nothing_of_theirs_is(
    boss, newcomer
):
    ada, bob = await newcomer(), await newcomer()
    room = await ada.room()
    await call(bob, "PUT", f"/rooms/{room}/members/me")
    wires = [await bob.connect(), await bob.connect()]
    for wire in wires:
        await wire.ask("room.join", room=room)
    is_over = asyncio.Event()

    async def talk(who):
        while not is_over.is_set():
            await call(who, "POST", f"/rooms/{room}/messages", {"text": "hello"})

    talking = [asyncio.create_task(talk(who)) for who in (ada, ada, bob, bob)]
    closing = [asyncio.create_task(wire.closed()) for wire in wires]
    async with asyncio.timeout(30):
        while not all(wire.events("message.posted", room) for wire in wires):
            await asyncio.sleep(0.01)
    told = await ban(boss, bob)
    assert await asyncio.gather(*closing) == [BANNED, BANNED]
    after, status = {"text": "after the ban"}, 0
    while status != 201:
        status, _ = await call(ada, "POST", f"/rooms/{room}/messages", after)
    is_over.set()
    await asyncio.gather(*talking)

    for wire in wires:
        seen = wire.events("message.posted", room)
        assert seen
        assert max(frame["at"] for frame in seen) <= told["at"]

    async def of_bob():
        page = await ada.get(f"/rooms/{room}/messages?limit=200")
        return [m["at"] for m in page["data"] if m["author"]["id"] == bob.id]

    before = await of_bob()
    assert await refused(bob, "POST", f"/rooms/{room}/messages", after) == (403, "account_banned")
    assert await of_bob() == before


async def test_a_ban_ends_by_itself_and_is_then_not_listed(boss, newcomer):
    bob, eve = await newcomer(), await newcomer()
    await ban(boss, eve)
    end = datetime.now(UTC) + timedelta(seconds=4)
    await ban(boss, bob, until=end.isoformat())

    page = await boss.get("/bans?limit=1")
    assert [each["user"]["id"] for each in page["data"]] == [bob.id]
    more = await boss.get(f"/bans?limit=200&cursor={page['next_cursor']}")
    assert eve.id in [each["user"]["id"] for each in more["data"]]
    async with asyncio.timeout(30):
        while (await call(bob, "GET", "/me"))[0] == 403:
            await asyncio.sleep(0.1)
    assert bob.id not in [each["user"]["id"] for each in (await boss.get("/bans"))["data"]]


async def test_only_administrators_ban_and_neither_themselves_nor_nobody(boss, newcomer):
    bob, eve = await newcomer(), await newcomer()
    wire = await boss.connect()
    reason = {"reason": "spam"}

    assert await refused(bob, "PUT", f"/users/{eve.id}/ban", reason) == (403, "forbidden")
    assert await refused(bob, "DELETE", f"/users/{eve.id}/ban") == (403, "forbidden")
    assert await refused(bob, "GET", "/bans") == (403, "forbidden")
    assert await refused(boss, "PUT", f"/users/{boss.id}/ban", reason) == (403, "forbidden")
    assert await refused(boss, "PUT", f"/users/{uuid4()}/ban", reason) == (404, "not_found")
    for wrong in ({}, {"reason": ""}, {**reason, "until": "2020-01-01T00:00:00Z"}):
        code = await refused(boss, "PUT", f"/users/{eve.id}/ban", wrong)
        assert code == (422, "validation_failed"), wrong
    assert (await wire.ask("ping"))["t"] == "pong"
    await eve.get("/me")


async def test_bans_are_in_the_audit_log_and_refusals_are_not(boss, newcomer):
    bob = await newcomer()
    await ban(boss, bob)
    await call(boss, "DELETE", f"/users/{bob.id}/ban?reason=sorry")
    await call(boss, "DELETE", f"/users/{bob.id}/ban")

    acts = (await boss.get("/audit?limit=200"))["data"]

    of_bob = [act for act in acts if act["target"] == f"user {bob.id}"]
    assert [act["action"] for act in of_bob] == ["account.unban", "account.ban"]
    assert [act["reason"] for act in of_bob] == ["sorry", "spam (for good)"]
    assert {(act["actor_id"], act["via"]) for act in of_bob} == {(boss.id, "http")}
