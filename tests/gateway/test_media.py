"""Playback: one signature opens one track for a time, segments are cacheable and fetched once."""

import asyncio
import re
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from veza.actors.messages.tracks import PlaylistRead, TrackState
from veza.gateway.keys import PLAYBACK_URLS
from veza.gateway.media import media_prefix

SOUND = bytes(range(256)) * 4


@pytest.fixture
def track(actors: Any, ada: Any) -> Any:
    made = actors.add_track(ada.user, state=TrackState.PLAYABLE)
    actors.media[made.id, "low", "0.m4s"] = SOUND
    actors.media[made.id, "low", "init.mp4"] = b"ftyp"
    return made


async def playback(api: Any, track: Any) -> dict[str, Any]:
    answered = await api("GET", f"/api/v1/tracks/{track.id}/playback")
    body: dict[str, Any] = answered.body
    return body


async def segment_url(api: Any, track: Any, name: str = "low/0.m4s") -> str:
    query = urlsplit((await playback(api, track))["hls_url"]).query
    return f"{media_prefix(track.id)}{name}?{query}"


async def test_the_signed_url_leads_to_every_segment(api: Any, track: Any) -> None:
    told = await playback(api, track)
    assert (told["duration_ms"], told["live"]) == (61_000, True)

    master = await api("GET", told["hls_url"])
    rendition = master.raw.decode().splitlines()[1]
    media = await api("GET", media_prefix(track.id) + rendition)
    segment = await api("GET", f"{media_prefix(track.id)}low/{media.raw.decode().split()[-1]}")

    assert master.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert segment.headers["Content-Type"] == "audio/mp4"
    assert segment.raw == SOUND
    assert "immutable" in segment.headers["Cache-Control"]


async def test_players_that_change_codec_get_a_list_with_the_lossless_rendition(
    api: Any, track: Any
) -> None:
    url = (await playback(api, track))["lossless_url"]
    await api("GET", url.partition("?")[0], status=403)

    answered = await api("GET", url)

    assert answered.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert [line.split("/")[0] for line in answered.raw.decode().splitlines()[1:]] == [
        "low",
        "flac",
    ]


async def test_players_of_dash_get_a_manifest_once_a_track_is_published(
    api: Any, actors: Any, ada: Any, track: Any
) -> None:
    assert (await playback(api, track))["dash_url"] is None
    url = (await playback(api, actors.add_track(ada.user)))["dash_url"]

    answered = await api("GET", url)
    await api("GET", url.partition("?")[0], status=403)

    assert answered.headers["Content-Type"] == "application/dash+xml"
    assert urlsplit(url).query in answered.raw.decode()


async def test_a_playlist_that_grows_is_not_kept_and_a_finished_one_is(
    api: Any, actors: Any, track: Any
) -> None:
    url = (await playback(api, track))["hls_url"]
    actors.playlists[track.id] = PlaylistRead(text="#EXTM3U\n", is_complete=False)
    growing = await api("GET", url)
    del actors.playlists[track.id]

    finished = await api("GET", url)

    assert growing.headers["Cache-Control"] == "no-cache"
    assert "max-age" in finished.headers["Cache-Control"]
    etag = {"If-None-Match": finished.headers["ETag"]}
    await api("GET", url, headers=etag, status=304)


@pytest.mark.parametrize("change", ["kid", "exp", "sig", "missing", "other track", "non-ascii"])
async def test_a_changed_signature_opens_nothing(
    api: Any, actors: Any, ada: Any, track: Any, change: str
) -> None:
    url = urlsplit(await segment_url(api, track))
    query = dict(parse_qsl(url.query))
    path = url.path
    if change == "other track":
        other = actors.add_track(ada.user)
        path = path.replace(str(track.id), str(other.id))
    elif change == "missing":
        query = {}
    elif change == "non-ascii":
        query["sig"] = "é\udcff".encode(errors="replace").decode() + query["sig"]
    else:
        query[change] = (
            str(int(query[change]) + 1) if change == "exp" else query[change][::-1] + "x"
        )

    answered = await api("GET", f"{path}?{urlencode(query)}", status=403)

    assert answered.body["code"] == "playback_url_invalid"


async def test_an_expired_signature_says_so(api: Any, track: Any) -> None:
    urls = api.client.server.app[PLAYBACK_URLS]
    prefix = media_prefix(track.id)

    expired = urls.sign(prefix, int(time.time()) - 1)
    answered = await api("GET", f"{prefix}low/0.m4s?{expired}", status=403)

    assert answered.body["code"] == "playback_url_expired"


@pytest.mark.parametrize(
    "name",
    [
        "low/x.m4s",
        "low/01.m4s",
        "low/-1.m4s",
        "low/0.mp4",
        "..%2f/0.m4s",
        "low/%2e%2e",
        "low/7.m4s",
    ],
)
async def test_a_name_that_is_none_never_reaches_the_store(
    api: Any, actors: Any, track: Any, name: str
) -> None:
    await api("GET", await segment_url(api, track, name), status=404)

    assert actors.media_reads == (1 if name == "low/7.m4s" else 0)


RANGES = [
    ("bytes=0-0", 206, SOUND[:1]),
    ("bytes=10-19", 206, SOUND[10:20]),
    ("bytes=1000-", 206, SOUND[1000:]),
    ("bytes=1000-99999", 206, SOUND[1000:]),
    ("bytes=-24", 206, SOUND[-24:]),
    ("bytes=-99999", 206, SOUND),
    ("bytes=0-1,5-6", 200, SOUND),
    ("bytes=9-5", 200, SOUND),
    ("bytes=-", 200, SOUND),
    ("pages=1-2", 200, SOUND),
    ("bytes=x", 200, SOUND),
]


@pytest.mark.parametrize(("field", "status", "expected"), RANGES)
async def test_a_single_range_is_served_and_anything_else_is_the_whole(
    api: Any, track: Any, field: str, status: int, expected: bytes
) -> None:
    url = await segment_url(api, track)

    answered = await api("GET", url, headers={"Range": field}, status=status)

    assert answered.raw == expected
    assert answered.headers["Accept-Ranges"] == "bytes"
    if status == 206:
        first, last, size = map(int, re.findall(r"\d+", answered.headers["Content-Range"]))
        assert (SOUND[first : last + 1], size) == (expected, len(SOUND))


@pytest.mark.parametrize("field", [f"bytes={len(SOUND)}-", "bytes=-0", "bytes=99999-100000"])
async def test_a_range_past_the_end_is_416_and_tells_the_size(
    api: Any, track: Any, field: str
) -> None:
    url = await segment_url(api, track)

    answered = await api("GET", url, headers={"Range": field}, status=416)

    assert answered.headers["Content-Range"] == f"bytes */{len(SOUND)}"


async def test_a_part_is_given_only_of_the_version_the_client_has(api: Any, track: Any) -> None:
    url = await segment_url(api, track)
    etag = (await api("GET", url)).headers["ETag"]
    part = {"Range": "bytes=0-9"}

    same = await api("GET", url, headers={**part, "If-Range": etag}, status=206)
    other = await api("GET", url, headers={**part, "If-Range": '"old"'}, status=200)
    known = await api("GET", url, headers={**part, "If-None-Match": etag}, status=304)

    assert (len(same.raw), len(other.raw), known.raw) == (10, len(SOUND), b"")


async def test_head_tells_the_size_and_sends_nothing(api: Any, track: Any) -> None:
    answered = await api("HEAD", await segment_url(api, track))

    assert answered.headers["Content-Length"] == str(len(SOUND))
    assert answered.raw == b""


async def test_many_who_want_a_segment_at_once_cost_one_read(
    api: Any, actors: Any, track: Any
) -> None:
    url = await segment_url(api, track)
    actors.gate = asyncio.Event()
    waiting = [asyncio.create_task(api("GET", url)) for _ in range(10)]
    await asyncio.sleep(0)
    actors.gate.set()

    answers = await asyncio.gather(*waiting)

    assert {answered.raw for answered in answers} == {SOUND}
    assert actors.media_reads == 1


async def test_media_can_be_played_from_any_page_but_without_its_cookie(
    api: Any, track: Any
) -> None:
    url = await segment_url(api, track)

    answered = await api("GET", url, headers={"Origin": "https://blog.example"})

    assert answered.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answered.headers
    assert answered.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
