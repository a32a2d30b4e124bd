"""The protocol of the accounts service: who somebody is, and how they prove it.

Keys: `("accounts", "")`; who holds a session or a cookie is answered by `("arrivals", "")`, many at once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from veza.persistence.rows import AccountBan, Author, User

ACCOUNTS: Final = ("accounts", "")
ARRIVALS: Final = ("arrivals", "")

ROLES_CHANGED_WITHIN: Final = timedelta(minutes=5)

TICKET_PREFIX = "ticket_"
"""What tickets begin with: an access token never does."""
API_KEY_PREFIX = "veza_key_"
"""What keys for programs begin with, so that a leaked one is known for what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAccount:
    """Make an account and sign it in. Reply: `SignedIn` or `Rejected`.

    Codes: `username_taken`, `email_taken`, `password_weak`, `validation_failed`, `registration_closed`.
    """

    username: str
    email: str
    password: str
    user_agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueSetup:
    """Make a token that lets somebody become the first administrator. Reply: `SetupIssued`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupIssued:
    """`token` works once, for an hour; it is None if there is an administrator."""

    token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSetup:
    """Spend the one-time set-up token on the first administrator.

    Reply: `SignedIn` or `Rejected` (`invalid_token`, and the codes of `RegisterAccount`).
    """

    token: str
    username: str
    email: str
    password: str
    user_agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What somebody proves with who they are. `totp_code`: of their app, or one of the recovery codes."""

    password: str
    totp_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """Check a proof and open a session. Reply: `SignedIn` or `Rejected`.

    Codes: `bad_credentials`, `totp_required`, `totp_invalid`, `rate_limited`, `account_banned`. Without an
    account the answer and its time are those of a wrong password.
    """

    login: str
    proof: Proof
    user_agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshSession:
    """Trade a refresh token for a new one. Reply: `SignedIn`, `SessionRevoked` or `Rejected`.

    A token works once; a second use ends the whole session.
    """

    refresh_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRevoked:
    """A refresh token came a second time: nobody knows who is who, and the session is over for both."""

    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOut:
    """End one session, cookie and refresh tokens both. Reply: `SignedOut`, also the second time."""

    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyCookie:
    """Ask who holds a browser cookie. Reply: `Identified` or `Rejected` (`invalid_token`)."""

    cookie_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifySession:
    """Ask whether the session that a valid access token names is still open.

    Reply: `Identified` or `Rejected` (`invalid_token`).
    """

    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyKey:
    """Ask who a program acts for. Reply: `Identified` or `Rejected` (`invalid_token`)."""

    key_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueTicket:
    """Make a ticket that signs one WebSocket in as the holder of a session. Reply: `TicketIssued`."""

    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketIssued:
    """The ticket, told here once; only its hash is stored."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendTicket:
    """Ask whose ticket it is, and use it up. Reply: `Identified` or `Rejected` (`invalid_token`)."""

    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session is open. The two tokens are told here once; only their hashes are stored."""

    user: User
    session_id: UUID
    refresh_token: str
    cookie_token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut:
    """The session is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """The holder of a credential and the session it belongs to, which ends at `expires_at`.

    `scopes`: what a program may do for them, by an API key; it has no session, but the key's id in its
    place. None for people: they may all that their permissions say.
    """

    user: User
    session_id: UUID
    expires_at: datetime
    scopes: frozenset[str] | None = None


# --- bans: `account_banned` is what every way of signing in is then refused with ---


@dataclass(frozen=True, slots=True, kw_only=True)
class BanAccount:
    """Shut an account out and end its sessions, with the audit row. Reply: `AccountBanned` or `Rejected`.

    Codes: `not_found`, `forbidden` (oneself or another administrator), `validation_failed` (`until` is
    over). `until` is None for good. A second ban takes the place of the first.
    A rehearsal changes nothing: it is refused as the act would be, or answered with `AccountBannable`.
    """

    user_id: UUID
    until: datetime | None
    reason: str
    by: Author
    request_id: str
    is_rehearsal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBannable:
    """Nothing is in the way of the ban."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBanned:
    ban: AccountBan


@dataclass(frozen=True, slots=True, kw_only=True)
class UnbanAccount:
    """Let an account in again. Reply: `AccountUnbanned`, also if there was no ban; then nothing is noted."""

    user_id: UUID
    reason: str
    by: Author
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUnbanned:
    was_banned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAccountBans:
    """List bans in force, newest first, those before one: its time and account.

    Reply: `AccountBansListed`.
    """

    limit: int
    before: tuple[datetime, UUID] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBansListed:
    bans: tuple[AccountBan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindEndedSessions:
    """Which of these sessions are over by now, whichever node ended them? Reply: `EndedSessionsFound`.

    It also tells whose roles have changed, to be asked more often than `ROLES_CHANGED_WITHIN`.
    """

    session_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedSessionsFound:
    """Of each session that is over, whether its account is banned; and whose roles changed of late.

    `permissions`: what these accounts may do by now.
    """

    ended: dict[UUID, bool]
    permissions: dict[UUID, frozenset[str]]
