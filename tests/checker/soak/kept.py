"""What the database has of a run when it is over: one record a row."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One event of a room's log, as the database has it; `subject` had it done to them.

    `commit` is the transaction that stored it, `time` its own time; `until` is when a mute or ban ends.
    """

    room: str
    seq: int
    kind: str
    author: str
    message_id: str | None
    text: str
    subject: str | None = None
    measure: str | None = None
    role: str | None = None
    until: float | None = None
    time: float = 0.0
    commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """One row of the audit log, and the transaction that stored it."""

    act_id: str
    action: str
    target: str
    by: str
    time: float
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """A session of a user that was ended, and the transaction that did it."""

    session: str
    user: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A report as it is now; `time` is when the transaction began that wrote it last, if it was handled."""

    report: str
    state: str
    time: float
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Who is a member, as the database has it beside the log."""

    room: str
    user: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Banned:
    """Who is banned from a room, as the database has it beside the log."""

    room: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of a message, as the database has it beside the log; `text` of one that was edited."""

    room: str
    message_id: str
    is_deleted: bool
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """A reaction, as the database has it beside the log."""

    room: str
    message_id: str
    user: str
    emoji: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How far the database says a room has come."""

    room: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """How far somebody has read, as the database has it."""

    room: str
    user: str
    seq: int
