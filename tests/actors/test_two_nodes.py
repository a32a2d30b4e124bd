"""Two nodes on one database: no job runs twice, and a room's log has one order."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from veza.actors.messages.common import Key
from veza.actors.messages.rooms import ActInRoom, EventStored, JoinRoom, PostMessage, ReadEvents
from veza.actors.messages.tracks import PublishUpload, TrackAccepted, WriteChunk
from veza.codecs.wav import wav_bytes
from veza.config.ids import uuid7


@pytest.fixture
async def other(world, pool, tmp_path: Path) -> AsyncIterator[object]:
    """Another node beside `world`, with the same database and media."""
    other = type(world)(pool, tmp_path / "media", world.settings)
    await other.node.start()
    yield other
    assert await other.node.stop(60) == []


def silence(seconds: float) -> bytes:
    samples = np.zeros((round(seconds * 44_100), 2), np.float32)
    return wav_bytes(samples, sample_rate_hz=44_100)


async def upload(world, owner):
    upload_id = uuid7()
    await world.node.ask(("media", ""), WriteChunk(upload_id=upload_id, offset=0, data=silence(1)))
    command = PublishUpload(
        track_id=uuid7(), upload_id=upload_id, owner=owner, title="", filename="song.wav"
    )
    accepted = await world.node.ask(("catalogue", ""), command)
    assert isinstance(accepted, TrackAccepted)


async def test_each_job_is_run_once_whichever_node_takes_it(world, other, pool):
    ada = await world.person("ada")
    for number in range(6):
        await upload(world if number % 2 else other, ada)

    async with asyncio.timeout(50):
        while True:
            async with pool.acquire() as conn:
                jobs = await conn.fetch("SELECT state, attempts FROM jobs")
            if all(job["state"] == "published" for job in jobs):
                break
            await asyncio.sleep(0.05)

    assert [job["attempts"] for job in jobs] == [1] * 6


async def test_writers_on_two_nodes_share_one_order_without_a_gap(world, other):
    ada = await world.person("ada")
    room = await world.room(ada)
    key: Key = ("room", str(room.id))
    for each in (world, other):
        await each.node.ask(key, ActInRoom(by=ada, act=JoinRoom()))

    async def write(node, number: int):
        post = ActInRoom(by=ada, act=PostMessage(message_id=uuid4(), text=str(number)))
        return await node.ask(key, post)

    writing = (write(each.node, n) for n in range(100) for each in (world, other))
    stored = await asyncio.gather(*writing)

    assert all(isinstance(reply, EventStored) for reply in stored)
    log = await world.node.ask(("room_log", ""), ReadEvents(room_id=room.id, limit=1000))
    assert [event.seq for event in log.events] == list(range(1, 202))
    by_seq = {event.seq: event.message_id for event in log.events}
    assert all(by_seq[reply.event.seq] == reply.event.message_id for reply in stored)


async def test_each_node_tells_its_members_the_whole_log_in_order(world, other):
    ada = await world.person("ada")
    room = await world.room(ada)
    key: Key = ("room", str(room.id))
    listener = await type(await world.client("ben"))(other, ada).open()
    await listener.join(room)

    await world.node.ask(key, ActInRoom(by=ada, act=JoinRoom()))
    for node in (world.node, world.node, other.node):
        await node.ask(key, ActInRoom(by=ada, act=PostMessage(message_id=uuid4(), text="salut")))

    await listener.wait_for(lambda e: getattr(e, "seq", 0) == 4)
    assert [e.seq for e in listener.events if hasattr(e, "seq")] == [2, 3, 4]
