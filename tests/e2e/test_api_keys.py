"""API keys: what each scope opens, and that a key is never more than its owner, nor makes more of itself."""

from datetime import UTC, datetime, timedelta

import pytest

PASSWORD = "correct horse battery"


async def status(person, method, path, key="", **options):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with person.request(method, path, headers=headers, **options) as answer:
        return answer.status, await answer.json() if answer.status != 204 else {}


async def make(person, *scopes, **more):
    body = {"name": "Script", "scopes": scopes, "password": PASSWORD, **more}
    code, made = await status(person, "POST", "/auth/api-keys", json=body)
    assert code == 201, made
    return made["key"], made["api_key"]


@pytest.mark.parametrize(
    ("scopes", "reads", "writes", "reads_tracks"),
    [
        (["read"], True, False, True),
        (["write"], False, True, False),
        (["read", "write"], True, True, True),
        (["rooms:read"], True, False, False),
        (["rooms:write"], False, True, False),
        (["tracks:read"], False, False, True),
    ],
)
async def test_a_scope_opens_what_it_says(ada, scopes, reads, writes, reads_tracks):
    key, _ = await make(ada, *scopes)
    room = {"name": "Kitchen"}

    assert (await status(ada, "GET", "/rooms", key))[0] == (200 if reads else 403)
    assert (await status(ada, "POST", "/rooms", key, json=room))[0] == (201 if writes else 403)
    assert (await status(ada, "GET", "/tracks", key))[0] == (200 if reads_tracks else 403)


async def test_no_key_makes_more_of_itself(ada):
    key, told = await make(ada, "read", "write")

    assert key.startswith("veza_key_")
    assert key.startswith(told["hint"])
    for method, path in [
        ("GET", "/auth/api-keys"),
        ("POST", "/auth/api-keys"),
        ("GET", "/auth/sessions"),
        ("POST", "/auth/logout-all"),
        ("POST", "/realtime/ticket"),
        ("PUT", "/auth/password"),
    ]:
        code, problem = await status(ada, method, path, key, json={})
        assert (code, problem["code"]) == (403, "forbidden"), path
    assert (await status(ada, "GET", "/me", key))[1]["username"] == ada.name
    wire = await ada.open()
    assert (await wire.ask("auth", token=key))["d"]["code"] == "invalid_token"


async def test_a_key_is_told_once_and_ends_at_once(ada, bob):
    key, told = await make(ada, "read")
    listed = (await ada.get("/auth/api-keys"))["data"]
    assert [each["id"] for each in listed] == [told["id"]]
    assert key not in str(listed)
    assert listed[0]["last_used_at"] is None

    await status(ada, "GET", "/rooms", key)
    assert (await ada.get("/auth/api-keys"))["data"][0]["last_used_at"] is not None
    assert (await status(bob, "DELETE", f"/auth/api-keys/{told['id']}"))[0] == 404
    assert (await status(ada, "DELETE", f"/auth/api-keys/{told['id']}"))[0] == 204
    for dead in (key, "veza_key_x", "veza_key_" + "x" * 43):
        code, problem = await status(ada, "GET", "/rooms", dead)
        assert (code, problem["code"]) == (401, "invalid_token")


async def test_a_key_wants_a_proof_and_a_future(ada):
    body = {"name": "Script", "scopes": ["read"]}
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    for more, expected in [
        ({"password": "a guess"}, (401, "bad_credentials")),
        ({"password": PASSWORD, "expires_at": past}, (422, "validation_failed")),
        ({"password": PASSWORD, "scopes": ["everything"]}, (422, "validation_failed")),
        ({"password": PASSWORD, "scopes": []}, (422, "validation_failed")),
    ]:
        code, problem = await status(ada, "POST", "/auth/api-keys", json={**body, **more})
        assert (code, problem["code"]) == expected


async def test_a_key_may_no_more_than_its_owner_and_names_what_is_for_staff(boss, newcomer):
    person = await newcomer()
    key, _ = await make(person, "read", "write", "ops:read")
    assert "permission" in (await status(person, "GET", "/ops/tree", key))[1]["detail"]

    usual, _ = await make(boss, "read", "write")
    named, _ = await make(boss, "ops:read")
    assert (await status(boss, "GET", "/ops/tree", usual))[1]["detail"].endswith("ops:read.")
    assert (await status(boss, "GET", "/ops/tree", named))[0] == 200
    assert (await status(boss, "GET", "/rooms", named))[0] == 403


async def test_a_ban_ends_every_key(boss, newcomer):
    person = await newcomer()
    key, _ = await make(person, "read")
    await status(boss, "PUT", f"/users/{person.id}/ban", json={"reason": "A test."})

    assert (await status(person, "GET", "/rooms", key))[0] == 401
