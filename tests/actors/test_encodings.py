"""Staff see what other settings made and have it encoded anew; who asked for it is written down."""

from veza.actors.messages.audit import ListActs
from veza.actors.messages.encodings import (
    EncodingsRead,
    ReadEncodings,
    ReencodeTracks,
    ReencodingsQueued,
    Which,
)
from veza.actors.messages.operator import Drain, Operator
from veza.config.ids import uuid7
from veza.persistence.tracks import insert_track

ENCODINGS = ("encodings", "")


async def published(world, count: int):
    """Ids of tracks that nothing is known of but that they were published."""
    world.node.tell(("dispatcher", ""), Drain())
    owner = await world.person("ada")
    ids = [uuid7() for _ in range(count)]
    async with world.pool.acquire() as conn:
        for track_id in ids:
            await insert_track(
                conn,
                track_id=track_id,
                job_id=uuid7(),
                owner_id=owner.id,
                title="A track",
                filename="a.flac",
                source_key=f"sources/{track_id}",
                source_sha256=bytes(32),
                source_bytes=10,
            )
        await conn.execute("UPDATE tracks SET state = 'published'")
        await conn.execute("UPDATE jobs SET state = 'published'")
    return ids


def asked(which: Which, **others) -> ReencodeTracks:
    by = Operator(name="root", user_id="", via="socket")
    given = {"track_id": None, "after": None, **others}
    return ReencodeTracks(which=which, by=by, reason="A new ladder.", **given)


async def test_tracks_of_another_recipe_are_counted_and_queued_once(world):
    ids = await published(world, 3)
    found = await world.node.ask(ENCODINGS, ReadEncodings())
    assert isinstance(found, EncodingsRead)
    assert (found.published, found.outdated) == (3, 3)
    first = await world.node.ask(ENCODINGS, asked(Which.ONE, track_id=ids[1]))
    assert first == ReencodingsQueued(queued=1, last=ids[1])
    rest = await world.node.ask(ENCODINGS, asked(Which.OUTDATED))
    assert rest == ReencodingsQueued(queued=2, last=ids[2])
    none = await world.node.ask(ENCODINGS, asked(Which.ALL, after=rest.last))
    assert none == ReencodingsQueued(queued=0, last=None)


async def test_tracks_of_this_recipe_are_queued_only_if_all_are_meant(world):
    await published(world, 1)
    recipe = (await world.node.ask(ENCODINGS, ReadEncodings())).recipe
    async with world.pool.acquire() as conn:
        await conn.execute("UPDATE tracks SET recipe = $1", recipe)
    assert (await world.node.ask(ENCODINGS, ReadEncodings())).outdated == 0
    assert (await world.node.ask(ENCODINGS, asked(Which.OUTDATED))).queued == 0
    assert (await world.node.ask(ENCODINGS, asked(Which.ALL))).queued == 1


async def test_who_had_tracks_encoded_anew_is_in_the_audit_log_and_who_did_nothing_is_not(world):
    await published(world, 2)
    await world.node.ask(ENCODINGS, asked(Which.OUTDATED))
    await world.node.ask(ENCODINGS, asked(Which.OUTDATED))
    acts = (await world.node.ask(("audit", ""), ListActs(limit=9))).acts
    assert [(act.action, act.target, act.actor_name, act.reason) for act in acts] == [
        ("reprocess", "2 tracks, outdated", "root", "A new ladder.")
    ]
