"""The web client's addresses: hashed paths for ever, the page itself asked for anew each time."""

import re
from typing import Final

from aiohttp import web

from veza.gateway.answers import is_known
from veza.gateway.errors import ProblemCode, ProblemError
from veza.gateway.keys import PAGE
from veza.gateway.page import Asset

PAGE_PATHS: Final = (
    "/",
    "/sign-in",
    "/setup",
    "/upload",
    "/rooms",
    "/rooms/{room_id}",
    "/tracks/{track_id}",
    "/ops",
    "/ops/{rest:.+}",
)
"""What the client's own router answers; any other path is not found."""

ASSET_PATH: Final = "/w/{hash}/{path:.+}"

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; worker-src 'self'; connect-src 'self'; font-src 'self'; "
    "manifest-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'; require-trusted-types-for 'script'; trusted-types veza"
)
_NO_WEIGHT: Final = re.compile(r"q=0(\.0*)?")
_FOR_EVER: Final = "public, max-age=31536000, immutable"


def add_to(app: web.Application) -> None:
    """Route the page and its files."""
    for path in PAGE_PATHS:
        app.router.add_get(path, show_page)
    app.router.add_get(ASSET_PATH, show_asset)


async def show_page(request: web.Request) -> web.Response:
    """Serve the page; the browser asks each time and is told if it has it already."""
    page = request.app[PAGE].index
    response = _asset_answer(request, page, "no-cache")
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


async def show_asset(request: web.Request) -> web.Response:
    """Serve a file of exactly the version that the page was made of."""
    page = request.app[PAGE]
    asset = page.assets.get(request.match_info["path"])
    if asset is None or request.match_info["hash"] != page.hash:
        raise ProblemError(ProblemCode.NOT_FOUND)
    return _asset_answer(request, asset, _FOR_EVER)


def _asset_answer(request: web.Request, asset: Asset, cache_control: str) -> web.Response:
    gzipped = asset.gzipped if accepts_gzip(request) else None
    etag = asset.etag if gzipped is None else f"{asset.etag}-gzip"
    headers = {"Cache-Control": cache_control, "ETag": f'"{etag}"', "Vary": "Accept-Encoding"}
    if is_known(request, etag):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = asset.content_type
    if gzipped is None:
        return web.Response(body=asset.body, headers=headers)
    return web.Response(body=gzipped, headers={**headers, "Content-Encoding": "gzip"})


def accepts_gzip(request: web.Request) -> bool:
    """Whether the client takes gzip (RFC 9110, section 12.5.3)."""
    for offer in request.headers.get("Accept-Encoding", "").split(","):
        coding, _, weight = offer.strip().lower().partition(";")
        if coding.strip() in {"gzip", "*"}:
            return _NO_WEIGHT.fullmatch(weight.strip()) is None
    return False
