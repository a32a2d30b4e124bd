"""An upload takes what its owner may have, as long as it may, and goes with its bytes."""

import asyncio
import os
from dataclasses import replace

from veza.actors.media import SweepUploads
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.uploads import (
    ListUploads,
    RequireSpace,
    ResumeUpload,
    SpaceGranted,
    TerminateUpload,
    UploadTerminated,
)
from veza.config.ids import uuid7
from veza.persistence import uploads


async def test_more_than_its_length_is_never_written(service, world, alice):
    upload = await service.opened(alice)
    assert service.code(await service.append(upload, 0, b"01234")) is RejectCode.PAYLOAD_TOO_LARGE
    resume = ResumeUpload(
        upload_id=upload.id, owner_id=alice.id, offset_bytes=0, length_bytes=None, size_bytes=5
    )
    assert service.code(await service.ask(resume)) is RejectCode.PAYLOAD_TOO_LARGE
    assert service.files() == []
    too_long = service.open_upload(alice, world.settings.max_upload_bytes + 1)
    assert service.code(await service.ask(too_long)) is RejectCode.PAYLOAD_TOO_LARGE


async def test_stored_and_promised_bytes_count_together(service, world, alice):
    upload = await service.opened(alice, 1000)
    await service.append(upload, 0, bytes(1000))
    await service.opened(alice, 500)
    quota = world.settings.user_quota_bytes

    async def asks(size):
        return await service.ask(RequireSpace(owner_id=alice.id, size_bytes=size))

    assert isinstance(await asks(quota - 1500), SpaceGranted)
    assert service.code(await asks(quota - 1499)) is RejectCode.QUOTA_EXCEEDED
    await service.opened(alice, None)  # it may become the largest there is
    left = quota - 1500 - world.settings.max_upload_bytes
    assert isinstance(await asks(left), SpaceGranted)
    assert service.code(await asks(left + 1)) is RejectCode.QUOTA_EXCEEDED
    bob = await world.person("bob")
    granted = await service.ask(RequireSpace(owner_id=bob.id, size_bytes=quota))
    assert isinstance(granted, SpaceGranted)


async def test_of_many_uploads_begun_at_once_no_more_are_than_may_be(service, world, alice):
    limit = world.settings.unfinished_uploads

    replies = await asyncio.gather(
        *(service.ask(service.open_upload(alice, 4)) for _ in range(limit + 5))
    )

    refused = [service.code(each) for each in replies if isinstance(each, Rejected)]
    assert refused == [RejectCode.TOO_MANY_UPLOADS] * 5


async def test_what_expired_takes_no_bytes_counts_no_more_and_goes(service, pool, alice):
    old, young = await service.opened(alice), await service.opened(alice)
    for each in (old, young):
        await service.append(each, 0, b"01")
    await service.changed("UPDATE uploads SET expires_at = now() WHERE id = $1", old.id)

    assert service.code(await service.described(old)) is RejectCode.UPLOAD_EXPIRED
    assert service.code(await service.append(old, 2, b"23")) is RejectCode.UPLOAD_EXPIRED
    async with pool.acquire() as conn:
        usage = await uploads.read_usage(conn, alice.id, unknown_bytes=1)
    assert (usage.unfinished, usage.reserved_bytes) == (1, 4)

    service.sweep()
    await service.has_files(young.id)
    assert service.code(await service.described(old)) is RejectCode.NOT_FOUND
    assert (await service.described(young)).upload.offset_bytes == 2


async def test_those_that_are_not_finished_are_listed_to_their_owner(service, world, alice):
    bob = await world.person("bob")
    first, second = await service.opened(alice), await service.opened(alice)
    gone, done = await service.opened(alice), await service.opened(alice)
    await service.append(first, 0, b"01")
    await service.append(done, 0, b"0123")
    await service.changed("UPDATE uploads SET expires_at = now() WHERE id = $1", gone.id)

    told = {}
    for who in (alice, bob):
        listed = (await service.ask(ListUploads(owner_id=who.id))).uploads
        told[who.name] = [(each.id, each.offset_bytes) for each in listed]

    assert told == {"alice": [(second.id, 0), (first.id, 2)], "bob": []}


async def test_each_part_lets_an_upload_live_on(service, world, alice):
    upload = await service.opened(alice)
    soon = "UPDATE uploads SET expires_at = now() + interval '1 minute' WHERE id = $1"
    await service.changed(soon, upload.id)

    later = await service.append(upload, 0, b"0")

    left = later.upload.expires_at - later.upload.created_at
    assert left.total_seconds() >= world.settings.upload_lifetime_seconds


async def test_the_sweep_of_left_files_leaves_uploads_alone_that_may_go_on(service, world, alice):
    upload = await service.opened(alice)
    await service.append(upload, 0, b"01")
    left = uuid7()
    world.store.staging.write_chunk(left, 0, b"of a form that broke off")
    for name in service.files():
        os.utime(world.store._root / "uploads" / name, (0, 0))

    world.node.tell(("media", ""), SweepUploads())

    await service.has_files(upload.id)


async def test_only_its_owner_knows_of_an_upload(service, world, alice):
    upload = await service.opened(alice)
    bob = await world.person("bob")
    foreign = replace(upload, owner=bob)

    assert service.code(await service.described(foreign)) is RejectCode.NOT_FOUND
    assert service.code(await service.append(foreign, 0, b"01")) is RejectCode.NOT_FOUND
    end = TerminateUpload(upload_id=upload.id, owner_id=bob.id)
    assert service.code(await service.ask(end)) is RejectCode.NOT_FOUND
    assert (await service.described(upload)).upload.offset_bytes == 0


async def test_terminating_forgets_the_bytes_but_no_track(service, alice):
    upload, done = await service.opened(alice), await service.opened(alice)
    await service.append(upload, 0, b"01")
    await service.append(done, 0, b"0123")

    for each in (upload, done):
        command = TerminateUpload(upload_id=each.id, owner_id=alice.id)
        assert isinstance(await service.ask(command), UploadTerminated)
        assert service.code(await service.described(each)) is RejectCode.NOT_FOUND

    assert service.files() == []
    assert service.source(done.track_id) == b"0123"


async def test_an_upload_whose_track_is_being_made_cannot_be_terminated(service, world, alice):
    upload = await service.opened(alice)
    world.store.staging.append(upload.id, 0, b"0123")
    await service.received(upload)

    command = TerminateUpload(upload_id=upload.id, owner_id=alice.id)
    assert service.code(await service.ask(command)) is RejectCode.INVALID_STATE

    assert (await service.described(upload)).track.id == upload.track_id
