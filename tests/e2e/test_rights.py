"""Who may do what in a room, over the network: every address of a room, as everybody there is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from veza.gateway.app import AREAS

ROLES = ("read_only", "member", "moderator", "admin", "owner")
SOON = (datetime.now(UTC) + timedelta(days=30)).isoformat()
ALL, MAY_WRITE, MODERATES, ADMINS, OWNS = (ROLES[n:] for n in range(5))


@dataclass(frozen=True)
class Address:
    """One address of a room, who may use it, and how its owner undoes what it did."""

    method: str
    path: str
    may: tuple[str, ...]
    body: object = None
    undo: tuple[tuple[str, str, object], ...] = ()
    is_empty: bool = False
    """There is nothing there to work on: whoever may is told `not_found`."""
    is_inside: bool = False
    """For members, also where anybody may read."""

    @property
    def is_read(self) -> bool:
        return self.may == ALL and not self.is_inside


BACK = ("PUT", "/members/{target}", None)
FREE = ("DELETE", "/bans/{target}", None)
LOUD = ("DELETE", "/mutes/{target}", None)
PLAIN = ("PUT", "/members/{target}", {"role": "member"})
GONE = ("DELETE", "/members/{outsider}", None)
OPEN = ("PATCH", "", {"is_archived": False})

BY_ROLE = (
    Address("GET", "/rules", MODERATES),
    Address("PATCH", "", ADMINS, {"topic": "x"}, (("PATCH", "", {"topic": ""}),)),
    Address("PATCH", "", OWNS, {"is_archived": False}),
    Address("DELETE", "", OWNS, undo=(OPEN,)),
    Address("GET", "/members", ALL),
    Address("PUT", "/members/{outsider}", MODERATES, undo=(GONE,)),
    Address("PUT", "/members/{target}", ADMINS, {"role": "moderator"}, (PLAIN,)),
    Address("DELETE", "/members/{target}", MODERATES, undo=(BACK,)),
    Address("GET", "/bans", MODERATES),
    Address("PUT", "/bans/{target}", MODERATES, {"reason": "x"}, (FREE, BACK)),
    Address("DELETE", "/bans/{target}", MODERATES),
    Address("PUT", "/mutes/{target}", MODERATES, {"until": SOON}, (LOUD,)),
    Address("DELETE", "/mutes/{target}", MODERATES),
    Address("POST", "/warnings/{target}", MODERATES, {"reason": "x"}),
    Address("GET", "/invites", MODERATES),
    Address("POST", "/invites", MODERATES, {}),
    Address("DELETE", "/invites/no-such-code", MODERATES, is_empty=True),
    Address("GET", "/requests", MODERATES),
    Address("PUT", "/requests/{target}", MODERATES, is_empty=True),
    Address("DELETE", "/requests/{target}", MODERATES, is_empty=True),
    Address("GET", "/reports", MODERATES),
    Address("GET", "/moderation", MODERATES),
    Address("GET", "/messages", ALL),
    Address("GET", "/pins", ALL),
    Address("GET", "/presence", ALL, is_inside=True),
    Address("PUT", "/read", ALL, {"seq": 0}, is_inside=True),
    Address("POST", "/messages", MAY_WRITE, {"text": "salut"}),
    Address("PUT", "/draft", ALL, {"text": "sal"}),
)
"""Each is answered by what one is in the room alone."""

OTHERS = (
    Address("GET", "", ALL),
    Address("PUT", "/members/me", ALL),
    Address("DELETE", "/members/me", ALL),
    Address("POST", "/requests", (), {}),
    Address("DELETE", "/draft", ALL),
)
"""One's own coming and going; who has the address of some rooms may look at them."""

ELSEWHERE = {("POST", "/attachments")}
"""tests/gateway/test_attachments.py has these."""


class Rooms:
    """One person for each role, and rooms in which they have it."""

    def __init__(self, people):
        self.people = people

    async def ask(self, role, method, path, body=None):
        """One request; what it was answered with."""
        headers = {"If-Match": "*"}
        request = self.people[role].request(method, path, json=body, headers=headers)
        async with request as answer:
            problem = answer.status >= 400 and await answer.json()
            return answer.status, (problem or {}).get("code")

    async def must(self, role, method, path, body=None):
        status, code = await self.ask(role, method, path, body)
        assert status < 300, (role, method, path, code)

    def filled(self, path):
        return path.format(**{name: person.id for name, person in self.people.items()})

    async def make(self, kind):
        made = await self.people["owner"].post("/rooms", {"name": "Cellar", "kind": kind})
        room = f"/rooms/{made['id']}"
        for role in ("read_only", "member", "moderator", "admin", "target"):
            await self.must("owner", "PUT", self.filled(f"{room}/members/{{{role}}}"))
        for role in ("read_only", "moderator", "admin"):
            path = self.filled(f"{room}/members/{{{role}}}")
            await self.must("owner", "PUT", path, {"role": role})
        await self.must("owner", "PUT", self.filled(f"{room}/bans/{{banned}}"))
        return room


@pytest.fixture
async def rooms(server, person):
    names = (*ROLES, "stranger", "banned", "target", "outsider")
    return Rooms({name: await (await person(server)).register() for name in names})


def expected(address, role, kind):
    """The code of the refusal, or None."""
    if role == "banned":
        return "banned"
    if role == "stranger":
        if kind == "invite_only":
            return "not_found"
        return None if kind == "public" and address.is_read else "not_a_member"
    if role not in address.may:
        return "forbidden"
    return "not_found" if address.is_empty else None


def test_every_address_of_a_room_is_tried():
    declared = {
        (each.method, each.template.partition("/rooms/{room_id}")[2])
        for area in AREAS
        for each in area
        if "/rooms/{room_id}" in each.template
    }

    def placed(address):
        for name in ("outsider", "target", "me"):
            parameter = "{member}" if "/members/" in address.path else "{user_id}"
            if address.path.endswith((f"{{{name}}}", "/me")):
                return address.path.rpartition("/")[0] + "/" + parameter
        return address.path.replace("no-such-code", "{code}")

    tried = {(each.method, placed(each)) for each in (*BY_ROLE, *OTHERS)}
    assert tried == declared - ELSEWHERE


@pytest.mark.parametrize("kind", ["public", "private", "invite_only"])
async def test_everybody_may_what_their_role_says_and_nothing_else(rooms, kind):
    room = await rooms.make(kind)
    wrong = []
    for address in BY_ROLE:
        for role in ("stranger", "banned", *ROLES):
            path = rooms.filled(room + address.path)
            status, code = await rooms.ask(role, address.method, path, address.body)
            if code != expected(address, role, kind):
                wrong.append((role, address.method, address.path, status, code))
            if status < 400:
                for method, undone, body in address.undo:
                    await rooms.must("owner", method, rooms.filled(room + undone), body)

    assert wrong == []


@pytest.mark.parametrize(
    ("kind", "ways"),
    [
        ("public", {"GET ": None, "PUT /members/me": None, "POST /requests": "invalid_state"}),
        ("private", {"GET ": None, "PUT /members/me": "invite_required", "POST /requests": None}),
        (
            "invite_only",
            {"GET ": "not_found", "PUT /members/me": "not_found", "POST /requests": "not_found"},
        ),
    ],
)
async def test_a_stranger_gets_in_the_way_the_kind_of_room_asks_for(rooms, kind, ways):
    room = await rooms.make(kind)

    for address, refusal in ways.items():
        method, _, path = address.partition(" ")
        body = {} if method == "POST" else None
        assert (await rooms.ask("stranger", method, room + path, body))[1] == refusal
        if method != "GET":
            assert (await rooms.ask("banned", method, room + path, body))[1] == "banned"


async def test_nobody_takes_a_measure_against_an_equal_or_a_higher_role(rooms):
    room = await rooms.make("public")
    measures = [
        ("DELETE", "/members/", None),
        ("PUT", "/bans/", {}),
        ("PUT", "/mutes/", {"until": SOON}),
        ("POST", "/warnings/", {"reason": "x"}),
        ("PUT", "/members/", {"role": "read_only"}),
    ]
    for by, against, role in (
        ("moderator", "target", "moderator"),
        ("moderator", "admin", "admin"),
        ("moderator", "owner", "owner"),
        ("admin", "target", "admin"),
        ("admin", "owner", "owner"),
    ):
        whom = rooms.people[against].id
        if against == "target":
            await rooms.must("owner", "PUT", f"{room}/members/{whom}", {"role": role})
        for method, path, body in measures:
            _, code = await rooms.ask(by, method, f"{room}{path}{whom}", body)
            assert code == "forbidden", (by, method, path, role)


# --- hidden rooms ---


def told(problem):
    """What a problem says beside the request it answers."""
    return {name: said for name, said in problem.items() if name not in {"request_id", "instance"}}


async def test_a_hidden_room_answers_a_stranger_as_one_that_never_was(rooms):
    hidden, nowhere = await rooms.make("invite_only"), f"/rooms/{uuid4()}"
    group = await rooms.people["owner"].post(
        "/dms", {"user_ids": [rooms.people[each].id for each in ("admin", "member")]}
    )
    direct = await rooms.people["owner"].post("/dms", {"user_ids": [rooms.people["admin"].id]})
    with_code = Address("PUT", "/members/me", ALL, {"invite": "never-was-there"})
    with_password = Address("PUT", "/members/me", ALL, {"password": "sesame"})

    for address in (*BY_ROLE, *OTHERS, with_code, with_password):
        answers = []
        for room in (nowhere, hidden, f"/rooms/{group['id']}", f"/rooms/{direct['id']}"):
            path, headers = rooms.filled(room + address.path), {"If-Match": "*"}
            async with rooms.people["stranger"].request(
                address.method, path, json=address.body, headers=headers
            ) as answer:
                is_problem = answer.status >= 400
                answers.append((answer.status, told(await answer.json()) if is_problem else None))
        assert answers == answers[:1] * 4, address


async def test_a_hidden_room_says_no_more_over_the_websocket(rooms):
    hidden = (await rooms.make("invite_only")).rpartition("/")[2]
    await rooms.must("owner", "DELETE", f"/rooms/{hidden}")  # nor that it is archived
    wire = await rooms.people["stranger"].connect()
    message = {"message_id": str(uuid4())}

    for kind, d in (
        ("room.join", {}),
        ("room.join", {"invite": "never-was-there"}),
        ("room.join", {"password": "sesame"}),
        ("message.send", {**message, "text": "salut"}),
        ("message.edit", {**message, "text": "salut"}),
        ("message.delete", message),
        ("message.react", {**message, "emoji": "\N{SPARKLES}"}),
        ("message.pin", message),
        ("receipt.read", {"seq": 1}),
        ("room.history", {}),
        ("typing.start", {}),
        ("room.leave", {}),
    ):
        to_hidden = await wire.ask(kind, room=hidden, **d)
        to_none = await wire.ask(kind, room=str(uuid4()), **d)
        assert to_hidden["t"] == to_none["t"] == "error", kind
        assert told(to_hidden["d"]) == told(to_none["d"]), kind
