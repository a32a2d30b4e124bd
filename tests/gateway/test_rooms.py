"""Rooms over HTTP: pages are stable and complete, a message is posted once, only for oneself."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from veza.actors.messages.rooms import EventKind


async def new_room(api: Any, who: Any, name: str = "Lounge") -> dict[str, Any]:
    answered = await api("POST", "/api/v1/rooms", who=who, json={"name": name}, status=201)
    room: dict[str, Any] = answered.body
    return room


async def test_a_new_room_has_its_maker_and_an_address(api: Any, ada: Any) -> None:
    answered = await api("POST", "/api/v1/rooms", who=ada, json={"name": " Lounge "}, status=201)

    room = answered.body
    assert (room["name"], room["kind"], room["member_count"]) == ("Lounge", "public", 1)
    assert UUID(room["id"]).version == 7
    shown = await api("GET", answered.headers["Location"], who=ada)
    assert shown.body == room


@pytest.mark.parametrize(
    "name",
    [
        "",
        "  ",
        "x" * 101,
        "two\nlines",
        "nul\x00",
        "bell\x07",
        "line\u2028two",
        "\u200b\ufeff",
        "\u202egpj.exe",
        5,
        None,
    ],
)
async def test_a_room_needs_a_proper_name(api: Any, ada: Any, name: Any) -> None:
    answered = await api("POST", "/api/v1/rooms", who=ada, json={"name": name}, status=422)

    assert answered.body["errors"][0]["pointer"] == "/name"


async def test_pages_hold_every_room_once_although_new_ones_appear(api: Any, ada: Any) -> None:
    made = [(await new_room(api, ada, f"Room {n}"))["id"] for n in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await api("GET", f"/api/v1/rooms?limit=2{cursor}", who=ada)).body
        seen += [room["id"] for room in page["data"]]
        await new_room(api, ada, "late")
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert seen == made[::-1]


@pytest.mark.parametrize("limit", ["0", "201", "x", "-1", "1.5"])
async def test_a_limit_outside_1_to_200_is_refused(api: Any, ada: Any, limit: str) -> None:
    answered = await api("GET", f"/api/v1/rooms?limit={limit}", who=ada, status=422)

    assert answered.body["errors"][0]["pointer"] == "/limit"


@pytest.mark.parametrize("cursor", ["x", "AAAA", "%00", "é", "A" * 200])
async def test_a_cursor_that_is_none_of_ours_is_refused(api: Any, ada: Any, cursor: str) -> None:
    answered = await api("GET", f"/api/v1/rooms?cursor={cursor}", who=ada, status=422)

    assert answered.body["code"] == "invalid_cursor"


async def test_a_cursor_of_one_list_is_not_good_for_another(
    api: Any, actors: Any, ada: Any
) -> None:
    for _ in range(2):
        await new_room(api, ada)
    page = (await api("GET", "/api/v1/rooms?limit=1", who=ada)).body

    answered = await api("GET", f"/api/v1/tracks?cursor={page['next_cursor']}", status=422)

    assert answered.body["code"] == "invalid_cursor"


@pytest.mark.parametrize("path", ["/rooms/{}", "/rooms/{}/messages"])
@pytest.mark.parametrize("room_id", ["nonsense", "ae574d04-0669-413f-b78c-0bd565f36615"])
async def test_an_unknown_room_is_not_found(api: Any, ada: Any, path: str, room_id: str) -> None:
    answered = await api("GET", f"/api/v1{path.format(room_id)}", who=ada, status=404)

    assert answered.body["code"] == "not_found"


async def test_one_enters_as_me_and_leaves_by_id(api: Any, ada: Any, bob: Any) -> None:
    room = await new_room(api, ada)
    members = f"/api/v1/rooms/{room['id']}/members"

    entered = await api("PUT", f"{members}/me", who=bob)
    await api("DELETE", f"{members}/{bob.user.id}", who=bob, status=204)

    assert entered.body["member_count"] == 2
    left = await api("GET", f"/api/v1/rooms/{room['id']}", who=ada)
    assert left.body["member_count"] == 1


async def test_a_message_sent_twice_is_posted_once(api: Any, ada: Any) -> None:
    room = await new_room(api, ada)
    path = f"/api/v1/rooms/{room['id']}/messages"
    body = {"text": "salut", "message_id": str(uuid4())}

    first = await api("POST", path, who=ada, json=body, status=201)
    again = await api("POST", path, who=ada, json=body, status=200)

    assert first.body == again.body
    assert first.body["author"] == {"id": str(ada.user.id), "name": "ada"}
    assert first.body["at"].endswith("Z")
    assert len((await api("GET", path, who=ada)).body["data"]) == 1


async def test_a_stranger_may_not_post(api: Any, ada: Any, bob: Any) -> None:
    room = await new_room(api, ada)
    path = f"/api/v1/rooms/{room['id']}/messages"

    answered = await api("POST", path, who=bob, json={"text": "hi"}, status=403)

    assert answered.body["code"] == "not_a_member"


async def test_text_is_kept_in_its_composed_form_and_counted_in_it(api: Any, ada: Any) -> None:
    path = f"/api/v1/rooms/{(await new_room(api, ada))['id']}/messages"

    stored = await api("POST", path, who=ada, json={"text": "e\u0301" * 4000}, status=201)
    await api("POST", path, who=ada, json={"text": "x" * 4001}, status=422)

    assert stored.body["text"] == "é" * 4000


async def test_text_keeps_its_lines_and_they_end_as_everywhere(api: Any, ada: Any) -> None:
    path = f"/api/v1/rooms/{(await new_room(api, ada))['id']}/messages"

    stored = await api("POST", path, who=ada, json={"text": "one\r\n\ttwo\n"}, status=201)

    assert stored.body["text"] == "one\n\ttwo\n"


@pytest.mark.parametrize("text", ["", " \n\t ", "nul\x00", "escape\x1b[31m", "\u200b\x00"])
async def test_a_message_needs_text_that_can_be_shown(api: Any, ada: Any, text: str) -> None:
    path = f"/api/v1/rooms/{(await new_room(api, ada))['id']}/messages"

    answered = await api("POST", path, who=ada, json={"text": text}, status=422)

    assert answered.body["errors"][0]["pointer"] == "/text"


async def talk(api: Any, actors: Any, who: Any, messages: int, joins: int = 0) -> str:
    room = await new_room(api, who)
    path = f"/api/v1/rooms/{room['id']}/messages"
    for n in range(messages):
        await api("POST", path, who=who, json={"text": f"m{n}"}, status=201)
    author = next(iter(actors.rooms.values())).events[0].author
    for _ in range(joins):
        actors.append(actors.rooms[UUID(room["id"])], EventKind.MEMBER_JOINED, author)
    return path


async def walk(api: Any, who: Any, path: str, query: str) -> list[list[str]]:
    pages, cursor = [], query
    while True:
        page = (await api("GET", f"{path}?{cursor}", who=who)).body
        pages.append([message["text"] for message in page["data"]])
        if page["next_cursor"] is None:
            return pages
        limit = query.partition("&")[0]
        cursor = f"{limit}&cursor={page['next_cursor']}"


async def test_history_pages_backwards_from_the_newest(api: Any, actors: Any, ada: Any) -> None:
    path = await talk(api, actors, ada, 5)

    assert await walk(api, ada, path, "limit=2") == [["m3", "m4"], ["m1", "m2"], ["m0"]]


async def test_history_pages_forwards_from_a_position(api: Any, actors: Any, ada: Any) -> None:
    path = await talk(api, actors, ada, 5)

    assert await walk(api, ada, path, "limit=2&after_seq=2") == [["m1", "m2"], ["m3", "m4"]]


async def test_history_ends_before_a_position(api: Any, actors: Any, ada: Any) -> None:
    path = await talk(api, actors, ada, 5)

    assert await walk(api, ada, path, "limit=9&before_seq=4") == [["m0", "m1"]]


async def test_a_page_of_one_around_a_message_is_that_message(
    api: Any, actors: Any, ada: Any
) -> None:
    path = await talk(api, actors, ada, 5)

    page = (await api("GET", f"{path}?around=4&limit=1", who=ada)).body
    assert [message["text"] for message in page["data"]] == ["m2"]
    assert await walk(api, ada, path, f"limit=1&cursor={page['next_cursor']}") == [["m3"], ["m4"]]
    assert await walk(api, ada, path, f"limit=1&cursor={page['prev_cursor']}") == [["m1"], ["m0"]]


async def test_a_crowd_that_came_and_went_does_not_hide_the_messages(
    api: Any, actors: Any, ada: Any
) -> None:
    path = await talk(api, actors, ada, 2, joins=450)

    assert await walk(api, ada, path, "limit=50") == [["m0", "m1"]]


async def test_two_positions_at_once_are_refused(api: Any, actors: Any, ada: Any) -> None:
    path = await talk(api, actors, ada, 1)

    await api("GET", f"{path}?before_seq=1&after_seq=2", who=ada, status=422)
