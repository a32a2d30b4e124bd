"""Uploads that survive: tus 1.0 (https://tus.io/protocols/resumable-upload) for tracks.

An upload's owner sees it, nobody else. What it tells as its offset is on disk for good; with the last byte it
becomes a track. Whoever speaks no tus reads it as JSON.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.permissions import Permission
from veza.actors.messages.uploads import (
    UPLOADS,
    DescribeUpload,
    ListUploads,
    OpenUpload,
    ResumeUpload,
    TerminateUpload,
    UploadDescribed,
    UploadsListed,
    UploadTerminated,
)
from veza.config.ids import uuid7
from veza.gateway import tus_headers as tus
from veza.gateway import wire
from veza.gateway.answers import fresh_answer
from veza.gateway.endpoints import API, NO_CONTENT, Access, Endpoints
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.intake import described, take_in
from veza.gateway.keys import ACTORS, SETTINGS
from veza.gateway.rates import TRACKS, UPLOAD_PARTS
from veza.gateway.rooms import author_of
from veza.gateway.uploads import name_of
from veza.gateway.values import parse_fields

routes = Endpoints("uploads", has_validators=False)

_ROOT: Final = f"{API}/uploads"


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put on every answer here, a problem too, the version it is of (signal `on_response_prepare`)."""
    if request.path == _ROOT or request.path.startswith(f"{_ROOT}/"):
        response.headers["Tus-Resumable"] = tus.VERSION
        response.headers.setdefault("Cache-Control", "no-store")


@routes.declare("OPTIONS", "/uploads", access=Access.PUBLIC, answers={204: NO_CONTENT})
async def show_upload_options(request: web.Request) -> web.Response:
    """Tell version, extensions, checksums and the largest file."""
    limit_bytes = request.app[SETTINGS].max_upload_bytes
    headers = {**tus.about(), "Tus-Max-Size": str(limit_bytes)}
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)


@routes.declare("OPTIONS", "/uploads/{upload_id}", access=Access.PUBLIC, answers={204: NO_CONTENT})
async def show_options_of_upload(request: web.Request, upload_id: UUID) -> web.Response:  # noqa: ARG001  # of any
    """Tell the same about any upload."""
    return await show_upload_options(request)


@routes.declare(
    "POST",
    "/uploads",
    access=Access.SIGNED_IN,
    needs=Permission.TRACKS_UPLOAD,
    answers={201: wire.UploadView},
    rate=TRACKS,
    headers=(tus.RESUMABLE, tus.LENGTH, tus.DEFER, tus.METADATA, tus.CHECKSUM),
    streams=tus.CONTENT_TYPE,
)
async def open_upload(request: web.Request, who: Identified) -> web.Response:
    """Begin an upload; the body may be its first bytes."""
    tus.require_version(request.headers)
    checksum = tus.told_checksum(request.headers)
    metadata = ",".join(request.headers.getall(tus.METADATA.name, []))
    told = _metadata(metadata)
    if request.body_exists:
        _require_type(request)
    command = OpenUpload(
        upload_id=uuid7(),
        track_id=uuid7(),
        owner=author_of(who),
        length_bytes=tus.new_length(request.headers),
        title=told.title or "",
        filename=name_of(told.filename),
        metadata=metadata,
        visibility=told.visibility,
    )
    opened = await described(request, command)
    if request.body_exists:
        opened = await _take_first(request, opened, checksum)
    return _answer(opened, HTTPStatus.CREATED, {"Location": f"{_ROOT}/{command.upload_id}"})


async def _take_first(
    request: web.Request, opened: UploadDescribed, checksum: tus.Checksum | None
) -> UploadDescribed:
    """Take the bytes that came with the creation; if they fail, nobody knows of the upload, so it goes."""
    upload = opened.upload
    try:
        _refuse_beyond(upload.length_bytes, request.content_length or 0)
        return await take_in(request, upload, checksum) or opened
    except BaseException:
        command = TerminateUpload(upload_id=upload.id, owner_id=upload.owner.id)
        request.app[ACTORS].tell(UPLOADS, command)
        raise


def _refuse_beyond(length_bytes: int | None, size_bytes: int) -> None:
    if length_bytes is not None and size_bytes > length_bytes:
        raise ProblemError(ProblemCode.PAYLOAD_TOO_LARGE, f"At most {length_bytes} bytes.")


@routes.declare("GET", "/uploads", access=Access.SIGNED_IN, answers={200: wire.UploadPage})
async def list_uploads(request: web.Request, who: Identified) -> web.Response:
    """Tell which of one's uploads are not finished, for whoever lost their addresses."""
    reply = await request.app[ACTORS].ask(UPLOADS, ListUploads(owner_id=who.user.id))
    listed = expect(reply, UploadsListed).uploads
    found = [UploadDescribed(upload=each, track=None, job=None) for each in listed]
    return fresh_answer(
        wire.UploadPage(data=[wire.UploadView.of(each) for each in found]).to_json(), HTTPStatus.OK
    )


@routes.declare(
    "GET",
    "/uploads/{upload_id}",
    access=Access.SIGNED_IN,
    answers={200: wire.UploadView},
)
async def show_upload(request: web.Request, upload_id: UUID, who: Identified) -> web.Response:
    """Tell how far an upload is, and what became of it; `HEAD` is that of tus."""
    if request.method == "HEAD":
        tus.require_version(request.headers)
    command = DescribeUpload(upload_id=upload_id, owner_id=who.user.id)
    return _answer(await described(request, command), HTTPStatus.OK)


@routes.declare(
    "PATCH",
    "/uploads/{upload_id}",
    access=Access.SIGNED_IN,
    answers={204: NO_CONTENT},
    rate=UPLOAD_PARTS,
    headers=(tus.RESUMABLE, tus.OFFSET, tus.LENGTH, tus.CHECKSUM),
    streams=tus.CONTENT_TYPE,
)
async def append_to_upload(request: web.Request, upload_id: UUID, who: Identified) -> web.Response:
    """Add bytes where the upload ends."""
    tus.require_version(request.headers)
    _require_type(request)
    checksum = tus.told_checksum(request.headers)
    command = ResumeUpload(
        upload_id=upload_id,
        owner_id=who.user.id,
        offset_bytes=tus.told_offset(request.headers),
        length_bytes=tus.told_length(request.headers),
        size_bytes=request.content_length or 0,
    )
    resumed = await described(request, command)
    appended = await take_in(request, resumed.upload, checksum) or resumed
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=tus.headers_of(appended))


@routes.declare(
    "DELETE",
    "/uploads/{upload_id}",
    access=Access.SIGNED_IN,
    answers={204: NO_CONTENT},
    headers=(tus.RESUMABLE,),
)
async def terminate_upload(request: web.Request, upload_id: UUID, who: Identified) -> web.Response:
    """Forget an upload and its bytes; a track that was made of it stays."""
    tus.require_version(request.headers)
    command = TerminateUpload(upload_id=upload_id, owner_id=who.user.id)
    expect(await request.app[ACTORS].ask(UPLOADS, command), UploadTerminated)
    return web.Response(status=HTTPStatus.NO_CONTENT)


@routes.declare(
    "POST",
    "/uploads/{upload_id}",
    access=Access.SIGNED_IN,
    answers={200: wire.UploadView, 204: NO_CONTENT},
    rate=UPLOAD_PARTS,
    headers=(tus.RESUMABLE, tus.OVERRIDE, tus.OFFSET, tus.LENGTH, tus.CHECKSUM),
    streams=tus.CONTENT_TYPE,
)
async def override_method(request: web.Request, upload_id: UUID, who: Identified) -> web.Response:
    """Do what `X-HTTP-Method-Override` says, for clients whose network lets nothing but POST through."""
    tus.require_version(request.headers)
    meant = _OVERRIDES.get(request.headers.get(tus.OVERRIDE.name, "").upper())
    if meant is None:
        raise ProblemError(
            ProblemCode.METHOD_NOT_ALLOWED, headers={"Allow": "DELETE, GET, HEAD, OPTIONS, PATCH"}
        )
    return await meant(request, upload_id, who)


_OVERRIDES: Final[
    Mapping[str, Callable[[web.Request, UUID, Identified], Awaitable[web.Response]]]
] = {"HEAD": show_upload, "PATCH": append_to_upload, "DELETE": terminate_upload}


def _metadata(text: str) -> wire.UploadMetadata:
    """Return what the metadata say of the track; other keys are the client's own."""
    told = tus.parse_metadata(text)
    known = {name: told[name] for name in wire.UploadMetadata.model_fields if name in told}
    return parse_fields(wire.UploadMetadata, known)


def _require_type(request: web.Request) -> None:
    if request.content_type != tus.CONTENT_TYPE:
        raise ProblemError(
            ProblemCode.UNSUPPORTED_MEDIA_TYPE, f"The body must be {tus.CONTENT_TYPE}."
        )


def _answer(
    told: UploadDescribed, status: int, headers: Mapping[str, str] | None = None
) -> web.Response:
    answer = fresh_answer(wire.UploadView.of(told).to_json(), status)
    answer.headers.update({**tus.headers_of(told), **(headers or {})})
    return answer
