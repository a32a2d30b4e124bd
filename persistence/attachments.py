"""Files of messages in SQL: uploaded for a room, used by one message of their owner, or forgotten.

Files follow rows: one is stored before its row is, and deleted while its row is `expired`, which is
before the row goes. So whatever dies in between, no row that is read lacks its file, and no file is lost
sight of.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.errors import AlreadyExistsError
from veza.persistence.jobs import insert_thumbnail_job, newest_job_of_attachment
from veza.persistence.pool import Connection
from veza.persistence.room_rows import Attachment as SentFile
from veza.persistence.room_rows import Post, RoomEvent
from veza.persistence.rows import Attachment, AttachmentState, Binding, Job

_ATTACHMENT: Final = """
    a.id, a.owner_id, a.room_id, a.message_id, a.filename, a.content_type, a.size_bytes, a.sha256,
    a.key, a.state, a.width_px, a.height_px, a.thumbnail_key, a.thumbnail_width_px,
    a.thumbnail_height_px, a.created_at
"""

_INSERT: Final = """
    INSERT INTO attachments
        (id, owner_id, room_id, filename, content_type, size_bytes, sha256, key, state)
    SELECT $1, $2, r.id, $4, $5, $6, $7, $8, $9 FROM rooms r WHERE r.id = $3
    ON CONFLICT (id) DO NOTHING
    RETURNING id
"""

_GET: Final = f"SELECT {_ATTACHMENT} FROM attachments a WHERE a.id = $1 AND a.state <> 'expired'"

_GET_SOME: Final = f"""
    SELECT {_ATTACHMENT} FROM attachments a WHERE a.id = ANY ($1) AND a.state <> 'expired'
"""

_GET_SIZES: Final = """
    SELECT id, width_px, height_px FROM attachments WHERE id = ANY ($1) AND width_px IS NOT NULL
"""

_SET_THUMBNAIL: Final = f"""
    UPDATE attachments a SET state = 'ready', width_px = $2, height_px = $3, thumbnail_key = $4,
        thumbnail_width_px = $5, thumbnail_height_px = $6
    WHERE a.id = $1 AND a.state = 'processing' RETURNING {_ATTACHMENT}
"""

_COUNT_UNUSED: Final = """
    SELECT count(*) FROM attachments a
    WHERE a.owner_id = $1 AND a.message_id IS NULL AND a.state <> 'expired'
"""

# In one order for everybody, so that no two wait for each other.
_LOCK: Final = f"{_GET_SOME} ORDER BY a.id FOR UPDATE"

_BIND: Final = """
    UPDATE attachments a SET message_id = wanted.message_id
    FROM unnest($1::uuid[], $2::uuid[]) AS wanted (id, message_id) WHERE a.id = wanted.id
"""

# With their rooms: another room may have a message of the same id.
_EXPIRE_OF_MESSAGES: Final = """
    UPDATE attachments a SET state = 'expired'
    FROM unnest($1::uuid[], $2::uuid[]) AS w (room, message)
    WHERE a.room_id = w.room AND a.message_id = w.message
"""

# One whose thumbnail is being made waits, here and below: its job would store a file that nobody knows of.
_EXPIRE_UNUSED: Final = """
    UPDATE attachments SET state = 'expired' WHERE id IN (
        SELECT a.id FROM attachments a
        WHERE a.message_id IS NULL AND a.state <> 'expired'
            AND a.created_at < now() - make_interval(secs => $1)
            AND NOT EXISTS (
                SELECT FROM jobs j WHERE j.attachment_id = a.id
                    AND j.state NOT IN ('published', 'failed', 'cancelled')
            )
        ORDER BY a.created_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
"""

_LIST_EXPIRED: Final = """
    SELECT a.id FROM attachments a WHERE a.state = 'expired'
        AND NOT EXISTS (
            SELECT FROM jobs j WHERE j.attachment_id = a.id
                AND j.state NOT IN ('published', 'failed', 'cancelled')
        )
    ORDER BY a.id LIMIT $1
"""

_DELETE_EXPIRED: Final = "DELETE FROM attachments WHERE id = ANY ($1) AND state = 'expired'"


async def insert_attachment(
    conn: Connection,
    *,
    attachment_id: UUID,
    owner_id: UUID,
    room_id: UUID,
    filename: str,
    content_type: str,
    size_bytes: int,
    sha256: bytes,
    key: str,
    job_id: UUID | None,
) -> tuple[Attachment, Job | None] | None:
    """Note a file that is stored and, with a `job_id`, queue its thumbnail; None without such a room.

    Doing it again changes nothing and returns what there is. Raises `AlreadyExistsError` if the id is that of
    somebody else's attachment.
    """
    state = AttachmentState.READY if job_id is None else AttachmentState.PROCESSING
    values = (owner_id, room_id, filename, content_type, size_bytes, sha256, key, state)
    async with conn.transaction():
        inserted = await conn.fetchval(_INSERT, attachment_id, *values)
        if inserted is not None and job_id is not None:
            await insert_thumbnail_job(
                conn, job_id=job_id, owner_id=owner_id, attachment_id=attachment_id
            )
        attachment = await get_attachment(conn, attachment_id)
        if attachment is None:
            return None
        if attachment.owner_id != owner_id:
            raise AlreadyExistsError(f"attachment {attachment_id} belongs to another account")
        return attachment, await newest_job_of_attachment(conn, attachment_id)


async def count_unused(conn: Connection, owner_id: UUID) -> int:
    """Return how many attachments of an account wait for a message."""
    return int(await conn.fetchval(_COUNT_UNUSED, owner_id))


async def get_attachment(conn: Connection, attachment_id: UUID) -> Attachment | None:
    """Return an attachment, used or not, or None."""
    row = await conn.fetchrow(_GET, attachment_id)
    return None if row is None else _attachment(row)


async def get_attachments(
    conn: Connection, attachment_ids: Collection[UUID]
) -> dict[UUID, Attachment]:
    """Return those attachments that there are, by id."""
    rows = await conn.fetch(_GET_SOME, list(attachment_ids))
    return {row["id"]: _attachment(row) for row in rows}


async def with_sizes(conn: Connection, events: Sequence[RoomEvent]) -> tuple[RoomEvent, ...]:
    """Return the events, pictures in them with their sizes: a message may be older than its thumbnail.

    Asks only if one of them lacks its size.
    """
    unsized = {each.id for event in events for each in _unsized(event)}
    if not unsized:
        return tuple(events)
    rows = await conn.fetch(_GET_SIZES, list(unsized))
    sizes = {row["id"]: (row["width_px"], row["height_px"]) for row in rows}
    return tuple(_sized(event, sizes) if _unsized(event) else event for event in events)


def _unsized(event: RoomEvent) -> tuple[SentFile, ...]:
    if not isinstance(event.details, Post):
        return ()
    files = event.details.attachments
    return tuple(f for f in files if f.width is None and f.content_type.startswith("image/"))


def _sized(event: RoomEvent, sizes: Mapping[UUID, tuple[int, int]]) -> RoomEvent:
    if not isinstance(event.details, Post):
        return event
    files = []
    for each in event.details.attachments:
        width, height = sizes.get(each.id, (each.width, each.height))
        files.append(replace(each, width=width, height=height))
    return replace(event, details=replace(event.details, attachments=tuple(files)))


async def set_thumbnail(
    conn: Connection,
    attachment_id: UUID,
    *,
    width_px: int,
    height_px: int,
    thumbnail_key: str,
    thumbnail_width_px: int,
    thumbnail_height_px: int,
) -> Attachment | None:
    """Complete an attachment, in one transaction with `jobs.finish_job`; None if it does not wait."""
    row = await conn.fetchrow(
        _SET_THUMBNAIL,
        attachment_id,
        width_px,
        height_px,
        thumbnail_key,
        thumbnail_width_px,
        thumbnail_height_px,
    )
    return None if row is None else _attachment(row)


async def bind_attachments(conn: Connection, wanted: Sequence[Binding]) -> tuple[Binding, ...]:
    """Give attachments to messages, in the transaction that stores these; return the wishes not granted.

    A message gets all it wants or nothing, those before it in `wanted` first. Binding again what a
    message has already is harmless. Not granted: an attachment that is not there, is somebody else's, was
    uploaded for another room, or is another message's.
    """
    ids = {each.attachment_id for each in wanted}
    found = {row["id"]: _attachment(row) for row in await conn.fetch(_LOCK, list(ids))}
    holders = {each.id: each.message_id for each in found.values()}
    refused: list[Binding] = []
    for message_wants in _by_message(wanted):
        misses = [each for each in message_wants if not _is_free(each, found, holders)]
        refused += misses
        if not misses:
            holders |= {each.attachment_id: each.message_id for each in message_wants}
    bound = {key: holder for key, holder in holders.items() if holder and not found[key].message_id}
    if bound:
        await conn.execute(_BIND, list(bound), list(bound.values()))
    return tuple(refused)


def _by_message(wanted: Iterable[Binding]) -> Iterable[list[Binding]]:
    groups: dict[UUID, list[Binding]] = {}
    for each in wanted:
        groups.setdefault(each.message_id, []).append(each)
    return groups.values()


def _is_free(
    wish: Binding, found: dict[UUID, Attachment], holders: dict[UUID, UUID | None]
) -> bool:
    attachment = found.get(wish.attachment_id)
    return (
        attachment is not None
        and (attachment.owner_id, attachment.room_id) == (wish.owner_id, wish.room_id)
        and holders[attachment.id] in {None, wish.message_id}
    )


async def expire_attachments_of(conn: Connection, messages: Collection[tuple[UUID, UUID]]) -> None:
    """Make the attachments of deleted messages, (room, message), nobody's, in the same transaction."""
    rooms, ids = [room for room, _ in messages], [message for _, message in messages]
    await conn.execute(_EXPIRE_OF_MESSAGES, rooms, ids)


async def expire_unused(conn: Connection, *, older_than_seconds: float, limit: int) -> None:
    """Make attachments nobody's that no message used for so long, the oldest first."""
    await conn.execute(_EXPIRE_UNUSED, older_than_seconds, limit)


async def list_expired(conn: Connection, *, limit: int) -> tuple[UUID, ...]:
    """Return attachments that are nobody's any more, for somebody to delete their files."""
    return tuple(row["id"] for row in await conn.fetch(_LIST_EXPIRED, limit))


async def delete_expired(conn: Connection, attachment_ids: Collection[UUID]) -> None:
    """Forget attachments whose files are deleted."""
    await conn.execute(_DELETE_EXPIRED, list(attachment_ids))


def _attachment(row: asyncpg.Record) -> Attachment:
    return Attachment(
        id=row["id"],
        owner_id=row["owner_id"],
        room_id=row["room_id"],
        message_id=row["message_id"],
        filename=row["filename"],
        content_type=row["content_type"],
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        key=row["key"],
        state=AttachmentState(row["state"]),
        width_px=row["width_px"],
        height_px=row["height_px"],
        thumbnail_key=row["thumbnail_key"],
        thumbnail_width_px=row["thumbnail_width_px"],
        thumbnail_height_px=row["thumbnail_height_px"],
        created_at=row["created_at"],
    )
