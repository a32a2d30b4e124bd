"""Addresses for one's sessions, password and second factor. Tokens and cookies are `auth.py`'s."""

from http import HTTPStatus
from io import BytesIO
from typing import Final
from uuid import UUID

import pyotp
import segno
from aiohttp import web

from veza.actors.messages.accounts import Identified, Proof
from veza.actors.messages.credentials import (
    CREDENTIALS,
    ChangePassword,
    DisableTotp,
    EnableTotp,
    EndSession,
    EndSessions,
    ListSessions,
    ReadSecondFactor,
    RecoveryCodesMade,
    RenewRecoveryCodes,
    SecondFactorRead,
    SessionsEnded,
    SessionsListed,
    SetUpTotp,
    TotpDisabled,
    TotpSetUp,
)
from veza.gateway.answers import json_answer
from veza.gateway.endpoints import NO_CONTENT, Access, Endpoints
from veza.gateway.errors import expect
from veza.gateway.identity import delete_cookies
from veza.gateway.keys import ACTORS, CONNECTIONS
from veza.gateway.rates import SIGN_UP_AND_IN
from veza.gateway.wire.credentials import (
    FirstCode,
    PasswordChange,
    ProofBody,
    RecoveryCodesView,
    SecondFactorView,
    SessionsView,
    SessionView,
    TotpSetupView,
)

routes = Endpoints("auth")

ISSUER: Final = "Veza"
QR_SCALE: Final = 6


@routes.declare("GET", "/auth/sessions", access=Access.SIGNED_IN, answers={200: SessionsView})
async def list_sessions(request: web.Request, who: Identified) -> web.Response:
    """List where one is signed in, the newest first."""
    reply = await request.app[ACTORS].ask(CREDENTIALS, ListSessions(user_id=who.user.id))
    views = [
        SessionView(
            id=session.id,
            user_agent=session.user_agent,
            created_at=session.created_at,
            expires_at=session.expires_at,
            is_current=session.id == who.session_id,
        )
        for session in expect(reply, SessionsListed).sessions
    ]
    return json_answer(request, SessionsView(data=views))


@routes.declare(
    "DELETE", "/auth/sessions/{session_id}", access=Access.SIGNED_IN, answers={204: NO_CONTENT}
)
async def end_session(request: web.Request, session_id: UUID, who: Identified) -> web.Response:
    """Sign one of one's clients out."""
    return await _end(request, EndSession(user_id=who.user.id, session_id=session_id))


@routes.declare("POST", "/auth/logout-all", access=Access.SIGNED_IN, answers={204: NO_CONTENT})
async def log_out_everywhere(request: web.Request, who: Identified) -> web.Response:
    """End all of one's sessions, this one too."""
    response = await _end(request, EndSessions(user_id=who.user.id))
    delete_cookies(response)
    return response


@routes.declare(
    "PUT",
    "/auth/password",
    access=Access.SIGNED_IN,
    answers={204: NO_CONTENT},
    rate=SIGN_UP_AND_IN,
)
async def change_password(
    request: web.Request, body: PasswordChange, who: Identified
) -> web.Response:
    """Change one's password; every other session ends."""
    command = ChangePassword(
        user_id=who.user.id,
        session_id=who.session_id,
        proof=Proof(password=body.current_password, totp_code=body.totp),
        new_password=body.new_password,
    )
    return await _end(request, command)


@routes.declare("GET", "/auth/totp", access=Access.SIGNED_IN, answers={200: SecondFactorView})
async def show_second_factor(request: web.Request, who: Identified) -> web.Response:
    """Tell whether codes are asked for, and how many recovery codes are left."""
    reply = await request.app[ACTORS].ask(CREDENTIALS, ReadSecondFactor(user_id=who.user.id))
    return json_answer(request, SecondFactorView.of(expect(reply, SecondFactorRead)))


@routes.declare(
    "POST",
    "/auth/totp/setup",
    access=Access.SIGNED_IN,
    answers={200: TotpSetupView},
    rate=SIGN_UP_AND_IN,
)
async def set_up_totp(request: web.Request, body: ProofBody, who: Identified) -> web.Response:
    """Make a secret for an app; codes are asked for once the first one came."""
    command = SetUpTotp(user_id=who.user.id, proof=_proof(body))
    made = expect(await request.app[ACTORS].ask(CREDENTIALS, command), TotpSetUp)
    uri = pyotp.TOTP(made.secret).provisioning_uri(name=made.username, issuer_name=ISSUER)
    view = TotpSetupView(secret=made.secret, uri=uri, qr_svg=qr_code(uri))
    return json_answer(request, view)


@routes.declare(
    "POST",
    "/auth/totp/enable",
    access=Access.SIGNED_IN,
    answers={200: RecoveryCodesView},
    rate=SIGN_UP_AND_IN,
)
async def enable_totp(request: web.Request, body: FirstCode, who: Identified) -> web.Response:
    """Ask for a code at every sign-in from now on."""
    return await _codes(request, EnableTotp(user_id=who.user.id, totp_code=body.code))


@routes.declare(
    "POST",
    "/auth/totp/disable",
    access=Access.SIGNED_IN,
    answers={204: NO_CONTENT},
    rate=SIGN_UP_AND_IN,
)
async def disable_totp(request: web.Request, body: ProofBody, who: Identified) -> web.Response:
    """Ask for codes no more."""
    command = DisableTotp(user_id=who.user.id, proof=_proof(body))
    expect(await request.app[ACTORS].ask(CREDENTIALS, command), TotpDisabled)
    return web.Response(status=HTTPStatus.NO_CONTENT)


@routes.declare(
    "POST",
    "/auth/totp/recovery-codes",
    access=Access.SIGNED_IN,
    answers={200: RecoveryCodesView},
    rate=SIGN_UP_AND_IN,
)
async def renew_recovery_codes(
    request: web.Request, body: ProofBody, who: Identified
) -> web.Response:
    """Make new recovery codes; those before are void."""
    return await _codes(request, RenewRecoveryCodes(user_id=who.user.id, proof=_proof(body)))


def qr_code(text: str) -> str:
    """Draw a text as a QR code (ISO/IEC 18004), an SVG for a page to show."""
    drawn = BytesIO()
    segno.make(text, micro=False).save(drawn, kind="svg", scale=QR_SCALE, xmldecl=False)
    return drawn.getvalue().decode()


def _proof(body: ProofBody) -> Proof:
    return Proof(password=body.password, totp_code=body.totp)


async def _codes(request: web.Request, command: object) -> web.Response:
    made = expect(await request.app[ACTORS].ask(CREDENTIALS, command), RecoveryCodesMade)
    return json_answer(request, RecoveryCodesView(recovery_codes=list(made.recovery_codes)))


async def _end(request: web.Request, command: object) -> web.Response:
    """Let the service end sessions, and close their connections; other nodes look for themselves."""
    reply = expect(await request.app[ACTORS].ask(CREDENTIALS, command), SessionsEnded)
    for session_id in reply.session_ids:
        request.app[CONNECTIONS].sign_out(session_id)
    return web.Response(status=HTTPStatus.NO_CONTENT)
