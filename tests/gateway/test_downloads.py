"""A file goes home to whom its owner lets have it: whole, in part, or by way of a proxy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from veza.gateway.keys import SETTINGS

SOUND = bytes(range(256)) * 400


@pytest.fixture
def track(actors: Any, ada: Any, tmp_path: Path) -> Any:
    track = actors.add_track(ada.user, title='Käse "und"/Brot', artist="Ada")
    path = tmp_path / "source"
    path.write_bytes(SOUND)
    actors.originals[track.id] = path
    return track


def address(track: Any) -> str:
    return f"/api/v1/tracks/{track.id}/download"


async def let(api: Any, track: Any, ada: Any, downloads: str) -> None:
    await api(
        "PATCH",
        f"/api/v1/tracks/{track.id}",
        who=ada,
        headers={"If-Match": "*"},
        json={"downloads": downloads},
    )


async def test_the_file_comes_as_it_was_uploaded_with_a_name_of_its_own(
    api: Any, track: Any, ada: Any, bob: Any
) -> None:
    await let(api, track, ada, "everybody")
    whole = await api("GET", address(track))
    part = await api("GET", address(track), who=bob, headers={"Range": "bytes=3-5"}, status=206)
    head = await api("HEAD", address(track))

    assert whole.raw == SOUND
    assert (part.raw, part.headers["Content-Range"]) == (b"\3\4\5", f"bytes 3-5/{len(SOUND)}")
    assert head.headers["Content-Length"] == str(len(SOUND))
    assert whole.headers["Content-Type"] == "application/octet-stream"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    name = whole.headers["Content-Disposition"]
    assert name.startswith('attachment; filename="Ada - K')
    assert "filename*=UTF-8''Ada%20-%20K%C3%A4se%20%22und%22-Brot.flac" in name
    known = {"If-None-Match": whole.headers["ETag"]}
    await api("GET", address(track), headers=known, status=304)
    await api("GET", address(track), headers={"Range": "bytes=999999-"}, status=416)


async def test_only_those_have_it_whom_its_owner_lets(
    api: Any, track: Any, ada: Any, bob: Any
) -> None:
    await api("GET", address(track), who=ada)
    for who in ({}, {"who": bob}):
        assert (await api("GET", address(track), status=403, **who)).body["code"] == "forbidden"
    await let(api, track, ada, "followers")
    await api("GET", address(track), who=bob, status=403)
    await api("PUT", f"/api/v1/users/{ada.user.id}/follow", who=bob)
    await api("GET", address(track), who=bob)


@pytest.fixture
def behind_nginx(api: Any) -> Iterator[None]:
    app = api.client.server.app
    settings = app[SETTINGS]
    object.__setattr__(settings, "x_accel_prefix", "/_media/")
    yield
    object.__setattr__(settings, "x_accel_prefix", None)


@pytest.mark.usefixtures("behind_nginx")
async def test_a_proxy_is_told_where_the_file_is_and_sends_it_itself(
    api: Any, track: Any, ada: Any
) -> None:
    answered = await api("GET", address(track), who=ada)

    assert answered.raw == b""
    assert answered.headers["X-Accel-Redirect"] == f"/_media/sources/{track.id}"
    assert answered.headers["Content-Disposition"].startswith("attachment")


async def test_a_file_in_a_bucket_is_fetched_there_and_asked_about_here(
    api: Any, actors: Any, ada: Any
) -> None:
    track = actors.add_track(ada.user, title="Brot", artist="Ada")
    url = "https://media.example.org/veza/sources/x?signed"
    actors.originals[track.id] = url

    sent = await api("GET", address(track), who=ada, status=307, allow_redirects=False)
    head = await api("HEAD", address(track), who=ada)

    assert sent.headers["Location"] == url
    assert sent.headers["Cache-Control"] == "private, no-cache"
    assert head.headers["Content-Length"] == str(len(SOUND))


async def test_a_copy_is_asked_for_and_then_taken(api: Any, track: Any, ada: Any, bob: Any) -> None:
    ways = f"{address(track)}s"
    await let(api, track, ada, "followers")
    await api("POST", ways, who=bob, json={"format": "mp3"}, status=403)
    await api("GET", ways, who=bob, status=403)
    await api("PUT", f"/api/v1/users/{ada.user.id}/follow", who=bob)

    early = await api("GET", f"{address(track)}?format=mp3", who=bob, status=409)
    asked = await api("POST", ways, who=bob, json={"format": "mp3"}, status=202)
    listed = await api("GET", ways, who=bob)
    taken = await api("GET", f"{address(track)}?format=mp3", who=bob)

    assert early.body["code"] == "not_ready"
    assert asked.body == {"format": "mp3", "state": "ready", "size_bytes": len(SOUND)}
    assert [(each["format"], each["state"]) for each in listed.body["data"]] == [
        ("original", "ready"),
        ("mp3", "ready"),
        ("opus", "none"),
    ]
    assert taken.headers["Content-Disposition"].endswith("%22-Brot.mp3")
    await api("GET", f"{address(track)}?format=wav", who=bob, status=422)
    await api("POST", ways, who=bob, json={"format": "original"}, status=422)
