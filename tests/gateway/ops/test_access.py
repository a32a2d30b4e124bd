"""Who may look into a node and act on it: staff over HTTP, and nobody else; every address is asked."""

from typing import Any

import pytest

from veza.actors.messages.permissions import Permission
from veza.gateway.app import OPS_DOORS, make_ops_app
from veza.gateway.endpoints import Access
from veza.gateway.rates import OPS_ACTS

BODY = {"reason": "A test."}
BODIES = {
    "tell_actor": {**BODY, "path": "/veza/root", "type": "DescribeRoom"},
    "ask_actor": {**BODY, "path": "/veza/root", "type": "DescribeRoom"},
}
PLACES = {
    "path": "veza/root/rooms/a",
    "action": "restart",
    "trace_id": "t0",
    "letter_id": "1",
    "fingerprint": "0a1b",
}
ENDPOINTS = [endpoint for doors in OPS_DOORS for endpoint in doors.http]


async def ask(api: Any, endpoint: Any, **more: Any) -> Any:
    if endpoint.method == "POST":
        more["json"] = BODIES.get(endpoint.handler.__name__, BODY)
    address = endpoint.template.format(**PLACES)
    return await api(endpoint.method, address, status=None, **more)


@pytest.fixture
async def traced(api: Any, staff: Any, olga: Any) -> None:
    address = "/api/v1/ops/actors/veza/root/rooms/a/trace"
    await api("POST", address, who=olga, json=BODY, status=201)


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.handler.__name__)
async def test_an_address_of_operators_is_theirs_alone(
    api: Any, actors: Any, ada: Any, olga: Any, root: Any, endpoint: Any
) -> None:
    actors.operated.clear()
    answers = [await ask(api, endpoint, **who) for who in ({}, {"who": ada})]
    refused = [(each.status, each.body["code"]) for each in answers]
    assert refused == [(401, "unauthenticated"), (403, "forbidden")]
    assert actors.operated == []

    by_ops, by_admin = [await ask(api, endpoint, who=who) for who in (olga, root)]
    if endpoint.needs is Permission.OPS_SEND:
        assert (by_ops.status, by_ops.body["code"]) == (403, "forbidden")
    else:
        assert by_ops.status in endpoint.answers
        assert by_ops.headers["Cache-Control"] == "no-store"
    assert by_admin.status in endpoint.answers


def test_only_talking_to_actors_by_hand_is_for_administrators() -> None:
    assert all(each.access is Access.SIGNED_IN and each.needs for each in ENDPOINTS)
    assert {each.template for each in ENDPOINTS if each.needs is Permission.OPS_SEND} == {
        "/api/v1/ops/tell",
        "/api/v1/ops/ask",
    }


@pytest.mark.usefixtures("staff")
async def test_a_foreign_page_acts_with_nobodys_cookie(api: Any, actors: Any, olga: Any) -> None:
    headers = {
        "Cookie": f"veza_session={olga.cookie_token}",
        "Origin": "https://evil.example",
        "Sec-Fetch-Site": "cross-site",
    }

    answered = await api("POST", "/api/v1/ops/drain", headers=headers, json=BODY, status=403)

    assert answered.body["code"] == "csrf_failed"
    assert actors.operated == []


@pytest.mark.usefixtures("staff")
async def test_an_account_acts_so_often_and_no_oftener(api: Any, olga: Any, root: Any) -> None:
    address = "/api/v1/ops/actors/veza/root/rooms/a/restart"
    for _ in range(OPS_ACTS.quota):
        await api("POST", address, who=olga, json=BODY)

    answered = await api("POST", address, who=olga, json=BODY, status=429)

    assert answered.body["code"] == "rate_limited"
    assert int(answered.headers["Retry-After"]) >= 1
    assert answered.headers["RateLimit-Policy"] == '"ops";q=60;w=60'
    await api("POST", address, who=root, json=BODY)
    await api("GET", "/api/v1/ops/tree", who=olga)


@pytest.mark.usefixtures("staff")
@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (None, "required"),
        ("", "too_short"),
        ("  \t ", "too_short"),
        ("\u200b", "too_short"),
        ("x" * 501, "too_long"),
        ("two\nlines", "invalid_value"),
        ("\u202etxt", "invalid_value"),
        (7, "invalid_type"),
    ],
)
async def test_nobody_acts_without_a_reason(
    api: Any, actors: Any, olga: Any, reason: object, code: str
) -> None:
    body = {} if reason is None else {"reason": reason}

    answered = await api("POST", "/api/v1/ops/drain", who=olga, json=body, status=422)

    assert [(each["pointer"], each["code"]) for each in answered.body["errors"]] == [
        ("/reason", code)
    ]
    assert actors.operated == []


async def test_a_field_that_nobody_knows_is_refused(api: Any, olga: Any, staff: Any) -> None:
    body = {**BODY, "force": True}

    answered = await api("POST", "/api/v1/ops/drain", who=olga, json=body, status=422)

    assert answered.body["code"] == "unknown_field"


async def test_a_session_that_ended_is_nobodys(api: Any, actors: Any, olga: Any) -> None:
    actors.open_sessions.pop(olga.session_id)

    await api("GET", "/api/v1/ops/tree", who=olga, status=401)


async def test_no_id_of_anything_else_leads_anywhere(api: Any, olga: Any, staff: Any) -> None:
    for method, address in (
        ("GET", "/ops/traces/none"),
        ("GET", "/ops/crashes/none"),
        ("GET", "/ops/actors/veza/nobody"),
        ("GET", "/ops/actors/veza/root%00"),
        ("GET", "/ops/tree?under=/veza/nobody"),
        ("GET", "/ops/tree?under=%0a"),
        ("POST", "/ops/actors/veza/nobody/stop"),
        ("POST", "/ops/actors/veza/root/explode"),
        ("POST", "/ops/dead-letters/99/replay"),
        ("POST", "/ops/dead-letters/x/replay"),
        ("POST", f"/ops/dead-letters/{'9' * 19}/replay"),
    ):
        options = {"json": BODY} if method == "POST" else {}
        status = 405 if address.endswith("explode") else 404
        await api(method, f"/api/v1{address}", who=olga, status=status, **options)


async def test_a_request_that_came_by_no_socket_and_signed_in_nobody_never_acts(
    api: Any, staff: Any, aiohttp_client: Any, actors: Any
) -> None:
    client = await aiohttp_client(make_ops_app(api.client.server.app))

    answered = await client.post("/ops/drain", json=BODY)

    assert answered.status == 500
    assert actors.operated == []
