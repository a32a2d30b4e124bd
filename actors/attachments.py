"""The attachments service: files of messages into and out of the store, and gone if nobody uses them."""

import os
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.jobs import advanced, holding
from veza.actors.messages.attachments import (
    MAX_MESSAGE_ATTACHMENTS,
    Attachment,
    AttachmentRead,
    AttachmentsDescribed,
    AttachmentShown,
    AttachmentState,
    AttachmentStored,
    DescribeAttachments,
    LoadThumbnail,
    ReadAttachment,
    ShowAttachment,
    StoreAttachment,
    StoreThumbnail,
    ThumbnailLoaded,
    ThumbnailStored,
)
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.directory import Deliver
from veza.actors.messages.jobs import JobQueued
from veza.actors.runtime.address import Address
from veza.actors.storing import StoringActor
from veza.codecs.sniffing import HEAD_BYTES, TEXT, UNKNOWN, TextCheck, sniff
from veza.config.ids import uuid7
from veza.persistence import attachments, jobs
from veza.persistence.errors import AlreadyExistsError, UploadUnknownError
from veza.persistence.media_store import MediaStore
from veza.persistence.pool import Connection, Pool

DISPATCHER: Final = ("dispatcher", "")
PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"})
"""Types that get a thumbnail."""
MAX_UNUSED: Final = 50
"""How many files of one account may wait for a message: five messages full of them."""
SWEEP_SECONDS: Final = 3600.0
UNUSED_SECONDS: Final = 24 * 3600.0
SWEEP_ROWS: Final = 200
_TEXT_PIECE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepAttachments:
    """Time to look for attachments that no message used."""


class AttachmentsActor(StoringActor):
    """Attachments as a table, and their files. On several nodes all sweep; doing it twice is harmless."""

    concurrency: ClassVar[int] = 8
    mailbox_limit: ClassVar[int] = 512

    def __init__(
        self,
        *,
        pool: Pool,
        store: MediaStore,
        directory: Address,
        node_id: UUID,
        max_attachment_bytes: int,
    ) -> None:
        super().__init__(pool=pool, store=store)
        self.directory = directory
        self.node_id = node_id
        self.max_attachment_bytes = max_attachment_bytes
        self.wakeup_after(0.0, SweepAttachments())

    # --- for people ---

    async def receiveMsg_StoreAttachment(
        self, command: StoreAttachment, _sender: Address
    ) -> AttachmentStored:
        await self._refuse_hoarding(command.owner.id)
        key = f"{folder_of(command.attachment_id)}/original"
        try:
            size_bytes, digest = await self.stored(
                self.store.finish, command.upload_id, key, filename=command.filename
            )
        except UploadUnknownError as error:
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such upload.") from error
        if size_bytes > self.max_attachment_bytes:
            await self._delete_files(command.attachment_id)
            raise RefusedError(RejectCode.PAYLOAD_TOO_LARGE, "The file is too large for a message.")
        content_type = await self.stored(content_type_of, self.store, key)
        stored = await self._insert(command, key, size_bytes, digest, content_type)
        if stored is None:
            await self._delete_files(command.attachment_id)
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such room.")
        if stored.job is not None:
            self.send(self.directory, Deliver(key=DISPATCHER, message=JobQueued()))
        return stored

    async def _refuse_hoarding(self, owner_id: UUID) -> None:
        async with self.connection() as conn:
            if await attachments.count_unused(conn, owner_id) >= MAX_UNUSED:
                detail = f"{MAX_UNUSED} files wait for a message already."
                raise RefusedError(RejectCode.RATE_LIMITED, detail)

    async def _insert(
        self, command: StoreAttachment, key: str, size_bytes: int, digest: bytes, content_type: str
    ) -> AttachmentStored | None:
        try:
            async with self.transaction() as conn:
                inserted = await attachments.insert_attachment(
                    conn,
                    attachment_id=command.attachment_id,
                    owner_id=command.owner.id,
                    room_id=command.room_id,
                    filename=command.filename,
                    content_type=content_type,
                    size_bytes=size_bytes,
                    sha256=digest,
                    key=key,
                    job_id=uuid7() if content_type in PICTURES else None,
                )
        except AlreadyExistsError as error:
            raise RefusedError(RejectCode.ALREADY_EXISTS, "The id is taken.") from error
        if inserted is None:
            return None
        attachment, job = inserted
        return AttachmentStored(attachment=attachment, job=job)

    async def receiveMsg_ShowAttachment(
        self, command: ShowAttachment, _sender: Address
    ) -> AttachmentShown:
        async with self.connection() as conn:
            return AttachmentShown(attachment=await found(conn, command.attachment_id))

    async def receiveMsg_DescribeAttachments(
        self, command: DescribeAttachments, _sender: Address
    ) -> AttachmentsDescribed:
        wanted = command.attachment_ids
        if len(wanted) > MAX_MESSAGE_ATTACHMENTS or len(set(wanted)) < len(wanted):
            raise RefusedError(
                RejectCode.VALIDATION_FAILED,
                f"A message has up to {MAX_MESSAGE_ATTACHMENTS} files, each once.",
            )
        async with self.connection() as conn:
            there = await attachments.get_attachments(conn, wanted)
        return AttachmentsDescribed(
            attachments=tuple(usable(there.get(each), command) for each in wanted)
        )

    async def receiveMsg_ReadAttachment(
        self, command: ReadAttachment, _sender: Address
    ) -> AttachmentRead:
        async with self.connection() as conn:
            attachment = await found(conn, command.attachment_id)
        key = thumbnail_key_of(attachment) if command.is_thumbnail else attachment.key
        return AttachmentRead(data=await self.stored(self.store.read, key))

    # --- for the node's own actors ---

    async def receiveMsg_LoadThumbnail(
        self, command: LoadThumbnail, _sender: Address
    ) -> ThumbnailLoaded:
        async with self.transaction() as conn, holding(conn, command.job_id, self.node_id):
            job = (await advanced(conn, command.job_id)).job
            if job.attachment_id is None:
                raise LookupError(f"job {job.id} is not about an attachment")
            return ThumbnailLoaded(job=job, attachment=await found(conn, job.attachment_id))

    async def receiveMsg_StoreThumbnail(
        self, command: StoreThumbnail, _sender: Address
    ) -> ThumbnailStored:
        # Named by what it holds: a node that lost its lease cannot write over what is shown.
        name = f"thumbnail.{sha256(command.data).hexdigest()[:16]}.webp"
        key = f"{folder_of(command.attachment_id)}/{name}"
        await self.stored(self.store.put, key, command.data)
        async with self.transaction() as conn, holding(conn, command.job_id, self.node_id):
            attachment = await attachments.set_thumbnail(
                conn,
                command.attachment_id,
                width_px=command.picture_width_px,
                height_px=command.picture_height_px,
                thumbnail_key=key,
                thumbnail_width_px=command.width_px,
                thumbnail_height_px=command.height_px,
            )
            if attachment is None:
                raise RefusedError(RejectCode.NOT_FOUND, "Nobody waits for it any more.")
            await jobs.finish_job(conn, command.job_id, node_id=self.node_id)
        return ThumbnailStored(attachment=attachment)

    async def receiveMsg_SweepAttachments(
        self, message: SweepAttachments, _sender: Address
    ) -> None:
        """Delete what nobody used in a day, and what belonged to deleted messages."""
        self.wakeup_after(SWEEP_SECONDS, message)
        with suppress(RefusedError):  # no database now: the next sweep finds the same
            while await self._sweep_some() == SWEEP_ROWS:
                pass

    async def _sweep_some(self) -> int:
        async with self.connection() as conn:
            await attachments.expire_unused(
                conn, older_than_seconds=UNUSED_SECONDS, limit=SWEEP_ROWS
            )
            expired = await attachments.list_expired(conn, limit=SWEEP_ROWS)
        for attachment_id in expired:
            await self._delete_files(attachment_id)
        async with self.connection() as conn:
            await attachments.delete_expired(conn, expired)
        return len(expired)

    async def _delete_files(self, attachment_id: UUID) -> None:
        await self.stored(self.store.delete_below, folder_of(attachment_id))


def folder_of(attachment_id: UUID) -> str:
    """Return the media key below which an attachment's files are."""
    return f"attachments/{attachment_id}"


def content_type_of(store: MediaStore, key: str) -> str:
    """Return what a stored file is. Blocks."""
    source = store.open_source(key)
    with os.fdopen(source.fd, "rb", closefd=False) as file:
        kind = sniff(file.read(HEAD_BYTES))
        if kind != UNKNOWN:
            return kind
        file.seek(0)
        check = TextCheck()
        while piece := file.read(_TEXT_PIECE_BYTES):
            if not check.feed(piece):
                return UNKNOWN
        return TEXT if check.feed(b"", is_last=True) else UNKNOWN


async def found(conn: Connection, attachment_id: UUID) -> Attachment:
    """Read an attachment; refuse if there is none."""
    attachment = await attachments.get_attachment(conn, attachment_id)
    if attachment is None:
        raise RefusedError(RejectCode.NOT_FOUND, "There is no such attachment.")
    return attachment


def usable(attachment: Attachment | None, command: DescribeAttachments) -> Attachment:
    """Return an attachment that this message may use; refuse any other."""
    if attachment is None or attachment.owner_id != command.owner_id:
        raise RefusedError(RejectCode.NOT_FOUND, "There is no such attachment.")
    if attachment.room_id != command.room_id:
        raise RefusedError(RejectCode.INVALID_STATE, "The file was uploaded for another room.")
    if attachment.message_id not in {None, command.message_id}:
        raise RefusedError(RejectCode.INVALID_STATE, "The file belongs to another message.")
    return attachment


def thumbnail_key_of(attachment: Attachment) -> str:
    """Return the media key of a thumbnail; refuse if there is none."""
    if attachment.thumbnail_key is not None:
        return attachment.thumbnail_key
    if attachment.state is AttachmentState.PROCESSING:
        raise RefusedError(
            RejectCode.NOT_READY, "The thumbnail is being made.", retry_after_seconds=1.0
        )
    raise RefusedError(RejectCode.NOT_FOUND, "There is no thumbnail.")
