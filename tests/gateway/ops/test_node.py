"""The node as a whole: its figures, connections, jobs, what operators did, and its orderly end."""

import asyncio
import os
import pwd
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veza.actors.messages.audit import RecordAct
from veza.actors.messages.operator import ActOnActor, ActorAction, Operator
from veza.actors.messages.tracks import JobState
from veza.config.ids import uuid7
from veza.gateway.connections import masked
from veza.gateway.keys import CONNECTIONS

ME = pwd.getpwuid(os.getuid()).pw_name
BODY = {"reason": "A new version."}


async def test_the_figures_of_the_node_are_told(api: Any, olga: Any) -> None:
    (node,) = (await api("GET", "/api/v1/ops/nodes", who=olga)).body["data"]

    assert (node["phase"], node["connections"]) == ("ready", 0)
    assert (node["started_at"], node["now"]) == (
        "2023-11-14T22:13:20.250Z",
        "2023-11-14T22:14:20.500Z",
    )
    assert node["checks"] == {"actors": True}
    assert node["blocks"][0]["seconds"] == 1.5


async def test_connections_are_listed_with_who_and_whence(
    api: Any, connect: Any, ada: Any, olga: Any
) -> None:
    sockets = [await connect(), await connect(ada)]
    body = (await api("GET", "/api/v1/ops/connections", who=olga)).body
    newest, oldest = body["data"]

    assert newest["user"] == {"id": str(ada.user.id), "name": "ada"}
    assert UUID(newest["session"]).version == 7
    assert (oldest["user"], oldest["session"]) == (None, None)
    assert newest["address"] == "127.0.0.0/24"
    assert (newest["queue_bytes"], body["next_cursor"]) == (0, None)
    assert 0 <= newest["idle_ms"] < 60_000
    for socket in sockets:
        await socket.close()
    while len(api.client.server.app[CONNECTIONS]):
        await asyncio.sleep(0)
    assert (await api("GET", "/api/v1/ops/connections", who=olga)).body["data"] == []


async def test_connections_are_listed_page_by_page(api: Any, connect: Any, olga: Any) -> None:
    sockets = [await connect() for _ in range(5)]
    found: list[int] = []
    cursor = ""
    while True:
        address = f"/api/v1/ops/connections?limit=2{cursor}"
        body = (await api("GET", address, who=olga)).body
        found += [each["connection_id"] for each in body["data"]]
        if body["next_cursor"] is None:
            break
        cursor = f"&cursor={body['next_cursor']}"

    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(sockets)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        (None, "unknown"),
    ],
)
def test_an_address_is_told_as_the_network_it_is_of(address: str | None, network: str) -> None:
    assert masked(address) == network


@given(st.ip_addresses(v=4))
def test_neighbours_cannot_be_told_apart(address: Any) -> None:
    assert masked(str(address)) == masked(str(ip_address(int(address) ^ 0xFF)))


async def test_everybodys_jobs_are_listed_by_state(
    api: Any, actors: Any, ada: Any, bob: Any, olga: Any
) -> None:
    made = [
        actors.add_job(actors.add_track(who.user), state)
        for who, state in (
            (ada, JobState.QUEUED),
            (bob, JobState.FAILED),
            (ada, JobState.FAILED),
        )
    ]
    everything = (await api("GET", "/api/v1/ops/jobs?limit=2", who=olga)).body
    rest = await api("GET", f"/api/v1/ops/jobs?cursor={everything['next_cursor']}", who=olga)
    failed = (await api("GET", "/api/v1/ops/jobs?state=failed", who=olga)).body

    assert [each["id"] for each in everything["data"]] == [str(made[2].id), str(made[1].id)]
    assert [each["id"] for each in rest.body["data"]] == [str(made[0].id)]
    assert [each["owner"]["name"] for each in failed["data"]] == ["ada", "bob"]
    assert (failed["data"][0]["attempts"], failed["data"][0]["title"]) == (1, "Nocturne")
    await api("GET", "/api/v1/ops/jobs?state=lost", who=olga, status=422)
    # A list of one state goes on with its own cursor only.
    wrong = f"/api/v1/ops/jobs?state=failed&cursor={everything['next_cursor']}"
    await api("GET", wrong, who=olga, status=422)


async def test_tracks_are_encoded_anew_by_part_and_in_the_name_of_who_asks(
    api: Any, actors: Any, ada: Any, olga: Any
) -> None:
    ids = [actors.add_track(ada.user).id for _ in range(2)]
    address = "/api/v1/ops/encodings"

    assert (await api("GET", address, who=olga)).body["outdated"] == 2
    whole = await api("POST", address, who=olga, json={**BODY, "which": "all"})
    assert whole.body == {"queued": 2, "last": str(ids[1])}
    after = await api("POST", address, who=olga, json={**BODY, "after": str(ids[0])})
    assert after.body["queued"] == 1
    one = await api("POST", address, who=olga, json={**BODY, "track_id": str(ids[0])})
    assert one.body == {"queued": 1, "last": str(ids[0])}
    assert [(each.which, each.by.name) for each in actors.operated] == [
        ("all", "olga"),
        ("outdated", "olga"),
        ("one", "olga"),
    ]
    await api("POST", address, who=olga, json={**BODY, "which": "one"}, status=422)


async def test_the_media_store_is_checked_and_tidied_part_by_part(
    api: Any, actors: Any, olga: Any
) -> None:
    address = "/api/v1/ops/media"
    checked = (await api("GET", f"{address}/check?fast=true", who=olga)).body
    rest = await api("GET", f"{address}/check?after={checked['last']}&shelf=attachments", who=olga)
    body = {**BODY, "kind": "media", "older_than_seconds": 7200, "deletes": True}
    collected = (await api("POST", f"{address}/gc", who=olga, json=body)).body

    assert checked["bad"] == [{"key": "media/x/0.mp4", "fate": "missing"}]
    assert rest.body["last"] is None
    assert collected == {"objects": 2, "size_bytes": 7, "last": "x"}
    fast, slow, gc = actors.operated
    assert (fast.is_fast, slow.is_fast, slow.shelf) == (True, False, "attachments")
    assert (gc.deletes, gc.older_than_seconds, gc.by.name) == (True, 7200, "olga")
    for wrong in ({"kind": "uploads"}, {"older_than_seconds": 60}, {"deletes": 1}):
        await api("POST", f"{address}/gc", who=olga, json={**body, **wrong}, status=422)


async def test_draining_the_node_is_draining_its_root(
    api: Any, actors: Any, olga: Any, staff: Any
) -> None:
    answered = await api("POST", "/api/v1/ops/drain", who=olga, json=BODY, status=202)

    by = Operator(name="olga", user_id=str(olga.user.id), via="http")
    assert actors.operated == [
        ActOnActor(path="/veza/root", action=ActorAction.DRAIN, by=by, reason="A new version.")
    ]
    assert (answered.body["path"], answered.body["action"]) == ("/veza/root", "drain")


async def test_what_operators_did_is_listed_page_by_page(api: Any, actors: Any, root: Any) -> None:
    for number in range(3):
        by = root.user.id if number else None
        act = RecordAct(
            act_id=uuid7(),
            actor_id=by,
            actor_name="root",
            via="http" if by else "socket",
            action="actor.stop",
            target="/veza/root/rooms/a",
            reason=f"Reason {number}",
            request_id="request-0815",
        )
        await actors.ask(("audit", ""), act)
    first = (await api("GET", "/api/v1/audit?limit=2", who=root)).body
    second = (await api("GET", f"/api/v1/audit?cursor={first['next_cursor']}", who=root)).body

    assert [each["reason"] for each in first["data"]] == ["Reason 2", "Reason 1"]
    assert [each["reason"] for each in second["data"]] == ["Reason 0"]
    assert first["data"][0]["actor_id"] == str(root.user.id)
    assert (second["data"][0]["actor_id"], second["data"][0]["via"]) == (None, "socket")
    assert second["next_cursor"] is None


# --- over the unix socket ---


async def test_the_socket_answers_what_http_does_and_nothing_of_clients(
    api: Any, socket_api: Any, olga: Any
) -> None:
    for address in ("tree", "nodes", "crashes", "dead-letters", "actors/veza/root/rooms/a"):
        over_http = await api("GET", f"/api/v1/ops/{address}", who=olga)
        assert await socket_api("GET", f"/ops/{address}") == over_http.body
    assert await socket_api("GET", "/ops/audit") == {"data": [], "next_cursor": None}
    for address in ("/api/v1/me", "/api/v1/ops/tree", "/audit", "/metrics"):
        headers = {"Origin": "https://a.example"}
        body = await socket_api("GET", address, 404, headers=headers)
        assert body["code"] == "not_found"


async def test_who_holds_the_socket_acts_as_the_user_of_this_machine(
    socket_api: Any, actors: Any
) -> None:
    acted = await socket_api("POST", "/ops/actors/veza/root/rooms/a/stop", json=BODY)

    by = actors.operated[0].by
    assert acted["action"] == "stop"
    assert (by.name, by.user_id, by.via) == (ME, "", "socket")


async def test_who_holds_the_socket_may_talk_to_actors_by_hand(socket_api: Any) -> None:
    body = {**BODY, "path": "/veza/root/rooms/a", "type": "DescribeRoom"}

    assert (await socket_api("POST", "/ops/ask", json=body))["reply_type"] == "RoomDescribed"


async def test_a_reason_is_wanted_on_the_socket_too(socket_api: Any, actors: Any) -> None:
    body = await socket_api("POST", "/ops/drain", 422, json={})

    assert body["code"] == "validation_failed"
    assert actors.operated == []
