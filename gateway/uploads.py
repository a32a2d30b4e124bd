"""The address that takes a track, as a form of title and file; and what is known of a file."""

import re
from http import HTTPStatus
from typing import Final

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.common import Rejected
from veza.actors.messages.permissions import Permission
from veza.actors.messages.tracks import (
    CATALOGUE,
    PUBLISH_SECONDS,
    PublishUpload,
    TrackAccepted,
)
from veza.actors.messages.uploads import (
    UPLOADS,
    FindTrackOf,
    RequireSpace,
    SpaceGranted,
    TrackOfFile,
)
from veza.config.ids import uuid7
from veza.gateway import wire
from veza.gateway.answers import json_answer
from veza.gateway.endpoints import API, Access, Endpoints
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.forms import check_form, drop, receive
from veza.gateway.keys import ACTORS, SETTINGS
from veza.gateway.rates import TRACKS
from veza.gateway.rooms import author_of
from veza.gateway.values import printable

routes = Endpoints("tracks")

_MAX_FILENAME_CHARS: Final = 255
_SEPARATORS: Final = re.compile(r"[/\\]")
_SHA256: Final = re.compile("[0-9a-f]{64}")


@routes.declare(
    "POST",
    "/tracks",
    access=Access.SIGNED_IN,
    needs=Permission.TRACKS_UPLOAD,
    answers={202: wire.TrackAcceptedView},
    rate=TRACKS,
    upload=wire.TrackForm,
)
async def upload_track(request: web.Request, who: Identified) -> web.Response:
    """Take a track: form fields `title`, then `file`. 202 once it is stored and its job is queued."""
    limit_bytes = request.app[SETTINGS].max_upload_bytes
    check_form(request, limit_bytes)
    # A form of unknown length may bring the largest file there is.
    size_bytes = min(request.content_length or limit_bytes, limit_bytes)
    space = RequireSpace(owner_id=who.user.id, size_bytes=size_bytes)
    expect(await request.app[ACTORS].ask(UPLOADS, space), SpaceGranted)
    upload_id = uuid7()
    form, filename = await receive(request, upload_id, wire.TrackForm, limit_bytes)
    command = PublishUpload(
        track_id=uuid7(),
        upload_id=upload_id,
        owner=author_of(who),
        title=form.title,
        filename=name_of(filename),
    )
    reply = await request.app[ACTORS].ask(CATALOGUE, command, PUBLISH_SECONDS)
    if isinstance(reply, Rejected):
        drop(request, upload_id)
    accepted = expect(reply, TrackAccepted)
    view = wire.TrackAcceptedView(
        track=wire.TrackView.of(accepted.track),
        job=wire.JobView.of(accepted.job),
        duplicate_of=accepted.duplicate_of,
    )
    location = {"Location": f"{API}/jobs/{accepted.job.id}"}
    return json_answer(request, view, HTTPStatus.ACCEPTED, location)


@routes.declare(
    "GET", "/tracks/of/{sha256}", access=Access.SIGNED_IN, answers={200: wire.TrackView}
)
async def show_track_of_file(request: web.Request, sha256: str, who: Identified) -> web.Response:
    """Show one's eldest track that was made of a file, told by its SHA-256: whether to upload it at all."""
    if not _SHA256.fullmatch(sha256):
        raise ProblemError(ProblemCode.NOT_FOUND)
    command = FindTrackOf(owner_id=who.user.id, sha256=bytes.fromhex(sha256))
    found = expect(await request.app[ACTORS].ask(UPLOADS, command), TrackOfFile)
    if found.track is None:
        raise ProblemError(ProblemCode.NOT_FOUND, "No track was made of that file.")
    return json_answer(request, wire.TrackView.of(found.track))


def name_of(told: str) -> str:
    """Return what is kept of a file's name as a client tells it: no path, nothing unseen."""
    return printable(_SEPARATORS.split(told)[-1], _MAX_FILENAME_CHARS)
