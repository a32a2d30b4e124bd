"""Things are found by what they are called, however it is written, by those who may find them."""

import pytest

from veza.actors.messages.catalogue_search import (
    CATALOGUE_SEARCH,
    FindNames,
    FindTracks,
    Found,
    ListTags,
    Place,
    Suggest,
    TagUse,
    TrackFilter,
)
from veza.actors.messages.playlists import PLAYLISTS, MakePlaylist, PlaylistVisibility
from veza.actors.messages.rooms import RoomKind, RoomSettings
from veza.actors.messages.rooms_service import CreateRoom
from veza.config.ids import uuid7


class Finder:
    def __init__(self, world):
        self.world, self.ask = world, lambda command: world.node.ask(CATALOGUE_SEARCH, command)

    async def reply(self, text, who=None, behind=None, limit=50, **only):
        command = FindTracks(
            text=text,
            viewer_id=who and who.id,
            only=TrackFilter(**only),
            behind=behind,
            limit=limit,
        )
        return await self.ask(command)

    async def titles(self, text, who=None, **only):
        return [each.track.title for each in (await self.reply(text, who, **only)).tracks]

    async def names(self, kind, text):
        command = FindNames(text=text, kind=kind, behind=None, limit=50)
        return [each.name for each in (await self.ask(command)).names]

    async def tag(self, track, *tags):
        rows = [(track, tag) for tag in tags]
        async with self.world.pool.acquire() as conn:
            await conn.executemany("INSERT INTO track_tags VALUES ($1, $2)", rows)


@pytest.fixture
def finder(world):
    return Finder(world)


@pytest.fixture
async def ada(world):
    return await world.person("ada")


@pytest.mark.parametrize(
    "text",
    [
        "étude",
        "ETUDE",
        "Études",
        "etude fenetre",
        '"à la fenêtre"',
        "fenêtres",
        "étude -nuit",
        "ada",
    ],
)
async def test_a_track_is_found_in_whatever_form_its_words_come(world, finder, ada, text):
    await world.track(ada, title="Étude à la fenêtre")
    await world.track(await world.person("bob"), title="Nuit")

    assert await finder.titles(text) == ["Étude à la fenêtre"]


@pytest.mark.parametrize("text", ["noctrune", "nocturn", "noctunre"])
async def test_what_is_misspelt_is_found_and_said_to_be_near_only(world, finder, ada, text):
    await world.track(ada, title="Nocturne")
    await world.track(ada, title="Bluebird")

    found = await finder.reply(text)

    assert [each.track.title for each in found.tracks] == ["Nocturne"]
    assert found.is_near is (text != "nocturn")


async def test_where_a_word_stands_and_how_known_a_track_is_orders_what_fits(world, finder, ada):
    await world.track(ada, title="Blue in the description", description="moon")
    await world.track(ada, title="Moon")
    await world.track(ada, title="Something", artist="Moon")
    await world.track(ada, title="Moon, known", plays=5_000)

    found = await finder.titles("moon")

    assert found[0] in {"Moon", "Moon, known"}
    assert set(found[:2]) == {"Moon", "Moon, known"}
    assert found[3] == "Blue in the description"


async def test_nobody_finds_what_they_may_not_find(world, finder, ada):
    bob = await world.person("bob")
    for visibility in ("private", "unlisted", "followers"):
        await world.track(ada, title=f"Moon {visibility}", visibility=visibility)
    await world.track(ada, title="Moon processing", state="processing")

    assert await finder.titles("moon", bob) == []
    assert await finder.titles("moom") == []
    assert len(await finder.titles("moon", ada)) == 3
    suggested = await finder.ask(Suggest(text="moon", viewer_id=bob.id, limit=5))
    assert suggested.tracks == ()


async def test_filters_narrow_what_is_found(world, finder, ada):
    fits = await world.track(
        ada, title="Moon", genre="Électro", own_bpm=128.0, own_key="C# minor", licence="cc-by"
    )
    await finder.tag(fits, "deep house")
    await world.track(ada, title="Moon too")
    wanted = {
        "genre": "electro",
        "tag": "deep house",
        "bpm_min": 120.0,
        "bpm_max": 130.0,
        "key": "C# minor",
        "licence": "cc-by",
    }

    assert await finder.titles("moon", **wanted) == ["Moon"]
    for name, value in wanted.items():
        assert await finder.titles("moon", **{name: value}) in (["Moon"], ["Moon", "Moon too"])
    assert await finder.titles("moon", bpm_min=129.0) == []
    assert len(await finder.titles("moon", duration_max_ms=100_000)) == 2
    assert await finder.titles("moon", duration_min_ms=100_001) == []


@pytest.mark.parametrize("text", ["moon", "moom"])
async def test_pages_hold_everything_once(world, finder, ada, text):
    tracks = {await world.track(ada, title=f"Moon {n}", plays=n % 3) for n in range(7)}

    seen, behind = [], None
    while (page := await finder.reply(text, behind=behind, limit=3)).tracks:
        seen += [each.track.id for each in page.tracks]
        last = page.tracks[-1]
        behind = Place(score=last.score, id=last.track.id, is_near=page.is_near)

    assert len(seen) == len(tracks)
    assert set(seen) == tracks


async def test_people_playlists_and_rooms_are_found_by_their_names(world, finder, ada):
    for name in ("moonlight", "moonshine", "stranger"):
        await world.person(name)
    for title, visibility in [("Moon river", "public"), ("Moon secret", "private")]:
        command = MakePlaylist(
            playlist_id=uuid7(),
            owner_id=ada.id,
            title=title,
            description="",
            visibility=PlaylistVisibility(visibility),
        )
        await world.node.ask(PLAYLISTS, command)
    for name, kind in [("Moon room", RoomKind.PUBLIC), ("Moon cave", RoomKind.PRIVATE)]:
        settings = RoomSettings(name=name, kind=kind)
        command = CreateRoom(room_id=uuid7(), creator=ada, settings=settings)
        await world.node.ask(("rooms", ""), command)

    assert set(await finder.names(Found.USER, "moon")) == {"moonlight", "moonshine"}
    assert (await finder.names(Found.USER, "mooonlight"))[0] == "moonlight"
    assert await finder.names(Found.PLAYLIST, "moon") == ["Moon river"]
    assert await finder.names(Found.ROOM, "moon") == ["Moon room"]


async def test_what_somebody_begins_to_type_is_suggested_the_best_known_first(world, finder, ada):
    await world.track(ada, title="Moon")
    first = await world.track(ada, title="Moonlight", plays=5)
    moonmen = await world.person("moonmen")
    await finder.tag(first, "moody", "live")
    await finder.tag(await world.track(ada, visibility="private"), "moonbase")

    suggested = await finder.ask(Suggest(text="Moo", viewer_id=None, limit=5))

    assert [each.name for each in suggested.tracks] == ["Moonlight", "Moon"]
    assert suggested.people == (moonmen,)
    assert suggested.tags == ("moody",)
    odd = await finder.ask(Suggest(text="%_\\", viewer_id=None, limit=5))
    assert (odd.tracks, odd.people, odd.tags) == ((), (), ())


async def test_tags_are_counted_over_public_tracks(world, finder, ada):
    await finder.tag(await world.track(ada), "lofi", "live")
    await finder.tag(await world.track(ada), "lofi")
    await finder.tag(await world.track(ada, visibility="private"), "live")

    listed = (await finder.ask(ListTags(limit=10))).tags

    assert listed == (TagUse(tag="lofi", tracks=2), TagUse(tag="live", tracks=1))
