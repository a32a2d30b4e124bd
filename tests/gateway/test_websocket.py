"""A live connection: who it is, one answer a frame, documented closes, and never a gap."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from veza.actors import fanout
from veza.actors.messages.common import Busy
from veza.actors.messages.rooms import ActInRoom, Author, PostMessage
from veza.actors.messages.sessions import CommandFailed
from veza.actors.messages.tracks import JobChanged, JobState
from veza.gateway import connection, door, sockets
from veza.gateway.app import drain
from veza.gateway.keys import ACCESS_TOKENS, CONNECTIONS
from veza.gateway.tokens import AccessClaims

PATH = "/api/v1/ws?v=1"
LOGIN = {"login": "ada", "password": "correct horse"}
ANSWER_SECONDS = 30
"""What nobody but a broken server takes, however busy the machine."""


class Line:
    """One client's connection, with what tests say and expect."""

    def __init__(self, ws: ClientWebSocketResponse) -> None:
        self.ws = ws
        self._next_id = 0

    async def get(self, kind: str | None = None) -> dict[str, Any]:
        """Return the next frame, or the next of a type."""
        while True:
            message = await self.ws.receive(timeout=ANSWER_SECONDS)
            assert message.type is WSMsgType.TEXT, (message, self.ws.close_code)
            frame: dict[str, Any] = json.loads(message.data)
            if kind is None or frame["t"] == kind:
                return frame

    async def say(self, kind: str, d: Any = None, frame_id: str | None = None) -> str:
        self._next_id += 1
        frame_id = frame_id or f"f{self._next_id}"
        frame = {"t": kind, "id": frame_id, "d": {} if d is None else d}
        await self.ws.send_str(json.dumps(frame))
        return frame_id

    async def ask(self, kind: str, d: Any = None) -> dict[str, Any]:
        """Send a frame and return the one that answers it."""
        frame_id = await self.say(kind, d)
        while True:
            frame = await self.get()
            if frame.get("id") == frame_id:
                return frame

    async def closed(self) -> int:
        """Read to the end and return the close code."""
        while True:
            message = await self.ws.receive(timeout=ANSWER_SECONDS)
            if message.type in {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED}:
                assert self.ws.close_code is not None
                return self.ws.close_code


Dial = Callable[..., Any]


@pytest.fixture
def dial(api: Any) -> Dial:
    return dialler(api)


def dialler(api: Any) -> Dial:
    @asynccontextmanager
    async def connect(who: Any = None, path: str = PATH, **options: Any) -> AsyncIterator[Line]:
        async with api.client.ws_connect(path, autoping=True, **options) as ws:
            line = Line(ws)
            if who is not None:
                await sign_in(api, line, who)
            yield line

    return connect


def token_of(api: Any, who: Any) -> str:
    claims = AccessClaims(user_id=who.user.id, session_id=who.session_id)
    token: str = api.client.server.app[ACCESS_TOKENS].issue(claims, time.time())
    return token


async def sign_in(api: Any, line: Line, who: Any) -> dict[str, Any]:
    hello = await line.get()
    assert hello["t"] == "hello"
    ready = await line.ask("auth", {"token": token_of(api, who), "batch": True})
    assert ready["t"] == "ready"
    return ready


async def room_of(api: Any, who: Any) -> str:
    answered = await api("POST", "/api/v1/rooms", who=who, json={"name": "Lounge"}, status=201)
    return str(answered.body["id"])


# --- who it is ---


async def test_hello_tells_the_rules_and_ready_the_rooms(
    api: Any, dial: Dial, actors: Any, ada: Any
) -> None:
    room = await room_of(api, ada)

    async with dial() as line:
        hello = await line.get()
        ready = await line.ask("auth", {"token": token_of(api, ada)})

    assert hello == {
        "t": "hello",
        "d": {"heartbeat_ms": 1000, "max_frame": 65536, "api_level": 1},
    }
    d = ready["d"]
    assert d["user"]["username"] == "ada"
    assert d["rooms"][0]["room"] == room
    assert (d["rooms"][0]["seq"], d["rooms"][0]["unread"]) == (1, 1)
    assert d["limits"]["message_chars"] == 4000
    assert d["session"] in {key[1] for key, _ in actors.told} | set(actors.sessions)


async def test_a_browser_is_known_by_its_cookie_on_our_own_page(
    api: Any, dial: Dial, ada: Any
) -> None:
    await api("POST", "/api/v1/auth/login", json=LOGIN)
    own = {"Origin": str(api.client.make_url("/")).rstrip("/")}

    async with dial(headers=own) as line:
        ready = await line.get("ready")
        ack = await line.ask("auth")
        mismatch = await line.ask("auth", {"token": token_of(api, ada)})

    assert "id" not in ready
    assert ready["d"]["user"]["username"] == "ada"
    assert (ack["t"], mismatch["t"]) == ("ack", "ack")


async def test_a_connection_stays_with_the_one_who_opened_it(
    api: Any, dial: Dial, ada: Any, bob: Any
) -> None:
    async with dial(ada) as line:
        refused = await line.ask("auth", {"token": token_of(api, bob)})

        assert (refused["t"], refused["d"]["code"]) == ("error", "invalid_state")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
async def test_the_cookie_is_nobodys_on_a_foreign_page(
    api: Any, dial: Dial, ada: Any, origin: str | None
) -> None:
    await api("POST", "/api/v1/auth/login", json=LOGIN)

    async with dial(headers={"Origin": origin} if origin else {}) as line:
        await line.get("hello")
        refused = await line.ask("auth")

        assert refused["d"]["code"] == "unauthenticated"
        assert await line.closed() == 4500


async def test_a_bad_token_is_told_and_closes_with_4500(dial: Dial, ada: Any) -> None:
    async with dial() as line:
        refused = await line.ask("auth", {"token": "x"})

        assert (refused["t"], refused["d"]["code"]) == ("error", "invalid_token")
        assert await line.closed() == 4500


async def test_accounts_that_do_not_answer_are_no_reason_to_stop_trying(
    api: Any, dial: Dial, actors: Any, ada: Any
) -> None:
    async with dial() as line:
        await line.get("hello")
        actors.faults["arrivals"] = Busy(command="IdentifySession")
        busy = await line.ask("auth", {"token": token_of(api, ada)})
        actors.faults.clear()
        ready = await line.ask("auth", {"token": token_of(api, ada)})

    assert (busy["d"]["code"], busy["d"]["retryable"]) == ("overloaded", True)
    assert busy["d"]["retry_after_ms"] == 1000
    assert ready["t"] == "ready"


async def test_whoever_does_not_sign_in_is_closed_with_4501(
    dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "AUTH_SECONDS", 0.05)

    async with dial() as line:
        assert await line.closed() == 4501


async def test_the_sixth_connection_of_a_user_is_closed_with_4504(
    api: Any, dial: Dial, ada: Any, bob: Any
) -> None:
    lines = [dial(ada) for _ in range(5)]
    for line in lines:
        await line.__aenter__()

    async with dial() as sixth:
        await sixth.get("hello")
        refused = await sixth.ask("auth", {"token": token_of(api, ada)})
        assert (refused["t"], refused["d"]["code"]) == ("error", "too_many_connections")
        assert await sixth.closed() == 4504
    async with dial(bob):
        pass
    await lines[0].__aexit__(None, None, None)
    async with dial(ada):
        pass
    for line in lines[1:]:
        await line.__aexit__(None, None, None)


@pytest.mark.parametrize("version", ["0", "2", "x", ""])
async def test_another_version_is_closed_with_4505(dial: Dial, version: str) -> None:
    async with dial(path=f"/api/v1/ws?v={version}") as line:
        assert await line.closed() == 4505


async def test_without_an_upgrade_the_answer_is_426(api: Any) -> None:
    answered = await api("GET", "/api/v1/ws", status=426)

    assert answered.body["code"] == "upgrade_required"
    assert answered.headers["Upgrade"] == "websocket"


async def ticket_of(api: Any, who: Any) -> str:
    answered = await api("POST", "/api/v1/realtime/ticket", who=who, status=201)
    ticket: str = answered.body["ticket"]
    return ticket


async def test_a_ticket_signs_one_connection_in(api: Any, dial: Dial, ada: Any) -> None:
    ticket = await ticket_of(api, ada)

    async with dial() as line, dial() as replayed:
        await line.get("hello")
        ready = await line.ask("auth", {"token": ticket})
        await replayed.get("hello")
        refused = await replayed.ask("auth", {"token": ticket})

        assert (ready["t"], ready["d"]["user"]["username"]) == ("ready", "ada")
        assert (refused["t"], refused["d"]["code"]) == ("error", "invalid_token")
        assert await replayed.closed() == 4500
        assert (await line.ask("ping"))["t"] == "pong"


async def test_a_ticket_is_no_access_token(api: Any, ada: Any) -> None:
    ticket = await ticket_of(api, ada)

    await api("GET", "/api/v1/me", headers={"Authorization": f"Bearer {ticket}"}, status=401)


async def test_tickets_are_for_those_who_signed_in_and_not_without_end(
    api: Any, ada: Any, bob: Any
) -> None:
    await api("POST", "/api/v1/realtime/ticket", status=401)
    for _ in range(60):
        await ticket_of(api, ada)

    limited = await api("POST", "/api/v1/realtime/ticket", who=ada, status=429)

    assert limited.body["code"] == "rate_limited"
    assert limited.headers["RateLimit-Policy"] == '"tickets";q=60;w=60'
    await ticket_of(api, bob)


def pass_time(api: Any, seconds: float) -> None:
    """Let the sweep over all connections happen as if it were that much later."""
    connections = api.client.server.app[CONNECTIONS]
    for slot in range(len(connections._slots)):
        connections.beat(slot, asyncio.get_running_loop().time(), time.time() + seconds)


TOKEN_ENDS = 900 + 60
"""Seconds an access token is good for, and the grace after it."""


async def test_past_the_end_of_the_access_token_a_connection_is_closed_with_4006(
    api: Any, dial: Dial, ada: Any
) -> None:
    async with dial(ada) as line, dial() as nobody:
        pass_time(api, TOKEN_ENDS - 5)
        assert (await line.ask("ping"))["t"] == "pong"

        pass_time(api, TOKEN_ENDS + 5)

        assert await line.closed() == 4006
        assert (await nobody.ask("ping"))["t"] == "pong"


async def test_a_ticket_is_as_good_as_an_access_token_of_the_moment_of_its_use(
    api: Any, dial: Dial, ada: Any
) -> None:
    async with dial() as line:
        await line.get("hello")
        await line.ask("auth", {"token": await ticket_of(api, ada)})
        pass_time(api, TOKEN_ENDS - 5)
        assert (await line.ask("ping"))["t"] == "pong"

        pass_time(api, TOKEN_ENDS + 5)

        assert await line.closed() == 4006


async def test_a_fresh_token_keeps_the_connection(api: Any, dial: Dial, ada: Any) -> None:
    claims = AccessClaims(user_id=ada.user.id, session_id=ada.session_id)
    tokens = api.client.server.app[ACCESS_TOKENS]

    async with dial() as line:
        await line.get("hello")
        old = tokens.issue(claims, time.time() - 600)
        assert (await line.ask("auth", {"token": old}))["t"] == "ready"

        answer = await line.ask("auth.refresh", {"token": token_of(api, ada)})

        assert (answer["t"], answer["d"]) == ("ack", {})
        pass_time(api, TOKEN_ENDS - 5)
        assert (await line.ask("ping"))["t"] == "pong"
        pass_time(api, TOKEN_ENDS + 5)
        assert await line.closed() == 4006


async def test_a_refreshed_connection_ends_with_the_session_of_its_token(
    api: Any, dial: Dial, actors: Any, ada: Any
) -> None:
    later = actors.sign_in(ada.user)
    async with dial(ada) as line:
        await line.ask("auth.refresh", {"token": token_of(api, later)})
        await api("POST", "/api/v1/auth/logout", who=ada, status=204)
        assert (await line.ask("ping"))["t"] == "pong"

        await api("POST", "/api/v1/auth/logout", who=later, status=204)

        assert await line.closed() == 4506


async def test_a_token_that_does_not_refresh_changes_nothing(
    api: Any, dial: Dial, actors: Any, ada: Any, bob: Any
) -> None:
    signed_out = actors.sign_in(ada.user)
    await api("POST", "/api/v1/auth/logout", who=signed_out, status=204)
    tokens = {
        "made.up.token": "invalid_token",
        token_of(api, signed_out): "invalid_token",
        token_of(api, bob): "invalid_state",
    }
    async with dial(ada) as line, dial() as nobody:
        for token, code in tokens.items():
            refused = await line.ask("auth.refresh", {"token": token})
            assert (refused["t"], refused["d"]["code"]) == ("error", code)
        early = await nobody.ask("auth.refresh", {"token": token_of(api, ada)})

        assert early["d"]["code"] == "unauthenticated"
        await api("POST", "/api/v1/auth/logout", who=bob, status=204)
        assert (await line.ask("ping"))["t"] == "pong"
        assert (await line.ask("auth.refresh"))["d"]["code"] == "validation_failed"


async def test_a_connection_does_not_outlive_the_session_whatever_it_was_opened_with(
    api: Any, dial: Dial, actors: Any, ada: Any
) -> None:
    await api("POST", "/api/v1/auth/login", json=LOGIN)
    own = {"Origin": str(api.client.make_url("/")).rstrip("/")}
    soon = datetime.now(UTC) + timedelta(seconds=600)
    actors.session_ends = dict.fromkeys(actors.open_sessions, soon)

    async with dial(headers=own) as by_cookie, dial(ada) as by_token:
        await by_cookie.get("ready")
        pass_time(api, 590)
        assert (await by_cookie.ask("ping"))["t"] == "pong"

        pass_time(api, 610)

        assert await by_cookie.closed() == 4506
        assert await by_token.closed() == 4506


async def test_a_browsers_connection_needs_no_refresh(api: Any, dial: Dial, ada: Any) -> None:
    await api("POST", "/api/v1/auth/login", json=LOGIN)
    own = {"Origin": str(api.client.make_url("/")).rstrip("/")}

    async with dial(headers=own) as line:
        await line.get("ready")
        pass_time(api, 20 * TOKEN_ENDS)

        assert (await line.ask("ping"))["t"] == "pong"


async def test_signing_out_closes_that_sessions_connections_with_4506(
    api: Any, dial: Dial, actors: Any, ada: Any
) -> None:
    other_session = actors.sign_in(ada.user)

    async with dial(ada) as line, dial(other_session) as other:
        await api("POST", "/api/v1/auth/logout", who=ada, status=204)

        assert await line.closed() == 4506
        assert (await other.ask("ping"))["t"] == "pong"


async def test_a_refresh_token_used_twice_closes_the_connections_of_whoever_holds_the_session(
    api: Any, dial: Dial, actors: Any, ada: Any
) -> None:
    other_session = actors.sign_in(ada.user)
    body = {"refresh_token": ada.refresh_token}
    async with dial(ada) as line, dial(other_session) as other:
        await api("POST", "/api/v1/auth/refresh", json=body)
        assert (await line.ask("ping"))["t"] == "pong"

        await api("POST", "/api/v1/auth/refresh", json=body, status=401)

        assert await line.closed() == 4506
        assert (await other.ask("ping"))["t"] == "pong"


# --- commands and events ---


async def test_a_message_is_acked_and_reaches_every_member_once_in_order(
    api: Any, dial: Dial, ada: Any, bob: Any
) -> None:
    room = await room_of(api, ada)
    async with dial(ada) as one, dial(bob) as other:
        await one.ask("room.join", {"room": room})
        joined = await other.ask("room.join", {"room": room})
        message_id = str(uuid4())
        send = {"room": room, "message_id": message_id, "text": "salut", "attachments": []}
        ack = await one.ask("message.send", send)
        again = await one.ask("message.send", send)
        posted = await other.get("message.posted")
        await one.ask("message.send", {**send, "message_id": str(uuid4()), "text": "2"})
        second = await other.get("message.posted")

    assert joined["d"].keys() == {"room", "epoch", "seq", "recovered"}
    assert ack["d"] == again["d"]
    assert ack["d"].keys() == {"message_id", "seq", "at"}
    assert posted["room"] == room
    assert posted["seq"] == ack["d"]["seq"]
    assert posted["d"] == {
        "message_id": message_id,
        "author": {"id": str(ada.user.id), "name": "ada"},
        "text": "salut",
        "reply_to": None,
    }
    assert (second["seq"], second["d"]["text"]) == (posted["seq"] + 1, "2")


async def test_a_client_that_comes_back_gets_what_it_missed(
    api: Any, dial: Dial, actors: Any, ada: Any, bob: Any
) -> None:
    room = await room_of(api, ada)
    async with dial(bob) as line:
        entered = (await line.ask("room.join", {"room": room}))["d"]
    for text in ("one", "two"):
        path = f"/api/v1/rooms/{room}/messages"
        await api("POST", path, who=ada, json={"text": text}, status=201)

    async with dial(bob) as line:
        since = {"epoch": entered["epoch"], "seq": entered["seq"]}
        back = await line.ask("room.join", {"room": room, "since": since})
        missed = [await line.get("message.posted") for _ in range(2)]

    assert back["d"]["recovered"] is True
    assert [each["d"]["text"] for each in missed] == ["one", "two"]


async def test_joins_and_leaves_are_events_of_the_room(
    api: Any, dial: Dial, actors: Any, ada: Any, bob: Any
) -> None:
    room = await room_of(api, ada)
    async with dial(ada) as line:
        await line.ask("room.join", {"room": room})
        await api("PUT", f"/api/v1/rooms/{room}/members/me", who=bob)
        await api("DELETE", f"/api/v1/rooms/{room}/members/me", who=bob, status=204)

        joined, left = await line.get("member.joined"), await line.get("member.left")

    assert joined["d"] == {"user": {"id": str(bob.user.id), "name": "bob"}}
    assert left["seq"] == joined["seq"] + 1


async def test_history_holds_the_same_events_as_the_live_log(
    api: Any, dial: Dial, ada: Any
) -> None:
    room = await room_of(api, ada)
    async with dial(ada) as line:
        await line.ask("room.join", {"room": room})
        send = {"room": room, "message_id": str(uuid4()), "text": "salut"}
        await line.say("message.send", send)
        live = await line.get("message.posted")
        history = await line.ask("room.history", {"room": room, "limit": 1})
        older = await line.ask("room.history", {"room": room, "before_seq": live["seq"]})

    assert history["d"]["events"] == [live]
    assert [event["t"] for event in older["d"]["events"]] == ["member.joined"]


async def test_after_leaving_nothing_more_comes(api: Any, dial: Dial, ada: Any) -> None:
    room = await room_of(api, ada)
    async with dial(ada) as line:
        await line.ask("room.join", {"room": room})
        left = await line.ask("room.leave", {"room": room})
        path = f"/api/v1/rooms/{room}/messages"
        await api("POST", path, who=ada, json={"text": "unheard"}, status=201)

        assert left["d"] == {"room": room}
        assert (await line.ask("ping"))["t"] == "pong"


async def test_news_of_a_job_names_job_and_track(dial: Dial, actors: Any, ada: Any) -> None:
    track = actors.add_track(ada.user)
    async with dial(ada) as line:
        (session,) = actors.sessions.values()
        for state in (JobState.ENCODING, JobState.PUBLISHED):
            session.outbox.push(JobChanged(job=actors.add_job(track, state), track=track))
        progress, done = await line.get(), await line.get()

    assert (progress["t"], done["t"]) == ("job.progress", "job.done")
    assert progress["d"]["job"]["progress"] == 0.25
    assert done["d"]["track"]["id"] == str(track.id)


async def test_an_outcome_that_nobody_knows_may_be_tried_again(
    dial: Dial, actors: Any, ada: Any
) -> None:
    async with dial(ada) as line:
        (session,) = actors.sessions.values()
        failed = CommandFailed(frame_id="9", code=None, detail="No answer.")
        session.outbox.push(failed)
        frame = await line.get()

    assert frame["id"] == "9"
    assert (frame["d"]["code"], frame["d"]["retryable"]) == ("outcome_unknown", True)
    assert frame["d"]["retry_after_ms"] == 1000


@pytest.mark.parametrize(
    ("kind", "d", "pointer", "code"),
    [
        ("room.join", {}, "/d/room", "required"),
        ("room.join", {"room": "x"}, "/d/room", "invalid_value"),
        ("room.join", {"room": str(uuid4()), "since": {"epoch": 1}}, "/d/since/epoch", None),
        ("room.join", {"room": str(uuid4()), "since": [1]}, "/d/since", "invalid_type"),
        ("message.send", {"room": str(uuid4()), "text": ""}, "/d/message_id", "required"),
        ("room.history", {"room": str(uuid4()), "limit": 201}, "/d/limit", "out_of_range"),
        ("room.history", {"room": str(uuid4()), "limit": True}, "/d/limit", "invalid_type"),
        ("room.history", {"room": str(uuid4()), "before_seq": 2**63}, "/d/before_seq", None),
        ("room.leave", {"room": str(uuid4()), "why": 1}, "/d/why", "unknown_field"),
        ("room.leave", None, "/d/room", "required"),
        ("room.leave", "x", "/d", "invalid_type"),
        ("ping", {"x": 1}, "/d/x", "unknown_field"),
    ],
)
async def test_a_wrong_field_of_a_frame_is_named(
    dial: Dial, ada: Any, kind: str, d: Any, pointer: str, code: str | None
) -> None:
    async with dial(ada) as line:
        refused = await line.ask(kind, d)

        assert refused["t"] == "error"
        named = {(each["pointer"], each["code"]) for each in refused["d"]["errors"]}
        assert any(where == pointer and code in {None, which} for where, which in named)
        assert (await line.ask("ping"))["t"] == "pong"


async def test_commands_before_auth_are_refused_and_the_connection_lives(
    api: Any, dial: Dial, ada: Any
) -> None:
    async with dial() as line:
        await line.get("hello")
        refused = await line.ask("room.join", {"room": str(uuid4())})

        assert refused["d"]["code"] == "unauthenticated"
        assert (await line.ask("auth", {"token": token_of(api, ada)}))["t"] == "ready"


async def test_an_unknown_type_is_told_and_never_closes(dial: Dial, ada: Any) -> None:
    async with dial(ada) as line:
        for _ in range(10):
            assert (await line.ask("voice.levitate"))["d"]["code"] == "unknown_type"
        assert (await line.ask("ping"))["t"] == "pong"


BAD_FRAMES = ["", "{", "[]", "null", '"t"', "{}", '{"t":5}', '{"t":"ping","id":5}', '{"id":""}']


@pytest.mark.parametrize("bad", BAD_FRAMES)
async def test_the_third_bad_frame_within_a_minute_closes_with_4502(
    dial: Dial, ada: Any, bad: str
) -> None:
    async with dial(ada) as line:
        for _ in range(2):
            await line.ws.send_str(bad)
            assert (await line.get())["d"]["code"] == "bad_frame"
        assert (await line.ask("ping"))["t"] == "pong"

        await line.ws.send_bytes(b"binary")

        assert (await line.get("error"))["d"]["code"] == "bad_frame"
        assert await line.closed() == 4502


async def test_bad_frames_far_apart_are_forgiven(
    dial: Dial, ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BAD_FRAME_WINDOW_SECONDS", 0.0)
    async with dial(ada) as line:
        for _ in range(5):
            await line.ws.send_str("{")
        assert (await line.ask("ping"))["t"] == "pong"


async def test_a_frame_of_the_limit_passes_and_one_byte_more_is_1009(dial: Dial, ada: Any) -> None:
    async with dial(ada) as line:
        head, tail = '{"t":"ping","id":"big","x":"', '"}'
        await line.ws.send_str(head + "x" * (65536 - len(head) - len(tail)) + tail)
        assert (await line.get())["t"] == "pong"

        await line.ws.send_str(head + "x" * (65537 - len(head) - len(tail)) + tail)

        assert await line.closed() == 1009


async def test_a_frame_far_beyond_the_limit_is_cut_off(dial: Dial, ada: Any) -> None:
    async with dial(ada) as line:
        await line.ws.send_str("x" * (65536 * 16 + 1))

        assert await line.closed() in {1009, 1006}


async def test_a_flood_is_slowed_and_refused_with_a_wait_and_nothing_is_lost(
    dial: Dial, ada: Any
) -> None:
    async with dial(ada) as line:
        for number in range(120):
            await line.say("ping", frame_id=str(number))
        answers = {frame["id"]: frame for frame in [await line.get() for _ in range(120)]}

    assert answers.keys() == {str(number) for number in range(120)}
    refused = [frame for frame in answers.values() if frame["t"] == "error"]
    assert 0 < len(refused) <= 30
    assert refused[0]["d"]["code"] == "rate_limited"
    assert refused[0]["d"]["retry_after_ms"] > 0


@pytest.mark.parametrize("control", ["ping", "pong"])
async def test_control_frames_count_as_frames(dial: Dial, ada: Any, control: str) -> None:
    async with dial(ada) as line:
        began = time.monotonic()
        for _ in range(130):
            await getattr(line.ws, control)(b"x")
        assert (await line.ask("ping"))["t"] in {"pong", "error"}

        assert time.monotonic() - began > 0.4


# --- how it ends ---


async def test_when_the_session_ends_the_client_is_asked_to_come_back(
    dial: Dial, actors: Any, ada: Any
) -> None:
    async with dial(ada) as line:
        actors.end_sessions()

        assert await line.closed() == 4000


async def test_a_session_that_cannot_start_is_told_and_closed_with_4000(
    api: Any, dial: Dial, actors: Any, ada: Any
) -> None:
    actors.faults["session"] = Busy(command="OpenSession")
    async with dial() as line:
        await line.get("hello")
        refused = await line.ask("auth", {"token": token_of(api, ada)})

        assert refused["d"]["code"] == "overloaded"
        assert await line.closed() == 4000


async def test_when_the_client_leaves_its_session_is_told(
    api: Any, dial: Dial, actors: Any, ada: Any
) -> None:
    async with dial(ada):
        (session,) = actors.sessions.values()
    await asyncio.wait_for(session.ended, ANSWER_SECONDS)

    assert not actors.sessions
    assert not session.outbox.is_open


async def test_draining_says_when_to_come_back_and_closes_with_4001(
    api: Any, dial: Dial, ada: Any, bob: Any
) -> None:
    async with dial(ada) as one, dial(bob) as other:
        draining = asyncio.create_task(drain(api.client.server.app, 0.3))
        frames = [await line.get("server.draining") for line in (one, other)]

        assert [await line.closed() for line in (one, other)] == [4001, 4001]
        assert all(500 <= frame["d"]["retry_after_ms"] <= 5000 for frame in frames)
        await draining

    with pytest.raises(WSServerHandshakeError) as refused:
        async with dial():
            pass
    assert refused.value.status == 503
    assert (await api("GET", "/readyz", status=503)).body["checks"]["not_draining"] is False


async def test_a_client_that_answers_pings_stays(dial: Dial, ada: Any) -> None:
    async with dial(ada) as line:
        reading = asyncio.create_task(line.ws.receive())
        done, _ = await asyncio.wait({reading}, timeout=3)

        assert not done
        reading.cancel()
        await asyncio.wait({reading})
        assert (await line.ask("ping"))["t"] == "pong"


async def test_a_client_silent_for_two_intervals_is_closed_with_4005(api: Any, ada: Any) -> None:
    async with api.client.ws_connect(PATH, autoping=False) as ws:
        await sign_in(api, Line(ws), ada)
        while (message := await ws.receive(timeout=ANSWER_SECONDS)).type is WSMsgType.PING:
            pass

        assert message.data == 4005


async def test_a_slow_reader_is_cut_off_without_harm_to_the_others(
    make_api: Any, actors: Any, ada: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "CLOSE_SECONDS", 0.2)
    api = await make_api(ws_outbox_bytes=64 * 1024, ws_heartbeat_ms=25_000)
    dial = dialler(api)
    room = await room_of(api, ada)
    stuck = await raw_connection(api, token_of(api, bob), room)
    async with dial(ada) as quick:
        await quick.ask("room.join", {"room": room})
        path = f"/api/v1/rooms/{room}/messages"
        posted = 0
        session = next(each for each in actors.sessions.values() if each.user.name == "bob")
        while not actors.fan_out.counters.slow_consumers and posted < 1000:
            await api("POST", path, who=ada, json={"text": "x" * 4000}, status=201)
            assert (await quick.get("message.posted"))["d"]["text"]
            posted += 1
        await asyncio.wait_for(session.ended, ANSWER_SECONDS)

    stuck.close()
    assert 0 < posted < 1000


async def test_a_reader_that_takes_nothing_is_closed_within_3_s_and_nobody_else_notices(
    make_api: Any, actors: Any, ada: Any, bob: Any, lateness: Any
) -> None:
    api = await make_api(ws_heartbeat_ms=25_000)
    dial = dialler(api)
    room = await room_of(api, ada)
    stuck = await raw_connection(api, token_of(api, bob), room)
    async with dial(ada) as quick:
        await quick.ask("room.join", {"room": room})
        session = next(each for each in actors.sessions.values() if each.user.name == "bob")
        text = "x" * 4000
        waits = []
        # Until bytes wait here as well; then the room goes quiet, far from any bound on bytes.
        while session.outbox.transport.buffered_bytes() == 0:
            began = time.monotonic()
            await api(
                "POST", f"/api/v1/rooms/{room}/messages", who=ada, json={"text": text}, status=201
            )
            await quick.get("message.posted")
            waits.append(time.monotonic() - began)
        stopped, late_before = time.monotonic(), lateness()
        await asyncio.wait_for(session.ended, ANSWER_SECONDS)
        took, late = time.monotonic() - stopped, lateness()
        assert (await quick.ask("ping"))["t"] == "pong"

    stuck.close()
    assert actors.fan_out.counters.slow_consumers == 1
    assert took + 0.1 >= fanout.STUCK_SECONDS
    assert took - (late - late_before) < 3
    assert sorted(waits)[len(waits) * 99 // 100] < 1


async def test_who_offered_to_takes_several_objects_in_one_frame_and_others_one_each(
    api: Any, dial: Dial, actors: Any, ada: Any, bob: Any
) -> None:
    room = await room_of(api, ada)
    async with dial(ada) as batcher, dial() as other:
        await other.get("hello")
        await other.ask("auth", {"token": token_of(api, bob)})
        for line in (batcher, other):
            await line.ask("room.join", {"room": room})
        for text in ("one", "two", "three"):
            author = Author(id=ada.user.id, name="ada")
            post = ActInRoom(by=author, act=PostMessage(message_id=uuid4(), text=text))
            actors.on_ActInRoom(("room", room), post)
        joined = await frame_with(batcher, "one")
        single = await frame_with(other, "one")

    texts = [json.loads(each)["d"].get("text") for each in joined.split("\n")]
    assert texts[-3:] == ["one", "two", "three"]
    assert json.loads(single)["d"]["text"] == "one"


async def frame_with(line: Line, text: str) -> str:
    while True:
        message = await line.ws.receive(timeout=ANSWER_SECONDS)
        if f'"{text}"' in message.data:
            return str(message.data)


async def test_who_offers_compression_gets_it_and_may_compress(
    api: Any, dial: Dial, ada: Any, bob: Any
) -> None:
    room = await room_of(api, ada)
    async with dial(ada, compress=15) as squeezed, dial(bob) as plain:
        for line in (squeezed, plain):
            await line.ask("room.join", {"room": room})
        text = "salut " * 600
        await squeezed.say(
            "message.send", {"room": room, "message_id": str(uuid4()), "text": text.strip()}
        )
        told = [await line.get("message.posted") for line in (squeezed, plain)]

        assert squeezed.ws.compress
        assert told[0] == told[1]
        assert told[0]["d"]["text"] == text.strip()


async def test_a_compressed_bomb_is_cut_off(api: Any, dial: Dial, ada: Any) -> None:
    async with dial(ada, compress=15) as line:
        await line.ws.send_str("x" * (65536 * 16 + 1))

        assert await line.closed() == 1009


async def raw_connection(api: Any, token: str, room: str) -> socket.socket:
    """Connect, join a room, and never read again."""
    loop = asyncio.get_running_loop()
    connection = socket.create_connection((api.client.host, api.client.port))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    request = (
        f"GET {PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await loop.sock_sendall(connection, request.encode())
    await loop.sock_sendall(connection, client_frame("auth", {"token": token}))
    seen = b""
    while b'"ready"' not in seen:
        seen += await asyncio.wait_for(loop.sock_recv(connection, 4096), ANSWER_SECONDS)
    await loop.sock_sendall(connection, client_frame("room.join", {"room": room}))
    while b'"recovered"' not in seen:
        seen += await asyncio.wait_for(loop.sock_recv(connection, 4096), ANSWER_SECONDS)
    return connection


def client_frame(kind: str, d: Any) -> bytes:
    payload = json.dumps({"t": kind, "id": kind, "d": d}).encode()
    return struct.pack("!BBH", 0x81, 0x80 | 126, len(payload)) + bytes(4) + payload


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"", 1000),
        (struct.pack("!H", 1000), 1000),
        (struct.pack("!H", 3000) + b"bye", 3000),
        (struct.pack("!H", 4999), 4999),
        *((struct.pack("!H", code), 1002) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999)),
        *((struct.pack("!H", code), 1002) for code in (5000, 65535)),
    ],
)
async def test_a_close_code_that_nobody_may_send_is_answered_with_1002(
    api: Any, sent: bytes, answered: int
) -> None:
    reader, writer = await asyncio.open_connection(api.client.host, api.client.port)
    writer.write(
        f"GET {PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    writer.write(bytes((0x88, 0x80 | len(sent))) + bytes(4) + sent)

    rest = await asyncio.wait_for(reader.read(), ANSWER_SECONDS)
    writer.close()

    close = rest[rest.index(b"\x88\x02") :]
    assert struct.unpack("!H", close[2:4]) == (answered,)
    assert len(close) == 4


async def test_a_ping_is_answered_with_its_own_payload(api: Any, ada: Any) -> None:
    async with api.client.ws_connect(PATH, autoping=False) as ws:
        await sign_in(api, Line(ws), ada)
        await ws.ping(b"are you there")
        while (message := await ws.receive(timeout=ANSWER_SECONDS)).type is not WSMsgType.PONG:
            pass

    assert message.data == b"are you there"
