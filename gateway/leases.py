"""What a WebSocket is signed in with (access token, ticket or cookie), and for how long that is good."""

import time
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from veza.actors.messages.accounts import ACCOUNTS, TICKET_PREFIX, Identified, SpendTicket
from veza.gateway.connections import Lease
from veza.gateway.errors import CloseCode, expect
from veza.gateway.identity import identify_cookie, identify_session
from veza.gateway.keys import ACCESS_TOKENS, ACTORS

GRACE_SECONDS: Final = 60.0
"""How long past the end of its access token a connection may live without `auth.refresh`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who a connection is, and how long on the word of what it showed."""

    who: Identified
    lease: Lease


async def cookie_holder(request: web.Request) -> Holder | None:
    """Return the holder of the session cookie, who stays as long as the session; None if nobody is."""
    who = await identify_cookie(request)
    return None if who is None else Holder(who=who, lease=_of_session(who))


async def token_holder(request: web.Request, token: str) -> Holder:
    """Return who a token or a ticket signs in; raises `invalid_token`. A ticket is used up.

    A ticket is as good as an access token made at the moment of its use.
    """
    app, now = request.app, time.time()
    if token.startswith(TICKET_PREFIX):
        reply = await app[ACTORS].ask(ACCOUNTS, SpendTicket(token=token))
        who = expect(reply, Identified)
        ends_at = now + app[ACCESS_TOKENS].lifetime_seconds
    else:
        grant = app[ACCESS_TOKENS].read(token, now)
        who = await identify_session(app, grant.claims.session_id)
        ends_at = float(grant.expires_at)
    of_token = Lease(
        until=ends_at + GRACE_SECONDS, code=CloseCode.REFRESH_AUTH, reason="the access token ended"
    )
    return Holder(who=who, lease=min(of_token, _of_session(who), key=lambda each: each.until))


def _of_session(who: Identified) -> Lease:
    return Lease(
        until=who.expires_at.timestamp(), code=CloseCode.SIGNED_OUT, reason="the session ended"
    )
