"""The media service: bytes into and out of the media store, off the event loop."""

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Final

from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.tracks import (
    ChunkWritten,
    DropUpload,
    MediaRead,
    OpenSource,
    ReadMedia,
    SourceOpened,
    WriteChunk,
)
from veza.actors.runtime.address import Address
from veza.actors.storing import StoringActor
from veza.persistence import renditions, uploads
from veza.persistence.errors import ChunkOffsetError, MediaNotFoundError
from veza.persistence.media_store import MediaStore
from veza.persistence.pool import Pool
from veza.persistence.renditions import media_folder

SWEEP_SECONDS: Final = 3600.0
UPLOAD_LIFETIME_SECONDS: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepUploads:
    """Time to look for uploads that were begun and left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSuperseded:
    """Time to look for encodings that nobody can be listening to any more."""


class MediaActor(StoringActor):
    """Upload parts in, published objects out. What may be read is what the tables name."""

    concurrency: ClassVar[int] = 8
    mailbox_limit: ClassVar[int] = 512

    def __init__(
        self, *, pool: Pool, store: MediaStore, max_upload_bytes: int, playback_url_seconds: int
    ) -> None:
        super().__init__(pool=pool, store=store)
        self.max_upload_bytes = max_upload_bytes
        self.superseded_seconds = playback_url_seconds + SWEEP_SECONDS
        self.wakeup_after(0.0, SweepUploads())
        self.wakeup_after(0.0, SweepSuperseded())

    async def receiveMsg_SweepUploads(self, message: SweepUploads, _sender: Address) -> None:
        """Drop what nobody went on with: its sender has gone, or the answer to them was lost."""
        self.wakeup_after(SWEEP_SECONDS, message)
        stale = await self.stored(
            self.store.staging.stale, older_than_seconds=UPLOAD_LIFETIME_SECONDS
        )
        with suppress(RefusedError):  # no database now: the next sweep finds the same
            async with self.connection() as conn:
                # Those that go on after a break have times of their own.
                kept = await uploads.known_uploads(conn, stale)
            for upload_id in frozenset(stale) - kept:
                await self.stored(self.store.staging.drop, upload_id)

    async def receiveMsg_SweepSuperseded(self, message: SweepSuperseded, _sender: Address) -> None:
        """Delete what was encoded anew since, once no address of it is valid any more."""
        self.wakeup_after(SWEEP_SECONDS, message)
        with suppress(RefusedError):
            async with self.connection() as conn:
                gone = await renditions.take_superseded(
                    conn, older_than_seconds=self.superseded_seconds
                )
            for track_id, name in gone:
                folder = media_folder(track_id, name)
                await self.stored(self.store.delete_below, folder)

    async def receiveMsg_WriteChunk(self, command: WriteChunk, _sender: Address) -> ChunkWritten:
        size_bytes = command.offset + len(command.data)
        if size_bytes > self.max_upload_bytes:
            raise RefusedError(
                RejectCode.PAYLOAD_TOO_LARGE,
                f"A file may have {self.max_upload_bytes // 2**20} MiB at most.",
            )
        try:
            await self.stored(
                self.store.staging.write_chunk, command.upload_id, command.offset, command.data
            )
        except ChunkOffsetError as error:
            raise RefusedError(
                RejectCode.INVALID_STATE, f"The upload goes on at byte {error.size_bytes}."
            ) from error
        return ChunkWritten(size_bytes=size_bytes)

    async def receiveMsg_DropUpload(self, command: DropUpload, _sender: Address) -> None:
        await self.stored(self.store.staging.drop, command.upload_id)

    async def receiveMsg_OpenSource(self, command: OpenSource, _sender: Address) -> SourceOpened:
        try:
            return SourceOpened(file=await self.stored(self.store.open_source, command.key))
        except MediaNotFoundError as error:
            raise RefusedError(RejectCode.NOT_FOUND, "The file is no longer there.") from error

    async def receiveMsg_ReadMedia(self, command: ReadMedia, _sender: Address) -> MediaRead:
        async with self.connection() as conn:
            found = await renditions.segment_key(
                conn, command.track_id, command.rendition, command.name
            )
        if found is None:
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such segment.")
        key, sha256 = found
        return MediaRead(data=await self.stored(self.store.read, key), etag=sha256.hex())
