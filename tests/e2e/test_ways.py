"""Ways into rooms over a real network: invitations, requests, conversations, blocks, drafts, and changes."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest


async def call(person, method, path, body=None, *, status, **options):
    """One request that is answered so; return what the answer says."""
    async with person.request(method, path, json=body, **options) as answer:
        assert answer.status == status, (method, path, await answer.text())
        return await answer.json() if answer.content_type.endswith("json") else None


async def room_of(person, kind="public", **more):
    room = await person.post("/rooms", {"name": "Cellar", "kind": kind, **more})
    return room["id"]


def soon():
    """A time in a month, as the wire writes it."""
    moment = datetime.now(UTC) + timedelta(days=30)
    return moment.isoformat(timespec="seconds").replace("+00:00", ".000Z")


async def told(wire, kind):
    return await wire.find(lambda frame: frame["t"] == kind)


@pytest.fixture
async def cleo(server, person):
    return await (await person(server)).register()


# --- changing a room ---


async def etag(person, room):
    async with person.request("GET", f"/rooms/{room}") as answer:
        return answer.headers["ETag"]


async def test_a_room_is_changed_from_the_version_one_saw_only(ada):
    room = await room_of(ada)
    seen = {"If-Match": await etag(ada, room)}
    await ada.post(f"/rooms/{room}/messages", {"text": "no change of the room itself"})

    missing = await call(ada, "PATCH", f"/rooms/{room}", {"name": "Attic"}, status=428)
    changed = await call(
        ada, "PATCH", f"/rooms/{room}", {"name": "Attic"}, status=200, headers=seen
    )
    stale = await call(ada, "PATCH", f"/rooms/{room}", {"topic": "x"}, status=412, headers=seen)
    version = {"If-Match": f'"{changed["version"]}"'}
    again = await call(ada, "PATCH", f"/rooms/{room}", {"topic": "x"}, status=200, headers=version)

    assert missing["code"] == "precondition_required"
    assert stale["code"] == "version_conflict"
    assert (again["name"], again["topic"]) == ("Attic", "x")
    await call(
        ada, "PATCH", f"/rooms/{room}", {"topic": ""}, status=412, headers={"If-Match": "W/x"}
    )


ANY = {"If-Match": "*"}


async def test_rules_are_checked_field_by_field_and_shown_to_moderators(ada, bob):
    room = await room_of(ada)
    path = f"/rooms/{room}"
    bad = {"rules": {"flood": {"messages": 1}}}
    unknown = {"rules": {"noise": {}}}

    refused = await call(ada, "PATCH", path, bad, status=422, headers=ANY)
    also = await call(ada, "PATCH", path, unknown, status=422, headers=ANY)
    good = {"rules": {"flood": {"messages": 3, "seconds": 5}, "links": None}}
    await call(ada, "PATCH", path, good, status=200, headers=ANY)
    rules = (await ada.get(f"{path}/rules"))["rules"]
    await call(ada, "PATCH", path, {"rules": None}, status=200, headers=ANY)

    assert refused["errors"][0]["pointer"] == "/rules/flood/messages"
    assert also["errors"][0]["pointer"] == "/rules/noise"
    assert rules["flood"]["messages"] == 3
    assert rules["links"] is None
    assert (await ada.get(f"{path}/rules"))["rules"]["flood"] is None
    await call(bob, "GET", f"{path}/rules", status=403)


async def test_a_password_opens_its_room_and_only_rooms_of_that_kind_have_one(ada, bob):
    room = await room_of(ada)
    path = f"/rooms/{room}"
    await call(ada, "PATCH", path, {"password": "sesame"}, status=422, headers=ANY)
    await call(ada, "PATCH", path, {"kind": "password"}, status=422, headers=ANY)
    locked = {"kind": "password", "password": "sesame"}
    await call(ada, "PATCH", path, locked, status=200, headers=ANY)

    wrong = await call(bob, "PUT", f"{path}/members/me", {"password": "x"}, status=403)
    await call(bob, "PUT", f"{path}/members/me", {"password": "sesame"}, status=200)

    assert wrong["code"] == "wrong_room_password"


async def test_an_archived_room_is_read_until_its_owner_brings_it_back(ada, bob):
    room = await room_of(ada)
    path = f"/rooms/{room}"
    await call(bob, "PUT", f"{path}/members/me", status=200)

    await call(ada, "DELETE", path, status=204)
    await call(ada, "DELETE", path, status=204)  # it is so already
    silent = await call(bob, "POST", f"{path}/messages", {"text": "hi"}, status=409)
    await bob.get(f"{path}/messages")
    await call(ada, "PATCH", path, {"is_archived": False}, status=200, headers=ANY)

    assert silent["code"] == "room_archived"
    await call(bob, "POST", f"{path}/messages", {"text": "hi"}, status=201)


# --- members ---


async def test_members_are_listed_whole_and_only_moderators_see_who_is_muted(ada, bob, cleo):
    room = await room_of(ada)
    path = f"/rooms/{room}"
    for each in (bob, cleo):
        await call(each, "PUT", f"{path}/members/me", status=200)
    until = soon()
    mute = {"until": until, "reason": "noise"}
    await call(ada, "PUT", f"{path}/mutes/{cleo.id}", mute, status=204)

    first = await ada.get(f"{path}/members?limit=2")
    rest = await ada.get(f"{path}/members?limit=2&cursor={first['next_cursor']}")
    everybody = {each["user"]["id"]: each for each in first["data"] + rest["data"]}
    to_bob = {each["user"]["id"]: each for each in (await bob.get(f"{path}/members"))["data"]}

    assert everybody.keys() == to_bob.keys() == {ada.id, bob.id, cleo.id}
    assert everybody[ada.id]["role"] == "owner"
    assert everybody[cleo.id]["muted_until"] == until
    assert to_bob[cleo.id]["muted_until"] is None
    muted = await call(cleo, "POST", f"{path}/messages", {"text": "hi"}, status=403)
    assert muted["code"] == "muted"
    await call(ada, "DELETE", f"{path}/mutes/{cleo.id}?reason=calm", status=204)
    await call(cleo, "POST", f"{path}/messages", {"text": "hi"}, status=201)


async def test_who_is_banned_is_out_until_the_ban_is_lifted(ada, bob):
    room = await room_of(ada)
    path = f"/rooms/{room}"
    await call(bob, "PUT", f"{path}/members/me", status=200)

    await call(ada, "PUT", f"{path}/bans/{bob.id}", {"reason": "spam"}, status=204)
    out = await call(bob, "PUT", f"{path}/members/me", status=403)
    (ban,) = (await ada.get(f"{path}/bans"))["data"]
    await call(ada, "DELETE", f"{path}/bans/{bob.id}", status=204)
    await call(bob, "PUT", f"{path}/members/me", status=200)

    assert out["code"] == "banned"
    assert (ban["user"]["id"], ban["reason"], ban["by"]["id"]) == (bob.id, "spam", ada.id)
    assert (await ada.get(f"{path}/bans"))["data"] == []


@pytest.mark.parametrize(
    "until", ["soon", "2020-01-01T00:00:00Z", "2030-12-24T00:00:00", 5, "9999-12-31T23:59:59-12:00"]
)
async def test_an_end_that_cannot_be_is_refused(ada, bob, until):
    room = await room_of(ada)
    await call(bob, "PUT", f"/rooms/{room}/members/me", status=200)

    for measure in ("bans", "mutes"):
        path = f"/rooms/{room}/{measure}/{bob.id}"
        refused = await call(ada, "PUT", path, {"until": until}, status=422)
        assert refused["code"] == "validation_failed"


async def test_the_room_is_handed_on_and_its_maker_stays_as_admin(ada, bob):
    room = await room_of(ada)
    path = f"/rooms/{room}/members"
    await call(bob, "PUT", f"{path}/me", status=200)

    await call(ada, "PUT", f"{path}/{bob.id}", {"role": "owner"}, status=200)

    roles = {each["user"]["id"]: each["role"] for each in (await bob.get(path))["data"]}
    assert roles == {ada.id: "admin", bob.id: "owner"}


async def test_nobody_is_added_who_is_not_there_or_blocks_whoever_adds_them(ada, bob):
    room = await room_of(ada, "invite_only")
    await call(bob, "PUT", f"/users/{ada.id}/block", status=204)

    await call(ada, "PUT", f"/rooms/{room}/members/{uuid4()}", status=404)
    refused = await call(ada, "PUT", f"/rooms/{room}/members/{bob.id}", status=403)

    assert refused["code"] == "blocked"


# --- invitations ---


async def test_an_invitation_shows_little_lets_in_so_often_and_is_never_told(ada, bob, cleo):
    room = await room_of(ada, "invite_only")
    wire = await ada.connect()
    await wire.ask("room.join", room=room)
    made = await ada.post(f"/rooms/{room}/invites", {"max_uses": 1})
    code = made["code"]

    shown = await bob.get(f"/invites/{code}")
    await call(bob, "PUT", f"/rooms/{room}/members/me", {"invite": code}, status=200)
    late = await call(cleo, "PUT", f"/rooms/{room}/members/me", {"invite": code}, status=404)
    await told(wire, "member.joined")
    history = await wire.ask("room.history", room=room)

    assert len(code) >= 22  # 128 bits, 6 a letter
    assert shown == {"room": room, "name": "Cellar", "kind": "invite_only", "member_count": 1}
    assert late["code"] == "not_found"
    assert {frame["t"] for frame in history["d"]["events"]} == {"member.joined"}
    assert code not in repr(wire.frames)
    assert code not in repr(await ada.get(f"/rooms/{room}/members"))
    await call(cleo, "GET", f"/invites/{code}", status=404)


async def test_an_invitation_opens_by_websocket_too_and_not_once_it_is_revoked(ada, bob, cleo):
    room = await room_of(ada, "private")
    code = (await ada.post(f"/rooms/{room}/invites", {}))["code"]
    wire, other = await bob.connect(), await cleo.connect()

    entered = await wire.ask("room.join", room=room, invite=code)
    (listed,) = (await ada.get(f"/rooms/{room}/invites"))["data"]
    await call(ada, "DELETE", f"/rooms/{room}/invites/{code}", status=204)
    refused = await other.ask("room.join", room=room, invite=code)

    assert entered["t"] == "ack"
    assert (listed["code"], listed["uses"]) == (code, 1)
    assert refused["d"]["code"] == "invalid_invite"
    assert (await ada.get(f"/rooms/{room}/invites"))["data"] == []
    await call(ada, "DELETE", f"/rooms/{room}/invites/{code}", status=404)


@pytest.mark.parametrize("code", ["x", "%00" * 8, "a" * 65, "never-was-there", "%2e%2e%2f" * 3])
async def test_a_code_that_leads_nowhere_is_not_found(ada, code):
    room = await room_of(ada)

    await call(ada, "GET", f"/invites/{code}", status=404)
    await call(ada, "DELETE", f"/rooms/{room}/invites/{code}", status=404)


@pytest.mark.parametrize(
    "body",
    [{"max_uses": 0}, {"max_uses": True}, {"expires_at": "2020-01-01T00:00:00Z"}, {"uses": 1}],
)
async def test_an_invitation_that_would_let_nobody_in_is_not_made(ada, body):
    await call(ada, "POST", f"/rooms/{await room_of(ada)}/invites", body, status=422)


# --- requests ---


async def test_moderators_hear_of_a_request_and_let_in_who_made_it(ada, bob):
    room = await room_of(ada, "private")
    path = f"/rooms/{room}/requests"
    moderator, asker = await ada.connect(), await bob.connect()

    for text in ("please", "again"):
        await call(bob, "POST", path, {"text": text}, status=204)
    heard = await told(moderator, "room.request")
    (request,) = (await ada.get(path))["data"]
    await call(bob, "PUT", f"{path}/{bob.id}", status=403)
    await call(ada, "PUT", f"{path}/{bob.id}", status=204)
    added = await told(asker, "room.added")

    assert (heard["room"], heard["d"]["user"]["id"], heard["d"]["text"]) == (room, bob.id, "please")
    assert (request["user"]["id"], request["text"]) == (bob.id, "please")
    assert (added["d"]["room"]["id"], added["d"]["by"]["id"]) == (room, ada.id)
    assert (await ada.get(path))["data"] == []
    await call(ada, "PUT", f"{path}/{bob.id}", status=404)
    member = await call(bob, "POST", path, {}, status=409)
    assert member["code"] == "invalid_state"


async def test_a_request_is_turned_down_or_taken_back(ada, bob):
    room = await room_of(ada, "private")
    path = f"/rooms/{room}/requests"
    for who in (ada, bob):
        await call(bob, "POST", path, {}, status=204)
        await call(who, "DELETE", f"{path}/{bob.id}", status=204)
        assert (await ada.get(path))["data"] == []
        await call(who, "DELETE", f"{path}/{bob.id}", status=404)

    await call(bob, "POST", f"/rooms/{await room_of(ada)}/requests", {}, status=409)


# --- conversations ---


async def test_two_have_one_conversation_whoever_opens_it(ada, bob):
    wire = await bob.connect()
    opened = await call(ada, "POST", "/dms", {"user_ids": [bob.id]}, status=201)
    added = await told(wire, "room.added")
    again = await call(bob, "POST", "/dms", {"user_ids": [ada.id, bob.id]}, status=200)
    ack = await wire.ask("room.join", room=opened["id"])
    await ada.post(f"/rooms/{opened['id']}/messages", {"text": "salut"})
    heard = await told(wire, "message.posted")
    (listed,) = (await bob.get("/dms"))["data"]

    assert opened["kind"] == "direct"
    assert again["id"] == added["d"]["room"]["id"] == opened["id"]
    assert ack["t"] == "ack"
    assert heard["d"]["text"] == "salut"
    assert [each["id"] for each in listed["people"]] == [ada.id]
    assert listed["last_message_at"] == heard["at"]
    assert listed["unread"] == 1
    await call(bob, "DELETE", f"/rooms/{opened['id']}/members/me", status=409)


async def test_several_talk_in_a_group_that_its_maker_owns(ada, bob, cleo):
    wire = await cleo.connect()
    body = {"user_ids": [bob.id, cleo.id], "name": "Trio"}
    group = await call(ada, "POST", "/dms", body, status=201)
    other = await call(ada, "POST", "/dms", {**body, "name": None}, status=201)
    await told(wire, "room.added")

    roles = {
        m["user"]["id"]: m["role"] for m in (await bob.get(f"/rooms/{group['id']}/members"))["data"]
    }
    assert (group["kind"], group["name"], other["name"]) == ("group", "Trio", "")
    assert group["id"] != other["id"]
    assert roles == {ada.id: "owner", bob.id: "member", cleo.id: "member"}
    await call(bob, "PATCH", f"/rooms/{group['id']}", {"name": "Us"}, status=200, headers=ANY)
    await call(bob, "PATCH", f"/rooms/{group['id']}", {"kind": "public"}, status=409, headers=ANY)


@pytest.mark.parametrize("others", [[], ["me"], ["nobody"], "x"])
async def test_a_conversation_needs_somebody_else(ada, others):
    names = {"me": ada.id, "nobody": str(uuid4())}
    ids = [names[each] for each in others] if isinstance(others, list) else others

    await call(ada, "POST", "/dms", {"user_ids": ids}, status=404 if others == ["nobody"] else 422)


async def test_who_opens_conversations_without_end_has_to_wait(ada, bob):
    body = {"user_ids": [bob.id]}
    for _ in range(20):
        async with ada.request("POST", "/dms", json=body) as answer:
            assert answer.status in {200, 201}

    limited = await call(ada, "POST", "/dms", body, status=429)

    assert limited["code"] == "rate_limited"


async def test_own_rooms_are_listed_with_what_is_unread(ada, bob):
    rooms = [await room_of(ada) for _ in range(3)]
    for room in rooms:
        await call(bob, "PUT", f"/rooms/{room}/members/me", status=200)
    await ada.post(f"/rooms/{rooms[0]}/messages", {"text": f"@{bob.name} salut"})

    first = await bob.get("/me/rooms?limit=2")
    rest = await bob.get(f"/me/rooms?limit=2&cursor={first['next_cursor']}")

    assert [each["room"]["id"] for each in first["data"] + rest["data"]] == rooms[::-1]
    assert rest["next_cursor"] is None
    (last,) = rest["data"]
    assert (last["role"], last["unread"], last["mentions"]) == ("member", 1, 1)


# --- blocks ---


async def test_who_is_blocked_neither_opens_a_conversation_nor_calls_nor_is_seen(ada, bob, cleo):
    talk = (await ada.post("/dms", {"user_ids": [bob.id]}))["id"]
    room = await room_of(ada)
    await call(bob, "PUT", f"/rooms/{room}/members/me", status=200)
    before = await ada.post(f"/rooms/{talk}/messages", {"text": "salut"})
    ours, theirs = await ada.connect(), await bob.connect()
    for wire in (ours, theirs):
        await wire.ask("room.join", room=talk)
        await wire.ask("room.join", room=room)

    await call(bob, "PUT", f"/users/{ada.id}/block", status=204)
    for others in ([bob.id], [bob.id, cleo.id]):
        refused = await call(ada, "POST", "/dms", {"user_ids": others}, status=403)
        assert refused["code"] == "blocked"
    await call(bob, "POST", "/dms", {"user_ids": [ada.id]}, status=403)
    await call(ada, "POST", f"/rooms/{talk}/messages", {"text": "hi"}, status=403)
    about = {"room": talk, "message_id": before["message_id"]}
    for kind, d in (("edit", {"text": "hi"}), ("react", {"emoji": "\N{SPARKLES}"}), ("pin", {})):
        silent = await ours.ask(f"message.{kind}", **about, **d)
        assert silent["d"]["code"] == "blocked", kind
    assert (await ours.ask("message.delete", **about))["t"] == "ack"
    await ours.ask("typing.start", room=talk)
    await ours.ask("receipt.read", room=talk, seq=2)
    posted = await ada.post(f"/rooms/{room}/messages", {"text": f"@{bob.name} hi"})
    await ours.ask("typing.start", room=room)
    await theirs.find(lambda frame: frame["t"] == "typing")
    heard = await theirs.find(lambda frame: frame.get("seq") == posted["seq"])

    assert "mentions" not in heard["d"]
    assert {frame["room"] for frame in theirs.frames if frame["t"] == "typing"} == {room}
    assert not [f for f in theirs.frames if f["t"] == "receipt.read" and f["room"] == talk]


async def test_blocks_are_told_at_sign_in_and_lifted_again(ada, bob):
    for _ in range(2):
        await call(ada, "PUT", f"/users/{bob.id}/block", status=204)
    wire = await ada.open()
    ready = await wire.ask("auth", token=ada.token)
    listed = await ada.get("/me/blocks")
    await call(ada, "DELETE", f"/users/{bob.id}/block", status=204)

    assert ready["d"]["blocked"] == [bob.id]
    assert listed["data"] == [{"id": bob.id, "name": bob.name}]
    assert (await ada.get("/me/blocks"))["data"] == []
    await call(ada, "PUT", f"/users/{ada.id}/block", status=409)
    await call(ada, "PUT", f"/users/{uuid4()}/block", status=404)
    await call(ada, "POST", "/dms", {"user_ids": [bob.id]}, status=201)


# --- drafts ---


async def test_a_draft_is_on_all_devices_of_whoever_writes_and_nowhere_else(ada, bob):
    room = await room_of(ada)
    await call(bob, "PUT", f"/rooms/{room}/members/me", status=200)
    device, foreign = await ada.connect(), await bob.connect()

    kept = await call(ada, "PUT", f"/rooms/{room}/draft", {"text": "I thi"}, status=200)
    await told(device, "draft")
    await call(ada, "PUT", f"/rooms/{room}/draft", {"text": "I think"}, status=200)
    (listed,) = (await ada.get("/me/drafts"))["data"]
    await call(ada, "DELETE", f"/rooms/{room}/draft", status=204)
    await device.find(lambda f: f["t"] == "draft" and f["d"]["text"] is None)
    await foreign.ask("ping")

    assert kept["text"] == "I thi"
    assert (listed["room"], listed["text"]) == (room, "I think")
    assert (await ada.get("/me/drafts"))["data"] == (await bob.get("/me/drafts"))["data"] == []
    assert not [frame for frame in foreign.frames if frame["t"] == "draft"]
    await call(ada, "PUT", f"/rooms/{uuid4()}/draft", {"text": "x"}, status=404)
