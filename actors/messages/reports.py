"""The protocol of reports: what people, and the rules of rooms, bring before moderators.

Key: `("reports", "")`. It does as it is told: whoever asks must know that they may.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.persistence.reports import Report, ReportReason, ReportState
from veza.persistence.rows import Author

REPORTS: Final = ("reports", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """Report a message of a room, or, with neither, an account. Reply: `ReportTold` or `Rejected`.

    Codes: `unknown_message` (also if it is deleted), `not_found` (the account), `already_exists` (one report
    a user and message, one open report a user and account), `forbidden` (oneself).
    """

    report_id: UUID
    reporter: Author
    room_id: UUID | None
    message_id: UUID | None
    user_id: UUID | None
    reason: ReportReason
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRefused:
    """A room's rule refused a message, and moderators are to see it. Reply: `RefusedFiled`.

    `text` is what was not posted, `detail` what its author was told. The same message is filed once a rule.
    """

    room_id: UUID
    message_id: UUID
    author: Author
    rule: str
    text: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedFiled:
    """`is_new` is False for one that is filed already, or where too many of one author are open."""

    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowReport:
    """Reply: `ReportTold` or `Rejected` (`not_found`). To whom it is about, no report is shown."""

    report_id: UUID
    viewer: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTold:
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class ListReports:
    """Reports, newest first, those before one: of a room, or with None of all. Reply: `ReportsListed`.

    Those about the viewer are left out.
    """

    viewer: UUID
    room_id: UUID | None
    state: ReportState | None
    before: UUID | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportsListed:
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandleReport:
    """Say what became of a report, with the row in the audit log. Reply: `ReportTold` or `Rejected`.

    Codes: `not_found` (also for whom it is about), `invalid_state` (reopened while the reporter has
    another open one).
    """

    report_id: UUID
    state: ReportState
    note: str
    by: Author
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFiled:
    """Volatile news for moderators: there is a new report."""

    report_id: UUID
    room_id: UUID | None
    reason: ReportReason
