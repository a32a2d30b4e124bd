"""Who asks: an access token or the session cookie; and whether a browser asks on a foreign page's behalf."""

import re
import time
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import (
    API_KEY_PREFIX,
    ARRIVALS,
    Identified,
    IdentifyCookie,
    IdentifyKey,
    IdentifySession,
    SignedIn,
)
from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.permissions import Permission, holds
from veza.gateway.endpoints import Access
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.keys import ACCESS_TOKENS, ACTORS, SETTINGS

COOKIE: Final = "veza_session"
SECURE_COOKIE: Final = "__Host-veza_session"
_COOKIE_VALUE: Final = re.compile(r"[\w-]{1,128}", re.ASCII)
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_PAGES: Final = frozenset({"same-origin", "none"})


async def identify(
    request: web.Request, access: Access, needs: Permission | None = None
) -> Identified | None:
    """Return who asks, or None where that is allowed; raises `ProblemError`."""
    token = bearer_token(request)
    if token is not None:
        who: Identified | None = await identify_token(request, token)
    else:
        who = await _identify_cookie_holder(request)
    if who is None and access is not Access.OPTIONAL:
        raise unauthenticated()
    if needs is not None and who is not None:
        require_permission(who, needs)
    return who


def require_permission(who: Identified, needs: Permission) -> None:
    """Refuse whoever may not."""
    if not holds(who.user.permissions, needs):
        raise ProblemError(ProblemCode.FORBIDDEN, f"This needs the permission {needs.value}.")


def viewer_of(who: Identified | None) -> UUID | None:
    """Return whose view it is; None is anybody's."""
    return None if who is None else who.user.id


def unauthenticated() -> ProblemError:
    """Return the problem of a request that says nobody's name."""
    return ProblemError(ProblemCode.UNAUTHENTICATED, headers={"WWW-Authenticate": "Bearer"})


def bearer_token(request: web.Request) -> str | None:
    """Return the token of `Authorization: Bearer`, or None."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def identify_token(request: web.Request, token: str) -> Identified:
    """Return the holder of an access token or an API key that is still good; raises `invalid_token`."""
    try:
        if token.startswith(API_KEY_PREFIX):
            command = IdentifyKey(key_token=token)
            return expect(await request.app[ACTORS].ask(ARRIVALS, command), Identified)
        claims = request.app[ACCESS_TOKENS].verify(token, time.time())
        return await identify_session(request.app, claims.session_id)
    except ProblemError as error:
        if error.code is ProblemCode.INVALID_TOKEN:
            error.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        raise


async def identify_session(app: web.Application, session_id: UUID) -> Identified:
    """Return whose session it is by now, with the roles they have by now; raises `invalid_token`."""
    command = IdentifySession(session_id=session_id)
    return expect(await app[ACTORS].ask(ARRIVALS, command), Identified)


async def _identify_cookie_holder(request: web.Request) -> Identified | None:
    who = await identify_cookie(request)
    if who is not None and request.method not in _SAFE_METHODS and not is_own_page(request):
        raise ProblemError(ProblemCode.CSRF_FAILED)
    return who


async def identify_cookie(request: web.Request) -> Identified | None:
    """Return the holder of the session cookie; None if there is none or it is stale.

    Raises `account_banned`: such a browser is not to go on as if nobody was signed in.
    """
    cookie = request.cookies.get(cookie_name(request), "")
    if not _COOKIE_VALUE.fullmatch(cookie):
        return None
    reply = await request.app[ACTORS].ask(ARRIVALS, IdentifyCookie(cookie_token=cookie))
    if isinstance(reply, Rejected) and reply.code is not RejectCode.ACCOUNT_BANNED:
        return None
    return expect(reply, Identified)


def is_own_page(request: web.Request) -> bool:
    """Whether an unsafe request comes from a page of ours, or from no page at all.

    Browsers tell in `Sec-Fetch-Site`, older ones in `Origin`; a request with neither is no browser's.
    """
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site")
    if site in _OWN_PAGES or (origin is None and site is None):
        return True
    return origin is not None and is_own_origin(request, origin)


def is_own_origin(request: web.Request, origin: str) -> bool:
    """Whether pages of an origin may act with the cookie: this server's, and those in the settings.

    Where people come over HTTPS, an unencrypted page is anybody's on the way to them.
    """
    settings = request.app[SETTINGS]
    if origin in settings.cors_origins:
        return True
    if settings.public_url is not None and origin == origin_of(str(settings.public_url)):
        return True
    scheme, _, host = origin.partition("://")
    return host == request.host and (scheme == "https" or not is_https(request))


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL as browsers write an origin."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if parts.port in {None, default} else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}"


def cookie_name(request: web.Request) -> str:
    """Return the one name under which the session is read and set.

    Over HTTPS it is the one that no other host of the domain, and nobody on the way of an unencrypted
    request, can give a browser: whoever could would sign people in as somebody else.
    """
    return SECURE_COOKIE if is_https(request) else COOKIE


def set_cookie(request: web.Request, response: web.Response, signed_in: SignedIn) -> None:
    """Give a browser its session: no script reads it, no foreign page sends it."""
    lifetime = signed_in.expires_at.timestamp() - time.time()
    response.set_cookie(
        cookie_name(request),
        signed_in.cookie_token,
        max_age=max(0, int(lifetime)),
        path="/",
        httponly=True,
        samesite="Lax",
        secure=is_https(request),
    )


def delete_cookies(response: web.Response) -> None:
    """Take the session back from a browser."""
    response.del_cookie(COOKIE, path="/", httponly=True, samesite="Lax")
    response.del_cookie(SECURE_COOKIE, path="/", httponly=True, samesite="Lax", secure=True)


def is_https(request: web.Request) -> bool:
    """Whether browsers see this server over HTTPS; a proxy's word for it is the public URL."""
    public_url = request.app[SETTINGS].public_url
    return request.secure or (public_url is not None and public_url.scheme == "https")
