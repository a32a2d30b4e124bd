"""Addresses for taking tracks home: the file as it was uploaded or a copy, to whom its owner lets have it.

Files are large: the kernel sends them (`sendfile`), a proxy that was told where they are, or the bucket
that they are in.
"""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import PurePath
from typing import Final
from urllib.parse import quote
from uuid import UUID

from aiohttp import hdrs, web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.downloads import (
    DOWNLOADS,
    ORIGINAL,
    CopyRequested,
    DownloadOpened,
    DownloadsListed,
    ListDownloads,
    OpenDownload,
    RequestCopy,
)
from veza.config.ids import uuid7
from veza.gateway.answers import json_answer, parse_range
from veza.gateway.attachments import name_parameters
from veza.gateway.endpoints import Access, Answer, Endpoints
from veza.gateway.errors import expect
from veza.gateway.identity import viewer_of
from veza.gateway.keys import ACTORS, SETTINGS
from veza.gateway.rates import TRACKS
from veza.gateway.wire.downloads import DownloadQuery, DownloadsView, DownloadView, NewCopy

routes = Endpoints("downloads")

_BINARY: Final = "application/octet-stream"


@routes.declare(
    "GET",
    "/tracks/{track_id}/downloads",
    access=Access.OPTIONAL,
    answers={200: DownloadsView},
)
async def list_downloads(
    request: web.Request, track_id: UUID, who: Identified | None
) -> web.Response:
    """List how one may have a track."""
    command = ListDownloads(track_id=track_id, viewer_id=viewer_of(who))
    listed = expect(await request.app[ACTORS].ask(DOWNLOADS, command), DownloadsListed)
    data = [DownloadView.model_validate(each, from_attributes=True) for each in listed.downloads]
    return json_answer(request, DownloadsView(data=data))


@routes.declare(
    "POST",
    "/tracks/{track_id}/downloads",
    access=Access.SIGNED_IN,
    answers={202: DownloadView},
    rate=TRACKS,
)
async def request_copy(
    request: web.Request, track_id: UUID, body: NewCopy, who: Identified
) -> web.Response:
    """Have a copy made, unless it is there or being made."""
    command = RequestCopy(job_id=uuid7(), track_id=track_id, by=who.user.id, format=body.format)
    asked = expect(await request.app[ACTORS].ask(DOWNLOADS, command), CopyRequested)
    view = DownloadView.model_validate(asked.download, from_attributes=True)
    return json_answer(request, view, HTTPStatus.ACCEPTED)


@routes.declare(
    "GET",
    "/tracks/{track_id}/download",
    access=Access.OPTIONAL,
    answers={
        200: Answer(content_type=_BINARY, text="The file as it was uploaded, or a copy"),
        206: Answer(content_type=_BINARY, text="The bytes that `Range` asks for"),
        307: Answer(text="It is at `Location`, for a few minutes"),
    },
)
async def download_track(
    request: web.Request, track_id: UUID, query: DownloadQuery, who: Identified | None
) -> web.StreamResponse:
    """Serve the file that a track was made of, or a copy of it."""
    command = OpenDownload(track_id=track_id, viewer_id=viewer_of(who), format=query.format)
    opened = expect(await request.app[ACTORS].ask(DOWNLOADS, command), DownloadOpened)
    headers = {
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f"attachment; {name_parameters(file_name(opened, query.format))}",
        "Content-Type": _BINARY,
        "X-Content-Type-Options": "nosniff",
    }
    parse_range(request.headers.get("Range"), opened.size_bytes)  # else aiohttp answers in HTML
    if isinstance(opened.place, str):
        return elsewhere(request, opened.place, opened.size_bytes, headers)
    prefix = request.app[SETTINGS].x_accel_prefix
    if prefix is not None:
        return web.Response(headers={**headers, "X-Accel-Redirect": prefix + quote(opened.key)})
    return web.FileResponse(opened.place, headers=headers)


def elsewhere(
    request: web.Request, url: str, size_bytes: int, headers: Mapping[str, str]
) -> web.Response:
    """Send a client to the bucket. It has signed for `GET` alone, so `HEAD` is answered here."""
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers={**headers, "Content-Length": str(size_bytes)})
    found = {"Location": url, "Cache-Control": headers["Cache-Control"]}
    return web.Response(status=HTTPStatus.TEMPORARY_REDIRECT, headers=found)


def file_name(opened: DownloadOpened, kind: str) -> str:
    """Name the file as people look for it; its ending is that of the upload, or of the copy."""
    name = f"{opened.artist} - {opened.title}" if opened.artist else opened.title
    ending = PurePath(opened.filename).suffix if kind == ORIGINAL else f".{kind}"
    return name.replace("/", "-").replace("\\", "-") + ending
