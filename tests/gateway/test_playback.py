"""Playback addresses end when their owner says so; a version is known from memory for ten seconds."""

import asyncio
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from veza.gateway.errors import ProblemCode, ProblemError
from veza.gateway.media import media_prefix
from veza.gateway.playback import FRESH_SECONDS, PlaybackVersions


class Versions:
    """Where versions come from, and a clock that stands still."""

    def __init__(self) -> None:
        self.version, self.reads, self.now = 0, 0, 0.0
        self.problem: ProblemCode | None = None

    async def load(self, _track_id: object) -> int:
        self.reads += 1
        await asyncio.sleep(0)
        if self.problem:
            raise ProblemError(self.problem)
        return self.version

    def clock(self) -> float:
        return self.now


@pytest.fixture
def source() -> Versions:
    return Versions()


@pytest.fixture
def versions(source: Versions) -> PlaybackVersions:
    return PlaybackVersions(source.load, source.clock)


async def test_many_players_of_a_track_ask_once(
    source: Versions, versions: PlaybackVersions
) -> None:
    track = uuid4()
    assert await asyncio.gather(*(versions.current(track) for _ in range(50))) == [0] * 50
    assert await versions.current(track) == 0
    assert source.reads == 1


async def test_a_change_elsewhere_is_noticed_when_what_is_known_is_old(
    source: Versions, versions: PlaybackVersions
) -> None:
    track = uuid4()
    await versions.current(track)
    source.version = 1
    source.now = FRESH_SECONDS - 0.1
    assert await versions.current(track) == 0
    source.now = FRESH_SECONDS
    assert await versions.current(track) == 1


async def test_a_change_here_is_noticed_at_once_also_by_an_answer_under_way(
    source: Versions, versions: PlaybackVersions
) -> None:
    track = uuid4()
    under_way = asyncio.ensure_future(versions.current(track))
    await asyncio.sleep(0)
    source.version = 1
    versions.forget(track)
    await under_way
    assert await versions.current(track) == 1


async def test_while_the_database_is_away_what_was_known_goes_on_being_good(
    source: Versions, versions: PlaybackVersions
) -> None:
    track = uuid4()
    await versions.current(track)
    source.now, source.problem = 100.0, ProblemCode.UNAVAILABLE
    assert await versions.current(track) == 0
    with pytest.raises(ProblemError):
        await versions.current(uuid4())
    source.problem = ProblemCode.NOT_FOUND
    with pytest.raises(ProblemError):
        await versions.current(track)


# --- over HTTP ---


async def signed(api: Any, track: Any, **who: Any) -> str:
    return str((await api("GET", f"/api/v1/tracks/{track.id}/playback", **who)).body["hls_url"])


@pytest.fixture
def track(actors: Any, ada: Any) -> Any:
    track = actors.add_track(ada.user)
    actors.media[(track.id, "low", "0.m4s")] = b"sound"
    return track


async def test_an_ended_address_opens_nothing_not_even_what_is_in_memory(
    api: Any, track: Any, ada: Any, bob: Any
) -> None:
    old = await signed(api, track)
    segment = f"{media_prefix(track.id)}low/0.m4s?{urlsplit(old).query}"
    await api("GET", old)
    await api("GET", segment)
    address = f"/api/v1/tracks/{track.id}/playback/revoke"
    await api("POST", address, who=bob, status=403)
    await api("GET", old)

    await api("POST", address, who=ada, status=204)

    for url in (old, segment):
        assert (await api("GET", url, status=403)).body["code"] == "playback_url_revoked"
    await api("GET", await signed(api, track))


async def test_a_version_cannot_be_put_into_an_address_of_another(api: Any, track: Any) -> None:
    url = await signed(api, track)
    for forged in (
        url.replace("ver=0", "ver=1"),
        url.replace("ver=0", "ver=00"),
        url.replace("ver=0&", ""),
    ):
        refused = await api("GET", forged, status=403)
        assert refused.body["code"] == "playback_url_invalid"


async def test_an_address_of_a_node_that_knows_more_is_good_at_once(
    api: Any, actors: Any, track: Any
) -> None:
    from veza.gateway.keys import PLAYBACK_URLS

    await api("GET", await signed(api, track))
    actors.playback_versions[track.id] = 3
    urls = api.client.server.app[PLAYBACK_URLS]
    prefix = media_prefix(track.id)

    await api("GET", f"{prefix}master.m3u8?{urls.sign(prefix, 4_000_000_000, 3)}")


async def test_segments_cost_no_question_to_the_database(api: Any, actors: Any, track: Any) -> None:
    url = await signed(api, track)
    reads = actors.version_reads
    for _ in range(9):
        await api("GET", f"{media_prefix(track.id)}low/0.m4s?{urlsplit(url).query}")
    assert actors.version_reads == reads
