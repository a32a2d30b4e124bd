"""An attachment is one message's of its owner in its room, or after a while nobody's."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID, uuid4

import asyncpg
import pytest

from veza.persistence import attachments, jobs, messages
from veza.persistence.errors import AlreadyExistsError
from veza.persistence.job_list import list_jobs
from veza.persistence.pool import Connection, Pool
from veza.persistence.room_log import append_events, read_events
from veza.persistence.room_rows import Attachment as SentFile
from veza.persistence.room_rows import EventKind, NewEvent, Post, Room, StoredEvent
from veza.persistence.rows import (
    Attachment,
    AttachmentState,
    Author,
    Binding,
    Failure,
    Job,
    JobState,
    JobType,
)

DAY = 24 * 3600
NODE = UUID(int=1)
MakeAttachment = Callable[..., Awaitable[tuple[Attachment, Job | None]]]


@pytest.fixture
def new_attachment(
    pool: Pool,
    new_author: Callable[[], Awaitable[Author]],
    new_room: Callable[[], Awaitable[Room]],
) -> MakeAttachment:
    async def make(
        owner_id: UUID | None = None, room_id: UUID | None = None, *, is_picture: bool = False
    ) -> tuple[Attachment, Job | None]:
        attachment_id = uuid4()
        owner_id = owner_id or (await new_author()).id
        room_id = room_id or (await new_room()).id
        async with pool.acquire() as conn:
            return await insert(
                conn, attachment_id, owner_id, room_id, uuid4() if is_picture else None
            )

    return make


async def insert(
    conn: Connection, attachment_id: UUID, owner_id: UUID, room_id: UUID, job_id: UUID | None
) -> tuple[Attachment, Job | None]:
    inserted = await attachments.insert_attachment(
        conn,
        attachment_id=attachment_id,
        owner_id=owner_id,
        room_id=room_id,
        filename="cover.png",
        content_type="image/png" if job_id else "application/pdf",
        size_bytes=10,
        sha256=bytes(32),
        key=f"attachments/{attachment_id}/original",
        job_id=job_id,
    )
    assert inserted is not None
    return inserted


def wish(attachment: Attachment, message_id: UUID, **changes: UUID) -> Binding:
    binding = Binding(
        attachment_id=attachment.id,
        owner_id=attachment.owner_id,
        room_id=attachment.room_id,
        message_id=message_id,
    )
    return replace(binding, **changes)


async def holder(conn: Connection, attachment: Attachment) -> UUID | None:
    found = await attachments.get_attachment(conn, attachment.id)
    assert found is not None
    return found.message_id


async def make_old(conn: Connection, seconds: float = 2 * DAY) -> None:
    await conn.execute(
        "UPDATE attachments SET created_at = now() - make_interval(secs => $1)", seconds
    )


async def expire(conn: Connection) -> tuple[UUID, ...]:
    await attachments.expire_unused(conn, older_than_seconds=DAY, limit=100)
    return await attachments.list_expired(conn, limit=100)


async def test_a_picture_waits_for_its_thumbnail_and_another_file_for_nothing(
    new_attachment: MakeAttachment,
) -> None:
    picture, job = await new_attachment(is_picture=True)
    paper, no_job = await new_attachment()

    assert picture.state is AttachmentState.PROCESSING
    assert job is not None
    assert (job.type, job.state) == (JobType.THUMBNAIL, JobState.QUEUED)
    assert (job.attachment_id, job.track_id) == (picture.id, None)
    assert (paper.state, no_job) == (AttachmentState.READY, None)


async def test_noting_an_attachment_twice_changes_nothing(
    conn: Connection, new_attachment: MakeAttachment
) -> None:
    first, job = await new_attachment(is_picture=True)

    again = await insert(conn, first.id, first.owner_id, first.room_id, uuid4())

    assert again == (first, job)


async def test_an_id_of_somebody_else_is_refused_and_so_is_a_room_that_is_not_there(
    conn: Connection, new_attachment: MakeAttachment, new_author: Callable[[], Awaitable[Author]]
) -> None:
    first, _ = await new_attachment()
    other = await new_author()

    with pytest.raises(AlreadyExistsError):
        await insert(conn, first.id, other.id, first.room_id, None)
    with pytest.raises(AssertionError):
        await insert(conn, uuid4(), other.id, uuid4(), None)


async def test_a_message_gets_its_attachments_and_may_ask_again(
    conn: Connection, new_attachment: MakeAttachment
) -> None:
    one, _ = await new_attachment()
    two, _ = await new_attachment(one.owner_id, one.room_id)
    message = uuid4()
    wanted = [wish(one, message), wish(two, message)]

    assert await attachments.bind_attachments(conn, wanted) == ()
    assert await attachments.bind_attachments(conn, wanted) == ()

    assert [await holder(conn, one), await holder(conn, two)] == [message, message]


@pytest.mark.parametrize("changed", ["owner_id", "room_id", "attachment_id"])
async def test_what_is_not_the_authors_in_this_room_is_not_given_to_a_message(
    conn: Connection, new_attachment: MakeAttachment, changed: str
) -> None:
    one, _ = await new_attachment()
    other, _ = await new_attachment()
    message = uuid4()
    good, bad = wish(one, message), replace(wish(one, message), **{changed: uuid4()})

    assert await attachments.bind_attachments(conn, [good, bad]) == (bad,)
    foreign = wish(other, message, owner_id=one.owner_id, room_id=one.room_id)
    assert await attachments.bind_attachments(conn, [good, foreign]) == (foreign,)

    # All or nothing: a message that is refused keeps none.
    assert await holder(conn, one) is None
    assert await holder(conn, other) is None


async def test_of_two_messages_in_one_batch_the_first_gets_it_and_others_are_not_touched(
    conn: Connection, new_attachment: MakeAttachment
) -> None:
    one, _ = await new_attachment()
    two, _ = await new_attachment(one.owner_id, one.room_id)
    first, second, third = uuid4(), uuid4(), uuid4()

    refused = await attachments.bind_attachments(
        conn, [wish(one, first), wish(one, second), wish(two, third)]
    )

    assert refused == (wish(one, second),)
    assert [await holder(conn, one), await holder(conn, two)] == [first, third]
    assert await attachments.bind_attachments(conn, [wish(one, second)]) == refused


async def test_two_transactions_do_not_give_one_attachment_away_twice(
    pool: Pool, new_attachment: MakeAttachment
) -> None:
    one, _ = await new_attachment()

    async def bind(message: UUID) -> int:
        async with pool.acquire() as conn, conn.transaction():
            return len(await attachments.bind_attachments(conn, [wish(one, message)]))

    assert sum(await asyncio.gather(*(bind(uuid4()) for _ in range(5)))) == 4


async def test_a_binding_goes_when_the_messages_transaction_fails(
    pool: Pool, conn: Connection, new_attachment: MakeAttachment
) -> None:
    one, _ = await new_attachment()
    async with pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await attachments.bind_attachments(other, [wish(one, uuid4())])
        await transaction.rollback()

    assert await holder(conn, one) is None


async def test_only_what_no_message_used_for_a_day_expires(
    conn: Connection, new_attachment: MakeAttachment
) -> None:
    used, _ = await new_attachment()
    await attachments.bind_attachments(conn, [wish(used, uuid4())])
    unused, _ = await new_attachment()
    await make_old(conn)
    young, _ = await new_attachment()

    assert await expire(conn) == (unused.id,)

    assert await attachments.get_attachment(conn, unused.id) is None
    assert await attachments.get_attachments(conn, [used.id, unused.id, young.id]) == {
        used.id: await attachments.get_attachment(conn, used.id),
        young.id: young,
    }
    refused = await attachments.bind_attachments(conn, [wish(unused, uuid4())])
    assert len(refused) == 1
    await attachments.delete_expired(conn, [used.id, unused.id])
    assert await conn.fetchval("SELECT count(*) FROM attachments") == 2


async def test_what_a_job_works_on_waits_for_the_jobs_end(
    conn: Connection, new_attachment: MakeAttachment
) -> None:
    picture, job = await new_attachment(is_picture=True)
    assert job is not None
    await make_old(conn)
    assert await expire(conn) == ()

    await jobs.request_cancel(conn, job.id)

    assert await expire(conn) == (picture.id,)
    await attachments.delete_expired(conn, [picture.id])
    assert await jobs.get_job(conn, job.id) is None


async def test_the_attachments_of_a_deleted_message_are_nobodys(
    conn: Connection, new_attachment: MakeAttachment
) -> None:
    picture, job = await new_attachment(is_picture=True)
    message = uuid4()
    await attachments.bind_attachments(conn, [wish(picture, message)])

    await attachments.expire_attachments_of(conn, [(uuid4(), message)])  # another room's message
    assert await attachments.get_attachment(conn, picture.id) is not None
    await attachments.expire_attachments_of(conn, [(picture.room_id, message)])

    assert await attachments.get_attachment(conn, picture.id) is None
    assert await attachments.list_expired(conn, limit=9) == ()  # its job is under way
    assert job is not None
    await jobs.request_cancel(conn, job.id)
    assert await attachments.list_expired(conn, limit=9) == (picture.id,)
    assert await thumbnail(conn, picture) is None


async def thumbnail(conn: Connection, attachment: Attachment) -> Attachment | None:
    return await attachments.set_thumbnail(
        conn,
        attachment.id,
        width_px=900,
        height_px=600,
        thumbnail_key=f"attachments/{attachment.id}/thumbnail.0.webp",
        thumbnail_width_px=480,
        thumbnail_height_px=320,
    )


async def test_a_thumbnail_is_set_once(conn: Connection, new_attachment: MakeAttachment) -> None:
    picture, _ = await new_attachment(is_picture=True)

    ready = await thumbnail(conn, picture)

    assert ready is not None
    assert ready.state is AttachmentState.READY
    assert (ready.width_px, ready.thumbnail_height_px) == (900, 320)
    assert await thumbnail(conn, picture) is None


async def test_a_job_for_a_picture_goes_through_the_queue_as_one_for_a_track(
    conn: Connection, new_attachment: MakeAttachment
) -> None:
    picture, job = await new_attachment(is_picture=True)
    assert job is not None
    lease = {"node_id": NODE, "lease_seconds": 30.0}
    assert await jobs.claim_job(conn, **lease, types=[JobType.TRANSCODE]) is None

    claimed = await jobs.claim_job(conn, **lease)
    assert claimed is not None
    assert (claimed.job.id, claimed.source_key) == (job.id, picture.key)
    assert claimed.filename == "cover.png"
    (listed,) = await list_jobs(conn, state=None, before=None, limit=9)
    assert (listed.title, listed.max_attempts) == ("cover.png", 3)

    fault = Failure(code="damaged_picture", detail="It is damaged.")
    await jobs.fail_job(conn, job.id, node_id=NODE, failure=fault)
    failed = await attachments.get_attachment(conn, picture.id)
    assert failed is not None
    assert failed.state is AttachmentState.FAILED

    await jobs.retry_job(conn, job.id)
    retried = await attachments.get_attachment(conn, picture.id)
    assert retried is not None
    assert retried.state is AttachmentState.PROCESSING


@pytest.mark.parametrize(
    ("kind", "track_id", "attachment_id"),
    [
        ("transcode", None, None),
        ("thumbnail", None, None),
        ("transcode", None, "picture"),
        ("thumbnail", "track", None),
        ("thumbnail", "track", "picture"),
        ("email", None, "picture"),
    ],
)
async def test_a_job_of_each_type_has_its_subject_and_no_other(
    conn: Connection,
    new_attachment: MakeAttachment,
    new_track: Callable[[], Awaitable[tuple[object, Job]]],
    kind: str,
    track_id: str | None,
    attachment_id: str | None,
) -> None:
    picture, _ = await new_attachment()
    _, job = await new_track()
    await jobs.request_cancel(conn, job.id)
    subjects = {"track": job.track_id, "picture": picture.id, None: None}

    with pytest.raises(asyncpg.CheckViolationError):
        await conn.execute(
            """INSERT INTO jobs (id, type, state, owner_id, track_id, attachment_id)
               VALUES ($1, $2, 'queued', $3, $4, $5)""",
            uuid4(),
            kind,
            picture.owner_id,
            subjects[track_id],
            subjects[attachment_id],
        )


async def test_an_attachment_has_one_job_at_a_time(
    conn: Connection, new_attachment: MakeAttachment
) -> None:
    picture, _ = await new_attachment(is_picture=True)

    with pytest.raises(asyncpg.UniqueViolationError):
        await jobs.insert_thumbnail_job(
            conn, job_id=uuid4(), owner_id=picture.owner_id, attachment_id=picture.id
        )


async def test_a_message_that_is_older_than_its_thumbnail_has_its_size_whoever_reads_it_later(
    conn: Connection, new_attachment: MakeAttachment
) -> None:
    picture, _ = await new_attachment(is_picture=True)
    paper, _ = await new_attachment(picture.owner_id, picture.room_id)
    author = Author(id=picture.owner_id, name="")
    files = tuple(
        SentFile(id=a.id, filename=a.filename, content_type=a.content_type, size_bytes=10)
        for a in (picture, paper)
    )
    message_id, room_id = uuid4(), picture.room_id
    for kind in (EventKind.MESSAGE_POSTED, EventKind.MESSAGE_EDITED):
        event = NewEvent(
            room_id=room_id,
            kind=kind,
            author=author,
            message_id=message_id,
            text=kind,
            details=Post(attachments=files),
        )
        (result,) = await append_events(conn, [event])
        assert isinstance(result, StoredEvent)
    assert await thumbnail(conn, picture) is not None

    viewer = author.id
    reads = [
        await read_events(conn, room_id, limit=9),
        await read_events(conn, room_id, limit=9, viewer=viewer, with_state=True),
        await messages.edit_history(conn, room_id, message_id),
        (await messages.read_message(conn, room_id, message_id, viewer),),
    ]
    for events in reads:
        for event in events:
            assert isinstance(event.details, Post)
            sizes = [(file.width, file.height) for file in event.details.attachments]
            assert sizes == [(900, 600), (None, None)]
