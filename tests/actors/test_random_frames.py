"""Nothing that a client sends makes an actor crash: random frames against real sessions and rooms."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veza.actors.fanout import FanOut, FanOutLimits
from veza.config.ids import uuid7
from veza.config.settings import Settings
from veza.gateway.app import make_app
from veza.gateway.tokens import SigningKeys
from veza.gateway.wire import encode_frame
from veza.persistence.local_store import LocalMediaStore
from veza.supervisors.node import Node
from veza.supervisors.shared import alone
from veza.supervisors.tree import Resources, build_tree

SOME_ROOM, NO_ROOM = "the room", str(uuid4())
MESSAGE_IDS = [str(uuid4()) for _ in range(3)]
KINDS = ["room.join", "room.leave", "message.send", "room.history", "ping", "auth", "typing"]

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)  # JSON has neither
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
seqs = st.integers(min_value=-2, max_value=2**64)
bodies = st.fixed_dictionaries(
    {"room": st.sampled_from([SOME_ROOM, SOME_ROOM, NO_ROOM]) | anything},
    optional={
        "message_id": st.sampled_from(MESSAGE_IDS) | st.uuids().map(str) | anything,
        "text": st.text(min_size=1, max_size=60) | anything,
        "reply_to": st.uuids().map(str) | anything,
        "since": st.fixed_dictionaries({"epoch": st.uuids().map(str), "seq": seqs}) | anything,
        "before_seq": seqs | anything,
        "limit": st.integers(min_value=-1, max_value=300) | anything,
    },
)
frames = st.fixed_dictionaries({"t": st.sampled_from(KINDS), "d": bodies | anything})
# Half of them fit, so that what follows in the actors is reached and not only the gate before them.
fitting = st.one_of(
    st.just({"t": "room.join", "d": {"room": SOME_ROOM}}),
    st.just({"t": "room.leave", "d": {"room": SOME_ROOM}}),
    st.builds(
        lambda text, message_id: {
            "t": "message.send",
            "d": {"room": SOME_ROOM, "text": text, "message_id": message_id},
        },
        st.text(min_size=1, max_size=60),
        st.sampled_from(MESSAGE_IDS) | st.uuids().map(str),
    ),
    st.builds(
        lambda seq: {"t": "room.history", "d": {"room": SOME_ROOM, "before_seq": seq}},
        st.integers(min_value=1, max_value=2**40),
    ),
)


class Served:
    """A node with its gateway in this process, so that its crash log can be read."""

    def __init__(self, node: Node, client: Any) -> None:
        self.node = node
        self.client = client

    async def sign_up(self) -> None:
        body = {"username": "ada", "email": "ada@example.org", "password": "correct horse"}
        answer = await self.client.post("/api/v1/auth/register", json=body)
        token = (await answer.json())["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}
        self.token = token
        made = await self.client.post(
            "/api/v1/rooms", json={"name": "Kitchen", "kind": "public"}, headers=self.headers
        )
        self.room = (await made.json())["id"]

    async def connected(self) -> ClientWebSocketResponse:
        ws: ClientWebSocketResponse = await self.client.ws_connect("/api/v1/ws?v=1")
        await ws.send_json({"t": "auth", "id": "auth", "d": {"token": self.token}})
        await answers(ws, {"auth"})
        return ws


@pytest.fixture
async def served(pool: Any, tmp_path: Any, aiohttp_client: Any) -> AsyncIterator[Served]:
    config = Settings(data=tmp_path, bcrypt_cost=4, message_burst=100_000)
    fan_out = FanOut(encode_frame, asyncio.get_running_loop().call_soon, FanOutLimits())
    node_id = uuid7()
    resources = Resources(
        node_id=node_id,
        settings=config,
        pool=pool,
        store=LocalMediaStore(tmp_path / "media"),
        fan_out=fan_out,
        shared=alone(node_id),
    )
    node = Node(build_tree(resources))
    await node.start()
    client = await aiohttp_client(make_app(config, node, fan_out, SigningKeys.random()))
    served = Served(node, client)
    await served.sign_up()
    yield served
    async with pool.acquire() as conn:
        stored = await conn.fetchval("SELECT count(*) FROM room_events")
    assert stored > 10, "the frames hardly reached an actor"
    await node.stop(10)


async def answers(ws: ClientWebSocketResponse, wanted: set[str]) -> dict[str, list[str]]:
    """Which frame types answered each id; reads until all are answered or the server closed."""
    seen: dict[str, list[str]] = {}
    while not wanted <= seen.keys():
        message = await ws.receive(timeout=20)
        if message.type is not WSMsgType.TEXT:
            break
        frame = json.loads(message.data)
        if "id" in frame:
            seen.setdefault(frame["id"], []).append(frame["t"])
    return seen


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sent=st.lists(fitting | frames, max_size=15))
async def test_random_frames_crash_no_actor_and_each_is_answered_once(
    served: Served, sent: list[dict[str, Any]]
) -> None:
    ws = await served.connected()
    for number, frame in enumerate(sent):
        text = json.dumps({**frame, "id": str(number)}).replace(SOME_ROOM, served.room)
        if not ws.closed:
            await ws.send_str(text)

    seen = await answers(ws, {str(number) for number in range(len(sent))})

    assert all(len(kinds) == 1 for kinds in seen.values()), seen
    assert ws.closed or len(seen) == len(sent)
    await ws.close()
    assert not served.node.runtime.crashes
    assert sum(cell.stats().errors for cell in served.node.runtime.tree()) == 0
