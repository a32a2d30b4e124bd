"""A form whose last field is a file: the file is streamed on to the media store as it comes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Final, TypeVar
from uuid import UUID

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from veza.actors.messages.tracks import MEDIA, ChunkWritten, DropUpload, WriteChunk
from veza.gateway.endpoints import READ_SECONDS, too_large
from veza.gateway.errors import FieldCode, FieldError, ProblemCode, ProblemError, expect
from veza.gateway.keys import ACTORS
from veza.gateway.values import BodyType, parse_fields

CHUNK_BYTES: Final = 256 * 1024
FORM_OVERHEAD_BYTES: Final = 16 * 1024
"""What a form may add to its file: boundaries, headers and the fields before it."""
_MAX_FIELD_BYTES: Final = 4 * 1024

T = TypeVar("T")


def check_form(request: web.Request, limit_bytes: int) -> None:
    """Refuse what cannot be such a form before a byte of it is read; raises `ProblemError`."""
    if request.content_type != "multipart/form-data":
        raise ProblemError(
            ProblemCode.UNSUPPORTED_MEDIA_TYPE, "The body must be multipart/form-data."
        )
    if (request.content_length or 0) > limit_bytes + FORM_OVERHEAD_BYTES:
        raise too_large(limit_bytes)


async def receive(
    request: web.Request, upload_id: UUID, form: type[BodyType], limit_bytes: int
) -> tuple[BodyType, str]:
    """Store the form's file as an upload; return the fields before it and its name as the client has it.

    On any failure nothing stays stored. Raises `ProblemError`.
    """
    order = ", then ".join(f"`{name}`" for name in (*form.model_fields, "file"))
    try:
        reader = await _read(request.multipart())
        texts = {
            name: await _read_text(_part(await _read(reader.next()), name, order))
            for name in form.model_fields
        }
        fields = parse_fields(form, texts)
        part = _part(await _read(reader.next()), "file", order)
        await _store(request, part, upload_id, limit_bytes)
        _check_end(await _read(reader.next()))
    except BaseException:
        # Whatever ended it, the client's departure too: half a file is of no use.
        drop(request, upload_id)
        raise
    return fields, part.filename or ""


def drop(request: web.Request, upload_id: UUID) -> None:
    """Forget what was stored of an upload."""
    request.app[ACTORS].tell(MEDIA, DropUpload(upload_id=upload_id))


def _part(part: object, name: str, order: str) -> BodyPartReader:
    if not isinstance(part, BodyPartReader) or part.name != name:
        raise _missing(f"/{name}", f"The form has {order}.")
    return part


def _check_end(part: object) -> None:
    """Refuse what follows the file; reading on has refused a form that ends without its boundary."""
    if part is not None:
        pointer = f"/{part.name or ''}" if isinstance(part, BodyPartReader) else ""
        error = FieldError(
            pointer=pointer, code=FieldCode.UNKNOWN_FIELD, detail="The file is the last field."
        )
        raise ProblemError(ProblemCode.UNKNOWN_FIELD, errors=(error,))


async def _read_text(part: BodyPartReader) -> str:
    raw = bytearray()
    while piece := await _read(part.read_chunk(_MAX_FIELD_BYTES)):
        raw += piece
        if len(raw) > _MAX_FIELD_BYTES:
            raise too_large(_MAX_FIELD_BYTES)
    return raw.decode(errors="replace")


async def _store(
    request: web.Request, part: BodyPartReader, upload_id: UUID, limit_bytes: int
) -> None:
    """Hand on the file in chunks, the next one once this one is stored: memory stays flat."""
    offset = 0
    async for chunk in _chunks(part):
        if offset + len(chunk) > limit_bytes:
            raise too_large(limit_bytes)
        command = WriteChunk(upload_id=upload_id, offset=offset, data=chunk)
        expect(await request.app[ACTORS].ask(MEDIA, command), ChunkWritten)
        offset += len(chunk)
    if not offset:
        raise _missing("/file", "The file is empty.")


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    """Yield the file in pieces of `CHUNK_BYTES`, the last one shorter; the network brings any size."""
    waiting = bytearray()
    while piece := await _read(part.read_chunk(CHUNK_BYTES)):
        waiting += piece
        while len(waiting) >= CHUNK_BYTES:
            yield bytes(waiting[:CHUNK_BYTES])
            del waiting[:CHUNK_BYTES]
    if waiting:
        yield bytes(waiting)


async def _read(reading: Awaitable[T]) -> T:
    """Wait for the next piece of the form; raises `ProblemError` if it is late or broken."""
    try:
        return await asyncio.wait_for(reading, READ_SECONDS)
    except TimeoutError as error:
        raise ProblemError(ProblemCode.REQUEST_TIMEOUT) from error
    except (ValueError, RuntimeError, BadHttpMessage) as error:
        # What aiohttp raises for parts and headers that it cannot make sense of.
        raise ProblemError(ProblemCode.MALFORMED_BODY, "The form is broken.") from error


def _missing(pointer: str, detail: str) -> ProblemError:
    error = FieldError(pointer=pointer, code=FieldCode.REQUIRED, detail=detail)
    return ProblemError(ProblemCode.VALIDATION_FAILED, detail, errors=(error,))
