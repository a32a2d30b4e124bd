"""A file becomes an attachment of one message, a picture gets a thumbnail, and nothing is left behind."""

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image

from veza.actors.attachments import MAX_UNUSED, SweepAttachments
from veza.actors.messages.attachments import (
    AttachmentRead,
    AttachmentReady,
    AttachmentsDescribed,
    AttachmentShown,
    AttachmentState,
    AttachmentStored,
    DescribeAttachments,
    ReadAttachment,
    ShowAttachment,
    StoreAttachment,
    StoreThumbnail,
)
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.jobs import CancelRunning, ClaimJob, DrainJobs, LeaveJob, StartJob
from veza.actors.messages.tracks import (
    CancelJob,
    DescribeJob,
    JobState,
    JobType,
    RetryJob,
    WriteChunk,
)
from veza.config.ids import uuid7
from veza.persistence import attachments
from veza.persistence.rows import Binding

SERVICE = ("attachments", "")
CHUNK = 256 * 1024


def picture(kind="PNG", size=(900, 600)):
    file = BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(file, kind)
    return file.getvalue()


PICTURE = picture()


@pytest.fixture
async def alice(world):
    return await world.client("alice")


@pytest.fixture
async def room(world, alice):
    return await world.room(alice.author)


async def upload(world, owner, room, data, filename="cover.png"):
    upload_id = uuid7()
    for offset in range(0, len(data), CHUNK):
        chunk = WriteChunk(upload_id=upload_id, offset=offset, data=data[offset : offset + CHUNK])
        await world.node.ask(("media", ""), chunk)
    command = StoreAttachment(
        attachment_id=uuid7(),
        upload_id=upload_id,
        owner=owner,
        room_id=room.id,
        filename=filename,
    )
    return await world.node.ask(SERVICE, command)


async def stored(world, owner, room, data, filename="cover.png"):
    reply = await upload(world, owner, room, data, filename)
    assert isinstance(reply, AttachmentStored), reply
    return reply


async def shown(world, attachment):
    reply = await world.node.ask(SERVICE, ShowAttachment(attachment_id=attachment.id))
    return reply.attachment if isinstance(reply, AttachmentShown) else reply


async def read(world, attachment, *, is_thumbnail=False):
    command = ReadAttachment(attachment_id=attachment.id, is_thumbnail=is_thumbnail)
    return await world.node.ask(SERVICE, command)


async def news(client, attachment):
    return await client.wait_for(
        lambda e: isinstance(e, AttachmentReady) and e.attachment_id == attachment.id
    )


async def described_job(world, job, viewer):
    reply = await world.node.ask(("jobs", ""), DescribeJob(job_id=job.id, viewer_id=viewer.id))
    return reply.job


def describe(attachment, *others, **changes):
    fields = {
        "attachment_ids": tuple(each.id for each in (attachment, *others)),
        "owner_id": attachment.owner_id,
        "room_id": attachment.room_id,
        "message_id": uuid4(),
    }
    return DescribeAttachments(**{**fields, **changes})


async def bind(pool, attachment, message_id):
    binding = Binding(
        attachment_id=attachment.id,
        owner_id=attachment.owner_id,
        room_id=attachment.room_id,
        message_id=message_id,
    )
    async with pool.acquire() as conn:
        assert await attachments.bind_attachments(conn, [binding]) == ()


def files_of(world, attachment):
    folder = world.store._root / "attachments" / str(attachment.id)
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []


async def test_a_picture_gets_a_thumbnail_and_owner_and_room_hear_of_it(world, alice, room):
    bob = await world.client("bob")
    await bob.join(room)
    done = await stored(world, alice.author, room, PICTURE)
    assert done.attachment.content_type == "image/png"
    assert done.attachment.state is AttachmentState.PROCESSING
    assert done.job.type is JobType.THUMBNAIL

    told = await news(alice, done.attachment)
    assert await news(bob, done.attachment) == told

    assert (told.state, told.room_id) == (AttachmentState.READY, room.id)
    assert (told.width_px, told.height_px) == (900, 600)
    assert (told.thumbnail_width_px, told.thumbnail_height_px) == (480, 320)
    small = await read(world, done.attachment, is_thumbnail=True)
    assert Image.open(BytesIO(small.data)).size == (480, 320)
    assert (await read(world, done.attachment)).data == PICTURE
    job = await described_job(world, done.job, alice.author)
    assert (job.state, job.progress, job.attachment_id) == (
        JobState.PUBLISHED,
        1,
        done.attachment.id,
    )
    await world.node.ended(("thumbnail_job", str(done.job.id)))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7 and so on", "application/pdf"),
        ("Ça joue\n".encode(), "text/plain"),
        (b"<script>alert(1)</script>", "text/plain"),
        (b"MZ\x90\0 a program", "application/octet-stream"),
        (b"a" * 3_000_000 + b"\xff", "application/octet-stream"),
    ],
)
async def test_a_file_is_what_its_bytes_say_and_is_ready_at_once(world, alice, room, data, kind):
    done = await stored(world, alice.author, room, data, "cover.png")

    assert done.attachment.content_type == kind
    assert (done.attachment.state, done.job) == (AttachmentState.READY, None)
    assert (await read(world, done.attachment)).data == data
    nothing = await read(world, done.attachment, is_thumbnail=True)
    assert nothing.code is RejectCode.NOT_FOUND


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (PICTURE[: len(PICTURE) // 2], "damaged_picture"),
        (b"\x89PNG\r\n\x1a\n" + b"not really" * 50, "not_a_picture"),
        (
            b"GIF89a"
            + b"\xff" * 4
            + bytes(3)
            + b","
            + bytes(4)
            + b"\xff" * 4
            + b"\0\x08\x02\0\x01\0;",
            "too_many_pixels",
        ),
    ],
)
async def test_a_picture_that_lies_fails_its_job_with_a_reason_and_can_still_be_read(
    world, alice, room, data, code
):
    done = await stored(world, alice.author, room, data)

    told = await news(alice, done.attachment)

    assert told.state is AttachmentState.FAILED
    job = await described_job(world, done.job, alice.author)
    assert (job.state, job.error.code) == (JobState.FAILED, code)
    assert job.error.detail.endswith(".")
    assert (await read(world, done.attachment)).data == data


async def process_of(world, job):
    """The process id and the cell of a job's actor, once both are there."""
    async with asyncio.timeout(30):
        while True:
            for cell in world.node.runtime.tree():
                if cell.path.endswith(f"/thumbnail_jobs/{job.id}") and cell.instance:
                    pid = cell.instance.process_id()
                    if pid:
                        return pid, cell
            await asyncio.sleep(0)


async def is_gone(pid):
    async with asyncio.timeout(30):
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            await asyncio.sleep(0.01)


LARGE = picture("JPEG", (5000, 4000))


async def test_a_decoder_that_is_killed_is_noticed_and_the_job_tried_again(
    world, alice, room, pool
):
    done = await stored(world, alice.author, room, LARGE)
    pid, _cell = await process_of(world, done.job)

    os.kill(pid, signal.SIGKILL)

    # Due again after a moment, which the queue's poll finds.
    assert (await news(alice, done.attachment)).state is AttachmentState.READY
    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT attempts FROM jobs") == 2


async def test_a_decoder_that_dies_each_time_fails_the_job(world, alice, room, pool):
    done = await stored(world, alice.author, room, LARGE)
    async with pool.acquire() as conn:
        await conn.execute("UPDATE jobs SET max_attempts = 1")
    pid, _cell = await process_of(world, done.job)

    os.kill(pid, signal.SIGKILL)

    assert (await news(alice, done.attachment)).state is AttachmentState.FAILED
    job = await described_job(world, done.job, alice.author)
    assert job.error.code == "decoder_lost"


async def test_a_crashed_job_takes_its_process_along(world, alice, room):
    done = await stored(world, alice.author, room, LARGE)
    pid, cell = await process_of(world, done.job)

    world.node.runtime.kill(cell)

    await world.node.ended(("thumbnail_job", str(done.job.id)))
    assert await is_gone(pid)


async def test_a_job_that_is_cancelled_stops_its_process_and_can_be_retried(world, alice, room):
    done = await stored(world, alice.author, room, LARGE)
    pid, _cell = await process_of(world, done.job)
    cancel = CancelJob(job_id=done.job.id, viewer_id=alice.author.id)

    await world.node.ask(("jobs", ""), cancel)

    assert (await news(alice, done.attachment)).state is AttachmentState.FAILED
    assert await is_gone(pid)
    job = await described_job(world, done.job, alice.author)
    assert job.state is JobState.CANCELLED
    await world.node.ended(("thumbnail_job", str(done.job.id)))
    retry = RetryJob(job_id=done.job.id, viewer_id=alice.author.id)
    await world.node.ask(("jobs", ""), retry)
    await alice.wait_for(
        lambda e: isinstance(e, AttachmentReady) and e.state is AttachmentState.READY
    )


@pytest.mark.parametrize(
    ("message", "state"), [("leave", JobState.QUEUED), ("cancel", JobState.CANCELLED)]
)
async def test_a_job_that_is_broken_off_at_once_starts_no_process(
    world, alice, room, message, state
):
    await world.node.ask(("dispatcher", ""), DrainJobs())
    done = await stored(world, alice.author, room, PICTURE)
    claimed = await world.node.ask(("jobs", ""), ClaimJob(types=(JobType.THUMBNAIL,)))
    assert claimed.job.id == done.job.id

    key = ("thumbnail_job", str(done.job.id))
    world.node.tell(key, StartJob())
    world.node.tell(key, LeaveJob() if message == "leave" else CancelRunning(job_id=done.job.id))
    await world.node.ended(key)

    assert (await described_job(world, done.job, alice.author)).state is state
    assert files_of(world, done.attachment) == ["original"]


async def test_a_job_that_waits_for_room_on_the_disk_can_be_cancelled(world, alice, room):
    await world.node.ask(("dispatcher", ""), DrainJobs())
    done = await stored(world, alice.author, room, PICTURE)
    await world.node.ask(("jobs", ""), ClaimJob(types=(JobType.THUMBNAIL,)))
    key = ("thumbnail_job", str(done.job.id))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # to this process: a full disk
    try:
        world.node.tell(key, StartJob())
        _pid, cell = await process_of(world, done.job)
        async with asyncio.timeout(30):
            while cell.instance.inspect()["ending"] != "StoreThumbnail":
                await asyncio.sleep(0.005)
        world.node.tell(key, CancelRunning(job_id=done.job.id))
        await world.node.ended(key)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    job = await described_job(world, done.job, alice.author)
    assert job.state is JobState.CANCELLED


async def test_who_lost_the_lease_changes_nothing(world, alice, room):
    done = await stored(world, alice.author, room, PICTURE)
    await news(alice, done.attachment)
    before = await shown(world, done.attachment)
    late = StoreThumbnail(
        job_id=done.job.id,
        attachment_id=done.attachment.id,
        picture_width_px=1,
        picture_height_px=1,
        width_px=1,
        height_px=1,
        data=b"other bytes",
    )

    answer = await world.node.ask(SERVICE, late)

    assert answer.code is RejectCode.INVALID_STATE
    assert await shown(world, done.attachment) == before
    assert (await read(world, before, is_thumbnail=True)).data != b"other bytes"


async def test_a_message_may_use_what_its_author_uploaded_for_its_room(world, alice, room, pool):
    one = (await stored(world, alice.author, room, b"one")).attachment
    two = (await stored(world, alice.author, room, b"two")).attachment
    message_id = uuid4()

    command = describe(two, one, message_id=message_id)
    assert await world.node.ask(SERVICE, command) == AttachmentsDescribed(attachments=(two, one))

    await bind(pool, one, message_id)
    again = await world.node.ask(SERVICE, command)
    assert [each.message_id for each in again.attachments] == [None, message_id]


async def test_what_a_message_may_not_use_is_refused_with_a_code(world, alice, room, pool):
    bob = await world.person("bob")
    other_room = await world.room(alice.author, "Attic")
    mine = (await stored(world, alice.author, room, b"mine")).attachment
    used = (await stored(world, alice.author, room, b"used")).attachment
    elsewhere = (await stored(world, alice.author, other_room, b"elsewhere")).attachment
    theirs = (await stored(world, bob, room, b"theirs")).attachment
    await bind(pool, used, uuid4())

    async def code(command):
        reply = await world.node.ask(SERVICE, command)
        assert isinstance(reply, Rejected)
        return reply.code

    assert await code(describe(mine, theirs)) is RejectCode.NOT_FOUND
    assert await code(describe(mine, attachment_ids=(uuid4(),))) is RejectCode.NOT_FOUND
    assert await code(describe(mine, elsewhere)) is RejectCode.INVALID_STATE
    assert await code(describe(mine, used)) is RejectCode.INVALID_STATE
    assert await code(describe(mine, mine)) is RejectCode.VALIDATION_FAILED
    many = tuple(uuid4() for _ in range(11))
    assert await code(describe(mine, attachment_ids=many)) is RejectCode.VALIDATION_FAILED


async def test_what_cannot_be_an_attachment_leaves_no_file(world, alice, room):
    large = await upload(world, alice.author, room, bytes(world.settings.max_attachment_bytes + 1))
    assert large.code is RejectCode.PAYLOAD_TOO_LARGE
    nowhere = await upload(world, alice.author, type("Room", (), {"id": uuid4()}), b"lost")
    assert nowhere.code is RejectCode.NOT_FOUND
    never = StoreAttachment(
        attachment_id=uuid7(),
        upload_id=uuid7(),
        owner=alice.author,
        room_id=room.id,
        filename="x",
    )
    assert (await world.node.ask(SERVICE, never)).code is RejectCode.NOT_FOUND

    folder: Path = world.store._root / "attachments"
    assert not folder.exists() or list(folder.iterdir()) == []


async def test_nobody_hoards_files_that_no_message_uses(world, alice, room, pool):
    bob = await world.person("bob")
    async with pool.acquire() as conn:
        await conn.execute(
            """INSERT INTO attachments
                   (id, owner_id, room_id, filename, content_type, size_bytes, sha256, key, state)
               SELECT gen_random_uuid(), $1, $2, 'x', 'text/plain', 1, '', '', 'ready'
               FROM generate_series(1, $3)""",
            alice.author.id,
            room.id,
            MAX_UNUSED,
        )

    refused = await upload(world, alice.author, room, b"one more")
    assert refused.code is RejectCode.RATE_LIMITED
    await stored(world, bob, room, b"one of another")
    async with pool.acquire() as conn:
        await conn.execute("UPDATE attachments SET message_id = gen_random_uuid()")
    await stored(world, alice.author, room, b"one more")


@pytest.fixture
async def other(world, pool, tmp_path: Path) -> AsyncIterator[object]:
    """Another node beside `world`, with the same database and media."""
    other = type(world)(pool, tmp_path / "media", world.settings)
    await other.node.start()
    yield other
    assert await other.node.stop(60) == []


async def test_what_nobody_used_in_a_day_is_deleted_with_its_files(world, other, alice, room, pool):
    used = (await stored(world, alice.author, room, b"used")).attachment
    unused = await stored(world, alice.author, room, PICTURE)
    await news(alice, unused.attachment)
    await bind(pool, used, uuid4())
    async with pool.acquire() as conn:
        await conn.execute("UPDATE attachments SET created_at = now() - interval '25 hours'")
    young = (await stored(world, alice.author, room, b"young")).attachment
    assert len(files_of(world, unused.attachment)) == 2

    for node in (world.node, other.node):
        node.tell(SERVICE, SweepAttachments())
    async with asyncio.timeout(20):
        while files_of(world, unused.attachment) or await count(pool) > 2:
            await asyncio.sleep(0.01)

    assert (await shown(world, unused.attachment)).code is RejectCode.NOT_FOUND
    assert (await read(world, used)).data == b"used"
    assert isinstance(await read(world, young), AttachmentRead)
    assert not (world.store._root / "attachments" / str(unused.attachment.id)).exists()


async def count(pool):
    async with pool.acquire() as conn:
        return await conn.fetchval("SELECT count(*) FROM attachments")
