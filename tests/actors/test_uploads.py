"""An upload stays where a break left it, is written by one at a time, and becomes one track, once."""

import asyncio
import hashlib
import os
import resource
from dataclasses import replace
from uuid import UUID

import pytest

from veza.actors.media import SweepUploads
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.tracks import WriteChunk
from veza.actors.messages.uploads import (
    AppendUpload,
    DescribeUpload,
    JoinUpload,
    OpenUpload,
    RequireSpace,
    ResumeUpload,
    SpaceGranted,
    TerminateUpload,
    UploadDescribed,
    UploadState,
    UploadTerminated,
)
from veza.actors.uploads import SweepUnfinished
from veza.config.ids import uuid7
from veza.persistence import tracks, uploads

SERVICE = ("uploads", "")
SWEEP = SweepUnfinished(older_than_seconds=0.0)


@pytest.fixture
async def alice(world):
    return await world.person("alice")


async def opened(world, owner, length=4, **more):
    reply = await world.node.ask(SERVICE, open_upload(owner, length, **more))
    assert isinstance(reply, UploadDescribed), reply
    return reply.upload


def open_upload(owner, length, **more):
    fields = {"title": "", "filename": "song.wav", "metadata": ""}
    return OpenUpload(
        upload_id=uuid7(), track_id=uuid7(), owner=owner, length_bytes=length, **{**fields, **more}
    )


async def append(world, upload, offset, data):
    command = AppendUpload(
        upload_id=upload.id, owner_id=upload.owner.id, offset_bytes=offset, data=data
    )
    return await world.node.ask(SERVICE, command, 60.0)


async def described(world, upload):
    command = DescribeUpload(upload_id=upload.id, owner_id=upload.owner.id)
    return await world.node.ask(SERVICE, command, 60.0)


def source(world, track_id):
    return (world.store._root / "sources" / str(track_id)).read_bytes()


def files(world):
    return sorted(path.name for path in (world.store._root / "uploads").iterdir())


def code(reply):
    assert isinstance(reply, Rejected), reply
    return reply.code


async def changed(pool, query, *arguments):
    async with pool.acquire() as conn:
        await conn.execute(query, *arguments)


async def test_bytes_become_one_track_with_the_last_of_them(world, alice):
    upload = await opened(world, alice)

    half = await append(world, upload, 0, b"01")
    whole = await append(world, upload, 2, b"23")

    assert (half.upload.offset_bytes, half.upload.state) == (2, UploadState.OPEN)
    assert half.track is None
    assert whole.upload.state is UploadState.PUBLISHED
    assert whole.upload.sha256 == hashlib.sha256(b"0123").digest()
    assert whole.track.id == upload.track_id
    assert whole.track.title == "song"
    assert whole.job.track_id == upload.track_id
    assert source(world, upload.track_id) == b"0123"
    assert files(world) == []


async def test_the_same_creation_again_is_the_same_upload(world, alice):
    command = open_upload(alice, 4)
    first = await world.node.ask(SERVICE, command)
    await append(world, first.upload, 0, b"01")

    again = await world.node.ask(SERVICE, command)

    assert again.upload.id == first.upload.id
    assert again.upload.offset_bytes == 2


async def test_bytes_put_aside_are_joined_once_they_are_right(world, alice):
    upload = await opened(world, alice, 10)

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
        reply = await world.node.ask(SERVICE, command)
        assert reply.upload.offset_bytes == offset + len(data)
    await append(world, upload, 5, b"56789")

    assert source(world, upload.track_id) == b"0123456789"
    assert files(world) == []


async def test_while_one_writes_another_is_told_so(world, pool, alice):
    upload = await opened(world, alice)
    async with pool.transaction() as conn:
        assert await uploads.lock_upload(conn, upload.id) is not None

        refused = await append(world, upload, 0, b"01")
        seen = await described(world, upload)

    assert code(refused) is RejectCode.UPLOAD_LOCKED
    assert refused.retry_after_seconds > 0
    assert seen.upload.offset_bytes == 0
    assert (await append(world, upload, 0, b"01")).upload.offset_bytes == 2


async def test_of_many_that_bring_the_same_bytes_one_is_taken(world, alice):
    upload = await opened(world, alice, 100)

    replies = await asyncio.gather(*(append(world, upload, 0, bytes(10)) for _ in range(8)))

    taken = [each for each in replies if isinstance(each, UploadDescribed)]
    refused = {code(each) for each in replies if isinstance(each, Rejected)}
    assert len(taken) == 1
    assert refused <= {RejectCode.UPLOAD_OFFSET, RejectCode.UPLOAD_LOCKED}
    assert (await described(world, upload)).upload.offset_bytes == 10


async def test_what_a_crash_left_unsaid_is_written_over(world, alice):
    upload = await opened(world, alice, 6)
    await append(world, upload, 0, b"01")
    world.store.append(upload.id, 2, b"never told, and longer than it all is")

    assert (await described(world, upload)).upload.offset_bytes == 2
    await append(world, upload, 2, b"2345")

    assert source(world, upload.track_id) == b"012345"


async def test_an_upload_whose_file_was_lost_goes_on_from_what_there_is(world, alice):
    upload = await opened(world, alice, 6)
    await append(world, upload, 0, b"0123")
    world.store.cut(upload.id, 1)

    assert code(await append(world, upload, 4, b"45")) is RejectCode.UPLOAD_OFFSET
    assert (await described(world, upload)).upload.offset_bytes == 1
    world.store.drop(upload.id)
    assert code(await append(world, upload, 1, b"12345")) is RejectCode.UPLOAD_OFFSET
    assert (await described(world, upload)).upload.offset_bytes == 0
    await append(world, upload, 0, b"012345")

    assert source(world, upload.track_id) == b"012345"


async def test_two_nodes_with_one_store_write_each_byte_once(world, alice, tmp_path):
    other = type(world)(world.pool, tmp_path / "media", world.settings)
    await other.node.start()
    data = os.urandom(40_000)
    upload = await opened(world, alice, len(data))

    async def push(node):
        taken = 0
        while (at := (await described(node, upload)).upload.offset_bytes) < len(data):
            reply = await append(node, upload, at, data[at : at + 1000])
            taken += isinstance(reply, UploadDescribed)
        return taken

    taken = await asyncio.gather(*(push(node) for node in (world, other) for _ in range(2)))

    assert sum(taken) == 40
    told = [await described(node, upload) for node in (world, other)]
    assert {each.track.id for each in told} == {upload.track_id}
    assert len({each.job.id for each in told}) == 1
    assert source(world, upload.track_id) == data
    assert await other.node.stop(10) == []


RECEIVED = """
    UPDATE uploads SET state = 'received', offset_bytes = length_bytes, sha256 = NULL WHERE id = $1
"""


@pytest.mark.parametrize("step", ["bytes", "object", "track"])
async def test_whatever_step_the_node_died_at_the_upload_becomes_that_one_track(
    world, pool, alice, step
):
    upload = await opened(world, alice)
    world.store.append(upload.id, 0, b"0123, and what nobody was told of")
    if step != "bytes":
        world.store.cut(upload.id, 4)
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
    await changed(pool, RECEIVED, upload.id)

    asked = await asyncio.gather(*(described(world, upload) for _ in range(4)))
    world.node.tell(SERVICE, SWEEP)

    assert {each.upload.state for each in asked} == {UploadState.PUBLISHED}
    assert {each.track.id for each in asked} == {upload.track_id}
    assert len({each.job.id for each in asked}) == 1
    assert source(world, upload.track_id) == b"0123"


async def test_what_is_whole_becomes_a_track_though_nobody_asks(world, pool, alice):
    upload = await opened(world, alice)
    world.store.append(upload.id, 0, b"0123")
    await changed(pool, RECEIVED, upload.id)

    world.node.tell(SERVICE, SWEEP)

    async with asyncio.timeout(30), pool.acquire() as conn:
        while (await uploads.get_upload(conn, upload.id)).state is not UploadState.PUBLISHED:
            await asyncio.sleep(0.01)
        assert await tracks.get_track(conn, upload.track_id) is not None


async def test_an_upload_that_is_whole_but_has_no_bytes_begins_anew(world, pool, alice):
    upload = await opened(world, alice)
    await changed(pool, RECEIVED, upload.id)

    seen = await described(world, upload)

    assert seen.track is None
    again = await described(world, upload)
    assert (again.upload.state, again.upload.offset_bytes) == (UploadState.OPEN, 0)


async def test_a_full_disk_keeps_what_there_was_and_publishes_nothing(world, alice):
    upload = await opened(world, alice, 10_000)
    await append(world, upload, 0, bytes(1000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        refused = await append(world, upload, 1000, os.urandom(9000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert code(refused) is RejectCode.STORAGE_FULL
    seen = await described(world, upload)
    assert (seen.upload.offset_bytes, seen.upload.state) == (1000, UploadState.OPEN)
    assert seen.track is None
    done = await append(world, upload, 1000, bytes(9000))
    assert source(world, done.track.id) == bytes(10_000)


async def test_more_than_its_length_is_never_written(world, alice):
    upload = await opened(world, alice)
    assert code(await append(world, upload, 0, b"01234")) is RejectCode.PAYLOAD_TOO_LARGE
    resume = ResumeUpload(
        upload_id=upload.id, owner_id=alice.id, offset_bytes=0, length_bytes=None, size_bytes=5
    )
    assert code(await world.node.ask(SERVICE, resume)) is RejectCode.PAYLOAD_TOO_LARGE
    assert files(world) == []
    too_long = open_upload(alice, world.settings.max_upload_bytes + 1)
    assert code(await world.node.ask(SERVICE, too_long)) is RejectCode.PAYLOAD_TOO_LARGE


async def test_stored_and_promised_bytes_count_together(world, pool, alice):
    upload = await opened(world, alice, 1000)
    await append(world, upload, 0, bytes(1000))
    await opened(world, alice, 500)
    quota = world.settings.user_quota_bytes

    async def asks(size):
        return await world.node.ask(SERVICE, RequireSpace(owner_id=alice.id, size_bytes=size))

    assert isinstance(await asks(quota - 1500), SpaceGranted)
    assert code(await asks(quota - 1499)) is RejectCode.QUOTA_EXCEEDED
    await opened(world, alice, None)  # it may become the largest there is
    left = quota - 1500 - world.settings.max_upload_bytes
    assert isinstance(await asks(left), SpaceGranted)
    assert code(await asks(left + 1)) is RejectCode.QUOTA_EXCEEDED
    bob = await world.person("bob")
    granted = await world.node.ask(SERVICE, RequireSpace(owner_id=bob.id, size_bytes=quota))
    assert isinstance(granted, SpaceGranted)


async def test_of_many_uploads_begun_at_once_no_more_are_than_may_be(world, alice):
    limit = world.settings.unfinished_uploads

    replies = await asyncio.gather(
        *(world.node.ask(SERVICE, open_upload(alice, 4)) for _ in range(limit + 5))
    )

    refused = [code(each) for each in replies if isinstance(each, Rejected)]
    assert refused == [RejectCode.TOO_MANY_UPLOADS] * 5


async def test_what_expired_takes_no_bytes_counts_no_more_and_goes(world, pool, alice):
    old, young = await opened(world, alice), await opened(world, alice)
    for each in (old, young):
        await append(world, each, 0, b"01")
    await changed(pool, "UPDATE uploads SET expires_at = now() WHERE id = $1", old.id)

    assert code(await described(world, old)) is RejectCode.UPLOAD_EXPIRED
    assert code(await append(world, old, 2, b"23")) is RejectCode.UPLOAD_EXPIRED
    async with pool.acquire() as conn:
        usage = await uploads.read_usage(conn, alice.id, unknown_bytes=1)
    assert (usage.unfinished, usage.reserved_bytes) == (1, 4)

    world.node.tell(SERVICE, SWEEP)
    async with asyncio.timeout(30):
        while files(world) != [str(young.id)]:
            await asyncio.sleep(0.01)
    assert code(await described(world, old)) is RejectCode.NOT_FOUND
    assert (await described(world, young)).upload.offset_bytes == 2


async def test_each_part_lets_an_upload_live_on(world, pool, alice):
    upload = await opened(world, alice)
    soon = "UPDATE uploads SET expires_at = now() + interval '1 minute' WHERE id = $1"
    await changed(pool, soon, upload.id)

    later = await append(world, upload, 0, b"0")

    left = later.upload.expires_at - later.upload.created_at
    assert left.total_seconds() >= world.settings.upload_lifetime_seconds


async def test_the_sweep_of_left_files_leaves_uploads_alone_that_may_go_on(world, alice):
    upload = await opened(world, alice)
    await append(world, upload, 0, b"01")
    left = uuid7()
    world.store.write_chunk(left, 0, b"of a form that broke off")
    for name in files(world):
        os.utime(world.store._root / "uploads" / name, (0, 0))

    world.node.tell(("media", ""), SweepUploads())

    async with asyncio.timeout(30):
        while str(left) in files(world):
            await asyncio.sleep(0.01)
    assert files(world) == [str(upload.id)]


async def test_only_its_owner_knows_of_an_upload(world, alice):
    upload = await opened(world, alice)
    bob = await world.person("bob")
    foreign = replace(upload, owner=bob)

    assert code(await described(world, foreign)) is RejectCode.NOT_FOUND
    assert code(await append(world, foreign, 0, b"01")) is RejectCode.NOT_FOUND
    end = TerminateUpload(upload_id=upload.id, owner_id=bob.id)
    assert code(await world.node.ask(SERVICE, end)) is RejectCode.NOT_FOUND
    assert (await described(world, upload)).upload.offset_bytes == 0


async def test_terminating_forgets_the_bytes_but_no_track(world, alice):
    upload, done = await opened(world, alice), await opened(world, alice)
    await append(world, upload, 0, b"01")
    await append(world, done, 0, b"0123")

    for each in (upload, done):
        command = TerminateUpload(upload_id=each.id, owner_id=alice.id)
        assert isinstance(await world.node.ask(SERVICE, command), UploadTerminated)
        assert code(await described(world, each)) is RejectCode.NOT_FOUND

    assert files(world) == []
    assert source(world, done.track_id) == b"0123"


async def test_an_upload_whose_track_is_being_made_cannot_be_terminated(world, pool, alice):
    upload = await opened(world, alice)
    world.store.append(upload.id, 0, b"0123")
    await changed(pool, RECEIVED, upload.id)

    command = TerminateUpload(upload_id=upload.id, owner_id=alice.id)
    assert code(await world.node.ask(SERVICE, command)) is RejectCode.INVALID_STATE

    assert (await described(world, upload)).track.id == upload.track_id


async def test_the_eldest_track_of_the_same_bytes_and_owner_is_told(world, alice):
    bob = await world.person("bob")
    made = [await opened(world, who) for who in (bob, alice, alice, alice)]

    done = [await append(world, each, 0, b"0123") for each in made]

    eldest: UUID = made[1].track_id
    assert [each.upload.duplicate_of for each in done] == [None, None, eldest, eldest]
    assert (await described(world, made[3])).upload.duplicate_of == eldest
