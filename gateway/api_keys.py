"""Addresses for keys that programs use in place of a sign-in."""

from http import HTTPStatus
from uuid import UUID

from aiohttp import web

from veza.actors.messages.accounts import Identified, Proof
from veza.actors.messages.credentials import (
    CREDENTIALS,
    ApiKeyEnded,
    ApiKeyMade,
    ApiKeysListed,
    EndApiKey,
    ListApiKeys,
    MakeApiKey,
)
from veza.gateway.answers import json_answer, no_content
from veza.gateway.endpoints import NO_CONTENT, Access, Endpoints
from veza.gateway.errors import expect
from veza.gateway.keys import ACTORS
from veza.gateway.rates import SIGN_UP_AND_IN
from veza.gateway.wire.credentials import ApiKeysView, ApiKeyView, NewApiKey, NewApiKeyView

routes = Endpoints("auth")


@routes.declare("GET", "/auth/api-keys", access=Access.SIGNED_IN, answers={200: ApiKeysView})
async def list_api_keys(request: web.Request, who: Identified) -> web.Response:
    """List one's API keys, newest first, also those that have expired."""
    reply = await request.app[ACTORS].ask(CREDENTIALS, ListApiKeys(user_id=who.user.id))
    keys = expect(reply, ApiKeysListed).keys
    return json_answer(request, ApiKeysView(data=[ApiKeyView.of(key) for key in keys]))


@routes.declare(
    "POST",
    "/auth/api-keys",
    access=Access.SIGNED_IN,
    answers={201: NewApiKeyView},
    rate=SIGN_UP_AND_IN,
)
async def make_api_key(request: web.Request, body: NewApiKey, who: Identified) -> web.Response:
    """Make a key for a program; it is told here once."""
    command = MakeApiKey(
        user_id=who.user.id,
        proof=Proof(password=body.password, totp_code=body.totp),
        name=body.name,
        scopes=tuple(dict.fromkeys(body.scopes)),
        expires_at=body.expires_at,
    )
    made = expect(await request.app[ACTORS].ask(CREDENTIALS, command), ApiKeyMade)
    view = NewApiKeyView(key=made.key_token, api_key=ApiKeyView.of(made.key))
    return json_answer(request, view, HTTPStatus.CREATED)


@routes.declare(
    "DELETE", "/auth/api-keys/{key_id}", access=Access.SIGNED_IN, answers={204: NO_CONTENT}
)
async def end_api_key(request: web.Request, key_id: UUID, who: Identified) -> web.Response:
    """End one of one's keys, at once."""
    command = EndApiKey(user_id=who.user.id, key_id=key_id)
    expect(await request.app[ACTORS].ask(CREDENTIALS, command), ApiKeyEnded)
    return no_content()
