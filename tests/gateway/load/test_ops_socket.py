"""Faults and the server's view over the operators' socket, as its contract has them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from veza.config.paths import ops_socket
from veza.gateway.load.ops_socket import OpsSocket, opened_socket
from veza.gateway.load.targets import TargetError, matches


def actor(path: str, *children: Any, mailbox: int = 0, messages: int = 0) -> dict[str, Any]:
    return {
        "path": path,
        "mailbox": mailbox,
        "messages": messages,
        "head_age_ms": 5,
        "children": list(children),
    }


TREE = actor(
    "/veza",
    actor(
        "/veza/root",
        actor(
            "/veza/root/rooms",
            actor("/veza/root/rooms/a", messages=3),
            actor("/veza/root/rooms/b", messages=9, mailbox=2),
        ),
        actor("/veza/root/services", actor("/veza/root/services/rooms", mailbox=7)),
    ),
)
NODE = {
    "loop_lag_ms": 1.5,
    "actors": 7,
    "messages": 12,
    "restarts": 0,
    "database_connections": 4,
    "rss_bytes": 1000,
}


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[list[tuple[str, Any]]]:
    """A socket that answers as a node's does; yields what it was asked to do."""
    asked: list[tuple[str, Any]] = []

    async def act(request: web.Request) -> web.Response:
        asked.append((request.path, await request.json()))
        return web.json_response({"path": request.path, "action": "kill", "is_audited": True})

    async def tree(_request: web.Request) -> web.Response:
        return web.json_response({"node": "n", "root": TREE})

    async def nodes(_request: web.Request) -> web.Response:
        return web.json_response({"data": [NODE], "next_cursor": None})

    app = web.Application()
    app.add_routes(
        [
            web.get("/ops/tree", tree),
            web.get("/ops/nodes", nodes),
            web.post("/ops/actors/{path:.+}", act),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(ops_socket(tmp_path))).start()
    yield asked
    await runner.cleanup()


@pytest.fixture
async def ops(asked, tmp_path: Path) -> AsyncIterator[OpsSocket]:
    async with opened_socket(tmp_path) as ops:
        yield ops


async def test_the_busiest_actor_that_matches_is_killed_with_a_reason(ops, asked) -> None:
    assert await ops.kill("rooms/*") == "/veza/root/rooms/b"
    assert asked == [
        ("/ops/actors/veza/root/rooms/b/kill", {"reason": "a fault of a load test"}),
    ]


async def test_nobody_is_killed_if_nobody_matches(ops, asked) -> None:
    assert await ops.kill("sessions/*") is None
    assert asked == []


async def test_figures_name_the_fullest_mailboxes_first(ops) -> None:
    figures = await ops.figures()

    assert figures["database"] == 4
    assert figures["loop_lag_ms"] == 1.5
    assert [each["depth"] for each in figures["mailboxes"]] == [7, 2]


async def test_a_socket_that_does_not_answer_is_named(tmp_path: Path) -> None:
    async with opened_socket(tmp_path / "elsewhere") as ops:
        with pytest.raises(TargetError, match=r"No node answers on .*elsewhere"):
            await ops.figures()


@pytest.mark.parametrize(
    ("path", "pattern", "is_match"),
    [
        ("/veza/root/rooms/a", "rooms/*", True),
        ("/veza/root/rooms/a", "root/rooms/*", True),
        ("/veza/root/rooms", "rooms/*", False),
        ("/veza/root/services/rooms", "rooms", True),
        ("/veza/root/classrooms/a", "rooms/*", False),
        ("/a", "x/y/z/a", False),
    ],
)
def test_a_path_matches_by_its_last_names(path: str, pattern: str, is_match: bool) -> None:
    assert matches(path, pattern) is is_match
