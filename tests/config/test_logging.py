"""Everything that is logged comes out as one JSON line or one pretty one, and never with a secret in it."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars

from veza.actors.messages.accounts import Proof, SignIn
from veza.config.logging import REDACTED, configure_logging, redact_text, render_json

SECRET = "s3cr3t-Value_0123"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    level = root.level
    out = io.StringIO()
    configure_logging("info", "json", out)
    yield out
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_one_json_line_with_time_level_and_event(stream: io.StringIO) -> None:
    structlog.get_logger("veza.test").info("room.opened", room="r1", members=3)

    (line,) = lines(stream)
    assert list(line)[:3] == ["ts", "level", "event"]
    assert line["ts"].endswith("Z")
    assert (line["level"], line["event"]) == ("info", "room.opened")
    assert (line["logger"], line["room"], line["members"]) == ("veza.test", "r1", 3)


def test_what_is_bound_to_a_request_is_in_all_its_records(stream: io.StringIO) -> None:
    with bound_contextvars(request_id="req-12345678"):
        structlog.get_logger().info("one")
        logging.getLogger("asyncpg").warning("two %s", "words")

    assert [line["request_id"] for line in lines(stream)] == ["req-12345678"] * 2
    assert lines(stream)[1]["event"] == "two words"


def test_the_level_holds_for_both_worlds(stream: io.StringIO) -> None:
    structlog.get_logger().debug("unheard")
    logging.getLogger("x").debug("unheard")

    assert not lines(stream)


class Odd:
    def __repr__(self) -> str:
        return f"Odd(password={SECRET!r})"


RECORDS: list[dict[str, Any]] = [
    {"password": SECRET},
    {"refresh_token": SECRET},
    {"Authorization": f"Bearer {SECRET}"},
    {"headers": {"Cookie": f"veza_session={SECRET}"}},
    {"nested": [{"deep": {"client_secret": SECRET}}]},
    {"url": f"/api/v1/media/x/0.m4s?kid=1&exp=2&sig={SECRET}"},
    {"note": f"Cookie: a=b; __Host-veza_session={SECRET}; c=d"},
    {"note": f"tried Bearer {SECRET}, failed"},
    {"note": f'{{"login": "ada", "password": "{SECRET}"}}'},
    {"note": f"password={SECRET}&login=ada"},
    {"note": f"postgresql://veza:{SECRET}@db.example.org/veza"},
    {"command": SignIn(login="ada", proof=Proof(password=SECRET), user_agent="")},
    {
        "command": SignIn(
            login="ada", proof=Proof(password=f'it\'s "{SECRET}"', totp_code=SECRET), user_agent=""
        )
    },
    {"raw": f"token={SECRET}".encode()},
    {"odd": Odd()},
    {"pair": (f"sig={SECRET}", {"x"})},
]


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("form", ["json", "pretty"])
def test_no_secret_is_written(stream: io.StringIO, record: dict[str, Any], form: Any) -> None:
    configure_logging("info", form, stream)

    structlog.get_logger().info("something.happened", **record)

    assert "something.happened" in stream.getvalue()
    assert SECRET not in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_no_secret_is_written_with_an_exception(stream: io.StringIO, form: Any) -> None:
    configure_logging("info", form, stream)
    password = SECRET
    try:
        int(f"token={password} {JWT}")
    except ValueError:
        structlog.get_logger().exception("it.failed")
        logging.getLogger("other").exception("it failed with password=%s", password)

    text = stream.getvalue()
    assert "ValueError" in text
    assert SECRET not in text
    assert JWT not in text


def test_nothing_that_a_client_sends_acts_on_the_terminal(stream: io.StringIO) -> None:
    configure_logging("info", "pretty", stream)
    structlog.get_logger().info(
        "http.request", path="/\x1b[2J", route="a\n[info] b", text="\u202ea\x9b"
    )
    logging.getLogger("other").info("it said %s", "\x1b]0;title\x07")
    try:
        raise ValueError("\x1b[31m")  # noqa: TRY301  # what the traceback shows
    except ValueError:
        structlog.get_logger().exception("it.failed")

    plain = re.sub(r"\x1b\[\d*m", "", stream.getvalue())
    assert r"/\x1b[2J" in plain
    assert r"ValueError: \x1b[31m" in plain
    assert plain.isascii()
    assert not set(plain) & {"\x1b", "\x07", "\x9b"}
    requests, said, failed, *_traceback = plain.splitlines()
    assert ("http.request" in requests, "it said" in said, "it.failed" in failed) == (True,) * 3


def test_a_jwt_is_taken_out_wherever_it_stands() -> None:
    assert redact_text(f"got {JWT}.") == f"got {REDACTED}."


def test_what_is_no_secret_stays() -> None:
    for text in ("GET /api/v1/rooms 200", "signal=9", "design: good", "https://a.example/b@c"):
        assert redact_text(text) == text


@given(st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.floats(), max_size=4))
def test_every_record_becomes_one_line(record: dict[str, Any]) -> None:
    line = render_json(None, "info", {"event": "e", **record})

    assert "\n" not in line
    json.loads(line)
