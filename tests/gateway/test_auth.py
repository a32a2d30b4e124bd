"""Accounts over HTTP: tokens for programs, a cookie for browsers, and nobody gets in by another's page."""

import time
from typing import Any

import pytest

NEW = {"username": "cleo", "email": "cleo@example.org", "password": "correct horse"}
LOGIN = {"login": "ada", "password": "correct horse"}


def cookie_of(answered: Any) -> str:
    return str(answered.headers["Set-Cookie"])


async def test_registration_signs_in_and_sets_the_cookie(api: Any) -> None:
    answered = await api("POST", "/api/v1/auth/register", json=NEW, status=201)

    assert answered.body["token_type"] == "Bearer"
    assert answered.body["expires_in"] == 900
    assert answered.body["user"]["username"] == "cleo"
    cookie = cookie_of(answered)
    assert cookie.startswith("veza_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie


async def test_behind_https_the_cookie_is_bound_to_the_host(make_api: Any) -> None:
    api = await make_api(public_url="https://music.example.org/", registration="open")

    answered = await api("POST", "/api/v1/auth/register", json=NEW, status=201)

    assert cookie_of(answered).startswith("__Host-veza_session=")
    assert "Secure" in cookie_of(answered)
    assert "Domain" not in cookie_of(answered)


async def test_behind_https_a_cookie_that_others_can_set_opens_nothing(
    make_api: Any, ada: Any
) -> None:
    api = await make_api(public_url="https://music.example.org/")
    planted = {"Cookie": f"veza_session={ada.cookie_token}"}
    bound = {"Cookie": f"__Host-veza_session={ada.cookie_token}"}

    await api("GET", "/api/v1/me", headers=planted, status=401)
    await api("GET", "/api/v1/me", headers=bound)


async def test_an_access_token_opens_what_needs_one(api: Any) -> None:
    signed_in = await api("POST", "/api/v1/auth/register", json=NEW, status=201)
    api.client.session.cookie_jar.clear()
    bearer = {"Authorization": f"Bearer {signed_in.body['access_token']}"}

    me = await api("GET", "/api/v1/me", headers=bearer)

    assert me.body["email"] == "cleo@example.org"


async def test_the_cookie_alone_opens_it_too(api: Any) -> None:
    await api("POST", "/api/v1/auth/register", json=NEW, status=201)

    assert (await api("GET", "/api/v1/me")).body["username"] == "cleo"


async def test_without_either_the_answer_is_401_and_says_how(api: Any) -> None:
    answered = await api("GET", "/api/v1/me", status=401)

    assert answered.body["code"] == "unauthenticated"
    assert answered.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("cookie", ["", "a.b", "é", "\udcff", "x" * 5000])
async def test_a_cookie_that_cannot_be_ours_asks_nobody(api: Any, actors: Any, cookie: str) -> None:
    actors.faults["accounts"] = AssertionError("a value nobody handed out was looked up")

    answered = await api(
        "GET", "/api/v1/me", headers={"Cookie": f"veza_session={cookie}"}, status=401
    )

    assert answered.body["code"] == "unauthenticated"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é" * 10, "x" * 5000])
async def test_a_token_that_is_none_is_invalid(api: Any, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}

    answered = await api("GET", "/api/v1/me", headers=headers, status=401)

    assert answered.body["code"] == "invalid_token"


async def test_after_logout_neither_token_nor_cookie_works(api: Any, ada: Any) -> None:
    signed_in = await api("POST", "/api/v1/auth/login", json=LOGIN)
    bearer = {"Authorization": f"Bearer {signed_in.body['access_token']}"}

    await api("POST", "/api/v1/auth/logout", headers=bearer, status=204)

    await api("GET", "/api/v1/me", headers=bearer, status=401)
    await api("GET", "/api/v1/me", status=401)


async def test_a_refresh_token_works_once(api: Any, ada: Any) -> None:
    first = await api("POST", "/api/v1/auth/login", json=LOGIN)
    body = {"refresh_token": first.body["refresh_token"]}

    second = await api("POST", "/api/v1/auth/refresh", json=body)
    again = await api("POST", "/api/v1/auth/refresh", json=body, status=401)

    assert second.body["refresh_token"] != body["refresh_token"]
    assert again.body["code"] == "token_reused"


async def test_the_setup_token_makes_an_administrator(api: Any) -> None:
    body = {**NEW, "token": "setup-token"}

    answered = await api("POST", "/api/v1/setup", json=body, status=201)

    assert answered.body["user"]["roles"] == ["admin"]
    refused = await api("POST", "/api/v1/setup", json={**body, "token": "x"}, status=401)
    assert refused.body["code"] == "invalid_token"


async def test_closed_registration_is_refused_and_told(make_api: Any) -> None:
    api = await make_api(registration="closed")

    answered = await api("POST", "/api/v1/auth/register", json=NEW, status=403)

    assert answered.body["code"] == "registration_closed"
    assert (await api("GET", "/api/v1/instance")).body["registration"] == "closed"


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({**NEW, "username": "a b"}, "/username", "invalid_value"),
        ({**NEW, "username": "cleo\n"}, "/username", "invalid_value"),
        ({**NEW, "password": "short"}, "/password", "too_short"),
        ({**NEW, "password": "p" * 257}, "/password", "too_long"),
        ({**NEW, "email": "nobody"}, "/email", "invalid_value"),
        ({**NEW, "email": "a\x00@b"}, "/email", "invalid_value"),
        ({"username": "cleo", "password": "correct horse"}, "/email", "required"),
        ({**NEW, "email": 5}, "/email", "invalid_type"),
    ],
)
async def test_each_wrong_field_is_named(
    api: Any, body: dict[str, Any], pointer: str, code: str
) -> None:
    answered = await api("POST", "/api/v1/auth/register", json=body, status=422)

    assert answered.body["code"] == "validation_failed"
    assert [(each["pointer"], each["code"]) for each in answered.body["errors"]] == [
        (pointer, code)
    ]


async def test_a_field_that_nobody_knows_is_refused(api: Any) -> None:
    body = {**NEW, "role": "admin"}

    answered = await api("POST", "/api/v1/auth/register", json=body, status=422)

    assert answered.body["code"] == "unknown_field"
    assert answered.body["errors"][0]["pointer"] == "/role"


async def test_only_wrong_passwords_count_against_a_login(api: Any, ada: Any) -> None:
    wrong = {**LOGIN, "password": "wrong"}
    for _ in range(9):
        await api("POST", "/api/v1/auth/login", json=wrong, status=401)
    for _ in range(5):
        await api("POST", "/api/v1/auth/login", json=LOGIN)
    await api("POST", "/api/v1/auth/login", json=wrong, status=401)

    answered = await api("POST", "/api/v1/auth/login", json=LOGIN, status=429)

    assert answered.body["code"] == "rate_limited"
    assert 1 <= int(answered.headers["Retry-After"]) <= 6
    assert answered.body["retry_after_ms"] > 0
    await api("POST", "/api/v1/auth/login", json={**LOGIN, "login": "bob"}, status=401)


async def test_an_address_that_signs_in_too_often_must_wait(api: Any) -> None:
    refresh = {"refresh_token": "x"}
    first = await api("POST", "/api/v1/auth/refresh", json=refresh, status=401)
    began, refused = time.monotonic(), 1
    while (
        answered := await api("POST", "/api/v1/auth/refresh", json=refresh, status=None)
    ).status == 401:
        refused += 1

    assert answered.status == 429
    # Two come back each second.
    assert 120 <= refused <= 121 + 2 * (time.monotonic() - began)

    assert first.headers["RateLimit-Policy"] == '"auth";q=120;w=60'
    assert first.headers["RateLimit"] == '"auth";r=119;t=1'
    assert answered.headers["RateLimit"].startswith('"auth";r=0;')
    assert "Retry-After" in answered.headers


FOREIGN = {"Origin": "https://evil.example"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (FOREIGN, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({**FOREIGN, "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Origin": "https://app.example.org", "Sec-Fetch-Site": "same-site"}, 201),
        ({}, 201),
    ],
)
async def test_a_foreign_page_cannot_act_with_the_cookie(
    make_api: Any, ada: Any, headers: dict[str, str], status: int
) -> None:
    api = await make_api(cors_origins=("https://app.example.org",))
    await api("POST", "/api/v1/auth/login", json=LOGIN)

    answered = await api(
        "POST", "/api/v1/rooms", json={"name": "Lounge"}, headers=headers, status=status
    )

    if status == 403:
        assert answered.body["code"] == "csrf_failed"


async def test_the_servers_own_origin_may_act_with_the_cookie(api: Any, ada: Any) -> None:
    await api("POST", "/api/v1/auth/login", json=LOGIN)
    own = {"Origin": str(api.client.make_url("/")).rstrip("/")}

    await api("POST", "/api/v1/rooms", json={"name": "Lounge"}, headers=own, status=201)


async def test_a_token_works_from_any_page(api: Any, ada: Any) -> None:
    await api(
        "POST", "/api/v1/rooms", who=ada, json={"name": "Lounge"}, headers=FOREIGN, status=201
    )


@pytest.mark.parametrize(("scheme", "status"), [("https", 201), ("http", 403)])
async def test_behind_https_an_unencrypted_page_is_a_foreign_one(
    make_api: Any, ada: Any, scheme: str, status: int
) -> None:
    api = await make_api(public_url="https://music.example.org/")
    host = api.client.make_url("/").authority
    headers = {
        "Cookie": f"__Host-veza_session={ada.cookie_token}",
        "Origin": f"{scheme}://{host}",
    }

    await api("POST", "/api/v1/rooms", json={"name": "Lounge"}, headers=headers, status=status)
