"""Players report what was heard; without an account one is nobody, and figures are the maker's."""

from typing import Any
from uuid import uuid4

import pytest

from veza.actors.messages.tracks import TrackState
from veza.gateway.tokens import Listeners, SigningKeys

DAY_SECONDS = 86_400


def report(heard_ms: int = 0, **more: Any) -> dict[str, Any]:
    return {"play_id": str(uuid4()), "heard_ms": heard_ms, "position_ms": heard_ms, **more}


def plays(track: Any) -> str:
    return f"/api/v1/tracks/{track.id}/plays"


async def test_a_report_is_answered_with_whether_it_is_a_play(
    api: Any, actors: Any, ada: Any
) -> None:
    track = actors.add_track(ada.user)
    first = report()

    begun = await api("POST", plays(track), json=first)
    gone_on = await api("POST", plays(track), json=first | {"heard_ms": 31_000})

    assert (begun.body, gone_on.body) == ({"is_play": False}, {"is_play": True})
    (told,) = actors.heard.values()
    assert [(each.heard_ms, each.user_id) for each in told] == [(0, None), (31_000, None)]


async def test_who_is_signed_in_listens_by_account_others_by_a_name_that_tells_nothing(
    api: Any, actors: Any, ada: Any, bob: Any
) -> None:
    track = actors.add_track(ada.user)
    for headers in ({"User-Agent": "one"}, {"User-Agent": "two"}, {"User-Agent": "one"}):
        await api("POST", plays(track), json=report(), headers=headers)
    await api("POST", plays(track), who=bob, json=report())

    one, two, again, account = [reports[0].listener for reports in actors.heard.values()]
    assert one == again
    assert len({one, two, account}) == 3
    assert account == bob.user.id.bytes


def test_a_listeners_name_is_another_one_tomorrow_and_on_another_server() -> None:
    here, there = (Listeners(SigningKeys.random()) for _ in range(2))
    name = here.name("192.0.2.7", "agent", 10.0)

    assert name == here.name("192.0.2.7", "agent", DAY_SECONDS - 1.0)
    assert name != here.name("192.0.2.7", "agent", DAY_SECONDS)
    assert name != here.name("192.0.2.8", "agent", 10.0)
    assert name != there.name("192.0.2.7", "agent", 10.0)


async def test_another_listeners_id_is_refused(api: Any, actors: Any, ada: Any, bob: Any) -> None:
    track, taken = actors.add_track(ada.user), report()
    await api("POST", plays(track), json=taken)

    refused = await api("POST", plays(track), who=bob, json=taken, status=409)

    assert refused.body["code"] == "already_exists"


@pytest.mark.parametrize(
    "wrong",
    [
        {"heard_ms": -1},
        {"heard_ms": 86_400_001},
        {"position_ms": "12"},
        {"position_ms": 1.5},
        {"play_id": "x"},
    ],
)
async def test_a_report_that_makes_no_sense_is_refused(
    api: Any, actors: Any, ada: Any, wrong: dict[str, Any]
) -> None:
    refused = await api("POST", plays(actors.add_track(ada.user)), json=report(**wrong), status=422)

    assert refused.body["code"] == "validation_failed"
    assert not actors.heard


async def test_of_a_track_that_one_may_not_hear_nothing_is_reported(
    api: Any, actors: Any, ada: Any, bob: Any
) -> None:
    hidden = actors.add_track(ada.user, state=TrackState.PROCESSING)

    await api("POST", plays(hidden), who=bob, json=report(), status=404)

    assert not actors.heard


async def test_one_finds_what_one_stopped_in(api: Any, actors: Any, ada: Any, bob: Any) -> None:
    track = actors.add_track(ada.user)
    await api("POST", plays(track), who=bob, json=report(20_000))

    listed = await api("GET", "/api/v1/me/listening", who=bob)
    others = await api("GET", "/api/v1/me/listening", who=ada)

    (unfinished,) = listed.body["data"]
    assert (unfinished["track"]["id"], unfinished["position_ms"]) == (str(track.id), 20_000)
    assert unfinished["track"]["peaks_url"] is not None
    assert others.body["data"] == []


async def test_figures_are_for_who_published_the_track(
    api: Any, actors: Any, ada: Any, bob: Any
) -> None:
    address = f"/api/v1/tracks/{actors.add_track(ada.user, plays=12).id}/statistics"

    own = await api("GET", f"{address}?days=7", who=ada)
    refused = await api("GET", address, who=bob, status=403)
    await api("GET", f"{address}?days=0", who=ada, status=422)

    assert (own.body["plays"], own.body["days"][0]["listeners"]) == (12, 7)
    assert len(own.body["stops"]) == 100
    assert refused.body["code"] == "forbidden"
