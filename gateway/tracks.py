"""Addresses for tracks: the catalogue, waveforms, and where to play."""

import time
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.tracks import (
    CATALOGUE,
    ChangeTrack,
    DescribeTrack,
    DescribeTrackJob,
    EndPlayback,
    ListTracks,
    PlaybackVersionRead,
    ReadWaveform,
    Track,
    TrackDescribed,
    TracksListed,
    TrackState,
    WaveformRead,
)
from veza.gateway import wire
from veza.gateway.answers import json_answer, matched_version, no_content
from veza.gateway.endpoints import NO_CONTENT, Access, Endpoints
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.identity import viewer_of
from veza.gateway.jobs import job_answer
from veza.gateway.keys import ACTORS, PLAYBACK_URLS, PLAYBACK_VERSIONS, SETTINGS
from veza.gateway.media import LOSSLESS, MANIFEST, MASTER, media_prefix
from veza.gateway.paging import Paging
from veza.gateway.wire.catalogue import TrackChange

routes = Endpoints("tracks")

_PLAYABLE: Final = frozenset({TrackState.PLAYABLE, TrackState.PUBLISHED})


@routes.declare("GET", "/tracks", access=Access.OPTIONAL, answers={200: wire.TrackPage})
async def list_tracks(
    request: web.Request, query: wire.PageQuery, who: Identified | None
) -> web.Response:
    """List tracks, newest first: those that play, and one's own unfinished ones."""
    paging = Paging(request, "tracks", query, UUID)
    command = ListTracks(
        viewer_id=viewer_of(who),
        before=paging.start,
        limit=paging.read_limit,
    )
    listed = expect(await request.app[ACTORS].ask(CATALOGUE, command), TracksListed).tracks
    shown, cursor = paging.cut(listed, lambda track: track.id)
    view = wire.TrackPage(data=[wire.TrackView.of(track) for track in shown], next_cursor=cursor)
    return json_answer(request, view)


@routes.declare("GET", "/tracks/{track_id}", access=Access.OPTIONAL, answers={200: wire.TrackView})
async def show_track(request: web.Request, track_id: UUID, who: Identified | None) -> web.Response:
    """Show one track."""
    return track_answer(request, await visible_track(request, track_id, who))


@routes.declare(
    "PATCH",
    "/tracks/{track_id}",
    access=Access.SIGNED_IN,
    answers={200: wire.TrackView},
    takes_version=True,
)
async def change_track(
    request: web.Request, track_id: UUID, body: TrackChange, who: Identified
) -> web.Response:
    """Change one's own track; `If-Match` says which version of it.

    If fewer may hear it from now on, the playback URLs that were given out end.
    """
    command = ChangeTrack(
        track_id=track_id,
        owner_id=who.user.id,
        edit=body.edit(),
        if_version=matched_version(request),
    )
    changed = expect(await request.app[ACTORS].ask(CATALOGUE, command), TrackDescribed).track
    request.app[PLAYBACK_VERSIONS].forget(track_id)
    return track_answer(request, changed)


@routes.declare(
    "GET",
    "/tracks/{track_id}/waveform",
    access=Access.OPTIONAL,
    answers={200: wire.WaveformView},
)
async def show_waveform(
    request: web.Request, track_id: UUID, who: Identified | None
) -> web.Response:
    """Show the lowest and highest samples along a track."""
    await visible_track(request, track_id, who)
    reply = await request.app[ACTORS].ask(CATALOGUE, ReadWaveform(track_id=track_id))
    return json_answer(request, wire.WaveformView.of(expect(reply, WaveformRead)))


@routes.declare(
    "GET", "/tracks/{track_id}/job", access=Access.SIGNED_IN, answers={200: wire.JobView}
)
async def show_track_job(request: web.Request, track_id: UUID, who: Identified) -> web.Response:
    """Show the newest job of one of one's own tracks."""
    command = DescribeTrackJob(track_id=track_id, viewer_id=who.user.id)
    return await job_answer(request, command)


@routes.declare(
    "GET",
    "/tracks/{track_id}/playback",
    access=Access.OPTIONAL,
    answers={200: wire.PlaybackView},
)
async def show_playback(
    request: web.Request, track_id: UUID, who: Identified | None
) -> web.Response:
    """Sign a URL that plays the track until it expires."""
    track = await visible_track(request, track_id, who)
    if track.state is TrackState.PROCESSING:
        raise ProblemError(ProblemCode.NOT_READY, "Nothing to hear yet.", retry_after_seconds=1.0)
    if track.state not in _PLAYABLE:
        raise ProblemError(ProblemCode.INVALID_STATE, "The track was not published.")
    prefix = media_prefix(track_id)
    # Whole minutes: everybody who plays a track within one gets the same, cacheable URL.
    expires_at = (int(time.time()) // 60 + 1) * 60 + request.app[SETTINGS].playback_url_seconds
    version = await request.app[PLAYBACK_VERSIONS].read(track_id)
    signature = request.app[PLAYBACK_URLS].sign(prefix, expires_at, version)
    view = wire.PlaybackView(
        hls_url=f"{prefix}{MASTER}?{signature}",
        lossless_url=f"{prefix}{LOSSLESS}?{signature}",
        dash_url=f"{prefix}{MANIFEST}?{signature}" if track.state is TrackState.PUBLISHED else None,
        expires_at=datetime.fromtimestamp(expires_at, UTC),
        duration_ms=track.duration_ms,
        live=track.state is TrackState.PLAYABLE,
    )
    return json_answer(request, view)


@routes.declare(
    "POST", "/tracks/{track_id}/playback/revoke", access=Access.SIGNED_IN, answers={204: NO_CONTENT}
)
async def revoke_playback(request: web.Request, track_id: UUID, who: Identified) -> web.Response:
    """End all playback URLs of one's own track; who may hear it asks for another."""
    command = EndPlayback(track_id=track_id, owner_id=who.user.id)
    expect(await request.app[ACTORS].ask(CATALOGUE, command), PlaybackVersionRead)
    request.app[PLAYBACK_VERSIONS].forget(track_id)
    return no_content()


async def visible_track(request: web.Request, track_id: UUID, who: Identified | None) -> Track:
    """Return a track that one may hear."""
    command = DescribeTrack(track_id=track_id, viewer_id=viewer_of(who))
    return expect(await request.app[ACTORS].ask(CATALOGUE, command), TrackDescribed).track


def track_answer(request: web.Request, track: Track) -> web.Response:
    """Show a track, with the version that a change of it names."""
    return json_answer(request, wire.TrackView.of(track), version=track.version)
