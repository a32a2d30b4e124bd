"""Addresses for what is heard: reports of players, what one may go on with, and a maker's figures."""

import time
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.listening import (
    LISTENING,
    Heard,
    ListeningReported,
    ListUnfinished,
    ReadTrackFigures,
    ReportListening,
    TrackFiguresRead,
    UnfinishedListed,
)
from veza.gateway.answers import json_answer
from veza.gateway.endpoints import Access, Endpoints
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.identity import viewer_of
from veza.gateway.keys import ACTORS, LISTENERS
from veza.gateway.rates import PLAYS, client_of
from veza.gateway.tracks import visible_track
from veza.gateway.wire.listening import (
    DaysQuery,
    PlayReport,
    PlayView,
    TrackDayView,
    TrackFiguresView,
    UnfinishedPage,
    UnfinishedView,
)

routes = Endpoints("listening")


@routes.declare(
    "POST",
    "/tracks/{track_id}/plays",
    access=Access.OPTIONAL,
    answers={200: PlayView},
    rate=PLAYS,
)
async def report_play(
    request: web.Request, track_id: UUID, body: PlayReport, who: Identified | None
) -> web.Response:
    """Say how much of a track was heard so far; a player tells it now and then while it plays."""
    await visible_track(request, track_id, who)
    heard = Heard(
        play_id=body.play_id,
        track_id=track_id,
        listener=_listener(request, who),
        user_id=viewer_of(who),
        heard_ms=body.heard_ms,
        position_ms=body.position_ms,
    )
    reply = await request.app[ACTORS].ask(LISTENING, ReportListening(heard=heard))
    return json_answer(request, PlayView.of(expect(reply, ListeningReported)))


def _listener(request: web.Request, who: Identified | None) -> bytes:
    if who is not None:
        return who.user.id.bytes
    agent = request.headers.get("User-Agent", "")
    return request.app[LISTENERS].name(client_of(request.remote), agent, time.time())


@routes.declare("GET", "/me/listening", access=Access.SIGNED_IN, answers={200: UnfinishedPage})
async def list_unfinished(request: web.Request, who: Identified) -> web.Response:
    """List the tracks one did not hear to the end, what one heard last first."""
    reply = await request.app[ACTORS].ask(LISTENING, ListUnfinished(user_id=who.user.id))
    listed = expect(reply, UnfinishedListed).unfinished
    return json_answer(request, UnfinishedPage(data=[UnfinishedView.of(each) for each in listed]))


@routes.declare(
    "GET",
    "/tracks/{track_id}/statistics",
    access=Access.SIGNED_IN,
    answers={200: TrackFiguresView},
)
async def show_track_figures(
    request: web.Request, track_id: UUID, who: Identified, query: DaysQuery
) -> web.Response:
    """Show its owner what was heard of a track, by day, and where its listeners stopped."""
    track = await visible_track(request, track_id, who)
    if track.owner.id != who.user.id:
        raise ProblemError(ProblemCode.FORBIDDEN, "Figures are for who published the track.")
    command = ReadTrackFigures(track_id=track_id, days=query.days)
    figures = expect(await request.app[ACTORS].ask(LISTENING, command), TrackFiguresRead)
    view = TrackFiguresView(
        plays=track.plays,
        days=[TrackDayView.of(day) for day in figures.days],
        stops=list(figures.stops),
    )
    return json_answer(request, view)
