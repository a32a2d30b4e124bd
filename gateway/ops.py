"""Addresses about the node itself: what it offers, whether it lives, its tree and its figures."""

import platform
import re
from hashlib import sha256
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from ipaddress import ip_address
from typing import Final

from aiohttp import web

from veza.config.settings import LOOPBACK_HOSTS
from veza.gateway import wire
from veza.gateway.answers import bytes_answer, json_answer
from veza.gateway.endpoints import Access, Answer, Endpoints
from veza.gateway.identity import identify
from veza.gateway.keys import ACTORS, CONNECTIONS, METRICS, OPENAPI, SETTINGS
from veza.gateway.values import View

api = Endpoints("ops")
health = Endpoints("health", prefix="")
ops_socket = Endpoints("ops", prefix="")
"""What the unix socket offers: whoever may open the file is of the ops staff."""

NAME: Final = "Veza"
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP")
_PORT: Final = re.compile(r":\d+$")
_ETAG_CHARS: Final = 32


def version() -> str:
    """Return the installed version, or say that this is a bare checkout."""
    try:
        return installed_version("veza")
    except PackageNotFoundError:
        return "0+checkout"


@api.declare("GET", "/instance", access=Access.PUBLIC, answers={200: wire.InstanceView})
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


@api.declare("GET", "/ops/tree", access=Access.OPS, answers={200: wire.TreeView})
async def show_tree(request: web.Request) -> web.Response:
    """Show the supervision tree of this node."""
    return tree_answer(request)


@ops_socket.declare("GET", "/ops/tree", access=Access.PUBLIC, answers={200: wire.TreeView})
async def show_tree_on_socket(request: web.Request) -> web.Response:
    """Show the supervision tree of this node to the command line."""
    return tree_answer(request)


def tree_answer(request: web.Request) -> web.Response:
    """Answer a snapshot of the tree."""
    return json_answer(request, wire.TreeView.at(platform.node(), request.app[ACTORS].tree()))


@health.declare("GET", "/livez", access=Access.PUBLIC, answers={200: wire.LivezView})
async def livez(_request: web.Request) -> web.Response:
    """Say that the event loop runs; if this fails, restart the node."""
    return health_answer(wire.LivezView())


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
    if all(checks.values()):
        return health_answer(wire.ReadyzView(status="ok", checks=checks))
    return health_answer(
        wire.ReadyzView(status="unavailable", checks=checks), HTTPStatus.SERVICE_UNAVAILABLE
    )


def health_answer(view: View, status: int = HTTPStatus.OK) -> web.Response:
    """Answer what must not be taken from a cache."""
    return web.Response(
        body=view.to_json(),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


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
    body = request.app[OPENAPI]
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
        await identify(request, Access.OPS)
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
