"""The replies every family shares: how an actor answers, refuses, or is reported dead."""

from dataclasses import dataclass
from enum import StrEnum

Key = tuple[str, str]
"""(family, id): how an actor is named to everybody outside `supervisors/`."""


class RejectCode(StrEnum):
    """Why a command was refused. The gateway maps each to one HTTP status and one problem code."""

    ACCOUNT_BANNED = "account_banned"
    ALREADY_EXISTS = "already_exists"
    ATTACHMENT_UNUSABLE = "attachment_unusable"
    BAD_CREDENTIALS = "bad_credentials"
    BANNED = "banned"
    BLOCKED = "blocked"
    EDIT_EXPIRED = "edit_expired"
    EMAIL_TAKEN = "email_taken"
    FORBIDDEN = "forbidden"
    INVALID_INVITE = "invalid_invite"
    INVALID_STATE = "invalid_state"
    INVALID_TOKEN = "invalid_token"  # noqa: S105  # a code, not a secret
    INVITE_REQUIRED = "invite_required"
    LAST_ADMIN = "last_admin"
    MUTED = "muted"
    NOT_A_MEMBER = "not_a_member"
    NOT_FOUND = "not_found"
    NOT_READY = "not_ready"
    PASSWORD_WEAK = "password_weak"  # noqa: S105  # a code, not a secret
    PAYLOAD_TOO_LARGE = "payload_too_large"
    QUOTA_EXCEEDED = "quota_exceeded"
    RATE_LIMITED = "rate_limited"
    REGISTRATION_CLOSED = "registration_closed"
    ROOM_ARCHIVED = "room_archived"
    ROOM_FULL = "room_full"
    ROOM_RULES = "room_rules"
    SLOW_MODE = "slow_mode"
    STORAGE_FULL = "storage_full"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    TOO_MANY_REACTIONS = "too_many_reactions"
    TOO_MANY_UPLOADS = "too_many_uploads"
    TOTP_INVALID = "totp_invalid"
    TOTP_REQUIRED = "totp_required"
    UNAVAILABLE = "unavailable"
    UNKNOWN_MESSAGE = "unknown_message"
    UPLOAD_EXPIRED = "upload_expired"
    UPLOAD_LOCKED = "upload_locked"
    UPLOAD_OFFSET = "upload_offset"
    USERNAME_TAKEN = "username_taken"
    VALIDATION_FAILED = "validation_failed"
    VERSION_CONFLICT = "version_conflict"
    WRONG_ROOM_PASSWORD = "wrong_room_password"  # noqa: S105  # a code, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A started actor can be told to others now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The command was refused and changed nothing."""

    command: str
    code: RejectCode
    detail: str
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashed:
    """The command met a bug or a lost dependency; whether it took effect is unknown."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """The mailbox was full; the command was not looked at."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    """No answer came in time; whether the command took effect is unknown."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The actor asked is not there, or ended before it answered."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The one reply to a question a state machine asked earlier, with the tag it gave then.

    `message` is the reply, or `Busy`, `Crashed`, `Gone` or `TimedOut`.
    """

    tag: object
    message: object


class RefusedError(Exception):
    """Raised in a handler, before anything was changed: the asker gets `Rejected`."""

    def __init__(
        self, code: RejectCode, detail: str, *, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds
