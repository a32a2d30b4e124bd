"""Owners change their tracks, by version; who may not hear one does not hear of it."""

from typing import Any

import pytest
from aiohttp import FormData

FUTURE = "2999-01-01T00:00:00Z"


async def change(
    api: Any, track: Any, who: Any, match: str = "*", status: int = 200, **body: Any
) -> Any:
    return await api(
        "PATCH",
        f"/api/v1/tracks/{track.id}",
        who=who,
        headers={"If-Match": match},
        json=body,
        status=status,
    )


@pytest.fixture
def track(actors: Any, ada: Any) -> Any:
    return actors.add_track(ada.user)


async def test_an_owner_changes_what_they_name_and_the_version_moves(
    api: Any, track: Any, ada: Any
) -> None:
    shown = await api("GET", f"/api/v1/tracks/{track.id}")
    body = {"title": "  Dawn ", "visibility": "unlisted", "release_at": FUTURE}
    changed = await change(api, track, ada, shown.headers["ETag"], **body)

    assert (changed.body["title"], changed.body["visibility"]) == ("Dawn", "unlisted")
    assert changed.body["release_at"] == "2999-01-01T00:00:00.000Z"
    again = await change(api, track, ada, changed.headers["ETag"], release_at=None)
    assert (again.body["release_at"], again.body["title"]) == (None, "Dawn")
    late = await change(api, track, ada, shown.headers["ETag"], 412, title="Late")
    assert late.body["code"] == "version_conflict"


async def test_a_change_needs_a_version_an_owner_and_sense(
    api: Any, track: Any, ada: Any, bob: Any
) -> None:
    address = f"/api/v1/tracks/{track.id}"
    await api("PATCH", address, who=ada, json={"title": "X"}, status=428)
    await change(api, track, bob, status=403, title="Mine")
    for wrong in ({"title": " "}, {"visibility": "secret"}, {"release_at": "soon"}, {"plays": 9}):
        await change(api, track, ada, status=422, **wrong)


@pytest.mark.parametrize(
    "hidden", [{"visibility": "private"}, {"visibility": "followers"}, {"release_at": FUTURE}]
)
async def test_every_way_to_a_hidden_track_is_closed_but_to_its_owner(
    hidden: Any, api: Any, track: Any, ada: Any, bob: Any
) -> None:
    await change(api, track, ada, **hidden)
    ways = [
        ("GET", ""),
        ("GET", "/waveform"),
        ("GET", "/playback"),
        ("POST", "/plays"),
        ("GET", "/statistics"),
        ("POST", "/playback/revoke"),
    ]
    report = {"play_id": "01890a5d-ac96-774b-bcce-b302099a8057", "heard_ms": 1, "position_ms": 1}
    for method, rest in ways:
        more = {"json": report} if rest == "/plays" else {}
        address = f"/api/v1/tracks/{track.id}{rest}"
        await api(method, address, status=404, who=bob, **more)
        if rest not in {"/statistics", "/playback/revoke"}:
            await api(method, address, status=404, **more)
    await change(api, track, bob, status=404, title="Mine")
    assert (await api("GET", "/api/v1/tracks", who=bob)).body["data"] == []
    await api("GET", f"/api/v1/tracks/{track.id}", who=ada)


async def test_followers_hear_what_is_kept_for_them(
    api: Any, track: Any, ada: Any, bob: Any
) -> None:
    await change(api, track, ada, visibility="followers")
    address = f"/api/v1/users/{ada.user.id}/follow"
    assert (await api("PUT", address, who=bob)).body == {"followers": 1, "is_following": True}
    await api("PUT", address, who=bob)
    assert (await api("GET", address, who=ada)).body == {"followers": 1, "is_following": False}

    await api("GET", f"/api/v1/tracks/{track.id}/playback", who=bob)
    followed = (await api("GET", "/api/v1/me/following", who=bob)).body
    assert followed == {"data": [{"id": str(ada.user.id), "name": "ada"}], "next_cursor": None}

    assert (await api("DELETE", address, who=bob)).body["followers"] == 0
    await api("GET", f"/api/v1/tracks/{track.id}/playback", who=bob, status=404)
    await api("PUT", address, who=ada, status=409)
    await api(
        "PUT", "/api/v1/users/01890a5d-ac96-774b-bcce-b302099a8057/follow", who=bob, status=404
    )


async def test_what_a_track_says_of_itself_is_its_owners_to_change(
    api: Any, track: Any, ada: Any
) -> None:
    said = {"album": " Nuits <b> ", "genre": "Dub", "track_number": 3}
    changed = await change(api, track, ada, **said)
    assert [changed.body[name] for name in said] == ["Nuits <b>", "Dub", 3]
    again = await change(api, track, ada, track_number=None)
    assert (again.body["album"], again.body["track_number"]) == ("Nuits <b>", None)
    for wrong in ({"track_number": -1}, {"track_number": 10_000}, {"album": "x" * 201}):
        await change(api, track, ada, status=422, **wrong)


def picture() -> FormData:
    form = FormData()
    form.add_field("file", b"picture", filename="a.png")
    return form


async def test_a_picture_is_chosen_kept_for_ever_and_taken_away(
    api: Any, track: Any, ada: Any, bob: Any
) -> None:
    address = f"/api/v1/tracks/{track.id}/artwork"
    await api("GET", address, status=404)
    await api("POST", address, who=bob, data=picture(), status=403)
    accepted = await api("POST", address, who=ada, data=picture(), status=202)
    shown = await api("GET", f"/api/v1/tracks/{track.id}")
    named = await api("GET", shown.body["artwork_url"])
    unnamed = await api("GET", f"{address}?tag=another")

    assert accepted.body["track_id"] == str(track.id)
    assert named.raw == unnamed.raw == b"picture"
    assert "immutable" in named.headers["Cache-Control"]
    assert unnamed.headers["Cache-Control"] == "private, no-cache"
    assert named.headers["Content-Type"] == "image/webp"
    await api("GET", address, headers={"If-None-Match": named.headers["ETag"]}, status=304)
    await api("DELETE", address, who=bob, status=403)
    await api("DELETE", address, who=ada, status=204)
    assert (await api("GET", f"/api/v1/tracks/{track.id}")).body["artwork_url"] is None


async def test_details_are_shown_as_they_are_kept(api: Any, ada: Any, actors: Any) -> None:
    track = actors.add_track(ada.user)
    address = f"/api/v1/tracks/{track.id}"
    shown = await api("GET", address, who=ada)
    body = {
        "description": "Two takes.\r\nOne mix.",
        "credits": [{"role": "Flute", "name": "Zoé"}],
        "tags": ["#Deep  House", "deep house", "Lofi"],
        "licence": "cc-by-sa",
        "bpm": 98,
        "key": "Eb major",
    }
    headers = {"If-Match": shown.headers["ETag"]}

    changed = await api("PATCH", address, who=ada, json=body, headers=headers)

    told = {name: changed.body[name] for name in body}
    assert told == body | {"description": "Two takes.\nOne mix.", "tags": ["deep house", "lofi"]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tags", ["x"] * 11),
        ("tags", [" # "]),
        ("credits", [{"role": "Mix"}]),
        ("licence", "mine"),
        ("bpm", 19),
        ("key", "H major"),
        ("description", "x" * 4_001),
    ],
)
async def test_details_that_do_not_fit_are_named(
    api: Any, ada: Any, actors: Any, field: str, value: object
) -> None:
    address = f"/api/v1/tracks/{actors.add_track(ada.user).id}"
    headers = {"If-Match": "*"}

    refused = await api("PATCH", address, who=ada, json={field: value}, headers=headers, status=422)

    assert refused.body["errors"][0]["pointer"].startswith(f"/{field}")
