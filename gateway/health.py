"""Addresses about the node itself: what it offers, whether it lives, and its figures."""

import asyncio
import re
from hashlib import sha256
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

from aiohttp import web

from veza.actors.messages.operator import ReadNode, ReadTotals
from veza.actors.messages.permissions import Permission
from veza.actors.messages.presence import PRESENCE, CountOnline
from veza.config.settings import LOOPBACK_HOSTS
from veza.config.version import version
from veza.gateway import wire
from veza.gateway.answers import bytes_answer, fresh_answer, json_answer
from veza.gateway.endpoints import Access, Answer, Endpoints, endpoint_of
from veza.gateway.identity import identify
from veza.gateway.keys import (
    ACTOR_FIGURES,
    ACTORS,
    ASYNCAPI,
    CONNECTIONS,
    METRICS,
    OPENAPI,
    SETTINGS,
)
from veza.gateway.scopes import require_scope

instance = Endpoints("instance")
health = Endpoints("health", prefix="")

NAME: Final = "Veza"
SCRAPE_SECONDS: Final = 3.0
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP")
_PORT: Final = re.compile(r":\d+$")
_ETAG_CHARS: Final = 32


@instance.declare("GET", "/instance", access=Access.PUBLIC, answers={200: wire.InstanceView})
async def show_instance(request: web.Request) -> web.Response:
    """Tell what this server is and what it allows."""
    settings = request.app[SETTINGS]
    view = wire.InstanceView(
        name=NAME,
        version=version(),
        registration="open" if settings.is_registration_open else "closed",
        limits=wire.limits(settings),
    )
    return json_answer(request, view)


@health.declare("GET", "/livez", access=Access.PUBLIC, answers={200: wire.LivezView})
async def livez(_request: web.Request) -> web.Response:
    """Say that the event loop runs; if this fails, restart the node."""
    return fresh_answer(wire.LivezView().to_json())


@health.declare(
    "GET",
    "/readyz",
    access=Access.PUBLIC,
    answers={200: wire.ReadyzView, 503: wire.ReadyzView},
)
async def readyz(request: web.Request) -> web.Response:
    """Say whether to send clients here: all parts are up and the node does not stop."""
    checks = {
        **request.app[ACTORS].health(),
        "not_draining": not request.app[CONNECTIONS].is_draining,
    }
    is_ready = all(checks.values())
    view = wire.ReadyzView(status="ok" if is_ready else "unavailable", checks=checks)
    status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return fresh_answer(view.to_json(), status)


@health.declare("GET", "/version", access=Access.PUBLIC, answers={200: wire.VersionView})
async def show_version(request: web.Request) -> web.Response:
    """Tell which version runs."""
    return json_answer(request, wire.VersionView(version=version()))


@health.declare(
    "GET",
    "/openapi.json",
    access=Access.PUBLIC,
    answers={200: Answer(content_type="application/json", text="This document")},
)
async def show_openapi(request: web.Request) -> web.Response:
    """Serve the OpenAPI 3.1 document of this server."""
    return document_answer(request, request.app[OPENAPI])


@health.declare(
    "GET",
    "/asyncapi.json",
    access=Access.PUBLIC,
    answers={200: Answer(content_type="application/json", text="The document of the WebSocket")},
)
async def show_asyncapi(request: web.Request) -> web.Response:
    """Serve the AsyncAPI 3.0 document of this server's WebSocket."""
    return document_answer(request, request.app[ASYNCAPI])


def document_answer(request: web.Request, body: bytes) -> web.Response:
    """Answer a document that stays the same as long as the node runs; pages of any origin may read it."""
    return bytes_answer(
        request,
        body,
        content_type="application/json",
        etag=sha256(body).hexdigest()[:_ETAG_CHARS],
        headers={"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"},
    )


@health.declare(
    "GET",
    "/metrics",
    access=Access.METRICS,
    answers={200: Answer(content_type="text/plain", text="Prometheus' text format")},
)
async def show_metrics(request: web.Request) -> web.Response:
    """Serve the figures: to this machine if the node is bound to it, else to ops staff."""
    if not is_local_scraper(request):
        who = await identify(request, Access.METRICS, Permission.METRICS_READ)
        endpoint = endpoint_of(request)
        if who is not None and endpoint is not None:
            require_scope(who, endpoint, request.method)
    actors = request.app[ACTORS]
    totals, node, online = await asyncio.gather(
        actors.operate(ReadTotals(), SCRAPE_SECONDS),
        actors.operate(ReadNode(), SCRAPE_SECONDS),
        actors.ask(PRESENCE, CountOnline(), SCRAPE_SECONDS),
    )
    # A node whose operator does not answer still has figures of its own to tell.
    request.app[ACTOR_FIGURES].keep(totals, node, online)
    return web.Response(
        body=request.app[METRICS].exposition(),
        headers={"Content-Type": METRICS_TYPE, "Cache-Control": "no-store"},
    )


def is_local_scraper(request: web.Request) -> bool:
    """Whether the peer is this machine itself, and not a proxy or a browser on it that acts for others.

    A page whose name was made to point at this machine sends that name as the host (DNS rebinding).
    """
    if not request.app[SETTINGS].is_loopback or any(name in request.headers for name in _FORWARDED):
        return False
    if _PORT.sub("", request.host).strip("[]") not in LOOPBACK_HOSTS:
        return False
    return request.remote is not None and ip_address(request.remote).is_loopback
