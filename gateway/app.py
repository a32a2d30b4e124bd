"""The gateway's applications, put together: middlewares, addresses, and what runs beside the requests."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from veza.actors.fanout import FanOut
from veza.actors.rate_limit import Rate
from veza.actors.shared_places import SharedPlaces
from veza.actors.shared_rates import SharedRates
from veza.config.settings import Settings
from veza.config.version import version
from veza.gateway import (
    api_keys,
    artworks,
    asyncapi,
    attachments,
    auth,
    catalogue_search,
    comments,
    credentials,
    direct,
    downloads,
    health,
    invites,
    jobs,
    keys,
    listening,
    lookout,
    marks,
    media,
    members,
    messages,
    moderation,
    openapi,
    playlist_items,
    playlists,
    presence,
    realtime,
    roles,
    rooms,
    social,
    static,
    tracks,
    tus,
    uploads,
    waveforms,
    websocket,
)
from veza.gateway.connections import Connections
from veza.gateway.endpoints import Endpoints
from veza.gateway.hot import HotSegments
from veza.gateway.keys import Actors
from veza.gateway.metrics import ActorCollector, FanOutCollector, Metrics
from veza.gateway.middlewares import MIDDLEWARES, add_headers
from veza.gateway.ops import actors as ops_actors
from veza.gateway.ops import encodings as ops_encodings
from veza.gateway.ops import failures as ops_failures
from veza.gateway.ops import media as ops_media
from veza.gateway.ops import node as ops_node
from veza.gateway.ops.feed import TreeFeed
from veza.gateway.page import WEB_ROOT, Page
from veza.gateway.playback import PlaybackVersions
from veza.gateway.rates import (
    ADDRESS_FACTOR,
    FRAME_WINDOW_SECONDS,
    ROOMS_MADE,
    SIGN_UP_AND_IN,
    TRACKS,
    Rates,
)
from veza.gateway.segments import SegmentCache
from veza.gateway.tokens import AccessTokens, Cursors, Listeners, PlaybackUrls, SigningKeys

ISSUER: Final = "veza"

OPS_DOORS: Final = (
    ops_actors.doors,
    ops_failures.doors,
    ops_node.doors,
    ops_encodings.doors,
    ops_media.doors,
)

AREAS: Final = (
    auth.routes,
    auth.account,
    api_keys.routes,
    credentials.routes,
    roles.routes,
    realtime.routes,
    rooms.routes,
    messages.routes,
    members.routes,
    invites.routes,
    direct.routes,
    presence.routes,
    tracks.routes,
    waveforms.routes,
    artworks.routes,
    downloads.routes,
    listening.routes,
    social.routes,
    marks.routes,
    comments.routes,
    catalogue_search.routes,
    playlists.routes,
    playlist_items.routes,
    uploads.routes,
    tus.routes,
    attachments.routes,
    moderation.routes,
    jobs.routes,
    media.routes,
    health.instance,
    *(doors.http for doors in OPS_DOORS),
    health.health,
)


@cache
def rest_document() -> bytes:
    """Return the OpenAPI document; it takes 70 ms to make."""
    return openapi.document((endpoint for area in AREAS for endpoint in area), version())


def documents(settings: Settings) -> tuple[bytes, bytes]:
    """Return the OpenAPI and the AsyncAPI document, made once a process: call it off the loop first."""
    return rest_document(), asyncapi.document(asyncapi.address_of(settings), version())


def make_app(
    settings: Settings,
    actors: Actors,
    fan_out: FanOut,
    signing_keys: SigningKeys,
    *,
    web_root: Path = WEB_ROOT,
    shared_rates: SharedRates | None = None,
    shared_places: SharedPlaces | None = None,
) -> web.Application:
    """Make the application that clients reach; without what is shared all limits are this node's."""
    app = _bare_app(AREAS)
    app[keys.ACTORS] = actors
    app[keys.METRICS] = Metrics(version())
    issuer = str(settings.public_url or ISSUER)
    app[keys.SETTINGS] = settings
    app[keys.FAN_OUT] = fan_out
    app[keys.RATES] = Rates(quotas=quotas(settings), shared=shared_rates)
    app[keys.ACCESS_TOKENS] = AccessTokens(signing_keys, issuer, settings.access_token_seconds)
    app[keys.PLAYBACK_URLS] = PlaybackUrls(signing_keys)
    app[keys.CURSORS] = Cursors(signing_keys)
    app[keys.LISTENERS] = Listeners(signing_keys)
    app[keys.PLAYBACK_VERSIONS] = PlaybackVersions(lambda track: media.load_version(actors, track))
    app[keys.SEGMENTS] = SegmentCache(lambda name: media.load_segment(actors, name))
    app[keys.HOT] = HotSegments(
        app[keys.SEGMENTS], app[keys.PLAYBACK_VERSIONS], app[keys.METRICS], media.SEGMENT_ROUTE
    )
    app[keys.PAGE] = Page(web_root)
    app[keys.OPENAPI], app[keys.ASYNCAPI] = documents(settings)
    connections = app[keys.CONNECTIONS] = Connections(
        settings.connections_per_user,
        settings.ws_heartbeat_ms / 1000,
        per_address=settings.connections_per_address,
        address_rate=Rate(
            per_second=settings.ws_frames_per_5s * ADDRESS_FACTOR / FRAME_WINDOW_SECONDS,
            burst=settings.ws_frames_per_5s * ADDRESS_FACTOR,
        ),
        places=shared_places,
    )
    app[keys.METRICS].watch(FanOutCollector(fan_out.counters, lambda: len(connections)))
    collector = app[keys.ACTOR_FIGURES] = ActorCollector()
    app[keys.METRICS].watch(collector)
    app[keys.TREE_FEED] = TreeFeed(actors, fan_out, connections)
    app.on_response_prepare.append(tus.add_headers)
    websocket.add_to(app)
    static.add_to(app)
    app.cleanup_ctx.append(_background)
    app.on_shutdown.append(_end_connections)
    return app


def quotas(settings: Settings) -> Mapping[str, int]:
    """Return the quotas of policies that can be set, by name."""
    return {
        SIGN_UP_AND_IN.name: settings.sign_ins_per_min,
        ROOMS_MADE.name: settings.rooms_per_hour,
        TRACKS.name: settings.tracks_per_10_min,
    }


_SHARED: Final[tuple[web.AppKey[Any], ...]] = (
    keys.ACTORS,
    keys.CONNECTIONS,
    keys.CURSORS,
    keys.METRICS,
    keys.RATES,
    keys.SETTINGS,
)


def make_ops_app(app: web.Application) -> web.Application:
    """Make the application of the unix socket: no sign-in, the file's permissions guard it."""
    ops_app = _bare_app(tuple(doors.socket for doors in OPS_DOORS))
    for key in _SHARED:
        ops_app[key] = app[key]
    return ops_app


def _bare_app(areas: tuple[Endpoints, ...]) -> web.Application:
    app = web.Application(middlewares=MIDDLEWARES)
    app.on_response_prepare.append(add_headers)
    for area in areas:
        area.add_to(app)
    return app


async def drain(app: web.Application, seconds: float) -> None:
    """Say not ready, refuse new connections, and send those there are away within `seconds`."""
    await app[keys.CONNECTIONS].drain(seconds)


async def _end_connections(app: web.Application) -> None:
    await drain(app, 0.0)


async def _background(app: web.Application) -> AsyncIterator[None]:
    """Run the heartbeats and the loop's lag meter as long as the application runs."""
    running = [
        _start(app[keys.CONNECTIONS].beat_forever()),
        _start(app[keys.METRICS].measure_lag()),
        _start(lookout.look_forever(app)),
    ]
    yield
    for task in running:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await app[keys.TREE_FEED].stop()


def _start(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    return asyncio.create_task(work)
