"""What is said of sessions, passwords and second factors."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from veza.gateway.values import Body, NewPassword, Password, SecondFactorCode, Time, View


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
