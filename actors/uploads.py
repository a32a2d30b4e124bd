"""The uploads service: bytes that stay where a break left them, and become one track when all are there."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.encoding.reserve import EncoderReserve
from veza.actors.messages.common import RefusedError, RejectCode, Rejected
from veza.actors.messages.directory import Deliver
from veza.actors.messages.tracks import (
    CATALOGUE,
    PUBLISH_SECONDS,
    PublishUpload,
    TrackAccepted,
)
from veza.actors.messages.uploads import (
    AppendUpload,
    DescribeUpload,
    FindTrackOf,
    JoinUpload,
    ListUploads,
    OpenUpload,
    RequireSpace,
    ResumeUpload,
    SpaceGranted,
    TerminateUpload,
    TrackOfFile,
    Upload,
    UploadDescribed,
    UploadsListed,
    UploadState,
    UploadTerminated,
)
from veza.actors.runtime.address import Address
from veza.actors.storing import StoringActor
from veza.persistence import tracks, uploads
from veza.persistence.errors import AlreadyExistsError, ChunkOffsetError
from veza.persistence.jobs import newest_job_of_track
from veza.persistence.media_store import MediaStore
from veza.persistence.pool import Connection, Pool

SWEEP_SECONDS: Final = 60.0
SWEEP_ROWS: Final = 100
RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepUnfinished:
    """Time to forget what expired, and to make the tracks that nobody came to make for so long."""

    older_than_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """What one upload and one account may take of the media store."""

    upload_bytes: int
    account_bytes: int
    unfinished: int
    lifetime_seconds: float


class UploadsActor(StoringActor):
    """Uploads as a table beside their files. On several nodes all sweep; doing it twice is harmless.

    Nobody owns an upload while it is written: whoever finds the row free and the offset right writes next,
    and a second client, or the first one's lost connection, is told where the upload is now.
    """

    concurrency: ClassVar[int] = 8
    mailbox_limit: ClassVar[int] = 32  # each may bring 4 MiB

    def __init__(
        self,
        *,
        pool: Pool,
        store: MediaStore,
        directory: Address,
        limits: UploadLimits,
        reserve: EncoderReserve,
    ) -> None:
        super().__init__(pool=pool, store=store)
        self.directory = directory
        self.limits = limits
        self.reserve = reserve
        self.wakeup_after(0.0, SweepUnfinished(older_than_seconds=0.0))

    def on_stop(self) -> None:
        self.reserve.close()

    async def receiveMsg_OpenUpload(self, command: OpenUpload, _sender: Address) -> UploadDescribed:
        refuse_too_long(command.length_bytes or 0, self.limits.upload_bytes)
        try:
            async with self.transaction() as conn:
                await uploads.lock_owner(conn, command.owner.id)
                if await uploads.get_upload(conn, command.upload_id) is None:
                    await self._refuse_hoarding(conn, command)
                upload = await uploads.insert_upload(
                    conn,
                    upload_id=command.upload_id,
                    track_id=command.track_id,
                    owner_id=command.owner.id,
                    length_bytes=command.length_bytes,
                    title=command.title,
                    filename=command.filename,
                    metadata=command.metadata,
                    visibility=command.visibility,
                    lifetime_seconds=self.limits.lifetime_seconds,
                )
        except AlreadyExistsError as error:
            raise RefusedError(RejectCode.ALREADY_EXISTS, "The id is taken.") from error
        self.reserve.expect()
        return UploadDescribed(upload=upload, track=None, job=None)

    async def receiveMsg_RequireSpace(
        self, command: RequireSpace, _sender: Address
    ) -> SpaceGranted:
        async with self.connection() as conn:
            await self._refuse_beyond_quota(conn, command.owner_id, command.size_bytes)
        self.reserve.expect()
        return SpaceGranted()

    async def receiveMsg_FindTrackOf(self, command: FindTrackOf, _sender: Address) -> TrackOfFile:
        async with self.connection() as conn:
            track = await uploads.find_track_of_file(conn, command.owner_id, command.sha256)
        return TrackOfFile(track=track)

    async def _refuse_hoarding(self, conn: Connection, command: OpenUpload) -> None:
        size_bytes = command.length_bytes or self.limits.upload_bytes
        unfinished = await self._refuse_beyond_quota(conn, command.owner.id, size_bytes)
        if unfinished >= self.limits.unfinished:
            detail = f"{unfinished} uploads are not finished. Go on with them, or delete some."
            raise RefusedError(RejectCode.TOO_MANY_UPLOADS, detail)

    async def _refuse_beyond_quota(self, conn: Connection, owner_id: UUID, size_bytes: int) -> int:
        usage = await uploads.read_usage(conn, owner_id, unknown_bytes=self.limits.upload_bytes)
        free = self.limits.account_bytes - usage.stored_bytes - usage.reserved_bytes
        if size_bytes > free:
            detail = f"Of {self.limits.account_bytes} bytes {max(0, free)} are free."
            raise RefusedError(RejectCode.QUOTA_EXCEEDED, detail)
        return usage.unfinished

    async def receiveMsg_ResumeUpload(
        self, command: ResumeUpload, _sender: Address
    ) -> UploadDescribed:
        async with self.transaction() as conn:
            upload = await locked(conn, command.upload_id, command.owner_id)
            length_bytes = agreed_length(upload, command.length_bytes)
            refuse_too_long(length_bytes or 0, self.limits.upload_bytes)
            refuse_misplaced(upload, command.offset_bytes)
            end = command.offset_bytes + command.size_bytes
            refuse_too_long(end, length_bytes or self.limits.upload_bytes)
            if length_bytes != upload.length_bytes:
                upload = await self._advance(conn, upload, upload.offset_bytes, length_bytes)
        return await self._settled(upload)

    async def receiveMsg_AppendUpload(
        self, command: AppendUpload, _sender: Address
    ) -> UploadDescribed:
        return await self._append(
            command,
            len(command.data),
            lambda: self.store.staging.append(
                command.upload_id, command.offset_bytes, command.data
            ),
        )

    async def receiveMsg_JoinUpload(self, command: JoinUpload, _sender: Address) -> UploadDescribed:
        return await self._append(
            command,
            command.size_bytes,
            lambda: self.store.staging.join(
                command.upload_id, command.offset_bytes, command.part_id
            ),
        )

    async def _append(
        self, command: AppendUpload | JoinUpload, size_bytes: int, write: Callable[[], None]
    ) -> UploadDescribed:
        """Write and sync while the row is locked, then let the row say so."""
        end = command.offset_bytes + size_bytes
        async with self._minding_the_file(command.upload_id), self.transaction() as conn:
            upload = await locked(conn, command.upload_id, command.owner_id)
            refuse_misplaced(upload, command.offset_bytes)
            refuse_too_long(end, upload.length_bytes or self.limits.upload_bytes)
            if size_bytes:
                self.reserve.expect()
                await self.stored(write)
                upload = await self._advance(conn, upload, end, upload.length_bytes)
        return await self._settled(upload)

    async def _advance(
        self, conn: Connection, upload: Upload, offset_bytes: int, length_bytes: int | None
    ) -> Upload:
        return await uploads.advance_upload(
            conn,
            upload,
            offset_bytes=offset_bytes,
            length_bytes=length_bytes,
            lifetime_seconds=self.limits.lifetime_seconds,
        )

    @asynccontextmanager
    async def _minding_the_file(self, upload_id: UUID) -> AsyncIterator[None]:
        """Where the file holds less than the row says, it is right."""
        try:
            yield
        except ChunkOffsetError as error:
            async with self.connection() as conn:
                await uploads.set_back(conn, upload_id, error.size_bytes)
            raise misplaced(error.size_bytes) from error

    async def receiveMsg_DescribeUpload(
        self, command: DescribeUpload, _sender: Address
    ) -> UploadDescribed:
        async with self.connection() as conn:
            upload = await uploads.get_upload(conn, command.upload_id)
        upload = refuse_unusable(upload, command.owner_id)
        with suppress(RefusedError):  # it is tried again, and until then it is as it is
            return await self._settled(upload)
        return UploadDescribed(upload=upload, track=None, job=None)

    async def receiveMsg_ListUploads(self, command: ListUploads, _sender: Address) -> UploadsListed:
        async with self.connection() as conn:
            listed = await uploads.list_unfinished(conn, command.owner_id)
        return UploadsListed(uploads=listed)

    async def receiveMsg_TerminateUpload(
        self, command: TerminateUpload, _sender: Address
    ) -> UploadTerminated:
        async with self.connection() as conn:
            upload = await uploads.get_upload(conn, command.upload_id)
            refuse_unusable(upload, command.owner_id)
            if not await uploads.delete_upload(conn, command.upload_id, command.owner_id):
                raise RefusedError(RejectCode.INVALID_STATE, "Its track is being made.")
        await self.stored(self.store.staging.drop, command.upload_id)
        return UploadTerminated()

    async def receiveMsg_SweepUnfinished(self, message: SweepUnfinished, _sender: Address) -> None:
        """Forget what expired, and make the tracks whose maker died in between."""
        self.wakeup_after(SWEEP_SECONDS, SweepUnfinished(older_than_seconds=SWEEP_SECONDS))
        with suppress(RefusedError):  # no database now: the next sweep finds the same
            async with self.connection() as conn:
                expired = await uploads.delete_expired(conn, limit=SWEEP_ROWS)
                received = await uploads.list_received(
                    conn, older_than_seconds=message.older_than_seconds, limit=SWEEP_ROWS
                )
            for upload_id in expired:
                await self.stored(self.store.staging.drop, upload_id)
            for upload in received:
                with suppress(RefusedError):
                    await self._settled(upload)

    # --- from the last byte to the track ---

    async def _settled(self, upload: Upload) -> UploadDescribed:
        """Make the track of an upload that is whole; say what became of it."""
        if upload.state is UploadState.RECEIVED:
            upload = await self._publish(upload)
        if upload.state is not UploadState.PUBLISHED:
            return UploadDescribed(upload=upload, track=None, job=None)
        async with self.connection() as conn:
            track = await tracks.get_track(conn, upload.track_id)
            job = await newest_job_of_track(conn, upload.track_id)
        return UploadDescribed(upload=upload, track=track, job=job)

    async def _publish(self, upload: Upload) -> Upload:
        """Have the catalogue make the track: the same one, however often this is tried."""
        async with self._minding_the_file(upload.id):
            await self.stored(self.store.staging.cut, upload.id, upload.offset_bytes)
        command = PublishUpload(
            track_id=upload.track_id,
            upload_id=upload.id,
            owner=upload.owner,
            title=upload.title,
            filename=upload.filename,
            visibility=upload.visibility,
        )
        accepted = await self._accepted(upload, command)
        async with self.connection() as conn:
            await uploads.mark_published(conn, upload.id, duplicate_of=accepted.duplicate_of)
            published = await uploads.get_upload(conn, upload.id)
        return refuse_unusable(published, upload.owner.id)

    async def _accepted(self, upload: Upload, command: PublishUpload) -> TrackAccepted:
        deliver = Deliver(key=CATALOGUE, message=command)
        reply = await self.ask(self.directory, deliver, PUBLISH_SECONDS)
        match reply:
            case TrackAccepted():
                return reply
            case Rejected(code=RejectCode.NOT_FOUND):
                async with self.connection() as conn:
                    await uploads.set_back(conn, upload.id, 0)
                raise misplaced(0)
            case Rejected():
                raise RefusedError(
                    reply.code, reply.detail, retry_after_seconds=reply.retry_after_seconds
                )
            case _:
                detail = "All bytes are there; the track is made as soon as possible."
                raise RefusedError(
                    RejectCode.UNAVAILABLE, detail, retry_after_seconds=RETRY_SECONDS
                )


async def locked(conn: Connection, upload_id: UUID, owner_id: UUID) -> Upload:
    """Lock an upload for this transaction; refuse what is not there, not theirs, over, or being written."""
    upload = await uploads.lock_upload(conn, upload_id)
    if upload is None and await uploads.get_upload(conn, upload_id) is not None:
        raise RefusedError(
            RejectCode.UPLOAD_LOCKED,
            "Another request writes at this moment.",
            retry_after_seconds=RETRY_SECONDS,
        )
    return refuse_unusable(upload, owner_id)


def refuse_unusable(upload: Upload | None, owner_id: UUID) -> Upload:
    """Return an upload that its owner may look at; refuse any other."""
    if upload is None or upload.owner.id != owner_id:
        raise RefusedError(RejectCode.NOT_FOUND, "There is no such upload.")
    if upload.is_expired:
        raise RefusedError(RejectCode.UPLOAD_EXPIRED, "The upload has expired. Begin anew.")
    return upload


def agreed_length(upload: Upload, told: int | None) -> int | None:
    """Return how long an upload is, by now; refuse another length than it has, or less than is there."""
    if told is None or told == upload.length_bytes:
        return upload.length_bytes
    if upload.length_bytes is not None or told < upload.offset_bytes:
        raise RefusedError(RejectCode.INVALID_STATE, "The upload has another length.")
    return told


def refuse_misplaced(upload: Upload, offset_bytes: int) -> None:
    """Refuse bytes that do not go on where the upload ends."""
    if offset_bytes != upload.offset_bytes:
        raise misplaced(upload.offset_bytes)


def misplaced(offset_bytes: int) -> RefusedError:
    """Return the refusal that says where the upload goes on."""
    return RefusedError(RejectCode.UPLOAD_OFFSET, f"The upload goes on at byte {offset_bytes}.")


def refuse_too_long(size_bytes: int, limit_bytes: int) -> None:
    """Refuse more than an upload may have."""
    if size_bytes > limit_bytes:
        detail = f"The upload has {limit_bytes} bytes at most."
        raise RefusedError(RejectCode.PAYLOAD_TOO_LARGE, detail)
