"""The manners of every answer: named, typed problems, safe headers, and nobody's bug shown to anybody."""

import asyncio
from typing import Any

import pytest
import structlog

from veza.actors.messages.common import (
    Busy,
    Crashed,
    Gone,
    RefusedError,
    RejectCode,
    Rejected,
    TimedOut,
)
from veza.gateway.errors import ProblemCode
from veza.gateway.middlewares import is_one_of_many
from veza.gateway.static import PAGE_PATHS


@pytest.mark.parametrize("offered", ["a" * 8, "b" * 64, "req_0123-4567"])
async def test_a_decent_request_id_is_kept(api: Any, offered: str) -> None:
    answered = await api("GET", "/api/v1/me", headers={"X-Request-Id": offered}, status=401)

    assert answered.headers["X-Request-Id"] == offered
    assert answered.body["request_id"] == offered


@pytest.mark.parametrize("offered", ["short", "c" * 65, "white space", "é" * 10, 'quote"""""'])
async def test_any_other_request_id_is_replaced(api: Any, offered: str) -> None:
    answered = await api("GET", "/api/v1/instance", headers={"X-Request-Id": offered})

    assert answered.headers["X-Request-Id"] not in {offered, ""}


async def test_a_problem_says_all_that_the_contract_names(api: Any) -> None:
    answered = await api("GET", "/api/v1/nothing", status=404)

    assert answered.headers["Content-Type"] == "application/problem+json"
    assert answered.headers["Cache-Control"] == "no-store"
    body = answered.body
    assert (body["type"], body["code"]) == ("urn:veza:problem:not_found", "not_found")
    assert (body["status"], body["instance"]) == (404, "/api/v1/nothing")
    assert (body["retryable"], body["errors"]) == (False, [])


async def test_a_wrong_method_tells_the_right_ones(api: Any) -> None:
    answered = await api("DELETE", "/api/v1/rooms", status=405)

    assert answered.body["code"] == "method_not_allowed"
    assert set(answered.headers["Allow"].split(",")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize(
    ("data", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_body"),
        (b"", "application/json", 400, "malformed_body"),
        (b"\xff\xfe", "application/json", 400, "malformed_body"),
        (b"[" * 20_000, "application/json", 400, "malformed_body"),
        (b'{"login": "\\ud800", "password": "x"}', "application/json", 400, "malformed_body"),
        (b"[]", "application/json", 422, "validation_failed"),
        (b"null", "application/json", 422, "validation_failed"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b"login=a", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'"' + b"x" * 65_536 + b'"', "application/json", 413, "payload_too_large"),
    ],
)
async def test_a_body_that_cannot_be_read_is_the_clients_fault(
    api: Any, data: bytes, content_type: str, status: int, code: str
) -> None:
    headers = {"Content-Type": content_type}

    answered = await api("POST", "/api/v1/auth/login", data=data, headers=headers, status=status)

    assert answered.body["code"] == code


async def test_a_body_of_unknown_length_is_held_to_the_limit_too(api: Any) -> None:
    async def stream() -> Any:
        for _ in range(20):
            yield b" " * 10_000

    answered = await api(
        "POST",
        "/api/v1/auth/login",
        data=stream(),
        headers={"Content-Type": "application/json"},
        status=413,
    )

    assert answered.body["code"] == "payload_too_large"


async def test_a_broken_chunked_body_is_the_clients_fault(api: Any) -> None:
    reader, writer = await asyncio.open_connection(api.client.host, api.client.port)
    writer.write(
        b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n\r\n"
    )

    status = await reader.readline()
    writer.close()

    assert b" 400 " in status


REPLIES = [
    (Busy(command="x"), 503, "overloaded", True),
    (Gone(command="x"), 503, "unavailable", True),
    (TimedOut(command="x"), 504, "timed_out", True),
    (Crashed(command="x"), 500, "internal_error", True),
    (
        Rejected(
            command="x",
            code=RejectCode.RATE_LIMITED,
            detail="Slowly.",
            retry_after_seconds=2.5,
        ),
        429,
        "rate_limited",
        True,
    ),
    (RefusedError(RejectCode.FORBIDDEN, "No."), 403, "forbidden", False),
]


@pytest.mark.parametrize(("reply", "status", "code", "is_retryable"), REPLIES)
async def test_whatever_an_actor_answers_has_its_problem(
    api: Any, actors: Any, reply: object, status: int, code: str, is_retryable: bool
) -> None:
    actors.faults["catalogue"] = reply

    answered = await api("GET", "/api/v1/tracks", status=status)

    assert answered.body["code"] == code
    assert answered.body["retryable"] is is_retryable
    assert ("Retry-After" in answered.headers) == (
        code in {"overloaded", "unavailable", "rate_limited"}
    )


async def test_a_wait_is_told_in_whole_seconds_rounded_up(api: Any, actors: Any) -> None:
    actors.faults["catalogue"] = REPLIES[4][0]

    answered = await api("GET", "/api/v1/tracks", status=429)

    assert answered.headers["Retry-After"] == "3"
    assert answered.body["retry_after_ms"] == 2500


async def test_a_bug_is_logged_and_not_told(api: Any, actors: Any) -> None:
    actors.faults["catalogue"] = ZeroDivisionError("the secret cause")

    with structlog.testing.capture_logs() as logs:
        answered = await api("GET", "/api/v1/tracks", status=500)

    assert answered.body["code"] == "internal_error"
    assert b"secret" not in answered.raw
    assert [log for log in logs if log["event"] == "http.crashed" and log["exc_info"]]


async def test_a_reply_that_was_not_expected_is_a_bug(api: Any, actors: Any) -> None:
    actors.faults["catalogue"] = "what?"

    await api("GET", "/api/v1/tracks", status=500)


async def test_each_refusal_of_an_actor_has_the_problem_of_its_name() -> None:
    for code in RejectCode:
        assert ProblemCode[code.name].value == code.value


async def test_each_request_is_logged_without_its_query(api: Any, ada: Any) -> None:
    with structlog.testing.capture_logs() as logs:
        await api("GET", "/api/v1/rooms?limit=3", who=ada)

    (log,) = (each for each in logs if each["event"] == "http.request")
    assert (log["method"], log["route"], log["status"]) == ("GET", "/api/v1/rooms", 200)
    assert log["user_id"] == str(ada.user.id)
    assert "limit" not in str(log)


@pytest.mark.parametrize("path", ["/api/v1/instance", "/api/v1/nothing", "/", "/livez"])
async def test_every_answer_has_the_security_headers(api: Any, path: str) -> None:
    answered = await api("GET", path, status=None)

    headers = answered.headers
    assert headers["Server"] == "veza"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


async def test_any_page_may_use_the_api_but_never_with_the_cookie(api: Any) -> None:
    origin = {"Origin": "https://blog.example"}
    preflight = {
        **origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }

    asked = await api.client.options("/api/v1/rooms", headers=preflight)
    answered = await api("GET", "/api/v1/instance", headers=origin)
    refused = await api("GET", "/api/v1/me", headers=origin, status=401)

    assert asked.status == 204
    named = asked.headers["Access-Control-Allow-Headers"]
    assert "Authorization" in named
    assert "X-Veza-Client" not in named
    for headers in (asked.headers, answered.headers, refused.headers):
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in headers
    assert "X-Request-Id" in answered.headers["Access-Control-Expose-Headers"]


async def test_a_configured_origin_may_use_the_cookie(make_api: Any) -> None:
    api = await make_api(cors_origins=("https://app.example.org",))

    answered = await api("GET", "/api/v1/instance", headers={"Origin": "https://app.example.org"})

    assert answered.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert answered.headers["Access-Control-Allow-Credentials"] == "true"
    assert answered.headers["Vary"] == "Origin"


async def test_a_cache_keeps_the_answers_to_different_origins_apart(api: Any) -> None:
    own = await api("GET", "/api/v1/instance")
    foreign = await api("GET", "/api/v1/instance", headers={"Origin": "https://blog.example"})

    assert own.headers["Vary"] == foreign.headers["Vary"] == "Origin"


async def test_the_page_answers_its_own_paths_and_no_other(api: Any) -> None:
    for template in PAGE_PATHS:
        path = template.replace("{room_id}", "x").replace("{track_id}", "x")
        answered = await api("GET", path)
        assert answered.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answered.headers["Cache-Control"] == "no-cache"
        assert "trusted-types veza" in answered.headers["Content-Security-Policy"]

    for path in ("/nothing", "/rooms/x/y", "/index.html", "/w/", "/api"):
        assert (await api("GET", path, status=404)).body["code"] == "not_found"


async def test_the_page_names_files_that_never_change(api: Any) -> None:
    page = await api("GET", "/")
    script = page.raw.decode().split('"')[1]

    plain = await api("GET", script, headers={"Accept-Encoding": "identity"})
    packed = await api("GET", script, headers={"Accept-Encoding": "br, gzip"})

    assert "immutable" in plain.headers["Cache-Control"]
    assert plain.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.raw == plain.raw
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])
    assert packed.headers["ETag"] != plain.headers["ETag"]
    for wrong in (
        script.replace("main", "other"),
        script.replace("/w/", "/w/x"),
        script.replace("main.js", "notes.toml"),
        script.replace("app/main.js", "../page.py"),
    ):
        await api("GET", wrong, status=404)


async def test_a_browser_that_has_the_page_gets_304(api: Any) -> None:
    etag = (await api("GET", "/")).headers["ETag"]

    await api("GET", "/", headers={"If-None-Match": etag}, status=304)


async def test_an_offer_of_gzip_with_no_weight_is_none(api: Any) -> None:
    for field in ("gzip;q=0", "gzip; q=0.000", "br"):
        answered = await api("GET", "/", headers={"Accept-Encoding": field})
        assert "Content-Encoding" not in answered.headers


async def test_ready_means_that_every_part_is(api: Any, actors: Any) -> None:
    ready = await api("GET", "/readyz")
    actors.checks = {"database": False}
    unready = await api("GET", "/readyz", status=503)

    assert ready.body["status"] == "ok"
    assert unready.body == {
        "status": "unavailable",
        "checks": {"database": False, "not_draining": True},
    }
    assert (await api("GET", "/livez")).body == {"status": "ok"}
    assert (await api("GET", "/version")).body["api_level"] == 1


async def test_the_limits_that_hold_are_told(make_api: Any) -> None:
    api = await make_api(max_upload_bytes=2048, message_burst=3)

    limits = (await api("GET", "/api/v1/instance")).body["limits"]

    assert (limits["max_upload_bytes"], limits["message_burst"]) == (2048, 3)
    assert limits["message_chars"] == 4000


async def test_figures_are_told_to_this_machine_by_route_and_class(api: Any, ada: Any) -> None:
    await api("GET", f"/api/v1/users/{ada.user.id}", status=404)
    await api("POST", "/api/v1/rooms", who=ada, json={"name": "Lounge"}, status=201)
    await api.client.request("PROPFIND", "/api/v1/rooms")

    text = (await api("GET", "/metrics")).raw.decode()

    assert (
        'veza_http_requests_total{method="POST",route="/api/v1/rooms",status_class="2xx"} 1.0'
        in text
    )
    assert 'method="other"' in text
    assert 'veza_actor_up{class="RoomActor"} 2.0' in text
    assert 'veza_actor_mailbox_oldest_age_seconds{class="RoomActor"} 0.25' in text
    assert 'veza_actor_messages_total{class="RoomActor"} 7.0' in text
    assert 'veza_actor_busy_seconds_total{class="RoomActor"} 1.5' in text
    assert "veza_gc_pause_max_seconds 0.0125" in text
    assert "veza_fanout_published_total" in text
    assert "veza_ws_connections 0.0" in text
    assert "veza_build_info{" in text
    assert "veza_eventloop_lag_seconds_bucket" in text
    assert str(ada.user.id) not in text


async def test_a_node_whose_operator_is_silent_still_tells_its_other_figures(
    api: Any, actors: Any
) -> None:
    await api("GET", "/metrics")
    actors.faults["operator"] = TimedOut(command="ReadTotals")

    text = (await api("GET", "/metrics")).raw.decode()

    assert "veza_ws_connections 0.0" in text
    assert "veza_actor_up{" not in text
    assert "\nveza_open_files " not in text


@pytest.mark.parametrize("expected", ["100-continue", "teapot"])
async def test_whatever_a_client_expects_it_gets_its_answer(api: Any, expected: str) -> None:
    headers = {"Expect": expected, "Content-Type": "application/json"}

    answered = await api("POST", "/api/v1/rooms", headers=headers, data=b"{}", status=401)

    assert answered.body["code"] == "unauthenticated"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("rebound.example:8080", 401),
        ("a:b", 401),
    ],
)
async def test_figures_are_not_for_a_page_whose_name_was_made_to_mean_this_machine(
    api: Any, host: str, status: int
) -> None:
    await api("GET", "/metrics", headers={"Host": host}, status=status)


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
async def test_figures_are_for_ops_staff_wherever_others_can_reach_the_node(
    make_api: Any, actors: Any, ada: Any, host: str
) -> None:
    api = await make_api(host=host)
    forwarded = {"X-Forwarded-For": "203.0.113.7"} if host == "127.0.0.1" else {}
    staff = actors.sign_in(actors.add_user("staff", "ops"))

    await api("GET", "/metrics", headers=forwarded, status=401)
    await api("GET", "/metrics", headers=forwarded, who=ada, status=403)
    await api("GET", "/metrics", headers=forwarded, who=staff)


def test_what_players_fetch_every_few_seconds_is_counted_and_not_told_line_by_line() -> None:
    media = "/api/v1/media/{track_id}/{rendition}/{name}"
    assert is_one_of_many(media, 200)
    assert is_one_of_many(media, 304)
    assert not is_one_of_many(media, 403)
    assert not is_one_of_many("/api/v1/tracks", 200)
