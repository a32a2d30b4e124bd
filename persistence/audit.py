"""The audit log in SQL: acts are added once each and never changed; triggers of the table hold that."""

from uuid import UUID

import asyncpg

from veza.persistence.pool import Connection
from veza.persistence.rows import RecordedAct

_INSERT_ACT = """
    INSERT INTO audit_log (id, actor_id, actor_name, via, action, target, reason, request_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING
"""

_ACT = "id, at, actor_id, actor_name, via, action, target, reason, request_id"

_NEWEST_ACTS = f"SELECT {_ACT} FROM audit_log ORDER BY at DESC, id DESC LIMIT $1"

_ACTS_BEFORE = f"""
    SELECT {_ACT} FROM audit_log
    WHERE (at, id) < (SELECT b.at, b.id FROM audit_log b WHERE b.id = $2)
    ORDER BY at DESC, id DESC LIMIT $1
"""


async def insert_act(
    conn: Connection,
    *,
    act_id: UUID,
    actor_id: UUID | None,
    actor_name: str,
    via: str,
    action: str,
    target: str,
    reason: str,
    request_id: str,
) -> None:
    """Add an act; the same id again adds nothing and changes nothing."""
    await conn.execute(
        _INSERT_ACT, act_id, actor_id, actor_name, via, action, target, reason, request_id
    )


async def list_acts(
    conn: Connection, *, limit: int, before_id: UUID | None
) -> tuple[RecordedAct, ...]:
    """Return the newest acts, or those before one; before one that is not there are none."""
    if before_id is None:
        rows = await conn.fetch(_NEWEST_ACTS, limit)
    else:
        rows = await conn.fetch(_ACTS_BEFORE, limit, before_id)
    return tuple(_act(row) for row in rows)


def _act(row: asyncpg.Record) -> RecordedAct:
    return RecordedAct(
        act_id=row["id"],
        at=row["at"],
        actor_id=row["actor_id"],
        actor_name=row["actor_name"],
        via=row["via"],
        action=row["action"],
        target=row["target"],
        reason=row["reason"],
        request_id=row["request_id"],
    )
