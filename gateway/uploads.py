"""The address that takes a track: a form of title and file, the file streamed on as it comes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from http import HTTPStatus
from typing import Final, TypeVar
from uuid import UUID

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from veza.actors.messages.accounts import Identified
from veza.actors.messages.common import Key, Rejected
from veza.actors.messages.tracks import (
    ChunkWritten,
    DropUpload,
    PublishUpload,
    TrackAccepted,
    WriteChunk,
)
from veza.config.ids import uuid7
from veza.gateway import wire
from veza.gateway.answers import json_answer
from veza.gateway.endpoints import API, READ_SECONDS, Access, Endpoints, too_large
from veza.gateway.errors import FieldCode, FieldError, ProblemCode, ProblemError, expect
from veza.gateway.keys import ACTORS, SETTINGS
from veza.gateway.rooms import author_of
from veza.gateway.tracks import CATALOGUE
from veza.gateway.values import parse_fields, printable

routes = Endpoints("tracks")

MEDIA: Key = ("media", "")
CHUNK_BYTES: Final = 256 * 1024
FORM_OVERHEAD_BYTES: Final = 16 * 1024
"""What a form may add to its file: boundaries, headers and the title."""
_MAX_TITLE_BYTES: Final = 4 * 1024
_MAX_FILENAME_CHARS: Final = 255
_PUBLISH_SECONDS: Final = 60.0

T = TypeVar("T")


@routes.declare(
    "POST",
    "/tracks",
    access=Access.SIGNED_IN,
    answers={202: wire.TrackAcceptedView},
    upload=wire.TrackForm,
)
async def upload_track(request: web.Request, who: Identified) -> web.Response:
    """Take a track: form fields `title`, then `file`. 202 once it is stored and its job is queued."""
    check_form(request)
    upload_id = uuid7()
    title, filename = await receive(request, upload_id)
    command = PublishUpload(
        track_id=uuid7(),
        upload_id=upload_id,
        owner=author_of(who),
        title=title,
        filename=filename,
    )
    reply = await request.app[ACTORS].ask(CATALOGUE, command, _PUBLISH_SECONDS)
    if isinstance(reply, Rejected):
        drop(request, upload_id)
    accepted = expect(reply, TrackAccepted)
    view = wire.TrackAcceptedView(
        track=wire.TrackView.of(accepted.track), job=wire.JobView.of(accepted.job)
    )
    location = {"Location": f"{API}/jobs/{accepted.job.id}"}
    return json_answer(request, view, HTTPStatus.ACCEPTED, location)


def check_form(request: web.Request) -> None:
    """Refuse what cannot become a track before a byte of it is read; raises `ProblemError`."""
    if request.content_type != "multipart/form-data":
        raise ProblemError(
            ProblemCode.UNSUPPORTED_MEDIA_TYPE, "The body must be multipart/form-data."
        )
    limit = request.app[SETTINGS].max_upload_bytes
    if (request.content_length or 0) > limit + FORM_OVERHEAD_BYTES:
        raise too_large(limit)


async def receive(request: web.Request, upload_id: UUID) -> tuple[str, str]:
    """Store the form's file and return title and file name; on any failure nothing stays stored."""
    try:
        form = await _read(request.multipart())
        title = await _read_title(_part(await _read(form.next()), "title"))
        part = _part(await _read(form.next()), "file")
        await _store(request, part, upload_id)
        _check_end(await _read(form.next()))
    except BaseException:
        # Whatever ended it, the client's departure too: half a file is of no use.
        drop(request, upload_id)
        raise
    return title, printable(part.filename or "", _MAX_FILENAME_CHARS)


def drop(request: web.Request, upload_id: UUID) -> None:
    """Forget what was stored of an upload."""
    request.app[ACTORS].tell(MEDIA, DropUpload(upload_id=upload_id))


def _part(part: object, name: str) -> BodyPartReader:
    if not isinstance(part, BodyPartReader) or part.name != name:
        raise _missing(f"/{name}", "The form has `title`, then `file`.")
    return part


def _check_end(part: object) -> None:
    """Refuse what follows the file; reading on has refused a form that ends without its boundary."""
    if part is not None:
        pointer = f"/{part.name or ''}" if isinstance(part, BodyPartReader) else ""
        error = FieldError(
            pointer=pointer, code=FieldCode.UNKNOWN_FIELD, detail="The file is the last field."
        )
        raise ProblemError(ProblemCode.UNKNOWN_FIELD, errors=(error,))


async def _read_title(part: BodyPartReader) -> str:
    raw = bytearray()
    while piece := await _read(part.read_chunk(_MAX_TITLE_BYTES)):
        raw += piece
        if len(raw) > _MAX_TITLE_BYTES:
            raise too_large(_MAX_TITLE_BYTES)
    return parse_fields(wire.TrackForm, {"title": raw.decode(errors="replace")}).title


async def _store(request: web.Request, part: BodyPartReader, upload_id: UUID) -> None:
    """Hand on the file in chunks, the next one once this one is stored: memory stays flat."""
    limit, offset = request.app[SETTINGS].max_upload_bytes, 0
    async for chunk in _chunks(part):
        if offset + len(chunk) > limit:
            raise too_large(limit)
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
