"""Who may hear a track, and who finds it: every kind of track by every kind of viewer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest

from veza.persistence import downloads, fingerprints, follows, listening, tracks
from veza.persistence.errors import AccountUnknownError
from veza.persistence.pool import Connection
from veza.persistence.rows import (
    Author,
    Credit,
    Downloads,
    Job,
    Licence,
    Track,
    TrackState,
    Visibility,
)
from veza.persistence.track_changes import CLEARABLE, TrackEdit, change_track

MakeTrack = Callable[[], Awaitable[tuple[Track, Job]]]
MakeAuthor = Callable[[], Awaitable[Author]]
PAST = datetime.now(UTC) - timedelta(days=1)
FUTURE = datetime.now(UTC) + timedelta(days=1)
EVERY_KIND = list(product(Visibility, TrackState, (None, PAST, FUTURE)))


@dataclass(frozen=True)
class People:
    owner: UUID
    follower: UUID
    stranger: UUID


def expected(visibility: Visibility, state: TrackState, release_at: datetime | None) -> list[str]:
    """Spelled out once more, in words: owner, follower, stranger and guest who may hear it."""
    if state not in {TrackState.PLAYABLE, TrackState.PUBLISHED} or release_at == FUTURE:
        return ["owner"]
    return {
        Visibility.PUBLIC: ["owner", "follower", "stranger", "guest"],
        Visibility.UNLISTED: ["owner", "follower", "stranger", "guest"],
        Visibility.FOLLOWERS: ["owner", "follower"],
        Visibility.PRIVATE: ["owner"],
    }[visibility]


@pytest.fixture
async def track(new_track: MakeTrack) -> Track:
    return (await new_track())[0]


@pytest.fixture
async def people(conn: Connection, track: Track, new_author: MakeAuthor) -> People:
    follower, stranger = await new_author(), await new_author()
    await follows.follow(conn, follower.id, track.owner.id)
    # To follow back opens nothing.
    await follows.follow(conn, track.owner.id, stranger.id)
    return People(owner=track.owner.id, follower=follower.id, stranger=stranger.id)


async def told_of(
    conn: Connection, track: Track, people: People
) -> tuple[list[str], list[str], list[str]]:
    """Who may hear a track, who finds it in the list, and who among their unfinished ones."""
    viewers = {
        "owner": people.owner,
        "follower": people.follower,
        "stranger": people.stranger,
        "guest": None,
    }
    hear, find, go_on = [], [], []
    for name, viewer in viewers.items():
        if await tracks.get_audible_track(conn, track.id, viewer) is not None:
            hear.append(name)
        if await tracks.list_tracks(conn, viewer_id=viewer, before=None, limit=9):
            find.append(name)
        if viewer is not None and await listening.unfinished(conn, viewer):
            go_on.append(name)
    return hear, find, go_on


async def test_who_may_hear_a_track_is_who_is_told_of_it(
    conn: Connection, track: Track, people: People
) -> None:
    for viewer in (people.owner, people.follower, people.stranger):
        await conn.execute(
            "INSERT INTO listening_positions VALUES ($1, $2, 20000, now())", viewer, track.id
        )
    for visibility, state, release_at in EVERY_KIND:
        await conn.execute(
            "UPDATE tracks SET visibility = $2, state = $3, release_at = $4 WHERE id = $1",
            track.id,
            visibility,
            state,
            release_at,
        )
        may = expected(visibility, state, release_at)
        finders = ["owner"] if visibility is Visibility.UNLISTED else may
        listeners = [name for name in may if name != "guest"]

        told = await told_of(conn, track, people)
        assert told == (may, finders, listeners), (visibility, state, release_at)


async def test_a_recording_that_others_may_not_find_is_not_told_to_them(
    conn: Connection, new_track: MakeTrack
) -> None:
    (old, _), (new, _) = await new_track(), await new_track()
    await fingerprints.save_fingerprint(conn, old.id, frames=b"\1", keys=[1])
    for visibility, release_at in product(Visibility, (None, PAST, FUTURE)):
        await conn.execute(
            "UPDATE tracks SET state = 'published', visibility = $2, release_at = $3 WHERE id = $1",
            old.id,
            visibility,
            release_at,
        )
        found = await fingerprints.find_alike(conn, new.id, probes=[1], limit=9)
        assert bool(found) == (visibility is Visibility.PUBLIC and release_at != FUTURE)


async def change(
    conn: Connection,
    track: Track,
    *,
    owner_id: UUID | None = None,
    if_version: int | None = None,
    **changes: Any,
) -> bool:
    """Change a track; what is None of `CLEARABLE` is taken away."""
    clears = CLEARABLE & {name for name, value in changes.items() if value is None}
    edit = TrackEdit(**changes, clears=clears)
    owner_id = owner_id or track.owner.id
    return await change_track(conn, track.id, edit, owner_id=owner_id, if_version=if_version)


async def test_what_is_left_out_of_a_change_stays(conn: Connection, track: Track) -> None:
    assert await change(conn, track, title="Nocturne", release_at=FUTURE)
    assert await change(conn, track, artist="", visibility=Visibility.UNLISTED)
    changed = await tracks.get_track(conn, track.id)
    assert changed is not None
    assert (changed.title, changed.artist, changed.visibility, changed.release_at) == (
        "Nocturne",
        "",
        Visibility.UNLISTED,
        FUTURE,
    )
    assert changed.version == 2
    assert await change(conn, track, release_at=None)
    assert (await tracks.get_track(conn, track.id)).release_at is None  # type: ignore[union-attr]  # it is there


async def test_a_change_of_another_version_or_by_somebody_else_is_none(
    conn: Connection, track: Track
) -> None:
    assert await change(conn, track, title="One", if_version=0)
    assert not await change(conn, track, title="Two", if_version=0)
    assert not await change(conn, track, title="Three", owner_id=uuid4())
    assert (await tracks.get_track(conn, track.id)).title == "One"  # type: ignore[union-attr]  # it is there


async def test_an_owners_tempo_and_key_win_over_what_was_measured(
    conn: Connection, track: Track
) -> None:
    async def told() -> tuple[float | None, str | None]:
        now = await tracks.get_track(conn, track.id)
        assert now is not None
        return now.bpm, now.key

    measured = '{"music": {"tempo": {"tempo_bpm": 120.5}, "key": {"tonic": "C#", "mode": "minor"}}}'
    assert await told() == (None, None)
    await conn.execute("UPDATE tracks SET analysis = $2 WHERE id = $1", track.id, measured)
    assert await told() == (120.5, "C# minor")
    await change(conn, track, bpm=98.0, key="Eb major")
    assert await told() == (98.0, "Eb major")
    await change(conn, track, bpm=None, key=None)
    assert await told() == (120.5, "C# minor")


async def test_details_are_kept_in_their_owners_words_and_tags_once(
    conn: Connection, track: Track
) -> None:
    given = {
        "description": "Two takes.",
        "credits": (Credit(role="Mix", name="Bob"), Credit(role="Flute", name="Zoé")),
        "licence": Licence.CC_BY_SA,
    }
    await change(conn, track, **given, tags=("lofi", "deep house"))
    await change(conn, track, tags=("lofi", "ambient"))
    now = await tracks.get_track(conn, track.id)
    assert now is not None
    assert {name: getattr(now, name) for name in given} == given
    assert now.tags == ("ambient", "lofi")


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({"title": "Other"}, False),
        ({"visibility": Visibility.PUBLIC}, False),
        ({"visibility": Visibility.UNLISTED}, False),
        ({"visibility": Visibility.FOLLOWERS}, True),
        ({"visibility": Visibility.PRIVATE}, True),
        ({"release_at": None}, False),
        ({"release_at": PAST}, False),
        ({"release_at": FUTURE}, True),
    ],
)
async def test_playback_addresses_end_exactly_when_fewer_may_hear(
    changes: dict[str, object], ends: bool, conn: Connection, track: Track
) -> None:
    await change(conn, track, **changes)
    assert await tracks.playback_version(conn, track.id) == int(ends)


async def test_a_file_goes_to_whom_its_owner_lets_have_it_of_those_who_hear_the_track(
    conn: Connection, track: Track, people: People
) -> None:
    viewers = {
        "owner": people.owner,
        "follower": people.follower,
        "stranger": people.stranger,
        "guest": None,
    }
    allowed = {
        Downloads.NOBODY: ["owner"],
        Downloads.FOLLOWERS: ["owner", "follower"],
        Downloads.EVERYBODY: ["owner", "follower", "stranger", "guest"],
    }
    for visibility, kind in product(Visibility, Downloads):
        await conn.execute(
            "UPDATE tracks SET state = 'published', visibility = $2, downloads = $3 WHERE id = $1",
            track.id,
            visibility,
            kind,
        )
        found = {
            name: await downloads.find_takeable(conn, track.id, viewer, downloads.ORIGINAL)
            for name, viewer in viewers.items()
        }
        hearing = [name for name, original in found.items() if original is not None]
        having = [name for name in hearing if found[name].is_allowed]  # type: ignore[union-attr]  # just asked
        may_hear = expected(visibility, TrackState.PUBLISHED, None)
        assert hearing == may_hear
        assert having == [name for name in allowed[kind] if name in may_hear]


async def test_an_owner_ends_playback_addresses_and_nobody_else(
    conn: Connection, track: Track
) -> None:
    assert await tracks.end_playback(conn, track.id, uuid4()) is None
    assert await tracks.end_playback(conn, track.id, track.owner.id) == 1
    assert await tracks.playback_version(conn, track.id) == 1
    assert await tracks.playback_version(conn, uuid4()) is None


async def test_following_twice_counts_once_and_nobody_cannot_be_followed(
    conn: Connection, people: People
) -> None:
    await follows.follow(conn, people.follower, people.owner)
    following = await follows.read_following(conn, people.owner, people.follower)
    assert (following.followers, following.is_following) == (1, True)
    assert not (await follows.read_following(conn, people.owner, people.stranger)).is_following
    assert [
        each.id for each in await follows.list_followed(conn, people.follower, after=None, limit=9)
    ] == [people.owner]
    for _ in range(2):
        await follows.unfollow(conn, people.follower, people.owner)
    assert (await follows.read_following(conn, people.owner, people.follower)).followers == 0
    with pytest.raises(AccountUnknownError):
        await follows.follow(conn, people.follower, uuid4())
