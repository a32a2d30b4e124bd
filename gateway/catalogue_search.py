"""Addresses to find tracks, people, playlists, rooms and tags by what they are called."""

from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.actors.messages.catalogue_search import (
    CATALOGUE_SEARCH,
    FindNames,
    FindTracks,
    Found,
    ListTags,
    NamesFound,
    Place,
    Suggest,
    Suggested,
    TagsListed,
    TrackFilter,
    TracksFound,
)
from veza.gateway.answers import json_answer
from veza.gateway.endpoints import Access, Endpoints
from veza.gateway.errors import expect
from veza.gateway.identity import viewer_of
from veza.gateway.keys import ACTORS
from veza.gateway.paging import Paging
from veza.gateway.rates import FINDS
from veza.gateway.wire.catalogue_search import (
    FindQuery,
    FoundPage,
    FoundView,
    NameView,
    SuggestionsView,
    SuggestQuery,
    TagsQuery,
    TagsView,
    TagView,
)
from veza.gateway.wire.views import AuthorView, TrackView

routes = Endpoints("search")


@routes.declare("GET", "/search", access=Access.OPTIONAL, answers={200: FoundPage}, rate=FINDS)
async def find(request: web.Request, query: FindQuery, who: Identified | None) -> web.Response:
    """Find tracks, people, playlists or rooms, the best first, also where the spelling is near only."""
    paging = Paging(request, f"find {query.type} {query.q}", query, _place)
    if query.type is Found.TRACK:
        return json_answer(request, await _tracks(request, query, who, paging))
    command = FindNames(text=query.q, kind=query.type, behind=paging.start, limit=paging.read_limit)
    names = expect(await request.app[ACTORS].ask(CATALOGUE_SEARCH, command), NamesFound).names
    shown, cursor = paging.cut(names, lambda each: f"{each.score!r} {each.id} 0")
    data = [FoundView(type=query.type, id=each.id, name=each.name) for each in shown]
    return json_answer(request, FoundPage(data=data, is_near=False, next_cursor=cursor))


async def _tracks(
    request: web.Request, query: FindQuery, who: Identified | None, paging: Paging[Place]
) -> FoundPage:
    only = TrackFilter(
        genre=query.genre,
        tag=query.tag,
        bpm_min=query.bpm_min,
        bpm_max=query.bpm_max,
        key=query.key,
        duration_min_ms=query.duration_min_ms,
        duration_max_ms=query.duration_max_ms,
        licence=query.licence,
    )
    command = FindTracks(
        text=query.q,
        viewer_id=viewer_of(who),
        only=only,
        behind=paging.start,
        limit=paging.read_limit,
    )
    found = expect(await request.app[ACTORS].ask(CATALOGUE_SEARCH, command), TracksFound)
    shown, cursor = paging.cut(
        found.tracks, lambda each: f"{each.score!r} {each.track.id} {found.is_near:d}"
    )
    data = [
        FoundView(
            type=Found.TRACK,
            id=each.track.id,
            name=each.track.title,
            track=TrackView.of(each.track),
        )
        for each in shown
    ]
    return FoundPage(data=data, is_near=found.is_near, next_cursor=cursor)


@routes.declare(
    "GET",
    "/search/suggest",
    access=Access.OPTIONAL,
    answers={200: SuggestionsView},
    rate=FINDS,
)
async def suggest(
    request: web.Request, query: SuggestQuery, who: Identified | None
) -> web.Response:
    """Tell what somebody may be about to type."""
    command = Suggest(text=query.q, viewer_id=viewer_of(who), limit=query.limit)
    told = expect(await request.app[ACTORS].ask(CATALOGUE_SEARCH, command), Suggested)
    view = SuggestionsView(
        tracks=[NameView.of(each) for each in told.tracks],
        people=[AuthorView.of(each) for each in told.people],
        tags=list(told.tags),
    )
    return json_answer(request, view)


@routes.declare("GET", "/tags", access=Access.OPTIONAL, answers={200: TagsView}, rate=FINDS)
async def list_tags(request: web.Request, query: TagsQuery) -> web.Response:
    """List the tags that most public tracks have."""
    command = ListTags(limit=query.limit)
    told = expect(await request.app[ACTORS].ask(CATALOGUE_SEARCH, command), TagsListed)
    return json_answer(request, TagsView(data=[TagView.of(each) for each in told.tags]))


def _place(text: str) -> Place:
    score, entry_id, is_near = text.split(" ")
    return Place(score=float(score), id=UUID(entry_id), is_near=is_near == "1")
