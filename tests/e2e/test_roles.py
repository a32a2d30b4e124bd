"""What each role may, at every address of the API, and on sockets that are open already."""

import pytest

ROLES = ("user", "premium", "artist", "moderator", "ops", "admin")
NOBODY = "00000000-0000-7000-8000-000000000000"
PLACES = {"path": "veza/nobody", "action": "restart", "member": "me", "emoji": "x", "role": "none"}
ENDING = {"/api/v1/auth/logout", "/api/v1/auth/logout-all", "/api/v1/ws"}


@pytest.fixture
async def of_role(boss, newcomer):
    """Make somebody of a role."""

    async def make(role):
        person = await newcomer()
        if role != "user":
            await grant(boss, person, role)
        return person

    return make


async def grant(boss, person, role):
    address, body = f"/users/{person.id}/roles/{role}", {"reason": "A test."}
    async with boss.request("PUT", address, json=body) as answer:
        assert answer.status == 200, await answer.text()


async def revoke(boss, person, role):
    async with boss.request("DELETE", f"/users/{person.id}/roles/{role}") as answer:
        assert answer.status == 200, await answer.text()


def operations(document):
    """(method, path, permission) of the whole API, with nothing in particular in its places."""
    for template, item in document["paths"].items():
        for method, operation in item.items():
            if template.startswith("/api/v1/") and template not in ENDING and method != "options":
                names = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
                path = template.format(**{name: PLACES.get(name, NOBODY) for name in names})
                yield method.upper(), path, operation


async def test_every_role_gets_at_every_address_what_the_document_says(boss, of_role):
    async with boss.session.get(f"{boss.url}/openapi.json") as answer:
        document = await answer.json()
    allowed = {
        role["name"]: set(role["permissions"]) for role in (await boss.get("/roles"))["data"]
    }
    asked = list(operations(document))
    assert {each[2]["x-permission"] for each in asked if "x-permission" in each[2]} >= {
        *("accounts:ban", "audit:read", "ops:act", "ops:read", "ops:send", "reports:read"),
        *("roles:grant", "roles:read", "rooms:create", "tracks:upload"),
    }
    for role in ROLES:
        person = await of_role(role)
        for method, path, operation in asked:
            needed = operation.get("x-permission")
            may = needed is None or {needed, "*:*"} & (allowed[role] | allowed["user"])
            async with person.request(method, path, json={}) as answer:
                text = await answer.text()
                refused = answer.status == 403 and "This needs the permission" in text
                assert refused is not bool(may), (role, method, path, answer.status, text)
                assert answer.status not in {401, 500}, (role, method, path, text)


async def test_guests_get_in_nowhere_but_where_it_is_public(boss):
    async with boss.session.get(f"{boss.url}/openapi.json") as answer:
        document = await answer.json()
    for method, path, operation in operations(document):
        is_open = operation["security"] == [] or {} in operation["security"]
        async with boss.session.request(method, boss.url + path, json={}) as answer:
            text = await answer.text()
            assert is_open or (answer.status == 401 and "unauthenticated" in text), (method, path)


async def test_a_role_holds_at_once_on_a_socket_that_is_open(boss, of_role, newcomer):
    author, person = await newcomer(), await of_role("user")
    room = await author.room()
    await author.request("PUT", f"/rooms/{room}/members/me")
    posted = [await author.post(f"/rooms/{room}/messages", {"text": text}) for text in "ab"]
    wire = await person.connect()
    await wire.ask("room.join", room=room)

    async def deletes(message):
        answer = await wire.ask("message.delete", room=room, message_id=message["message_id"])
        return answer["t"]

    assert await deletes(posted[0]) == "error"
    assert (await wire.ask("ops.watch"))["d"]["code"] == "forbidden"
    await grant(boss, person, "moderator")
    assert await deletes(posted[0]) == "ack"
    await revoke(boss, person, "moderator")
    assert await deletes(posted[1]) == "error"
