"""Waveforms to draw at any zoom, in the formats of audiowaveform: binary (version 2) and JSON."""

from hashlib import sha256
from typing import Final
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.tracks import (
    CATALOGUE,
    AudiowaveformRead,
    ReadAudiowaveform,
    WaveformFormat,
)
from veza.gateway.answers import bytes_answer, ranged_answer
from veza.gateway.endpoints import Access, Answer, Endpoints
from veza.gateway.errors import expect
from veza.gateway.keys import ACTORS
from veza.gateway.tracks import visible_track
from veza.gateway.wire.catalogue import AudiowaveformView, WaveformQuery

routes = Endpoints("waveforms")

_BINARY: Final = "application/octet-stream"
_JSON: Final = "application/json"
_ETAG_CHARS: Final = 32
_ASK_AGAIN: Final = {"Cache-Control": "private, no-cache"}


@routes.declare(
    "GET",
    "/tracks/{track_id}/waveform.dat",
    access=Access.OPTIONAL,
    answers={
        200: Answer(content_type=_BINARY, text="audiowaveform's binary format, version 2"),
        206: Answer(content_type=_BINARY, text="The bytes that `Range` asks for"),
    },
)
async def download_waveform(
    request: web.Request, track_id: UUID, query: WaveformQuery, who: Identified | None
) -> web.Response:
    """Serve a waveform in audiowaveform's binary format."""
    body = await _waveform(request, track_id, query, who, WaveformFormat.BINARY)
    return ranged_answer(request, body, content_type=_BINARY, etag=_etag(body), headers=_ASK_AGAIN)


@routes.declare(
    "GET",
    "/tracks/{track_id}/waveform.json",
    access=Access.OPTIONAL,
    answers={200: AudiowaveformView},
)
async def show_fine_waveform(
    request: web.Request, track_id: UUID, query: WaveformQuery, who: Identified | None
) -> web.Response:
    """Show the same in audiowaveform's JSON."""
    body = await _waveform(request, track_id, query, who, WaveformFormat.JSON)
    return bytes_answer(request, body, content_type=_JSON, etag=_etag(body), headers=_ASK_AGAIN)


async def _waveform(
    request: web.Request,
    track_id: UUID,
    query: WaveformQuery,
    who: Identified | None,
    wanted: WaveformFormat,
) -> bytes:
    await visible_track(request, track_id, who)
    command = ReadAudiowaveform(
        track_id=track_id, samples_per_pixel=query.samples_per_pixel, format=wanted
    )
    return expect(await request.app[ACTORS].ask(CATALOGUE, command), AudiowaveformRead).data


def _etag(body: bytes) -> str:
    return sha256(body).hexdigest()[:_ETAG_CHARS]
