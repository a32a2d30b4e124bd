"""Everything a client may be told that went wrong: problem codes, field codes and close codes.

`docs/protocol.md` lists all three; a test compares its tables with these enums. Whatever has no code
here is a bug: it is logged and told as `internal_error`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from math import ceil
from typing import Self, TypeVar

from veza.actors.messages.common import (
    Busy,
    Crashed,
    Gone,
    RefusedError,
    RejectCode,
    Rejected,
    TimedOut,
)

Reply = TypeVar("Reply")

PAUSE_SECONDS = 1.0
"""What a client is asked to wait when nobody knows better."""


class CloseCode(IntEnum):
    """Why the server closed a WebSocket. 4000 to 4499: come back; 4500 to 4999: do not."""

    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    FRAME_TOO_BIG = 1009
    RESTARTING = 4000
    DRAINING = 4001
    SLOW_CONSUMER = 4002
    RATE_LIMITED = 4003
    NO_PONG = 4005
    REFRESH_AUTH = 4006
    BAD_TOKEN = 4500
    AUTH_TIMEOUT = 4501
    BAD_FRAME = 4502
    BANNED = 4503
    TOO_MANY_CONNECTIONS = 4504
    VERSION = 4505
    SIGNED_OUT = 4506

    @property
    def may_reconnect(self) -> bool:
        """Whether the client should come back by itself."""
        return self not in {CloseCode.PROTOCOL_ERROR, CloseCode.FRAME_TOO_BIG} and self < _FINAL


_FINAL = 4500

CLOSE_MEANINGS: Mapping[CloseCode, str] = {
    CloseCode.NORMAL: "Normal",
    CloseCode.PROTOCOL_ERROR: "The client broke the WebSocket protocol,"
    " or sent a close code that nobody may send",
    CloseCode.FRAME_TOO_BIG: "The frame is bigger than `max_frame`",
    CloseCode.RESTARTING: "The session ended unexpectedly, or could not start",
    CloseCode.DRAINING: "The server stops",
    CloseCode.SLOW_CONSUMER: "The client reads too slowly",
    CloseCode.RATE_LIMITED: "Too many are signing in just now:"
    " come back after `retry_after_ms` of the `error` before it",
    CloseCode.NO_PONG: "No frame for two heartbeats",
    CloseCode.REFRESH_AUTH: "What the client signed in with has ended: connect with a fresh token",
    CloseCode.BAD_TOKEN: "The token is not valid, or there is neither token nor cookie",
    CloseCode.AUTH_TIMEOUT: "Not signed in within 10 s",
    CloseCode.BAD_FRAME: "Third bad frame within a minute",
    CloseCode.BANNED: "Banned from this server",
    CloseCode.TOO_MANY_CONNECTIONS: "The user has too many connections",
    CloseCode.VERSION: "The server does not speak this `v`",
    CloseCode.SIGNED_OUT: "Signed out",
}
"""As `docs/protocol.md` and the AsyncAPI document have it; the code of a close is for programs."""


class FieldCode(StrEnum):
    """What is wrong with one field of a request or frame."""

    REQUIRED = "required"
    UNKNOWN_FIELD = "unknown_field"
    INVALID_TYPE = "invalid_type"
    INVALID_VALUE = "invalid_value"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    OUT_OF_RANGE = "out_of_range"


class ProblemCode(Enum):
    """One member a problem: code, HTTP status, title, whether the same request may succeed later."""

    ACCOUNT_BANNED = "account_banned", 403, "The account is banned"
    ALREADY_EXISTS = "already_exists", 409, "That exists already"
    ATTACHMENT_UNUSABLE = "attachment_unusable", 422, "The file cannot be sent here"
    BAD_CREDENTIALS = "bad_credentials", 401, "Wrong name or password"
    BAD_FRAME = "bad_frame", 400, "The frame could not be read"
    BAD_REQUEST = "bad_request", 400, "The request could not be read"
    BANNED = "banned", 403, "Banned"
    BLOCKED = "blocked", 403, "One has blocked the other"
    CHECKSUM_MISMATCH = "checksum_mismatch", 460, "The bytes are not those of the checksum", True
    CSRF_FAILED = "csrf_failed", 403, "The request came from a foreign page"
    EDIT_EXPIRED = "edit_expired", 409, "Too late to change the message"
    EMAIL_TAKEN = "email_taken", 409, "That e-mail address has an account"
    FORBIDDEN = "forbidden", 403, "Not allowed"
    INTERNAL_ERROR = "internal_error", 500, "The server failed", True
    INVALID_CURSOR = "invalid_cursor", 422, "The cursor is not one of ours"
    INVALID_INVITE = "invalid_invite", 409, "The invitation is not valid"
    INVALID_STATE = "invalid_state", 409, "Not possible in the present state"
    INVALID_TOKEN = "invalid_token", 401, "The token is not valid"
    INVITE_REQUIRED = "invite_required", 403, "By invitation only"
    LAST_ADMIN = "last_admin", 409, "Nobody else administers the instance"
    MALFORMED_BODY = "malformed_body", 400, "The body could not be read"
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "Method not allowed"
    MUTED = "muted", 403, "Muted in the room"
    NOT_A_MEMBER = "not_a_member", 403, "Not a member of the room"
    NOT_FOUND = "not_found", 404, "Not found"
    NOT_READY = "not_ready", 409, "Not ready yet", True
    OUTCOME_UNKNOWN = "outcome_unknown", 503, "Nobody knows whether it took effect", True
    OVERLOADED = "overloaded", 503, "Too much to do", True
    PASSWORD_WEAK = "password_weak", 422, "The password is too easy to guess"
    PAYLOAD_TOO_LARGE = "payload_too_large", 413, "Too large"
    PLAYBACK_URL_EXPIRED = "playback_url_expired", 403, "The playback URL has expired"
    PLAYBACK_URL_REVOKED = "playback_url_revoked", 403, "The playback URL was ended by its owner"
    PLAYBACK_URL_INVALID = "playback_url_invalid", 403, "The playback URL is not valid"
    PRECONDITION_REQUIRED = "precondition_required", 428, "Say which version you change"
    QUOTA_EXCEEDED = "quota_exceeded", 413, "The account has no room left"
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable", 416, "No such bytes"
    RATE_LIMITED = "rate_limited", 429, "Too many requests", True
    REGISTRATION_CLOSED = "registration_closed", 403, "Registration is closed"
    REQUEST_TIMEOUT = "request_timeout", 408, "The request came too slowly", True
    ROOM_ARCHIVED = "room_archived", 409, "The room is archived"
    ROOM_FULL = "room_full", 409, "The room is full"
    ROOM_RULES = "room_rules", 422, "Against the rules of the room"
    SLOW_MODE = "slow_mode", 429, "The room is in slow mode", True
    STORAGE_FULL = "storage_full", 507, "The server has no room left", True
    STORAGE_UNAVAILABLE = "storage_unavailable", 503, "The media store is away", True
    TIMED_OUT = "timed_out", 504, "No answer in time", True
    TOKEN_REUSED = "token_reused", 401, "The refresh token was used before"
    TOO_MANY_CONNECTIONS = "too_many_connections", 429, "Too many connections"
    TOO_MANY_REACTIONS = "too_many_reactions", 409, "Too many reactions"
    TOO_MANY_UPLOADS = "too_many_uploads", 409, "Too many uploads are not finished"
    TOTP_INVALID = "totp_invalid", 401, "The code is wrong"
    TOTP_REQUIRED = "totp_required", 401, "A second factor is needed"
    UNAUTHENTICATED = "unauthenticated", 401, "Sign in first"
    UNAVAILABLE = "unavailable", 503, "Not available right now", True
    UNKNOWN_FIELD = "unknown_field", 422, "The body has a field that nobody knows"
    UNKNOWN_MESSAGE = "unknown_message", 404, "No such message"
    UNKNOWN_TYPE = "unknown_type", 400, "No frame has that type"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", 415, "Wrong content type"
    UNSUPPORTED_VERSION = "unsupported_version", 412, "Another version of the protocol"
    UPGRADE_REQUIRED = "upgrade_required", 426, "This address speaks WebSocket"
    UPLOAD_EXPIRED = "upload_expired", 410, "The upload has expired"
    UPLOAD_LOCKED = "upload_locked", 423, "The upload is being written", True
    UPLOAD_OFFSET = "upload_offset", 409, "The upload goes on elsewhere"
    USERNAME_TAKEN = "username_taken", 409, "That name is taken"
    VALIDATION_FAILED = "validation_failed", 422, "Some fields are not valid"
    VERSION_CONFLICT = "version_conflict", 412, "Changed by somebody else meanwhile"
    WRONG_ROOM_PASSWORD = "wrong_room_password", 403, "Not the password of the room"

    status: int
    title: str
    is_retryable: bool

    def __new__(cls, code: str, status: int, title: str, is_retryable: bool = False) -> Self:
        """Make the code the member's value: `ProblemCode("not_found")` works."""
        member = object.__new__(cls)
        member._value_ = code
        member.status = status
        member.title = title
        member.is_retryable = is_retryable
        return member


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """`pointer` names the field: a JSON pointer in a body, the bare name in a query."""

    pointer: str
    code: FieldCode
    detail: str


class ProblemError(Exception):
    """Ends a request, or answers a frame, with a problem."""

    def __init__(
        self,
        code: ProblemCode,
        detail: str = "",
        *,
        errors: tuple[FieldError, ...] = (),
        retry_after_seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or code.title)
        self.code = code
        self.detail = detail or f"{code.title}."
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds
        self.headers = dict(headers or {})
        if retry_after_seconds is not None:
            self.headers["Retry-After"] = str(max(1, ceil(retry_after_seconds)))


def problem_code(code: RejectCode | None) -> ProblemCode:
    """Return the problem of a refusal; None is an outcome that nobody knows."""
    return ProblemCode.OUTCOME_UNKNOWN if code is None else ProblemCode[code.name]


def refusal(reply: Rejected | RefusedError) -> ProblemError:
    """Return the problem of a command that was refused."""
    return refused(reply.code, reply.detail, reply.retry_after_seconds)


def refused(
    code: RejectCode | None, detail: str, retry_after_seconds: float | None
) -> ProblemError:
    """Return the problem of a refusal; who cannot be told what became of it may soon ask again."""
    if code is None and retry_after_seconds is None:
        retry_after_seconds = PAUSE_SECONDS
    return ProblemError(problem_code(code), detail, retry_after_seconds=retry_after_seconds)


def expect(reply: object, expected: type[Reply]) -> Reply:
    """Return the reply a command was to have, or raise what its absence means to the client."""
    if isinstance(reply, expected):
        return reply
    match reply:
        case Rejected():
            raise refusal(reply)
        case Busy():
            raise ProblemError(ProblemCode.OVERLOADED, retry_after_seconds=PAUSE_SECONDS)
        case Gone():
            raise ProblemError(ProblemCode.UNAVAILABLE, retry_after_seconds=PAUSE_SECONDS)
        case TimedOut():
            raise ProblemError(ProblemCode.TIMED_OUT)
        case Crashed():
            raise ProblemError(ProblemCode.INTERNAL_ERROR)
        case _:
            message = f"expected {expected.__name__}, got {type(reply).__name__}"
            raise TypeError(message)
