"""Addresses for the pictures of tracks: to see them, and for owners to choose them."""

from http import HTTPStatus
from typing import Final
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.artworks import (
    ARTWORKS,
    ArtworkAccepted,
    ArtworkRead,
    ArtworkRemoved,
    ChooseArtwork,
    ReadArtwork,
    RemoveArtwork,
)
from veza.actors.messages.common import Rejected
from veza.actors.messages.tracks import PUBLISH_SECONDS
from veza.config.ids import uuid7
from veza.config.settings import MEBIBYTE
from veza.gateway import wire
from veza.gateway.answers import bytes_answer, json_answer, no_content
from veza.gateway.endpoints import NO_CONTENT, Access, Answer, Endpoints
from veza.gateway.errors import expect
from veza.gateway.forms import check_form, drop, receive
from veza.gateway.identity import viewer_of
from veza.gateway.keys import ACTORS
from veza.gateway.rates import ATTACHMENTS
from veza.gateway.wire.catalogue import ArtworkQuery

routes = Endpoints("artworks")

ADDRESS: Final = "/tracks/{track_id}/artwork"
MAX_BYTES: Final = 20 * MEBIBYTE
_WEBP: Final = "image/webp"
_FOR_EVER: Final = {"Cache-Control": "private, max-age=31536000, immutable"}
_ASK_AGAIN: Final = {"Cache-Control": "private, no-cache"}


@routes.declare(
    "GET",
    ADDRESS,
    access=Access.OPTIONAL,
    answers={200: Answer(content_type=_WEBP, text="512 pixels at most on the longer side")},
)
async def show_artwork(
    request: web.Request, track_id: UUID, query: ArtworkQuery, who: Identified | None
) -> web.Response:
    """Serve the picture of a track; with its own tag it can be kept for ever."""
    command = ReadArtwork(track_id=track_id, viewer_id=viewer_of(who))
    read = expect(await request.app[ACTORS].ask(ARTWORKS, command), ArtworkRead)
    headers = _FOR_EVER if query.tag == read.tag else _ASK_AGAIN
    return bytes_answer(request, read.data, content_type=_WEBP, etag=read.tag, headers=headers)


@routes.declare(
    "POST",
    ADDRESS,
    access=Access.SIGNED_IN,
    answers={202: wire.JobView},
    rate=ATTACHMENTS,
    upload=wire.AttachmentForm,
)
async def choose_artwork(request: web.Request, track_id: UUID, who: Identified) -> web.Response:
    """Take a picture for one's own track: form field `file`. It is there once its job is done."""
    check_form(request, MAX_BYTES)
    upload_id = uuid7()
    await receive(request, upload_id, wire.AttachmentForm, MAX_BYTES)
    command = ChooseArtwork(
        job_id=uuid7(), track_id=track_id, owner_id=who.user.id, upload_id=upload_id
    )
    reply = await request.app[ACTORS].ask(ARTWORKS, command, PUBLISH_SECONDS)
    if isinstance(reply, Rejected):
        drop(request, upload_id)
    view = wire.JobView.of(expect(reply, ArtworkAccepted).job)
    return json_answer(request, view, HTTPStatus.ACCEPTED)


@routes.declare("DELETE", ADDRESS, access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def remove_artwork(request: web.Request, track_id: UUID, who: Identified) -> web.Response:
    """Have no picture on one's own track."""
    command = RemoveArtwork(track_id=track_id, owner_id=who.user.id)
    expect(await request.app[ACTORS].ask(ARTWORKS, command), ArtworkRemoved)
    return no_content()
