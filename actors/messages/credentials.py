"""The protocol of the credentials service: an account's sessions, its password, its second factor.

Key: `("credentials", "")`. What makes an account easier to take wants a `Proof`, whoever is signed in:
`bad_credentials`, `totp_required`, `totp_invalid` and `rate_limited` are its codes.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from veza.actors.messages.accounts import Proof
from veza.persistence.rows import AccountSession, ApiKey

CREDENTIALS: Final = ("credentials", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSessions:
    """List an account's open sessions, the newest 200. Reply: `SessionsListed`."""

    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsListed:
    sessions: tuple[AccountSession, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession:
    """End one of one's sessions. Reply: `SessionsEnded`, or `Rejected` (`not_found`)."""

    user_id: UUID
    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSessions:
    """End all of one's sessions. Reply: `SessionsEnded`."""

    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsEnded:
    """These are over: their connections are to be closed."""

    session_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePassword:
    """Change a password; all other sessions end. Reply: `SessionsEnded` or `Rejected`.

    Codes: those of a proof, `password_weak`.
    """

    user_id: UUID
    session_id: UUID
    proof: Proof
    new_password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSecondFactor:
    """Ask how far one's second factor is. Reply: `SecondFactorRead`."""

    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactorRead:
    is_enabled: bool
    recovery_codes_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUpTotp:
    """Make a secret for an app; a quarter of an hour long it waits for its first code.

    Reply: `TotpSetUp`, or `Rejected` with the codes of a proof, or `invalid_state` if there is a factor.
    """

    user_id: UUID
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class TotpSetUp:
    """The secret in base 32, told here once, and the account it is for."""

    secret: str
    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableTotp:
    """Ask for codes from now on. Reply: `RecoveryCodesMade` or `Rejected`.

    Codes: `totp_invalid`, `invalid_state` if none waits for its first code.
    """

    user_id: UUID
    totp_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableTotp:
    """Ask for codes no more. Reply: `TotpDisabled`, or `Rejected` with the codes of a proof."""

    user_id: UUID
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class TotpDisabled:
    """There is no second factor any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewRecoveryCodes:
    """Make new recovery codes; those before are void. Reply: `RecoveryCodesMade` or `Rejected`.

    Codes: those of a proof, `invalid_state` if there is no second factor.
    """

    user_id: UUID
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodesMade:
    """Each works once. Told here once; only their hashes are stored."""

    recovery_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeApiKey:
    """Make a key for a program. Reply: `ApiKeyMade` or `Rejected`.

    Codes: those of a proof, `quota_exceeded`, `validation_failed` (it would end before it begins).
    """

    user_id: UUID
    proof: Proof
    name: str
    scopes: tuple[str, ...]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyMade:
    """The key, told here once; only its hash is stored."""

    key_token: str
    key: ApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ListApiKeys:
    """List one's keys. Reply: `ApiKeysListed`."""

    user_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeysListed:
    keys: tuple[ApiKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndApiKey:
    """End one of one's keys. Reply: `ApiKeyEnded` or `Rejected` (`not_found`)."""

    user_id: UUID
    key_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyEnded:
    """It opens nothing any more."""
