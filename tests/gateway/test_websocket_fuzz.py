"""Whatever a client sends: one answer an id, only documented frames and closes, and no harm to others."""

import json
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veza.actors.messages.accounts import Author
from veza.actors.messages.rooms import RoomKind, RoomSettings
from veza.actors.messages.rooms_service import CreateRoom
from veza.gateway.keys import ACCESS_TOKENS
from veza.gateway.tokens import AccessClaims
from veza.gateway.wire import CLIENT_FRAMES

PATH = "/api/v1/ws?v=1"
ANSWERS = {"ack", "error", "pong"}
EVENTS = {"message.posted", "member.joined", "member.left"}
CLOSES = {1009, 4500, 4502}
ROOMS = [str(uuid4()) for _ in range(2)]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.sampled_from(ROOMS),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "room": st.sampled_from(ROOMS) | json_values,
        "message_id": st.uuids().map(str) | json_values,
        "text": st.text(min_size=1, max_size=40) | json_values,
        "since": st.fixed_dictionaries({"epoch": st.uuids().map(str), "seq": st.integers()})
        | json_values,
        "before_seq": st.integers() | json_values,
        "limit": st.integers() | json_values,
        "reply_to": json_values,
        "token": json_values,
        "batch": json_values,
        "attachments": json_values,
        "surprise": json_values,
    },
)
KINDS = sorted(CLIENT_FRAMES)
likely = st.fixed_dictionaries({"t": st.sampled_from(KINDS), "d": fields})
odd = st.fixed_dictionaries(
    {}, optional={"t": st.sampled_from(KINDS) | json_values, "d": json_values}
)
frames = st.one_of(
    likely,
    likely,
    likely,
    odd,
    st.text(max_size=60),
    st.binary(max_size=60),
    json_values.map(json.dumps),
    st.just(65_537),
)


async def connected(api: Any, who: Any) -> ClientWebSocketResponse:
    ws: ClientWebSocketResponse = await api.client.ws_connect(PATH)
    claims = AccessClaims(user_id=who.user.id, session_id=who.session_id)
    token = api.client.server.app[ACCESS_TOKENS].issue(claims, time.time())
    await ws.send_json({"t": "auth", "id": "auth", "d": {"token": token}})
    await until(ws, "auth")
    return ws


async def until(ws: ClientWebSocketResponse, frame_id: str) -> list[dict[str, Any]]:
    """Return the frames up to the one that answers an id, or to the close."""
    seen = []
    while True:
        message = await ws.receive(timeout=10)
        if message.type is not WSMsgType.TEXT:
            return seen
        seen.append(json.loads(message.data))
        if seen[-1].get("id") == frame_id:
            return seen


async def send(ws: ClientWebSocketResponse, number: int, frame: Any) -> str | None:
    """Send a frame, or one of so many bytes; return its id if it has one."""
    if isinstance(frame, int):
        await ws.send_str("x" * frame)
    elif isinstance(frame, bytes):
        await ws.send_bytes(frame)
    elif isinstance(frame, str):
        await ws.send_str(frame)
    else:
        await ws.send_json({**frame, "id": str(number)})
        return str(number)
    return None


@pytest.fixture
async def rooms(actors: Any, api: Any, bob: Any) -> None:
    creator = Author(id=bob.user.id, name="bob")
    for room_id in ROOMS:
        lounge = RoomSettings(name="Lounge", kind=RoomKind.PUBLIC)
        command = CreateRoom(room_id=UUID(room_id), creator=creator, settings=lounge)
        actors.on_CreateRoom(("rooms", ""), command)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sent=st.lists(frames, max_size=12))
async def test_no_frames_get_anything_but_answers_and_documented_closes(
    api: Any, ada: Any, bob: Any, rooms: None, sent: list[Any]
) -> None:
    bystander = await connected(api, bob)
    ws = await connected(api, ada)
    ids: list[str | None] = []
    try:
        for number, frame in enumerate(sent):
            ids.append(await send(ws, number, frame))
        await ws.send_json({"t": "ping", "id": "end"})
    except ConnectionResetError:
        pass  # the server closed meanwhile, which the codes below must explain
    seen = await until(ws, "end")

    assert {frame["t"] for frame in seen} <= ANSWERS | EVENTS
    answered = [frame["id"] for frame in seen if frame["t"] in ANSWERS and "id" in frame]
    assert len(set(answered)) == len(answered)
    if ws.close_code is None:
        assert set(answered) == {each for each in ids if each} | {"end"}
    else:
        assert ws.close_code in CLOSES
    await bystander.send_json({"t": "ping", "id": "still there"})
    assert (await until(bystander, "still there"))[-1]["t"] == "pong"
    await ws.close()
    await bystander.close()
