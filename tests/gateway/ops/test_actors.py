"""Looking at actors, acting on them, tracing them, talking to them: what is asked is what is done."""

from typing import Any

import orjson
import pytest

from veza.actors.messages import operator
from veza.actors.messages.common import Busy, TimedOut
from veza.gateway.wire import ops as views
from veza.gateway.wire.tree import actor_json, branch_json, figures_json, flat_rows

BODY = {"reason": "It hangs."}
ROOM = "/veza/root/rooms/a"


async def test_the_tree_is_told_with_all_that_an_actor_has(
    api: Any, olga: Any, actors: Any
) -> None:
    answered = await api("GET", "/api/v1/ops/tree", who=olga)
    root = answered.body["root"]

    assert (root["path"], root["class"]) == ("/veza/root", "Supervisor")
    assert root["supervision"]["strategy"] == "one_for_one"
    assert root["unhealthy"] == ["waiting"]
    assert [each["name"] for each in root["children"][0]["children"]] == ["a", "b"]
    assert root["started_at"] == "2023-11-14T22:13:20.000Z"
    assert actors.operated == [operator.ReadTree(under="", children=200)]


@pytest.mark.parametrize("under", ["/veza/root", "veza/root"])
async def test_one_may_begin_anywhere_and_see_fewer(
    api: Any, olga: Any, actors: Any, under: str
) -> None:
    await api("GET", f"/api/v1/ops/tree?under={under}&children=5", who=olga)

    assert actors.operated == [operator.ReadTree(under="/veza/root", children=5)]


@pytest.mark.parametrize("children", ["0", "201", "many"])
async def test_so_many_children_are_shown_and_no_more(api: Any, olga: Any, children: str) -> None:
    await api("GET", f"/api/v1/ops/tree?children={children}", who=olga, status=422)


def test_what_is_written_by_hand_is_what_the_views_declare(actors: Any) -> None:
    root, figures = actors.operator.root, actors.operator.figures
    declared = views.ActorView.of(root).model_dump_json()
    assert orjson.loads(orjson.dumps(branch_json(root))) == orjson.loads(declared)

    node = views.NodeView.at(figures, 4).model_dump(mode="json")
    node.pop("blocks")
    assert orjson.loads(orjson.dumps(figures_json(figures, 4))) == node


def test_rows_of_the_tree_know_their_parents_and_leave_out_the_deepest(actors: Any) -> None:
    root = actors.operator.root
    rows = flat_rows(root, 100)

    assert {path: row["parent"] for path, row in rows.items()} == {
        "/veza/root": None,
        "/veza/root/rooms": "/veza/root",
        "/veza/root/rooms/a": "/veza/root/rooms",
        "/veza/root/rooms/b": "/veza/root/rooms",
    }
    assert rows[ROOM] == {**actor_json(root.children[0].children[0]), "parent": "/veza/root/rooms"}
    assert list(flat_rows(root, 2)) == ["/veza/root", "/veza/root/rooms"]


async def test_an_actor_is_shown_from_near(api: Any, olga: Any, staff: Any) -> None:
    for path in ("veza/root/rooms", "veza%2Froot%2Frooms"):
        body = (await api("GET", f"/api/v1/ops/actors/{path}", who=olga)).body

        assert body["actor"]["path"] == "/veza/root/rooms"
        assert [each["children"] for each in body["actor"]["children"]] == [[], []]
        assert body["state"] == {"members": "3"}
        assert body["recent"][0] == {
            "type": "Ready",
            "at": "2023-11-14T22:13:20.000Z",
            "wait_ms": 0.5,
            "run_ms": 1.5,
        }
        assert body["handlers"][0]["stack"] == ["a", "b"]
        assert body["exits"][0]["traceback"] == "Traceback"


@pytest.mark.parametrize(
    "action", [each for each in operator.ActorAction if each is not operator.ActorAction.SUSPEND]
)
async def test_an_act_is_told_with_who_and_why(
    api: Any, olga: Any, staff: Any, actors: Any, action: operator.ActorAction
) -> None:
    body = {"reason": "  It hangs. "}
    answered = await api("POST", f"/api/v1/ops/actors{ROOM}/{action}", who=olga, json=body)

    by = operator.Operator(name="olga", user_id=str(olga.user.id), via="http")
    assert actors.operated == [
        operator.ActOnActor(path=ROOM, action=action, by=by, reason="It hangs.")
    ]
    assert answered.body == {
        "path": ROOM,
        "action": action,
        "note": "It goes on.",
        "is_audited": True,
    }


async def test_an_act_that_only_the_log_knows_of_says_so(api: Any, olga: Any, staff: Any) -> None:
    staff.is_audited = False

    answered = await api("POST", f"/api/v1/ops/actors{ROOM}/kill", who=olga, json=BODY)

    assert answered.body["is_audited"] is False


async def test_what_an_actor_cannot_take_is_refused(api: Any, olga: Any, staff: Any) -> None:
    address = f"/api/v1/ops/actors{ROOM}/suspend"

    answered = await api("POST", address, who=olga, json=BODY, status=409)

    assert answered.body["code"] == "invalid_state"


@pytest.mark.parametrize(
    ("reply", "status"), [(Busy(command="x"), 503), (TimedOut(command="x"), 504)]
)
async def test_an_operator_that_does_not_answer_is_told_as_any_actor(
    api: Any, olga: Any, actors: Any, reply: object, status: int
) -> None:
    actors.faults["operator"] = reply

    await api("GET", "/api/v1/ops/tree", who=olga, status=status)


async def test_a_trace_is_started_with_its_bounds_and_read_on(
    api: Any, olga: Any, staff: Any, actors: Any
) -> None:
    body = {**BODY, "limit": 7, "seconds": 2.5, "type": "Ready", "with_bodies": True}
    started = await api("POST", f"/api/v1/ops/actors{ROOM}/trace", who=olga, json=body, status=201)
    command = actors.operated[0]

    assert (command.limit, command.seconds, command.message_type) == (7, 2.5, "Ready")
    assert command.with_bodies is True
    assert (started.body["trace"]["limit"], started.body["messages"]) == (7, [])
    trace_id = started.body["trace"]["trace_id"]
    read = await api("GET", f"/api/v1/ops/traces/{trace_id}?after=1", who=olga)
    assert [each["number"] for each in read.body["messages"]] == [2, 3]
    assert read.body["messages"][0]["type"] == "Ready"


@pytest.mark.parametrize(
    "wrong",
    [{"limit": 0}, {"limit": 501}, {"limit": "7"}, {"seconds": 0.5}, {"seconds": 61}],
)
async def test_a_trace_is_bounded(api: Any, olga: Any, staff: Any, wrong: dict[str, Any]) -> None:
    address = f"/api/v1/ops/actors{ROOM}/trace"

    await api("POST", address, who=olga, json={**BODY, **wrong}, status=422)


async def test_a_message_by_hand_is_sent_and_its_reply_shown(
    api: Any, root: Any, staff: Any, actors: Any
) -> None:
    body = {**BODY, "path": ROOM, "type": "DescribeRoom", "fields": {"room_id": "x"}}
    asked = await api("POST", "/api/v1/ops/ask", who=root, json={**body, "timeout_ms": 500})
    told = await api("POST", "/api/v1/ops/tell", who=root, json=body)

    assert asked.body == {
        "reply_type": "RoomDescribed",
        "reply": '{"room": 1}',
        "is_audited": True,
    }
    assert told.body == {"reply_type": "", "reply": "", "is_audited": True}
    assert [each.timeout_seconds for each in actors.operated] == [0.5, 0.0]
    assert actors.operated[0].fields == {"room_id": "x"}


async def test_a_message_that_does_not_exist_is_refused(api: Any, root: Any, staff: Any) -> None:
    body = {**BODY, "path": ROOM, "type": "Nonsense"}

    answered = await api("POST", "/api/v1/ops/ask", who=root, json=body, status=422)

    assert answered.body["code"] == "validation_failed"
