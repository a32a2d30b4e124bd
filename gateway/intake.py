"""The body of a request into an upload: stored for good as it comes, or not at all if its checksum is wrong.

Without a checksum whatever arrived is kept, also when the client leaves halfway.
"""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator
from typing import Final, Protocol
from uuid import UUID

from aiohttp import web

from veza.actors.messages.tracks import MEDIA, ChunkWritten, WriteChunk
from veza.actors.messages.uploads import (
    UPLOADS,
    AppendUpload,
    JoinUpload,
    Upload,
    UploadDescribed,
)
from veza.config.ids import uuid7
from veza.gateway.endpoints import READ_SECONDS, too_large
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.forms import drop
from veza.gateway.keys import ACTORS, SETTINGS
from veza.gateway.tus_headers import Checksum

FLUSH_BYTES: Final = 4 * 1024 * 1024
"""Each flush costs a sync and a commit; what is not flushed is lost with the node. A request holds two."""
FLUSH_SECONDS: Final = 1.0
APPEND_SECONDS: Final = 60.0
"""With the last byte the file is read once more, for its hash, and moved to its place."""


class Sink(Protocol):
    """Where the pieces of a body go."""

    async def take(self, piece: bytes) -> None:
        """Take the next piece."""

    async def finish(self) -> UploadDescribed | None:
        """Store what is left and say what became of the upload; None if nothing came."""

    async def break_off(self) -> None:
        """Keep or forget what there is: the body ended early."""


class KeptSink:
    """Stores what comes, whatever comes after it: one part is on its way while the next one is read."""

    def __init__(self, request: web.Request, upload: Upload) -> None:
        self._request = request
        self._upload = upload
        self._offset = upload.offset_bytes
        self._waiting = bytearray()
        self._flushed_at = time.monotonic()
        self._under_way: asyncio.Task[UploadDescribed] | None = None
        self._described: UploadDescribed | None = None

    async def take(self, piece: bytes) -> None:
        """See `Sink`."""
        self._waiting += piece
        is_late = time.monotonic() - self._flushed_at >= FLUSH_SECONDS
        if is_late or len(self._waiting) >= FLUSH_BYTES:
            await self._flush()

    async def finish(self) -> UploadDescribed | None:
        """See `Sink`."""
        await self._flush()
        await self._stored()
        return self._described

    async def break_off(self) -> None:
        """See `Sink`."""
        await self.finish()

    async def _flush(self) -> None:
        await self._stored()
        if self._waiting:
            data = bytes(self._waiting)
            self._waiting.clear()
            storing = append(self._request, self._upload, self._offset, data)
            self._under_way = asyncio.create_task(storing)
            self._offset += len(data)
        self._flushed_at = time.monotonic()

    async def _stored(self) -> None:
        """Wait for the part on its way; if it was refused, what came after it is of no use."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            try:
                self._described = await under_way
            except Exception:
                self._waiting.clear()
                raise


class VerifiedSink:
    """Keeps what comes aside until all of it is there and right: in memory, then in an upload of its own."""

    def __init__(self, request: web.Request, upload: Upload, checksum: Checksum) -> None:
        self._request = request
        self._upload = upload
        self._checksum = checksum
        self._hasher = checksum.hasher()
        self._waiting = bytearray()
        self._part_id: UUID | None = None
        self._part_bytes = 0

    async def take(self, piece: bytes) -> None:
        """See `Sink`."""
        self._hasher.update(piece)
        self._waiting += piece
        if len(self._waiting) >= FLUSH_BYTES:
            await self._put_aside()

    async def finish(self) -> UploadDescribed | None:
        """See `Sink`."""
        if not hmac.compare_digest(self._hasher.digest(), self._checksum.digest):
            raise ProblemError(ProblemCode.CHECKSUM_MISMATCH)
        if self._part_id is None:
            data, offset = bytes(self._waiting), self._upload.offset_bytes
            return await append(self._request, self._upload, offset, data) if data else None
        await self._put_aside()
        command = JoinUpload(
            upload_id=self._upload.id,
            owner_id=self._upload.owner.id,
            offset_bytes=self._upload.offset_bytes,
            part_id=self._part_id,
            size_bytes=self._part_bytes,
        )
        return await described(self._request, command)

    async def break_off(self) -> None:
        """See `Sink`."""
        if self._part_id is not None:
            drop(self._request, self._part_id)

    async def _put_aside(self) -> None:
        if not self._waiting:
            return
        self._part_id = self._part_id or uuid7()
        data = bytes(self._waiting)
        self._waiting.clear()
        command = WriteChunk(upload_id=self._part_id, offset=self._part_bytes, data=data)
        expect(await self._request.app[ACTORS].ask(MEDIA, command), ChunkWritten)
        self._part_bytes += len(data)


async def take_in(
    request: web.Request, upload: Upload, checksum: Checksum | None
) -> UploadDescribed | None:
    """Put a request's body at the end of an upload; None if it had none. Raises `ProblemError`."""
    sink: Sink = (
        KeptSink(request, upload) if checksum is None else VerifiedSink(request, upload, checksum)
    )
    try:
        async for piece in _pieces(request, upload):
            await sink.take(piece)
        return await sink.finish()
    except TimeoutError as error:
        await sink.break_off()
        raise ProblemError(ProblemCode.REQUEST_TIMEOUT) from error
    except Exception:
        await sink.break_off()
        raise


async def _pieces(request: web.Request, upload: Upload) -> AsyncIterator[bytes]:
    """Yield a body as it comes, and nothing now and then while nothing comes.

    Raises `TimeoutError`, and `ProblemError` before anything that is beyond the upload's length.
    """
    limit_bytes = upload.length_bytes or request.app[SETTINGS].max_upload_bytes
    free_bytes = limit_bytes - upload.offset_bytes
    deadline = time.monotonic() + READ_SECONDS
    while True:
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                piece = await request.content.readany()
        except TimeoutError:
            if time.monotonic() >= deadline:
                raise
            yield b""
            continue
        if not piece:
            return
        free_bytes -= len(piece)
        if free_bytes < 0:
            raise too_large(limit_bytes)
        yield piece
        deadline = time.monotonic() + READ_SECONDS


async def append(request: web.Request, upload: Upload, offset: int, data: bytes) -> UploadDescribed:
    """Store bytes of an upload for good."""
    command = AppendUpload(
        upload_id=upload.id, owner_id=upload.owner.id, offset_bytes=offset, data=data
    )
    return await described(request, command)


async def described(request: web.Request, command: object) -> UploadDescribed:
    """Ask the uploads service; return what has become of the upload."""
    reply = await request.app[ACTORS].ask(UPLOADS, command, APPEND_SECONDS)
    return expect(reply, UploadDescribed)
