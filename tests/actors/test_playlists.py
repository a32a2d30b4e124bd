"""Playlists keep one order whoever moves what at once; who sees, fills and changes them; files of them."""

import asyncio
import random

import pytest

from veza.actors import playlist_order
from veza.actors import playlists as service
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.playlists import (
    PLAYLISTS,
    AddItems,
    ChangePlaylist,
    DeletePlaylist,
    DuplicatePlaylist,
    ExportPlaylist,
    ImportPlaylist,
    ItemMoved,
    ItemsListed,
    ListItems,
    ListOwnPlaylists,
    ListPlaylists,
    MakePlaylist,
    MoveItem,
    PlaylistFormat,
    PlaylistVisibility,
    ReadPlaylistOf,
    RemoveItem,
    RestorePlaylist,
    SetCollaborator,
)
from veza.config.ids import uuid7


class Shelf:
    """People's playlists, asked for by those who are named."""

    def __init__(self, world):
        self.world = world
        self.ask = lambda command: world.node.ask(PLAYLISTS, command)

    async def make(self, owner, title="Evening", visibility=PlaylistVisibility.PUBLIC):
        command = MakePlaylist(
            playlist_id=uuid7(),
            owner_id=owner.id,
            title=title,
            description="",
            visibility=visibility,
        )
        return (await self.ask(command)).playlist.id

    async def add(self, who, playlist, *tracks, behind=None):
        command = AddItems(
            playlist_id=playlist, by_id=who.id, track_ids=tuple(tracks), behind=behind
        )
        reply = await self.ask(command)
        return [item.id for item in reply.items] if isinstance(reply, ItemsListed) else reply

    async def move(self, who, playlist, item, behind):
        return await self.ask(
            MoveItem(playlist_id=playlist, by_id=who.id, item_id=item, behind=behind)
        )

    async def remove(self, who, playlist, item):
        return await self.ask(RemoveItem(playlist_id=playlist, by_id=who.id, item_id=item))

    async def items(self, who, playlist, after=None, limit=5_000):
        command = ListItems(
            playlist_id=playlist, viewer_id=who and who.id, after=after, limit=limit
        )
        reply = await self.ask(command)
        return reply.items if isinstance(reply, ItemsListed) else reply

    async def order(self, who, playlist):
        return [item.id for item in await self.items(who, playlist)]

    async def show(self, who, playlist):
        reply = await self.ask(ReadPlaylistOf(playlist_id=playlist, viewer_id=who and who.id))
        return reply if isinstance(reply, Rejected) else reply.playlist

    async def let(self, by, playlist, user, *, is_set=True):
        return await self.ask(
            SetCollaborator(playlist_id=playlist, by_id=by.id, user_id=user.id, is_set=is_set)
        )

    async def change(self, who, playlist, if_version=None, **changed):
        fields = {"title": None, "description": None, "visibility": None, **changed}
        return await self.ask(
            ChangePlaylist(playlist_id=playlist, owner_id=who.id, if_version=if_version, **fields)
        )


@pytest.fixture
def shelf(world):
    return Shelf(world)


@pytest.fixture
async def ada(world):
    return await world.person("ada")


@pytest.fixture
async def bob(world):
    return await world.person("bob")


def code_of(reply):
    assert isinstance(reply, Rejected), reply
    return reply.code


async def test_tracks_go_where_they_are_put(world, shelf, ada):
    playlist = await shelf.make(ada)
    tracks = [await world.track(ada) for _ in range(3)]

    a, b, c = await shelf.add(ada, playlist, *tracks)
    [d] = await shelf.add(ada, playlist, tracks[0], behind=a)
    await shelf.move(ada, playlist, c, None)
    await shelf.move(ada, playlist, a, b)
    await shelf.move(ada, playlist, a, a)

    assert await shelf.order(ada, playlist) == [c, d, b, a]
    assert await shelf.remove(ada, playlist, d) == ItemMoved()
    assert await shelf.order(ada, playlist) == [c, b, a]
    assert (await shelf.show(ada, playlist)).tracks == 3
    assert code_of(await shelf.remove(ada, playlist, d)) is RejectCode.NOT_FOUND
    assert code_of(await shelf.move(ada, playlist, a, d)) is RejectCode.NOT_FOUND


async def test_two_who_change_an_order_at_once_leave_one_order_with_all_in_it(
    world, shelf, ada, bob
):
    playlist = await shelf.make(ada)
    await shelf.let(ada, playlist, bob)
    track = await world.track(ada)
    items = await shelf.add(ada, playlist, *[track] * 20)
    dice = random.Random(3)

    async def change(who):
        item, behind = dice.sample(items, 2)
        return await shelf.move(who, playlist, item, behind)

    moves = [change((ada, bob)[n % 2]) for n in range(100)]
    added = [shelf.add((ada, bob)[n % 2], playlist, track) for n in range(20)]
    replies = await asyncio.gather(*moves, *added)

    everything = {*items, *(each[0] for each in replies[100:])}
    order = await shelf.items(ada, playlist)
    assert {item.id for item in order} == everything
    assert len({item.rank for item in order}) == len(order) == 40
    assert set(replies[:100]) == {ItemMoved()}


async def test_ranks_that_grew_long_are_made_anew_and_the_order_stays(world, shelf, ada):
    playlist = await shelf.make(ada)
    track = await world.track(ada)
    items = await shelf.add(ada, playlist, *[track] * 3)
    expected, turns = list(items), 300
    for turn in range(turns):
        # Always the last one into the gap behind the first.
        moved = expected.pop()
        expected.insert(1, moved)
        await shelf.move(ada, playlist, moved, expected[0])
        if turn % 50 == 0:
            assert await shelf.order(ada, playlist) == expected

    order = await shelf.items(ada, playlist)
    assert [item.id for item in order] == expected
    assert max(len(item.rank) for item in order) <= playlist_order.LONGEST_RANK


async def test_pages_of_a_list_hold_while_it_is_changed(world, shelf, ada):
    playlist = await shelf.make(ada)
    items = await shelf.add(ada, playlist, *[await world.track(ada)] * 6)

    first = await shelf.items(ada, playlist, limit=3)
    await shelf.remove(ada, playlist, items[0])
    await shelf.move(ada, playlist, items[5], None)
    rest = await shelf.items(ada, playlist, after=first[-1].rank)

    assert [item.id for item in (*first, *rest)] == items[:5]


async def test_what_one_may_not_hear_leaves_its_place_and_nothing_of_itself(world, shelf, ada, bob):
    playlist = await shelf.make(ada)
    private, public = await world.track(ada, visibility="private"), await world.track(ada)
    await shelf.add(ada, playlist, private, public)

    assert [item.track and item.track.id for item in await shelf.items(bob, playlist)] == [
        None,
        public,
    ]
    theirs = await shelf.make(bob)
    assert code_of(await shelf.add(bob, theirs, private)) is RejectCode.NOT_FOUND


@pytest.mark.parametrize("visibility", PlaylistVisibility)
async def test_who_sees_and_finds_a_playlist(world, shelf, ada, bob, visibility):
    playlist, helper = await shelf.make(ada, visibility=visibility), await world.person("helper")
    await shelf.let(ada, playlist, helper)
    is_private = visibility is PlaylistVisibility.PRIVATE

    for who in (bob, None):
        shown = await shelf.show(who, playlist)
        if is_private:
            assert code_of(shown) is RejectCode.NOT_FOUND
            assert code_of(await shelf.items(who, playlist)) is RejectCode.NOT_FOUND
        else:
            assert (shown.id, shown.is_editable) == (playlist, False)
    assert (await shelf.show(helper, playlist)).is_editable
    command = ListPlaylists(viewer_id=None, owner_id=ada.id, before=None, limit=10)
    listed = [each.id for each in (await shelf.ask(command)).playlists]
    assert listed == ([playlist] if visibility is PlaylistVisibility.PUBLIC else [])
    command = ListOwnPlaylists(viewer_id=helper.id, deleted=False, before=None, limit=10)
    assert [each.id for each in (await shelf.ask(command)).playlists] == [playlist]


async def test_who_helps_fills_it_and_nothing_else(world, shelf, ada, bob):
    playlist, track = await shelf.make(ada), await world.track(ada)
    assert code_of(await shelf.add(bob, playlist, track)) is RejectCode.FORBIDDEN
    assert code_of(await shelf.let(bob, playlist, bob)) is RejectCode.FORBIDDEN
    await shelf.let(ada, playlist, bob)

    [item] = await shelf.add(bob, playlist, track)
    assert (await shelf.items(ada, playlist))[0].added_by == bob
    assert code_of(await shelf.change(bob, playlist, title="Mine")) is RejectCode.FORBIDDEN
    delete = DeletePlaylist(playlist_id=playlist, owner_id=bob.id)
    assert code_of(await shelf.ask(delete)) is RejectCode.FORBIDDEN
    await shelf.let(bob, playlist, bob, is_set=False)
    assert code_of(await shelf.remove(bob, playlist, item)) is RejectCode.FORBIDDEN


async def test_a_change_names_the_version_it_is_of(shelf, ada):
    playlist = await shelf.make(ada)

    changed = (await shelf.change(ada, playlist, if_version=0, title="Night")).playlist
    late = await shelf.change(ada, playlist, if_version=0, title="Morning")

    assert (changed.title, changed.version) == ("Night", 1)
    assert code_of(late) is RejectCode.VERSION_CONFLICT


async def test_what_is_deleted_comes_back_as_it_was_within_a_month(world, shelf, ada, bob):
    playlist = await shelf.make(ada)
    items = await shelf.add(ada, playlist, await world.track(ada))
    delete = DeletePlaylist(playlist_id=playlist, owner_id=ada.id)
    restore = RestorePlaylist(playlist_id=playlist, owner_id=ada.id)
    await shelf.ask(delete)
    assert code_of(await shelf.show(ada, playlist)) is RejectCode.NOT_FOUND
    command = ListOwnPlaylists(viewer_id=ada.id, deleted=True, before=None, limit=10)
    assert [each.id for each in (await shelf.ask(command)).playlists] == [playlist]
    theirs = RestorePlaylist(playlist_id=playlist, owner_id=bob.id)
    assert code_of(await shelf.ask(theirs)) is RejectCode.NOT_FOUND

    await shelf.ask(restore)
    assert await shelf.order(bob, playlist) == items

    await shelf.ask(delete)
    async with world.pool.acquire() as conn:
        await conn.execute("UPDATE playlists SET deleted_at = now() - interval '31 days'")
    assert code_of(await shelf.ask(restore)) is RejectCode.NOT_FOUND
    world.node.tell(PLAYLISTS, service.SweepDeleted())
    kept = await shelf.make(ada)
    async with world.pool.acquire() as conn:
        while [row["id"] for row in await conn.fetch("SELECT id FROM playlists")] != [kept]:
            await asyncio.sleep(0)
        assert not await conn.fetchval("SELECT count(*) FROM playlist_items")


async def test_a_copy_is_ones_own_and_holds_what_one_hears(world, shelf, ada, bob):
    playlist = await shelf.make(ada)
    heard, private = await world.track(ada), await world.track(ada, visibility="private")
    await shelf.add(ada, playlist, heard, private, heard)

    command = DuplicatePlaylist(playlist_id=playlist, copy_id=uuid7(), owner_id=bob.id)
    copy = (await shelf.ask(command)).playlist

    assert (copy.owner, copy.visibility, copy.tracks) == (bob, PlaylistVisibility.PRIVATE, 2)
    assert [item.track.id for item in await shelf.items(bob, copy.id)] == [heard, heard]


async def test_what_is_more_than_a_playlist_or_an_account_holds_is_refused(
    world, shelf, ada, monkeypatch
):
    playlist, track = await shelf.make(ada), await world.track(ada)
    monkeypatch.setattr(playlist_order, "MAX_ITEMS", 2)
    monkeypatch.setattr(service, "MAX_PLAYLISTS", 1)

    assert code_of(await shelf.add(ada, playlist, *[track] * 3)) is RejectCode.QUOTA_EXCEEDED
    assert await shelf.order(ada, playlist) == []
    copy = DuplicatePlaylist(playlist_id=playlist, copy_id=uuid7(), owner_id=ada.id)
    assert code_of(await shelf.ask(copy)) is RejectCode.QUOTA_EXCEEDED


@pytest.mark.parametrize("form", PlaylistFormat)
async def test_a_file_brings_back_what_it_took(world, shelf, ada, bob, form):
    playlist = await shelf.make(ada, "Soirée & <more>")
    tracks = [await world.track(ada, title=f"Étude {n}", artist="A & B") for n in range(3)]
    hidden = await world.track(ada, visibility="private")
    await shelf.add(ada, playlist, *tracks, hidden)
    export = ExportPlaylist(
        playlist_id=playlist, viewer_id=bob.id, form=form, address="https://veza.example"
    )
    data = (await shelf.ask(export)).data
    assert f"https://veza.example/tracks/{tracks[0]}".encode() in data
    assert str(hidden).encode() not in data

    command = ImportPlaylist(playlist_id=uuid7(), owner_id=bob.id, title=None, data=data, form=form)
    made = await shelf.ask(command)

    assert (made.playlist.title, made.missing) == ("Soirée & <more>", ())
    assert [item.track.id for item in await shelf.items(bob, made.playlist.id)] == tracks


async def test_an_imported_track_is_known_by_its_name_where_its_address_is_not(
    world, shelf, ada, bob
):
    named = await world.track(ada, title="Étude", artist="Ada & Co")
    secret = await world.track(ada, title="Secret", visibility="private")
    await world.track(ada, title="Gone", artist="Ada", visibility="unlisted")
    lines = ["#EXTINF:1,ada & co - étude", "C:\\a.mp3", "#EXTINF:1,Ada - Gone", "b.mp3"]
    lines += [f"https://veza.example/tracks/{secret}", "#EXTINF:1,Secret", "c.mp3"]
    data = "\n".join(lines).encode()

    command = ImportPlaylist(
        playlist_id=uuid7(), owner_id=bob.id, title="Mine", data=data, form=PlaylistFormat.M3U8
    )
    made = await shelf.ask(command)

    assert made.missing == (1, 2, 3)
    assert [item.track.id for item in await shelf.items(bob, made.playlist.id)] == [named]


async def test_a_file_that_is_no_playlist_makes_none(shelf, ada):
    command = ImportPlaylist(
        playlist_id=uuid7(), owner_id=ada.id, title=None, data=b"{", form=PlaylistFormat.JSPF
    )

    assert code_of(await shelf.ask(command)) is RejectCode.VALIDATION_FAILED
    own = ListOwnPlaylists(viewer_id=ada.id, deleted=False, before=None, limit=10)
    assert (await shelf.ask(own)).playlists == ()
