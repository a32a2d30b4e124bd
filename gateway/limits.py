"""Holding requests to their policies: whose bucket counts, and what the answer tells of it."""

import time

from aiohttp import web

from veza.actors.messages.accounts import Identified
from veza.gateway.errors import ProblemCode, ProblemError
from veza.gateway.keys import RATE_STATE, RATES
from veza.gateway.rates import RatePolicy, client_of


async def hold_address(request: web.Request, policy: RatePolicy) -> None:
    """Count a request for the address it comes from; raises `rate_limited`."""
    await _hold(request, policy, client_of(request.remote))


async def hold_account(request: web.Request, policy: RatePolicy, who: Identified) -> None:
    """Count a request for the account that makes it; raises `rate_limited`."""
    await _hold(request, policy, str(who.user.id))


async def _hold(request: web.Request, policy: RatePolicy, client: str) -> None:
    state = await request.app[RATES].spend(policy, client, time.monotonic())
    request[RATE_STATE] = state
    if not state.is_allowed:
        raise ProblemError(ProblemCode.RATE_LIMITED, retry_after_seconds=state.wait_seconds)
