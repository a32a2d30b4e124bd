"""Reports reach those who may handle them, keep what they are about, and are shown to nobody else."""

from uuid import uuid4

import pytest

MISSING = (404, "not_found")


async def call(person, method, path, body=None):
    async with person.request(method, path, json=body) as answer:
        return answer.status, (await answer.json() if await answer.read() else None)


async def refused(person, method, path, body=None):
    status, problem = await call(person, method, path, body)
    return status, problem["code"]


async def report(person, **about):
    status, body = await call(person, "POST", "/reports", {"reason": "spam", **about})
    assert status == 201, body
    return body["id"]


async def listed(person, path):
    return (await person.get(path))["data"]


async def post(person, room, text="buy this"):
    return (await person.post(f"/rooms/{room}/messages", {"text": text}))["message_id"]


async def join(person, room):
    assert (await call(person, "PUT", f"/rooms/{room}/members/me"))[0] == 200


async def change(person, room, **what):
    version = (await person.get(f"/rooms/{room}"))["version"]
    match = {"If-Match": f'"{version}"'}
    async with person.request("PATCH", f"/rooms/{room}", json=what, headers=match) as answer:
        assert answer.status == 200, await answer.text()


@pytest.fixture
async def ada(newcomer):
    return await newcomer()


@pytest.fixture
async def bob(newcomer):
    return await newcomer()


@pytest.fixture
async def eve(newcomer):
    return await newcomer()


@pytest.fixture
async def room(ada, bob, eve):
    made = await ada.room()
    await join(bob, made)
    await join(eve, made)
    return made


async def test_a_report_keeps_what_the_message_said_whatever_becomes_of_it(ada, bob, eve, room):
    message = await post(eve, room, "first")
    await call(eve, "PATCH", f"/messages/{message}", {"text": "as it was"})
    filed = await report(bob, message_id=message, text="Look at that.")
    await call(eve, "PATCH", f"/messages/{message}", {"text": "harmless"})
    await call(eve, "DELETE", f"/messages/{message}")

    (seen,) = await listed(ada, f"/rooms/{room}/reports")

    assert seen["id"] == filed
    assert (seen["room"], seen["message_id"]) == (room, message)
    assert (seen["subject"]["id"], seen["reporter"]["id"]) == (eve.id, bob.id)
    assert (seen["reason"], seen["text"]) == ("spam", "Look at that.")
    assert (seen["evidence"], seen["state"], seen["rule"]) == ("as it was", "open", None)


async def test_each_reports_a_message_once_and_an_account_once_at_a_time(boss, bob, eve, room):
    message = await post(eve, room)
    await report(bob, message_id=message, room=room)
    again = {"reason": "other", "message_id": message}
    assert await refused(bob, "POST", "/reports", again) == (409, "already_exists")

    first = await report(bob, user_id=eve.id)
    other = {"reason": "other", "user_id": eve.id}
    assert await refused(bob, "POST", "/reports", other) == (409, "already_exists")
    assert (await call(boss, "PATCH", f"/reports/{first}", {"state": "resolved"}))[0] == 200
    await report(bob, user_id=eve.id)
    reopen = await refused(boss, "PATCH", f"/reports/{first}", {"state": "open"})
    assert reopen == (409, "invalid_state")


async def test_what_cannot_be_reported_is_refused(ada, bob, eve, room):
    own, gone = await post(bob, room), await post(eve, room)
    await call(eve, "DELETE", f"/messages/{gone}")
    cellar = (await ada.post("/rooms", {"name": "Cellar", "kind": "invite_only"}))["id"]
    hidden = await post(ada, cellar)

    for about, expected in [
        ({"message_id": own}, (403, "forbidden")),
        ({"user_id": bob.id}, (403, "forbidden")),
        ({"message_id": gone}, (404, "unknown_message")),
        ({"message_id": str(uuid4())}, (404, "unknown_message")),
        ({"message_id": hidden}, (404, "unknown_message")),
        ({"message_id": hidden, "room": room}, (404, "unknown_message")),
        ({"message_id": hidden, "room": cellar}, MISSING),
        ({"user_id": str(uuid4())}, MISSING),
    ]:
        assert await refused(bob, "POST", "/reports", {"reason": "spam", **about}) == expected
    for about, expected in [
        ({}, (422, "validation_failed")),
        ({"message_id": own, "user_id": eve.id}, (422, "validation_failed")),
        ({"user_id": eve.id, "room": room}, (422, "validation_failed")),
        ({"user_id": eve.id, "reason": "boredom"}, (422, "validation_failed")),
        ({"user_id": eve.id, "text": "x" * 1001}, (422, "validation_failed")),
    ]:
        assert await refused(ada, "POST", "/reports", {"reason": "spam", **about}) == expected


async def test_reports_are_for_moderators_of_the_room_and_administrators(
    boss, ada, bob, eve, newcomer, room
):
    stranger = await newcomer()
    filed = await report(bob, message_id=await post(eve, room))
    of_account = await report(bob, user_id=eve.id)
    done = {"state": "resolved", "note": "Told off."}

    for person in (bob, eve, stranger):
        assert (await call(person, "GET", f"/rooms/{room}/reports"))[0] == 403
        assert (await call(person, "GET", "/reports"))[0] == 403
        assert await refused(person, "PATCH", f"/reports/{filed}", done) == MISSING
    assert await refused(ada, "PATCH", f"/reports/{of_account}", done) == MISSING
    assert await refused(ada, "PATCH", f"/reports/{uuid4()}", done) == MISSING
    assert await refused(boss, "PATCH", f"/reports/{uuid4()}", done) == MISSING
    assert await refused(ada, "PATCH", f"/reports/{filed}", {"state": "lost"}) == (
        422,
        "validation_failed",
    )
    status, handled = await call(ada, "PATCH", f"/reports/{filed}", done)
    assert (status, handled["state"], handled["note"]) == (200, "resolved", "Told off.")
    assert handled["handled_by"]["id"] == ada.id
    staff_sees = [each["id"] for each in await listed(boss, "/reports")]
    assert staff_sees[:2] == [of_account, filed]
    assert await listed(ada, f"/rooms/{room}/reports?state=open") == []
    (only,) = await listed(ada, f"/rooms/{room}/reports?state=resolved")
    assert only == handled


async def test_handling_a_report_is_in_the_audit_log(boss, ada, bob, eve, room):
    filed = await report(bob, message_id=await post(eve, room))
    for state in ("dismissed", "open", "resolved"):
        assert (
            await call(ada, "PATCH", f"/reports/{filed}", {"state": state, "note": f"n {state}"})
        )[0] == 200

    acts = [
        (act["action"], act["actor_id"], act["reason"])
        for act in await listed(boss, "/audit?limit=200")
        if act["target"] == f"report {filed}"
    ]

    assert acts == [
        ("report.resolved", ada.id, "n resolved"),
        ("report.reopened", ada.id, "n open"),
        ("report.dismissed", ada.id, "n dismissed"),
    ]


async def test_a_moderator_neither_sees_nor_handles_what_is_about_them(ada, bob, eve, room):
    assert (await call(ada, "PUT", f"/rooms/{room}/members/{eve.id}", {"role": "moderator"}))[
        0
    ] == 200
    about_eve = await report(bob, message_id=await post(eve, room))
    about_ada = await report(bob, message_id=await post(ada, room))

    assert [each["id"] for each in await listed(eve, f"/rooms/{room}/reports")] == [about_ada]
    assert [each["id"] for each in await listed(ada, f"/rooms/{room}/reports")] == [about_eve]
    dismiss = {"state": "dismissed"}
    assert await refused(eve, "PATCH", f"/reports/{about_eve}", dismiss) == MISSING


async def test_moderators_who_are_there_are_told_and_nobody_else(ada, bob, eve, room):
    owner, author, other = await ada.connect(), await eve.connect(), await bob.connect()
    filed = await report(bob, message_id=await post(eve, room), reason="harassment")

    told = await owner.find(lambda f: f["t"] == "report.filed" and f["d"]["id"] == filed)
    assert told["d"] == {"id": filed, "room": room, "reason": "harassment"}
    for wire in (author, other):
        await wire.ask("ping")
        assert [f for f in wire.frames if f["t"] == "report.filed"] == []


async def test_what_a_rule_refuses_with_a_report_is_shown_to_moderators_and_not_posted(
    ada, bob, room
):
    rules = {"words": {"words": ["darn"], "action": "report"}, "escalation": None}
    await change(ada, room, rules=rules)
    owner = await ada.connect()
    said = {"text": "darn it", "message_id": str(uuid4())}
    for _ in range(2):
        assert await refused(bob, "POST", f"/rooms/{room}/messages", said) == (422, "room_rules")
    fine = await post(bob, room, "hello")
    edit = await refused(bob, "PATCH", f"/messages/{fine}", {"text": "darn that"})
    assert edit == (422, "room_rules")

    await owner.find(lambda f: f["t"] == "report.filed")
    seen = []
    while len(seen) < 2:  # the room does not wait for the service, so neither does the refusal
        seen = await listed(ada, f"/rooms/{room}/reports")

    assert [each["evidence"] for each in seen] == ["darn that", "darn it"]
    for each in seen:
        assert (each["rule"], each["reason"]) == ("words", "rule_violation")
        assert (each["reporter"], each["subject"]["id"]) == (None, bob.id)
        assert each["text"].endswith("the moderators were told.")
    assert [m["text"] for m in await listed(ada, f"/rooms/{room}/messages")] == ["hello"]


async def test_pages_of_reports_hold_each_once(ada, bob, eve, room):
    filed = [await report(bob, message_id=await post(eve, room)) for _ in range(5)]

    seen, path = [], f"/rooms/{room}/reports?limit=2"
    while path:
        page = await ada.get(path)
        seen += [each["id"] for each in page["data"]]
        cursor = page["next_cursor"]
        path = cursor and f"/rooms/{room}/reports?limit=2&cursor={cursor}"

    assert seen == filed[::-1]
    wrong = await refused(ada, "GET", f"/rooms/{room}/reports?state=open&cursor={cursor or 'x'}")
    assert wrong == (422, "invalid_cursor")


async def test_the_moderation_log_is_what_moderators_did_newest_first(ada, bob, eve, room):
    own, others = await post(bob, room), await post(bob, room)
    await call(bob, "PATCH", f"/messages/{own}", {"text": "better"})
    await call(bob, "DELETE", f"/messages/{own}")
    await call(ada, "DELETE", f"/messages/{others}", {"reason": "enough"})
    await change(ada, room, topic="Manners")
    await call(ada, "PUT", f"/rooms/{room}/bans/{eve.id}", {"reason": "spam"})

    log = await listed(ada, f"/rooms/{room}/moderation")

    assert [each["t"] for each in log] == ["member.moderated", "room.updated", "message.deleted"]
    assert (log[0]["d"]["measure"], log[0]["d"]["reason"]) == ("ban", "spam")
    assert (log[1]["d"]["topic"], log[1]["d"]["by"]["id"]) == ("Manners", ada.id)
    assert (log[2]["d"]["message_id"], log[2]["d"]["reason"]) == (others, "enough")
    first = await ada.get(f"/rooms/{room}/moderation?limit=2")
    rest = await ada.get(f"/rooms/{room}/moderation?limit=2&cursor={first['next_cursor']}")
    assert first["data"] + rest["data"] == log
    assert rest["next_cursor"] is None
    assert (await call(bob, "GET", f"/rooms/{room}/moderation"))[0] == 403
