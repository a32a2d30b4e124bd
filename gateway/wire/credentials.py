"""What is said of sessions, passwords and second factors."""

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from veza.gateway.values import (
    Body,
    Name,
    NewPassword,
    Password,
    Scope,
    SecondFactorCode,
    Time,
    View,
)


class ProofBody(Body):
    """`totp`: a code of the app or a recovery code, where the account has a second factor."""

    password: Password
    totp: SecondFactorCode | None = None


class PasswordChange(Body):
    current_password: Password
    new_password: NewPassword
    totp: SecondFactorCode | None = None


class FirstCode(Body):
    code: SecondFactorCode


class SessionView(View):
    """One signed-in client; `is_current` is the one that asks."""

    id: UUID
    user_agent: str
    created_at: Time
    expires_at: Time
    is_current: bool


class SessionsView(View):
    data: list[SessionView]


class SecondFactorView(View):
    is_enabled: bool
    recovery_codes_left: int


class TotpSetupView(View):
    """The secret as text, as the URI that apps read, and that URI as a QR code in SVG. Told once."""

    secret: str
    uri: str
    qr_svg: str


class RecoveryCodesView(View):
    """Each works once in place of a code of the app. Told once."""

    recovery_codes: Annotated[list[str], Field(min_length=1)]


class NewApiKey(ProofBody):
    """`scopes`: `read` or `write` for all areas, or `tracks:read` and so on for one."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=40)]
    expires_at: AwareDatetime | None = None


class ApiKeyView(View):
    """`hint` are the first characters; `last_used_at` is to the hour."""

    id: UUID
    name: str
    hint: str
    scopes: list[str]
    created_at: Time
    expires_at: Time | None
    last_used_at: Time | None


class NewApiKeyView(View):
    """`key` is told here once."""

    key: str
    api_key: ApiKeyView


class ApiKeysView(View):
    data: list[ApiKeyView]
