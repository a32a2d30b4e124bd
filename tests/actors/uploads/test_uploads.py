"""An upload stays where a break left it, is written by one at a time, and becomes one track, once."""

import asyncio
import hashlib
import os
import resource
from dataclasses import replace
from uuid import UUID

import pytest

from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.tracks import WriteChunk
from veza.actors.messages.uploads import (
    FindTrackOf,
    JoinUpload,
    UploadDescribed,
    UploadState,
)
from veza.config.ids import uuid7
from veza.persistence import tracks, uploads
from veza.persistence.rows import Visibility


async def test_bytes_become_one_track_with_the_last_of_them(service, alice):
    upload = await service.opened(alice)

    half = await service.append(upload, 0, b"01")
    whole = await service.append(upload, 2, b"23")

    assert (half.upload.offset_bytes, half.upload.state) == (2, UploadState.OPEN)
    assert half.track is None
    assert whole.upload.state is UploadState.PUBLISHED
    assert whole.upload.sha256 == hashlib.sha256(b"0123").digest()
    assert whole.track.id == upload.track_id
    assert whole.track.title == "song"
    assert whole.job.track_id == upload.track_id
    assert service.source(upload.track_id) == b"0123"
    assert service.files() == []


async def test_what_is_uploaded_for_oneself_is_nobody_elses_for_a_moment(service, alice):
    command = replace(service.open_upload(alice, 4), visibility=Visibility.PRIVATE)
    upload = (await service.ask(command)).upload

    whole = await service.append(upload, 0, b"0123")

    assert upload.visibility is Visibility.PRIVATE
    assert whole.track.visibility is Visibility.PRIVATE


async def test_the_same_creation_again_is_the_same_upload(service, alice):
    command = service.open_upload(alice, 4)
    first = await service.ask(command)
    await service.append(first.upload, 0, b"01")

    again = await service.ask(command)

    assert again.upload.id == first.upload.id
    assert again.upload.offset_bytes == 2


async def test_bytes_put_aside_are_joined_once_they_are_right(service, world, alice):
    upload = await service.opened(alice, 10)

    for offset, data in ((0, b"01"), (2, b"234")):
        part_id = uuid7()
        await world.node.ask(("media", ""), WriteChunk(upload_id=part_id, offset=0, data=data))
        command = JoinUpload(
            upload_id=upload.id,
            owner_id=alice.id,
            offset_bytes=offset,
            part_id=part_id,
            size_bytes=len(data),
        )
        reply = await service.ask(command)
        assert reply.upload.offset_bytes == offset + len(data)
    await service.append(upload, 5, b"56789")

    assert service.source(upload.track_id) == b"0123456789"
    assert service.files() == []


async def test_while_one_writes_another_is_told_so(service, pool, alice):
    upload = await service.opened(alice)
    async with pool.transaction() as conn:
        assert await uploads.lock_upload(conn, upload.id) is not None

        refused = await service.append(upload, 0, b"01")
        seen = await service.described(upload)

    assert service.code(refused) is RejectCode.UPLOAD_LOCKED
    assert refused.retry_after_seconds > 0
    assert seen.upload.offset_bytes == 0
    assert (await service.append(upload, 0, b"01")).upload.offset_bytes == 2


async def test_of_many_that_bring_the_same_bytes_one_is_taken(service, alice):
    upload = await service.opened(alice, 100)

    replies = await asyncio.gather(*(service.append(upload, 0, bytes(10)) for _ in range(8)))

    taken = [each for each in replies if isinstance(each, UploadDescribed)]
    refused = {service.code(each) for each in replies if isinstance(each, Rejected)}
    assert len(taken) == 1
    assert refused <= {RejectCode.UPLOAD_OFFSET, RejectCode.UPLOAD_LOCKED}
    assert (await service.described(upload)).upload.offset_bytes == 10


async def test_what_a_crash_left_unsaid_is_written_over(service, world, alice):
    upload = await service.opened(alice, 6)
    await service.append(upload, 0, b"01")
    world.store.staging.append(upload.id, 2, b"never told, and longer than it all is")

    assert (await service.described(upload)).upload.offset_bytes == 2
    await service.append(upload, 2, b"2345")

    assert service.source(upload.track_id) == b"012345"


async def test_an_upload_whose_file_was_lost_goes_on_from_what_there_is(service, world, alice):
    upload = await service.opened(alice, 6)
    await service.append(upload, 0, b"0123")
    world.store.staging.cut(upload.id, 1)

    assert service.code(await service.append(upload, 4, b"45")) is RejectCode.UPLOAD_OFFSET
    assert (await service.described(upload)).upload.offset_bytes == 1
    world.store.staging.drop(upload.id)
    assert service.code(await service.append(upload, 1, b"12345")) is RejectCode.UPLOAD_OFFSET
    assert (await service.described(upload)).upload.offset_bytes == 0
    await service.append(upload, 0, b"012345")

    assert service.source(upload.track_id) == b"012345"


async def test_two_nodes_with_one_store_write_each_byte_once(service, world, alice, tmp_path):
    other = type(world)(world.pool, tmp_path / "media", world.settings)
    await other.node.start()
    nodes = service, type(service)(other)
    data = os.urandom(40_000)
    upload = await service.opened(alice, len(data))

    async def push(node):
        taken = 0
        while (at := (await node.described(upload)).upload.offset_bytes) < len(data):
            reply = await node.append(upload, at, data[at : at + 1000])
            taken += isinstance(reply, UploadDescribed)
        return taken

    taken = await asyncio.gather(*(push(node) for node in nodes for _ in range(2)))

    assert sum(taken) == 40
    told = [await node.described(upload) for node in nodes]
    assert {each.track.id for each in told} == {upload.track_id}
    assert len({each.job.id for each in told}) == 1
    assert service.source(upload.track_id) == data
    assert await other.node.stop(10) == []


@pytest.mark.parametrize("step", ["bytes", "object", "track"])
async def test_whatever_step_the_node_died_at_the_upload_becomes_that_one_track(
    service, world, pool, alice, step
):
    upload = await service.opened(alice)
    world.store.staging.append(upload.id, 0, b"0123, and what nobody was told of")
    if step != "bytes":
        world.store.staging.cut(upload.id, 4)
        world.store.finish(upload.id, f"sources/{upload.track_id}")
    if step == "track":
        async with pool.acquire() as conn:
            await tracks.insert_track(
                conn,
                track_id=upload.track_id,
                job_id=uuid7(),
                owner_id=alice.id,
                title="song",
                filename="song.wav",
                source_key=f"sources/{upload.track_id}",
                source_sha256=hashlib.sha256(b"0123").digest(),
                source_bytes=4,
            )
    await service.received(upload)

    asked = await asyncio.gather(*(service.described(upload) for _ in range(4)))
    service.sweep()

    assert {each.upload.state for each in asked} == {UploadState.PUBLISHED}
    assert {each.track.id for each in asked} == {upload.track_id}
    assert len({each.job.id for each in asked}) == 1
    assert service.source(upload.track_id) == b"0123"


async def test_what_is_whole_becomes_a_track_though_nobody_asks(service, world, pool, alice):
    upload = await service.opened(alice)
    world.store.staging.append(upload.id, 0, b"0123")
    await service.received(upload)

    service.sweep()

    async with asyncio.timeout(30), pool.acquire() as conn:
        while (await uploads.get_upload(conn, upload.id)).state is not UploadState.PUBLISHED:
            await asyncio.sleep(0.01)
        assert await tracks.get_track(conn, upload.track_id) is not None


async def test_an_upload_that_is_whole_but_has_no_bytes_begins_anew(service, alice):
    upload = await service.opened(alice)
    await service.received(upload)

    seen = await service.described(upload)

    assert seen.track is None
    again = await service.described(upload)
    assert (again.upload.state, again.upload.offset_bytes) == (UploadState.OPEN, 0)


async def test_a_full_disk_keeps_what_there_was_and_publishes_nothing(service, alice):
    upload = await service.opened(alice, 10_000)
    await service.append(upload, 0, bytes(1000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        refused = await service.append(upload, 1000, os.urandom(9000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert service.code(refused) is RejectCode.STORAGE_FULL
    seen = await service.described(upload)
    assert (seen.upload.offset_bytes, seen.upload.state) == (1000, UploadState.OPEN)
    assert seen.track is None
    done = await service.append(upload, 1000, bytes(9000))
    assert service.source(done.track.id) == bytes(10_000)


async def test_the_eldest_track_of_the_same_bytes_and_owner_is_told(service, world, alice):
    bob = await world.person("bob")
    made = [await service.opened(who) for who in (bob, alice, alice, alice)]

    done = [await service.append(each, 0, b"0123") for each in made]

    eldest: UUID = made[1].track_id
    assert [each.upload.duplicate_of for each in done] == [None, None, eldest, eldest]
    assert (await service.described(made[3])).upload.duplicate_of == eldest
    for owner, data, track_id in (
        (alice, b"0123", eldest),
        (bob, b"0123", made[0].track_id),
        (bob, b"3210", None),
    ):
        of = FindTrackOf(owner_id=owner.id, sha256=hashlib.sha256(data).digest())
        track = (await service.ask(of)).track
        assert (track and track.id) == track_id
