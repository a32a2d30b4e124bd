"""Addresses that players read: playlists and segments, opened by one signature a track.

Segments never change and may be kept for ever; a playlist that still grows is asked for anew.
"""

import re
import time
from hashlib import sha256
from typing import Final
from uuid import UUID

from aiohttp import web

from veza.actors.messages.tracks import (
    CATALOGUE,
    MEDIA,
    MediaRead,
    PlaybackVersionRead,
    PlaylistRead,
    ReadManifest,
    ReadMaster,
    ReadMedia,
    ReadPlaybackVersion,
    ReadPlaylist,
)
from veza.gateway import wire
from veza.gateway.answers import bytes_answer, ranged_answer
from veza.gateway.endpoints import API, Access, Answer, Endpoints
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.keys import ACTORS, HOT, PLAYBACK_URLS, PLAYBACK_VERSIONS, SEGMENTS, Actors
from veza.gateway.segments import SegmentName

routes = Endpoints("media")

SEGMENT_PATH: Final = "/media/{track_id}/{rendition}/{name}"
SEGMENT_ROUTE: Final = API + SEGMENT_PATH
MASTER: Final = "master.m3u8"
LOSSLESS: Final = "lossless.m3u8"
MANIFEST: Final = "manifest.mpd"
PLAYLIST_TYPE: Final = "application/vnd.apple.mpegurl"
MANIFEST_TYPE: Final = "application/dash+xml"
SEGMENT_TYPE: Final = "audio/mp4"
"""fMP4 with nothing but sound in it (RFC 4337; HLS Authoring Specification, appendix B)."""
_ETAG_CHARS: Final = 32
_FOR_EVER: Final = "private, max-age=31536000, immutable"
_FOR_A_WHILE: Final = "private, max-age=300"
_ASK_AGAIN: Final = "no-cache"
_RENDITION: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SEGMENT: Final = re.compile(r"init\.mp4|(0|[1-9][0-9]{0,8})\.m4s")


def media_prefix(track_id: UUID) -> str:
    """Return the path below which all of a track's media are."""
    return f"{API}/media/{track_id}/"


@routes.declare(
    "GET",
    "/media/{track_id}/master.m3u8",
    access=Access.PUBLIC,
    answers={200: Answer(content_type=PLAYLIST_TYPE, text="The master playlist")},
)
async def master_playlist(
    request: web.Request, track_id: UUID, query: wire.PlaybackQuery
) -> web.Response:
    """Serve the list of a track's renditions, all of one codec: what any player can switch between."""
    signature = await check_signature(request, track_id, query)
    command = ReadMaster(track_id=track_id, query=signature, is_lossless=False)
    return await _playlist_answer(request, command)


@routes.declare(
    "GET",
    "/media/{track_id}/lossless.m3u8",
    access=Access.PUBLIC,
    answers={200: Answer(content_type=PLAYLIST_TYPE, text="The master playlist")},
)
async def lossless_playlist(
    request: web.Request, track_id: UUID, query: wire.PlaybackQuery
) -> web.Response:
    """Serve the same with the lossless rendition, if there is one, for players that can change codec."""
    signature = await check_signature(request, track_id, query)
    command = ReadMaster(track_id=track_id, query=signature, is_lossless=True)
    return await _playlist_answer(request, command)


@routes.declare(
    "GET",
    "/media/{track_id}/manifest.mpd",
    access=Access.PUBLIC,
    answers={200: Answer(content_type=MANIFEST_TYPE, text="The DASH manifest")},
)
async def dash_manifest(
    request: web.Request, track_id: UUID, query: wire.PlaybackQuery
) -> web.Response:
    """Serve the same for players of MPEG-DASH, once all of a track is there."""
    signature = await check_signature(request, track_id, query)
    command = ReadManifest(track_id=track_id, query=signature)
    return await _playlist_answer(request, command, MANIFEST_TYPE)


@routes.declare(
    "GET",
    "/media/{track_id}/{rendition}/index.m3u8",
    access=Access.PUBLIC,
    answers={200: Answer(content_type=PLAYLIST_TYPE, text="The media playlist")},
)
async def media_playlist(
    request: web.Request, track_id: UUID, rendition: str, query: wire.PlaybackQuery
) -> web.Response:
    """Serve the list of one rendition's segments."""
    signature = await check_signature(request, track_id, query)
    check_name(_RENDITION, rendition)
    command = ReadPlaylist(track_id=track_id, rendition=rendition, query=signature)
    return await _playlist_answer(request, command)


@routes.declare(
    "GET",
    SEGMENT_PATH,
    access=Access.PUBLIC,
    answers={
        200: Answer(content_type=SEGMENT_TYPE, text="The segment"),
        206: Answer(content_type=SEGMENT_TYPE, text="The bytes that `Range` asks for"),
    },
)
async def media_segment(
    request: web.Request, track_id: UUID, rendition: str, name: str, query: wire.PlaybackQuery
) -> web.Response:
    """Serve `init.mp4` or a segment, `<number>.m4s`."""
    await check_signature(request, track_id, query)
    check_name(_RENDITION, rendition)
    check_name(_SEGMENT, name)
    wanted = SegmentName(track_id=track_id, rendition=rendition, name=name)
    media = await request.app[SEGMENTS].get(wanted)
    answer = ranged_answer(
        request,
        media.data,
        content_type=SEGMENT_TYPE,
        etag=media.etag,
        headers={"Cache-Control": _FOR_EVER},
    )
    request.app[HOT].learn(request, wanted, int(query.exp), int(query.ver), answer)
    return answer


async def check_signature(request: web.Request, track_id: UUID, query: wire.PlaybackQuery) -> str:
    """Return the query that the playlist's own URIs need; raises `ProblemError`."""
    signature = query.model_dump()
    urls, versions = request.app[PLAYBACK_URLS], request.app[PLAYBACK_VERSIONS]
    signed = urls.verify(media_prefix(track_id), signature, time.time())
    good = await versions.current(track_id)
    if signed > good:  # signed by another node, after a change that this one has not heard of
        good = await versions.read(track_id)
    if signed != good:
        raise ProblemError(ProblemCode.PLAYBACK_URL_REVOKED)
    return "&".join(f"{name}={value}" for name, value in signature.items())


def check_name(pattern: re.Pattern[str], name: str) -> None:
    """Refuse a name that cannot be one of ours before it comes near a store."""
    if not pattern.fullmatch(name):
        raise ProblemError(ProblemCode.NOT_FOUND)


async def _playlist_answer(
    request: web.Request, command: object, content_type: str = PLAYLIST_TYPE
) -> web.Response:
    playlist = expect(await request.app[ACTORS].ask(CATALOGUE, command), PlaylistRead)
    body = playlist.text.encode()
    return bytes_answer(
        request,
        body,
        content_type=content_type,
        etag=sha256(body).hexdigest()[:_ETAG_CHARS],
        headers={"Cache-Control": _FOR_A_WHILE if playlist.is_complete else _ASK_AGAIN},
    )


async def load_segment(actors: Actors, name: SegmentName) -> MediaRead:
    """Read a segment from the store; raises `ProblemError`."""
    command = ReadMedia(track_id=name.track_id, rendition=name.rendition, name=name.name)
    return expect(await actors.ask(MEDIA, command), MediaRead)


async def load_version(actors: Actors, track_id: UUID) -> int:
    """Read which version of a track's playback addresses is good; raises `ProblemError`."""
    reply = await actors.ask(CATALOGUE, ReadPlaybackVersion(track_id=track_id))
    return expect(reply, PlaybackVersionRead).version
