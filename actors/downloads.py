"""The downloads service: who may take a track home, and the copies of it that are made for them."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.actors.jobs import advanced, holding
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.directory import Deliver
from veza.actors.messages.downloads import (
    ORIGINAL,
    CopyFinished,
    CopyFormat,
    CopyLoaded,
    CopyRequested,
    Download,
    DownloadOpened,
    DownloadsListed,
    DownloadState,
    FinishCopy,
    Label,
    ListDownloads,
    LoadCopy,
    OpenDownload,
    PieceStored,
    RequestCopy,
    StorePiece,
)
from veza.actors.messages.jobs import DISPATCHER, JobQueued
from veza.actors.messages.tracks import JobType
from veza.actors.runtime.address import Address
from veza.actors.storing import StoringActor
from veza.persistence import jobs
from veza.persistence.downloads import (
    Takeable,
    ToCopy,
    find_takeable,
    find_to_copy,
    list_copies,
    save_copy,
    take_expired,
)
from veza.persistence.errors import ChunkOffsetError, UploadUnknownError
from veza.persistence.media_store import MediaStore
from veza.persistence.pool import Connection, Pool

COPY_LIFETIME_SECONDS: Final = 30 * 24 * 3600.0
"""Then it is made anew for whoever asks, by the title and the encoder of that day."""
SWEEP_SECONDS: Final = 3600.0
SWEEP_ROWS: Final = 100
GONE: Final = "What was copied so far is gone."
MOST_BYTES_A_SECOND: Final = 400_000 // 8
"""Of sound: more than any copy has, and the end of a process that goes on for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepCopies:
    """Time to look for copies that were made long ago."""


class DownloadsActor(StoringActor):
    """A copy grows in a staged file under its job's lease, and is there for all once that is an object."""

    def __init__(
        self,
        *,
        pool: Pool,
        store: MediaStore,
        directory: Address,
        node_id: UUID,
        max_track_seconds: int,
    ) -> None:
        super().__init__(pool=pool, store=store)
        self.directory = directory
        self.node_id = node_id
        self.most_bytes = max_track_seconds * MOST_BYTES_A_SECOND
        self.wakeup_after(0.0, SweepCopies())

    # --- for people ---

    async def receiveMsg_OpenDownload(
        self, command: OpenDownload, _sender: Address
    ) -> DownloadOpened:
        async with self.connection() as conn:
            found = await taken(conn, command.track_id, command.viewer_id, command.format)
        if found.key is None or found.size_bytes is None:
            raise RefusedError(RejectCode.NOT_READY, "Nobody has asked for this copy yet.")
        return DownloadOpened(
            place=await self.stored(self.store.locate, found.key),
            key=found.key,
            size_bytes=found.size_bytes,
            filename=found.filename,
            title=found.title,
            artist=found.artist,
        )

    async def receiveMsg_ListDownloads(
        self, command: ListDownloads, _sender: Address
    ) -> DownloadsListed:
        async with self.connection() as conn:
            found = await taken(conn, command.track_id, command.viewer_id, ORIGINAL)
            copies = await list_copies(conn, command.track_id, tuple(CopyFormat))
        original = Download(format=ORIGINAL, state=DownloadState.READY, size_bytes=found.size_bytes)
        return DownloadsListed(downloads=(original, *copies))

    async def receiveMsg_RequestCopy(self, command: RequestCopy, _sender: Address) -> CopyRequested:
        async with self.transaction() as conn:
            found = await taken(conn, command.track_id, command.by, command.format)
            if not found.is_published:
                raise RefusedError(RejectCode.NOT_READY, "The track is not published yet.")
            if found.key is None:
                await jobs.insert_side_job(
                    conn,
                    job_id=command.job_id,
                    job_type=JobType.COPY,
                    owner_id=command.by,
                    track_id=command.track_id,
                    in_format=command.format,
                )
            (download,) = await list_copies(conn, command.track_id, (command.format,))
        self.send(self.directory, Deliver(key=DISPATCHER, message=JobQueued()))
        return CopyRequested(download=download)

    # --- for the node's own actors ---

    async def receiveMsg_LoadCopy(self, command: LoadCopy, _sender: Address) -> CopyLoaded:
        async with self.transaction() as conn, holding(conn, command.job_id, self.node_id):
            wanted = await to_copy(conn, command.job_id)
        return CopyLoaded(
            source_key=wanted.source_key,
            format=CopyFormat(wanted.format),
            label=Label(title=wanted.title, artist=wanted.artist),
        )

    async def receiveMsg_StorePiece(self, command: StorePiece, _sender: Address) -> PieceStored:
        if command.offset + len(command.data) > self.most_bytes:
            raise RefusedError(RejectCode.PAYLOAD_TOO_LARGE, "The copy has no end.")
        async with self.transaction() as conn, holding(conn, command.job_id, self.node_id):
            write = self.store.staging.write_chunk
            try:
                await self.stored(write, command.job_id, command.offset, command.data)
            except ChunkOffsetError as error:
                raise RefusedError(RejectCode.NOT_FOUND, GONE) from error
        return PieceStored()

    async def receiveMsg_FinishCopy(self, command: FinishCopy, _sender: Address) -> CopyFinished:
        async with self.transaction() as conn, holding(conn, command.job_id, self.node_id):
            wanted = await to_copy(conn, command.job_id)
        key = f"media/{wanted.track_id}/copies/{command.job_id}.{wanted.format}"
        try:
            await self.stored(self.store.staging.cut, command.job_id, command.size_bytes)
            size_bytes, digest = await self.stored(self.store.finish, command.job_id, key)
        except (ChunkOffsetError, UploadUnknownError) as error:
            raise RefusedError(RejectCode.NOT_FOUND, GONE) from error
        async with self.transaction() as conn, holding(conn, command.job_id, self.node_id):
            await save_copy(
                conn,
                track_id=wanted.track_id,
                in_format=wanted.format,
                key=key,
                sha256=digest,
                size_bytes=size_bytes,
            )
            await jobs.finish_job(conn, command.job_id, node_id=self.node_id)
            return CopyFinished(job=(await advanced(conn, command.job_id)).job)

    async def receiveMsg_SweepCopies(self, message: SweepCopies, _sender: Address) -> None:
        self.wakeup_after(SWEEP_SECONDS, message)
        # No database or no bucket now: what is left of them, `veza media gc` finds.
        with suppress(RefusedError):
            async with self.connection() as conn:
                expired = await take_expired(
                    conn, older_than_seconds=COPY_LIFETIME_SECONDS, limit=SWEEP_ROWS
                )
            for key in expired:
                await self.stored(self.store.delete, key)


async def taken(
    conn: Connection, track_id: UUID, viewer_id: UUID | None, in_format: str
) -> Takeable:
    """Return what there is of a track in a format; refuse whoever may not have it."""
    found = await find_takeable(conn, track_id, viewer_id, in_format)
    if found is None:
        raise RefusedError(RejectCode.NOT_FOUND, "There is no such track.")
    if not found.is_allowed:
        raise RefusedError(RejectCode.FORBIDDEN, "Its owner keeps the file.")
    return found


async def to_copy(conn: Connection, job_id: UUID) -> ToCopy:
    """Return what a job is to copy."""
    wanted = await find_to_copy(conn, job_id)
    if wanted is None:
        raise LookupError(f"job {job_id} is about no copy")
    return wanted
