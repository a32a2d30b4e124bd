"""What happens to every request, in one order: named, logged, its errors told, origins, limits, identity."""

import re
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web
from structlog.contextvars import bind_contextvars

from veza.actors.messages.common import RefusedError
from veza.gateway import wire
from veza.gateway.endpoints import API, Access, endpoint_of
from veza.gateway.errors import ProblemCode, ProblemError, refusal
from veza.gateway.headers import SECURITY_HEADERS, SERVER, new_request_id
from veza.gateway.identity import identify
from veza.gateway.keys import IDENTITY, METRICS, RATE_STATE, REQUEST_ID, SETTINGS
from veza.gateway.limits import hold_account, hold_address
from veza.gateway.rates import By
from veza.gateway.scopes import require_scope

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

logger = structlog.get_logger(__name__)

_CLIENT_CLOSED_REQUEST: Final = 499
"""What the log says of a request whose client left; nobody gets to see it."""

_MEDIA: Final = f"{API}/media/"
_REQUEST_ID: Final = re.compile(r"[\w-]{8,64}", re.ASCII)

_CORS_METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
_CORS_REQUEST_HEADERS: Final = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Range, X-Request-Id,"
    " Tus-Resumable, Upload-Checksum, Upload-Defer-Length, Upload-Length, Upload-Metadata,"
    " Upload-Offset, X-HTTP-Method-Override"
)
_CORS_EXPOSED: Final = (
    "Content-Range, ETag, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id,"
    " Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version,"
    " Upload-Defer-Length, Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset,"
    " Veza-Duplicate-Of, Veza-Job, Veza-Track"
)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on every answer, also on one that is streamed (signal `on_response_prepare`)."""
    dress(request, response)
    state = request.get(RATE_STATE)
    if state is not None:
        response.headers.update(state.headers())


def dress(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Put on an answer what every answer has."""
    response.headers["X-Request-Id"] = request.get(REQUEST_ID, "")
    response.headers["Server"] = SERVER
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


@web.middleware
async def name_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id: the client's if it is a decent one."""
    offered = request.headers.get("X-Request-Id", "")
    request_id = offered if _REQUEST_ID.fullmatch(offered) else new_request_id()
    request[REQUEST_ID] = request_id
    # Not taken back: the context is this connection's, and its next request has an id of its own.
    bind_contextvars(request_id=request_id)
    return await handler(request)


@web.middleware
async def log_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log and count the answer. Never bodies, queries or tokens: a query may hold a signature."""
    started = time.perf_counter()
    status = _CLIENT_CLOSED_REQUEST
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        seconds = time.perf_counter() - started
        route = route_of(request)
        request.app[METRICS].count_request(route, request.method, status, seconds)
        who = request.get(IDENTITY)
        tell = logger.debug if is_one_of_many(route, status) else logger.info
        tell(
            "http.request",
            method=request.method,
            route=route,
            path=request.path,
            status=status,
            dur_ms=round(seconds * 1000, 1),
            user_id=who and str(who.user.id),
        )


def is_one_of_many(route: str, status: int) -> bool:
    """Whether a line for each of these would say less than their count in the metrics does.

    Thousands of sockets come back at once after a restart, and who they are is not known yet. Every player
    fetches a segment every few seconds: a line took more than half of the time that one costs.
    """
    is_served = route.startswith(_MEDIA) and status < HTTPStatus.BAD_REQUEST
    return status == HTTPStatus.SWITCHING_PROTOCOLS or is_served


def route_of(request: web.Request) -> str:
    """Return the template that a request's path fits."""
    resource = request.match_info.route.resource
    return "unmatched" if resource is None else resource.canonical


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell every error as a problem; what has no code of its own is a bug and is logged."""
    try:
        return await handler(request)
    except (ProblemError, RefusedError, web.HTTPException, web.RequestPayloadError) as error:
        return problem_answer(request, _problem(error))
    except ConnectionResetError:
        # The client went away while its body was read: nobody is there to be answered.
        return web.Response(status=_CLIENT_CLOSED_REQUEST)
    except Exception:
        # The outermost seam: a bug must not take the connection's other requests along.
        logger.exception("http.crashed", method=request.method, route=route_of(request))
        return problem_answer(request, ProblemError(ProblemCode.INTERNAL_ERROR))


_HTTP_PROBLEMS: Final = {
    HTTPStatus.NOT_FOUND: ProblemCode.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: ProblemCode.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ProblemCode.PAYLOAD_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ProblemCode.UNSUPPORTED_MEDIA_TYPE,
}
_KEPT_HEADERS: Final = ("Allow",)


def _problem(error: Exception) -> ProblemError:
    match error:
        case ProblemError():
            return error
        case RefusedError():
            return refusal(error)
        case web.HTTPException():
            return _http_problem(error)
        case _:
            return ProblemError(ProblemCode.MALFORMED_BODY)


def _http_problem(error: web.HTTPException) -> ProblemError:
    code = _HTTP_PROBLEMS.get(HTTPStatus(error.status), ProblemCode.BAD_REQUEST)
    headers = {name: error.headers[name] for name in _KEPT_HEADERS if name in error.headers}
    return ProblemError(code, headers=headers)


def problem_answer(request: web.BaseRequest, error: ProblemError) -> web.Response:
    """Write a problem (RFC 9457)."""
    body = wire.problem(error, instance=request.path, request_id=request.get(REQUEST_ID, ""))
    return web.Response(
        body=body.to_json(),
        status=error.code.status,
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store", **error.headers},
    )


@web.middleware
async def allow_origins(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let pages of any origin use the API with a token, and those in the settings with the cookie."""
    if not request.path.startswith(API):
        return await handler(request)
    origin = request.headers.get("Origin")
    if is_preflight(request):
        response: web.StreamResponse = web.Response(status=HTTPStatus.NO_CONTENT)
        response.headers["Access-Control-Allow-Methods"] = _CORS_METHODS
        response.headers["Access-Control-Allow-Headers"] = _CORS_REQUEST_HEADERS
        response.headers["Access-Control-Max-Age"] = "7200"
    else:
        response = await handler(request)
    if not response.prepared:
        # Also where no origin was told: a cache must not give that answer to another page.
        response.headers["Vary"] = "Origin"
        if origin is not None:
            _allow(response, origin, is_trusted=origin in request.app[SETTINGS].cors_origins)
    return response


def is_preflight(request: web.Request) -> bool:
    """Whether a browser asks for a page what it may send (Fetch, section 4.8)."""
    return (
        request.method == "OPTIONS"
        and "Origin" in request.headers
        and "Access-Control-Request-Method" in request.headers
    )


def _allow(response: web.StreamResponse, origin: str, *, is_trusted: bool) -> None:
    response.headers["Access-Control-Allow-Origin"] = origin if is_trusted else "*"
    if is_trusted:
        response.headers["Access-Control-Allow-Credentials"] = "true"
    response.headers["Access-Control-Expose-Headers"] = _CORS_EXPOSED
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"


@web.middleware
async def limit_rate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Hold an address to its rate where an endpoint declares one."""
    endpoint = endpoint_of(request)
    if endpoint is not None and endpoint.rate is not None and endpoint.rate.by is By.ADDRESS:
        await hold_address(request, endpoint.rate)
    return await handler(request)


@web.middleware
async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who asks; hold every endpoint to its access, and them to a rate that is by account."""
    endpoint = endpoint_of(request)
    if endpoint is not None and endpoint.access not in {Access.PUBLIC, Access.METRICS}:
        who = await identify(request, endpoint.access, endpoint.needs)
        if who is not None:
            require_scope(who, endpoint, request.method)
            request[IDENTITY] = who
            if endpoint.rate is not None and endpoint.rate.by is By.ACCOUNT:
                await hold_account(request, endpoint.rate, who)
    return await handler(request)


MIDDLEWARES: Final = (
    name_request,
    log_request,
    allow_origins,
    answer_problems,
    limit_rate,
    admit,
)
