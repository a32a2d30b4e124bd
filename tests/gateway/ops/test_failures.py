"""What failed is listed newest first, shown with its cause, and settled one by one or at once."""

from typing import Any

BODY = {"reason": "Seen to."}
LETTERS = "/api/v1/ops/dead-letters"


async def test_dead_letters_are_listed_page_by_page(api: Any, olga: Any, staff: Any) -> None:
    first = (await api("GET", f"{LETTERS}?limit=3", who=olga)).body
    second = (await api("GET", f"{LETTERS}?cursor={first['next_cursor']}", who=olga)).body

    assert [each["letter_id"] for each in first["data"]] == [5, 4, 3]
    assert [each["letter_id"] for each in second["data"]] == [2, 1]
    assert (first["total"], second["next_cursor"]) == (40, None)
    assert first["data"][0]["type"] == "PostMessage"
    assert [each["can_replay"] for each in first["data"]] == [True, True, False]


async def test_a_cursor_of_another_list_is_refused(api: Any, olga: Any, staff: Any) -> None:
    cursor = (await api("GET", f"{LETTERS}?limit=3", who=olga)).body["next_cursor"]

    for address in ("/api/v1/audit", "/api/v1/ops/jobs", "/api/v1/ops/connections"):
        answered = await api("GET", f"{address}?cursor={cursor}", who=olga, status=422)
        assert answered.body["code"] == "invalid_cursor"


async def test_a_dead_letter_is_sent_again_if_somebody_is_there_to_take_it(
    api: Any, olga: Any, staff: Any
) -> None:
    sent = await api("POST", f"{LETTERS}/5/replay", who=olga, json=BODY)
    refused = await api("POST", f"{LETTERS}/3/replay", who=olga, json=BODY, status=409)

    assert sent.body == {"count": 1, "is_audited": True}
    assert refused.body["code"] == "invalid_state"


async def test_dead_letters_are_forgotten_one_or_all(api: Any, olga: Any, staff: Any) -> None:
    one = await api("POST", f"{LETTERS}/5/discard", who=olga, json=BODY)
    rest = await api("POST", f"{LETTERS}/discard", who=olga, json=BODY)

    assert (one.body["count"], rest.body["count"]) == (1, 4)
    assert (await api("GET", LETTERS, who=olga)).body["data"] == []


async def test_crashes_are_told_by_cause_and_each_with_its_traceback(
    api: Any, olga: Any, staff: Any
) -> None:
    page = (await api("GET", "/api/v1/ops/crashes", who=olga)).body
    (group,) = page["data"]
    one = (await api("GET", f"/api/v1/ops/crashes/{group['fingerprint']}", who=olga)).body

    assert (page["total"], page["next_cursor"]) == (2, None)
    assert (group["class"], group["count"]) == ("RoomActor", 2)
    assert group["last_at"] == "2023-11-14T22:13:21.000Z"
    assert one["group"] == group
    assert one["crashes"][0]["traceback"] == "Traceback"
