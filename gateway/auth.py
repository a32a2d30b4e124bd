"""Addresses for accounts: become somebody, prove it, stop, and who am I."""

import time
from http import HTTPStatus

from aiohttp import web

from veza.actors.messages.accounts import (
    ACCOUNTS,
    ClaimSetup,
    Identified,
    Proof,
    RefreshSession,
    RegisterAccount,
    SessionRevoked,
    SignedIn,
    SignedOut,
    SignIn,
    SignOut,
)
from veza.actors.messages.common import RejectCode, Rejected
from veza.gateway import wire
from veza.gateway.answers import json_answer
from veza.gateway.endpoints import NO_CONTENT, Access, Endpoints
from veza.gateway.errors import ProblemCode, ProblemError, expect
from veza.gateway.identity import delete_cookies, set_cookie
from veza.gateway.keys import ACCESS_TOKENS, ACTORS, CONNECTIONS, RATES, SETTINGS
from veza.gateway.rates import SIGN_UP_AND_IN, WRONG_PASSWORDS, client_of
from veza.gateway.tokens import AccessClaims
from veza.gateway.values import printable

routes = Endpoints("auth")
account = Endpoints("account")
"""What programs may ask, too, that act for somebody."""

MAX_USER_AGENT_CHARS = 200
WRONG_PROOFS = frozenset({RejectCode.BAD_CREDENTIALS, RejectCode.TOTP_INVALID})


@routes.declare(
    "POST",
    "/auth/register",
    access=Access.PUBLIC,
    answers={201: wire.SignedInView},
    rate=SIGN_UP_AND_IN,
)
async def register(request: web.Request, body: wire.Registration) -> web.Response:
    """Make an account and sign it in."""
    if not request.app[SETTINGS].is_registration_open:
        raise ProblemError(ProblemCode.REGISTRATION_CLOSED)
    command = RegisterAccount(
        username=body.username,
        email=body.email,
        password=body.password,
        user_agent=user_agent(request),
    )
    reply = await request.app[ACTORS].ask(ACCOUNTS, command)
    return signed_in_answer(request, expect(reply, SignedIn), HTTPStatus.CREATED)


@routes.declare(
    "POST",
    "/setup",
    access=Access.PUBLIC,
    answers={201: wire.SignedInView},
    rate=SIGN_UP_AND_IN,
)
async def setup(request: web.Request, body: wire.Setup) -> web.Response:
    """Make the first administrator with the one-time token that the server printed."""
    command = ClaimSetup(
        token=body.token,
        username=body.username,
        email=body.email,
        password=body.password,
        user_agent=user_agent(request),
    )
    reply = await request.app[ACTORS].ask(ACCOUNTS, command)
    return signed_in_answer(request, expect(reply, SignedIn), HTTPStatus.CREATED)


@routes.declare(
    "POST",
    "/auth/login",
    access=Access.PUBLIC,
    answers={200: wire.SignedInView},
    rate=SIGN_UP_AND_IN,
)
async def login(request: web.Request, body: wire.Credentials) -> web.Response:
    """Sign in with a name or e-mail address and a password."""
    client = f"{client_of(request.remote)} {body.login.casefold()}"
    rates = request.app[RATES]
    state = await rates.spend(WRONG_PASSWORDS, client, time.monotonic())
    if not state.is_allowed:
        raise ProblemError(
            ProblemCode.RATE_LIMITED,
            "Too many wrong passwords.",
            retry_after_seconds=state.wait_seconds,
            headers=state.headers(),
        )
    proof = Proof(password=body.password, totp_code=body.totp)
    command = SignIn(login=body.login, proof=proof, user_agent=user_agent(request))
    reply = await request.app[ACTORS].ask(ACCOUNTS, command)
    if not (isinstance(reply, Rejected) and reply.code in WRONG_PROOFS):
        await rates.give_back(WRONG_PASSWORDS, client)
    return signed_in_answer(request, expect(reply, SignedIn))


@routes.declare(
    "POST",
    "/auth/refresh",
    access=Access.PUBLIC,
    answers={200: wire.SignedInView},
    rate=SIGN_UP_AND_IN,
)
async def refresh(request: web.Request, body: wire.Refresh) -> web.Response:
    """Trade a refresh token for new tokens; each works once, a second use ends the session."""
    command = RefreshSession(refresh_token=body.refresh_token)
    reply = await request.app[ACTORS].ask(ACCOUNTS, command)
    if isinstance(reply, SessionRevoked):
        request.app[CONNECTIONS].sign_out(reply.session_id)
        raise ProblemError(ProblemCode.TOKEN_REUSED, "It was used before; the session is closed.")
    return signed_in_answer(request, expect(reply, SignedIn))


@routes.declare("POST", "/auth/logout", access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def logout(request: web.Request, who: Identified) -> web.Response:
    """End the session: its tokens, its cookie and its open connections."""
    reply = await request.app[ACTORS].ask(ACCOUNTS, SignOut(session_id=who.session_id))
    expect(reply, SignedOut)
    request.app[CONNECTIONS].sign_out(who.session_id)
    response = web.Response(status=HTTPStatus.NO_CONTENT)
    delete_cookies(response)
    return response


@account.declare("GET", "/me", access=Access.SIGNED_IN, answers={200: wire.UserView})
async def me(request: web.Request, who: Identified) -> web.Response:
    """Tell who is signed in."""
    return json_answer(request, wire.UserView.of(who.user))


def signed_in_answer(
    request: web.Request, signed_in: SignedIn, status: int = HTTPStatus.OK
) -> web.Response:
    """Answer the tokens to an API client, and set the cookie for a browser."""
    tokens = request.app[ACCESS_TOKENS]
    claims = AccessClaims(user_id=signed_in.user.id, session_id=signed_in.session_id)
    view = wire.SignedInView(
        access_token=tokens.issue(claims, time.time()),
        expires_in=tokens.lifetime_seconds,
        refresh_token=signed_in.refresh_token,
        user=wire.UserView.of(signed_in.user),
    )
    response = json_answer(request, view, status)
    set_cookie(request, response, signed_in)
    return response


def user_agent(request: web.Request) -> str:
    """Return what the client calls itself, for the list of a user's sessions."""
    return printable(request.headers.get("User-Agent", ""), MAX_USER_AGENT_CHARS)
