"""What persistence refuses or reports, where a caller can act. All else stays a driver's error: a bug."""

from datetime import datetime
from uuid import UUID


class PersistenceError(Exception):
    """Anything below, for callers that treat them alike."""


class DatabaseUnavailableError(PersistenceError):
    """The connection was refused or lost. Whether a change under way took effect is unknown."""


class MigrationError(PersistenceError):
    """The schema in the database is not one that this version can bring up to date."""


class PostgresStartError(PersistenceError):
    """The private PostgreSQL cannot run here; the message says why and what to do."""


class UsernameTakenError(PersistenceError):
    """Another account has the name, in whatever case."""


class EmailTakenError(PersistenceError):
    """Another account has the address, in whatever case."""


class AccountUnknownError(PersistenceError):
    """There is no account of that id."""


class RoleUnknownError(PersistenceError):
    """There is no role of that name."""


class LastAdminError(PersistenceError):
    """Nobody would be left who may do everything."""


class TokenUnknownError(PersistenceError):
    """The token was never handed out, or its session has ended."""


class TokenReusedError(PersistenceError):
    """The refresh token had been spent before; its session was ended for it."""

    def __init__(self, session_id: UUID) -> None:
        super().__init__(f"a spent refresh token of session {session_id} was used again")
        self.session_id = session_id


class AccountBannedError(PersistenceError):
    """The account is shut out, `until` then or, with None, for good."""

    def __init__(self, until: datetime | None) -> None:
        super().__init__("the account is banned")
        self.until = until


class AlreadyExistsError(PersistenceError):
    """The id belongs to something else: made by somebody else, or of another content."""


class LeaseLostError(PersistenceError):
    """The job is not held by the caller, or not any more: stop working on it."""


class JobStateError(PersistenceError):
    """The job is not in a state that allows this."""


class SegmentOrderError(PersistenceError):
    """The segment is not the next one of its rendition."""


class InvalidKeyError(PersistenceError):
    """A media key is not of the form the store accepts."""


class ChunkOffsetError(PersistenceError):
    """A chunk does not continue its upload; `size_bytes` is where the next one belongs."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"the upload holds {size_bytes} bytes")
        self.size_bytes = size_bytes


class UploadUnknownError(PersistenceError):
    """No chunk of the upload was ever written, or it was dropped."""


class MediaNotFoundError(PersistenceError):
    """The store holds nothing under the key."""


class MediaUnavailableError(PersistenceError):
    """The store cannot be reached, or gives other bytes than were put there. It may be right later."""


class TooSlowError(PersistenceError):
    """A question was given up because its answer took too long."""


class StorageFullError(PersistenceError):
    """The disk or quota is full; nothing was kept of the write."""
