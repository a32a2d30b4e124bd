"""What is missing or damaged is found; what no table names is taken away, and nothing else ever is."""

import os
import time
from uuid import UUID

import pytest

from veza.actors.messages.audit import ListActs
from veza.actors.messages.media_keeping import (
    BadObject,
    CheckMedia,
    CollectGarbage,
    Fate,
    GarbageCollected,
    Shelf,
)
from veza.actors.messages.operator import Drain, Operator
from veza.config.ids import uuid7
from veza.persistence import attachments, renditions
from veza.persistence.media_store import KINDS
from veza.persistence.rows import Segment
from veza.persistence.tracks import insert_track

KEEPER = ("media_keeper", "")


def digest(data: bytes) -> bytes:
    from hashlib import sha256

    return sha256(data).digest()


@pytest.fixture
async def track(world) -> UUID:
    """A track with a source, an init segment and a segment, as rows and as files."""
    world.node.tell(("dispatcher", ""), Drain())
    owner, track_id = await world.person("ada"), uuid7()
    keys = [
        f"sources/{track_id}",
        f"media/{track_id}/aac-64/init.mp4",
        f"media/{track_id}/aac-64/0.mp4",
    ]
    for key, data in zip(keys, (b"source", b"init", b"sound"), strict=True):
        world.store.put(key, data)
    async with world.pool.acquire() as conn:
        await insert_track(
            conn,
            track_id=track_id,
            job_id=uuid7(),
            owner_id=owner.id,
            title="A track",
            filename="a.flac",
            source_key=keys[0],
            source_sha256=digest(b"source"),
            source_bytes=6,
        )
        await renditions.save_init(
            conn,
            track_id,
            rendition="aac-64",
            codecs="mp4a.40.2",
            sample_rate_hz=48_000,
            channels=2,
            bitrate_bps=64_000,
            init_key=keys[1],
            init_sha256=digest(b"init"),
        )
        segment = Segment(
            number=0,
            key=keys[2],
            sha256=digest(b"sound"),
            size_bytes=5,
            first_sample=0,
            duration_samples=9,
        )
        await renditions.append_segment(conn, track_id, rendition="aac-64", segment=segment)
    return track_id


@pytest.fixture
async def attachment(world, track) -> UUID:
    owner = await world.person("bob")
    room = await world.room(owner)
    attachment_id = uuid7()
    world.store.put(f"attachments/{attachment_id}/note.txt", b"note")
    async with world.pool.acquire() as conn:
        await attachments.insert_attachment(
            conn,
            attachment_id=attachment_id,
            owner_id=owner.id,
            room_id=room.id,
            filename="note.txt",
            content_type="text/plain",
            size_bytes=4,
            sha256=digest(b"note"),
            key=f"attachments/{attachment_id}/note.txt",
            job_id=None,
        )
    return attachment_id


async def check(world, shelf=Shelf.TRACKS, *, is_fast=False):
    """All parts, one behind the other."""
    objects, bad, after = 0, [], None
    while True:
        part = await world.node.ask(KEEPER, CheckMedia(shelf=shelf, after=after, is_fast=is_fast))
        if part.last is None:
            return objects, bad
        objects, bad, after = objects + part.objects, bad + list(part.bad), part.last


def path(world, key: str):
    return world.settings.data / "media" / key


async def test_all_that_is_named_is_checked(world, track, attachment):
    assert await check(world) == (3, [])
    assert await check(world, Shelf.ATTACHMENTS) == (1, [])


async def test_what_is_missing_or_damaged_is_told(world, track, attachment):
    path(world, f"sources/{track}").write_bytes(b"s0urce")
    path(world, f"media/{track}/aac-64/0.mp4").write_bytes(b"sou")
    path(world, f"media/{track}/aac-64/init.mp4").unlink()
    path(world, f"attachments/{attachment}/note.txt").write_bytes(b"n0te")

    missing = BadObject(key=f"media/{track}/aac-64/init.mp4", fate=Fate.MISSING)
    short = BadObject(key=f"media/{track}/aac-64/0.mp4", fate=Fate.DAMAGED)
    other = BadObject(key=f"sources/{track}", fate=Fate.DAMAGED)
    _, found = await check(world)
    assert sorted(found, key=lambda each: each.key) == [short, missing, other]
    # At the size alone the same number of other bytes looks the same.
    _, fast = await check(world, is_fast=True)
    assert sorted(fast, key=lambda each: each.key) == [short, missing]
    _, (note,) = await check(world, Shelf.ATTACHMENTS)
    assert note.fate is Fate.DAMAGED


async def collect(world, *, deletes=False, older_than_seconds=3600.0):
    by = Operator(name="root", user_id="", via="socket")
    objects = size_bytes = 0
    for kind in KINDS:
        after = ""
        while True:
            part = await world.node.ask(
                KEEPER,
                CollectGarbage(
                    kind=kind,
                    after=after,
                    older_than_seconds=older_than_seconds,
                    deletes=deletes,
                    by=by,
                    reason="tidy",
                ),
            )
            assert isinstance(part, GarbageCollected)
            objects, size_bytes = objects + part.objects, size_bytes + part.size_bytes
            if not (after := part.last):
                break
    return objects, size_bytes


def make_old(world) -> None:
    two_hours_ago = time.time() - 7200
    for folder, _, names in os.walk(world.settings.data / "media"):
        for name in names:
            os.utime(os.path.join(folder, name), (two_hours_ago, two_hours_ago))


async def test_garbage_is_what_nobody_names_and_is_old(world, track, attachment):
    orphans = [
        f"sources/{uuid7()}",
        f"media/{track}/aac-64/7.mp4",
        f"media/{uuid7()}/aac-64/0.mp4",
        f"attachments/{attachment}/other.txt",
    ]
    for key in orphans:
        world.store.put(key, b"left")
    strange = "media/lost-and-found/what.mp4"
    world.store.put(strange, b"not ours")
    assert await collect(world) == (0, 0)  # all is young
    make_old(world)
    young = f"media/{uuid7()}/aac-64/0.mp4"
    world.store.put(young, b"just made")

    assert await collect(world) == (4, 16)
    assert await collect(world, deletes=True) == (4, 16)
    assert await collect(world, deletes=True) == (0, 0)

    assert not any(path(world, key).exists() for key in orphans)
    assert path(world, strange).exists()
    assert path(world, young).exists()
    assert await check(world) == (3, [])
    assert await check(world, Shelf.ATTACHMENTS) == (1, [])
    acts = (await world.node.ask(("audit", ""), ListActs(limit=9))).acts
    assert sum(int(act.target.split()[0]) for act in acts) == 4
    assert {act.action for act in acts} == {"gc"}
