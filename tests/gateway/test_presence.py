"""Who is there, over HTTP: to members and acquaintances; and what a client may say of itself."""

import json
from typing import Any

import pytest

from veza.actors.messages.presence import Listening, SetPresence, Status
from veza.gateway import wire


async def new_room(api: Any, who: Any) -> str:
    made = await api("POST", "/api/v1/rooms", who=who, json={"name": "Kitchen"}, status=201)
    room_id: str = made.body["id"]
    return room_id


async def test_members_see_who_is_there_and_others_do_not(
    api: Any, actors: Any, ada: Any, bob: Any
) -> None:
    path = f"/api/v1/rooms/{await new_room(api, ada)}/presence"
    song = Listening(track_id=None, title="Aube")
    actors.chosen[ada.user.id] = SetPresence(frame_id=None, status=Status.DND, activity=song)

    shown = await api("GET", path, who=ada)
    refused = await api("GET", path, who=bob, status=403)

    assert shown.body == {
        "online": 1,
        "data": [
            {
                "user": str(ada.user.id),
                "status": "dnd",
                "activity": {"type": "listening", "track": None, "title": "Aube"},
                "last_seen_at": None,
            }
        ],
    }
    assert refused.body["code"] == "not_a_member"


async def test_a_room_that_is_not_there_has_no_presence(api: Any, ada: Any) -> None:
    path = f"/api/v1/rooms/{ada.user.id}/presence"

    assert (await api("GET", path, who=ada, status=404)).body["code"] == "not_found"


async def test_whoever_shares_a_room_learns_when_somebody_was_seen_last(
    api: Any, ada: Any, bob: Any
) -> None:
    path = f"/api/v1/users/{ada.user.id}/presence"
    assert (await api("GET", path, who=bob, status=404)).body["code"] == "not_found"
    room_id = await new_room(api, ada)
    await api("PUT", f"/api/v1/rooms/{room_id}/members/me", who=bob)

    shown = await api("GET", path, who=bob)

    assert (shown.body["status"], shown.body["last_seen_at"]) == (
        "offline",
        "2026-05-04T03:02:01.000Z",
    )


@pytest.mark.parametrize(
    ("said", "pointer", "code"),
    [
        ({}, "/d/status", "required"),
        ({"status": "offline"}, "/d/status", "invalid_value"),
        ({"status": "online", "room": "x"}, "/d/room", "unknown_field"),
        (
            {"status": "online", "activity": {"type": "playing"}},
            "/d/activity/type",
            "invalid_value",
        ),
        (
            {"status": "online", "activity": {"type": "listening", "title": "a" * 201}},
            "/d/activity/title",
            "too_long",
        ),
        (
            {"status": "online", "activity": {"type": "listening", "title": "a\tb"}},
            "/d/activity/title",
            "invalid_value",
        ),
    ],
)
def test_what_is_no_presence_is_refused_with_its_place(
    said: dict[str, Any], pointer: str, code: str
) -> None:
    with pytest.raises(wire.FrameError) as refused:
        wire.decode_frame(json.dumps({"t": "presence.set", "d": said}))

    found = {(each.pointer, each.code.value) for each in refused.value.problem.errors}
    assert (pointer, code) in found
