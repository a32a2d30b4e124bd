"""Reports in SQL. Each keeps what it is about as it was then: no deletion destroys it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.errors import AlreadyExistsError
from veza.persistence.pool import Connection
from veza.persistence.rows import Author


class ReportReason(StrEnum):
    """Why somebody reports; a room's rule always says `rule_violation`."""

    SPAM = "spam"
    HARASSMENT = "harassment"
    INAPPROPRIATE = "inappropriate"
    RULE_VIOLATION = "rule_violation"
    OTHER = "other"


class ReportState(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report. With a `rule` the room made it, about a message that was never posted.

    `evidence` is what the message said when it was reported; `handled_by` says who changed the state last.
    """

    id: UUID
    room_id: UUID | None
    message_id: UUID | None
    subject: Author
    reporter: Author | None
    rule: str | None
    reason: ReportReason
    text: str
    evidence: str
    state: ReportState
    note: str
    handled_by: Author | None
    handled_at: datetime | None
    created_at: datetime


_FIND_EVIDENCE: Final = """
    SELECT e.author_id, CASE WHEN s.edited_at IS NULL THEN e.text ELSE s.text END AS text
    FROM room_events e
    LEFT JOIN message_states s ON s.room_id = e.room_id AND s.message_id = e.message_id
    WHERE e.room_id = $1 AND e.message_id = $2 AND e.kind = 'message.posted'
        AND s.deleted_at IS NULL
"""

_FIND_USER: Final = "SELECT id FROM users WHERE id = $1"

_INSERT: Final = """
    INSERT INTO reports
        (id, room_id, message_id, subject_id, reporter_id, rule, reason, text, evidence)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT DO NOTHING RETURNING id
"""

# One who is refused all the time must not fill the list: the newest say nothing new.
_COUNT_OF_RULES: Final = """
    SELECT count(*) FROM reports
    WHERE room_id = $1 AND subject_id = $2 AND rule IS NOT NULL AND state = 'open'
"""

_REPORT: Final = """
    r.id, r.room_id, r.message_id, r.subject_id, s.username AS subject_name, r.reporter_id,
    p.username AS reporter_name, r.rule, r.reason, r.text, r.evidence, r.state, r.note,
    r.handled_by, h.username AS handler_name, r.handled_at, r.created_at
    FROM reports r JOIN users s ON s.id = r.subject_id
    LEFT JOIN users p ON p.id = r.reporter_id LEFT JOIN users h ON h.id = r.handled_by
"""

_GET: Final = f"SELECT {_REPORT} WHERE r.id = $1 AND r.subject_id <> $2"

_LIST: Final = f"""
    SELECT {_REPORT}
    WHERE r.subject_id <> $1
        AND ($2::text IS NULL OR r.state = $2) AND ($3::uuid IS NULL OR r.id < $3)
    ORDER BY r.id DESC LIMIT $4
"""

_LIST_OF_ROOM: Final = f"""
    SELECT {_REPORT}
    WHERE r.room_id = $5 AND r.subject_id <> $1
        AND ($2::text IS NULL OR r.state = $2) AND ($3::uuid IS NULL OR r.id < $3)
    ORDER BY r.id DESC LIMIT $4
"""

_HANDLE: Final = """
    UPDATE reports SET state = $2, note = $3, handled_by = $4, handled_at = now()
    WHERE id = $1 AND subject_id <> $4 RETURNING id
"""

# In a conversation of two there are no moderators.
_MODERATORS: Final = """
    SELECT m.user_id FROM room_members m JOIN rooms r ON r.id = m.room_id
    WHERE m.room_id = $1 AND m.user_id <> $2 AND r.kind <> 'direct'
        AND m.role IN ('owner', 'admin', 'moderator')
    ORDER BY m.user_id LIMIT $3
"""

_STAFF: Final = """
    SELECT DISTINCT r.user_id FROM user_roles r JOIN roles o ON o.name = r.role
    WHERE o.permissions && '{*:*, reports:*, reports:handle}' AND r.user_id <> $1
    ORDER BY r.user_id LIMIT $2
"""


async def find_evidence(
    conn: Connection, room_id: UUID, message_id: UUID
) -> tuple[UUID, str] | None:
    """Return who wrote a message and what it says now; None if there is none, or none any more."""
    row = await conn.fetchrow(_FIND_EVIDENCE, room_id, message_id)
    return None if row is None else (row["author_id"], row["text"])


async def is_user(conn: Connection, user_id: UUID) -> bool:
    """Whether there is such an account."""
    return await conn.fetchval(_FIND_USER, user_id) is not None


async def insert_report(
    conn: Connection,
    *,
    report_id: UUID,
    room_id: UUID | None,
    message_id: UUID | None,
    subject_id: UUID,
    reporter_id: UUID | None,
    rule: str | None,
    reason: ReportReason,
    text: str,
    evidence: str,
) -> bool:
    """Keep a report; False if there is one already."""
    kept = await conn.fetchval(
        _INSERT,
        report_id,
        room_id,
        message_id,
        subject_id,
        reporter_id,
        rule,
        reason,
        text,
        evidence,
    )
    return kept is not None


async def count_of_rules(conn: Connection, room_id: UUID, subject_id: UUID) -> int:
    """Return how many open reports a room's rules have made about one member."""
    return int(await conn.fetchval(_COUNT_OF_RULES, room_id, subject_id))


async def get_report(conn: Connection, report_id: UUID, viewer: UUID) -> Report | None:
    """Return a report, unless it is about the viewer."""
    row = await conn.fetchrow(_GET, report_id, viewer)
    return None if row is None else _report(row)


async def list_reports(
    conn: Connection,
    *,
    viewer: UUID,
    room_id: UUID | None,
    state: ReportState | None,
    before: UUID | None,
    limit: int,
) -> tuple[Report, ...]:
    """Return reports of a room, or of all, newest first, without those about the viewer."""
    if room_id is None:
        rows = await conn.fetch(_LIST, viewer, state, before, limit)
    else:
        rows = await conn.fetch(_LIST_OF_ROOM, viewer, state, before, limit, room_id)
    return tuple(_report(row) for row in rows)


async def handle_report(
    conn: Connection, report_id: UUID, *, state: ReportState, note: str, by_id: UUID
) -> bool:
    """Change the state of a report; False if there is none, or none for them.

    Raises `AlreadyExistsError` if it is reopened beside another open one.
    """
    try:
        async with conn.transaction():
            return await conn.fetchval(_HANDLE, report_id, state, note, by_id) is not None
    except asyncpg.UniqueViolationError as error:
        raise AlreadyExistsError(f"another report like {report_id} is open") from error


async def list_addressees(
    conn: Connection, room_id: UUID | None, subject_id: UUID, *, limit: int
) -> tuple[UUID, ...]:
    """Return whom to tell of a report: the room's moderators; without a room, administrators."""
    if room_id is not None:
        rows = await conn.fetch(_MODERATORS, room_id, subject_id, limit)
        if rows:
            return tuple(row["user_id"] for row in rows)
    rows = await conn.fetch(_STAFF, subject_id, limit)
    return tuple(row["user_id"] for row in rows)


def _report(row: asyncpg.Record) -> Report:
    return Report(
        id=row["id"],
        room_id=row["room_id"],
        message_id=row["message_id"],
        subject=Author(id=row["subject_id"], name=row["subject_name"]),
        reporter=_author(row["reporter_id"], row["reporter_name"]),
        rule=row["rule"],
        reason=ReportReason(row["reason"]),
        text=row["text"],
        evidence=row["evidence"],
        state=ReportState(row["state"]),
        note=row["note"],
        handled_by=_author(row["handled_by"], row["handler_name"]),
        handled_at=row["handled_at"],
        created_at=row["created_at"],
    )


def _author(user_id: UUID | None, name: str | None) -> Author | None:
    return None if user_id is None or name is None else Author(id=user_id, name=name)
