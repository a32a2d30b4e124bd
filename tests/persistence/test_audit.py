"""The audit log keeps every act once, as it was, in the order the database saw them."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from veza.persistence import audit
from veza.persistence.audit import insert_act, list_acts
from veza.persistence.pool import Connection


async def record(conn: Connection, **more: Any) -> UUID:
    values: dict[str, Any] = {
        "act_id": uuid4(),
        "actor_id": uuid4(),
        "actor_name": "olga",
        "via": "http",
        "action": "restart",
        "target": "/veza/root/services/jobs",
        "reason": "It hung.",
        "request_id": "request-1",
    }
    values.update(more)
    await insert_act(conn, **values)
    act_id: UUID = values["act_id"]
    return act_id


async def listed(conn: Connection, limit: int = 10, before_id: UUID | None = None) -> list[UUID]:
    return [each.act_id for each in await list_acts(conn, limit=limit, before_id=before_id)]


async def test_an_act_is_kept_as_it_was_told(conn: Connection) -> None:
    actor_id = uuid4()
    act_id = await record(conn, actor_id=actor_id, reason="Ça bloque: 100 % «oui»")
    (act,) = await list_acts(conn, limit=10, before_id=None)

    assert (act.act_id, act.actor_id, act.actor_name, act.via) == (act_id, actor_id, "olga", "http")
    assert (act.action, act.target) == ("restart", "/veza/root/services/jobs")
    assert (act.reason, act.request_id) == ("Ça bloque: 100 % «oui»", "request-1")


async def test_who_holds_the_socket_has_no_account(conn: Connection) -> None:
    await record(conn, actor_id=None, via="socket")

    assert (await list_acts(conn, limit=1, before_id=None))[0].actor_id is None


async def test_an_act_told_again_is_kept_once_and_as_the_first_time(conn: Connection) -> None:
    act_id = await record(conn, reason="first")
    await record(conn, act_id=act_id, reason="second")

    assert [act.reason for act in await list_acts(conn, limit=10, before_id=None)] == ["first"]


async def test_acts_are_listed_newest_first_and_page_by_page(conn: Connection) -> None:
    acts = [await record(conn) for _ in range(5)]
    acts.reverse()

    assert await listed(conn) == acts
    assert await listed(conn, 2) == acts[:2]
    assert await listed(conn, 2, acts[1]) == acts[2:4]
    assert await listed(conn, 2, acts[-1]) == []
    assert await listed(conn, 2, uuid4()) == []


async def test_acts_of_one_moment_are_still_listed_once_each(conn: Connection) -> None:
    acts = sorted([await record(conn) for _ in range(4)], reverse=True)
    async with conn.transaction():
        # What the triggers forbid everybody, to have four acts of one moment.
        await conn.execute("SET LOCAL session_replication_role = replica")
        await conn.execute("UPDATE audit_log SET at = now()")

    assert await listed(conn, 2) == acts[:2]
    assert await listed(conn, 2, acts[1]) == acts[2:]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_log SET reason = 'nothing to see'",
        "DELETE FROM audit_log",
        "DELETE FROM audit_log WHERE false",
        "TRUNCATE audit_log",
        """INSERT INTO audit_log SELECT * FROM audit_log
           ON CONFLICT (id) DO UPDATE SET reason = 'nothing to see'""",
    ],
)
async def test_what_was_written_down_cannot_be_changed_or_taken_out(
    conn: Connection, change: str
) -> None:
    act_id = await record(conn)

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
        await conn.execute(change)

    assert await listed(conn) == [act_id]


async def test_the_newest_are_found_by_an_index(conn: Connection) -> None:
    await conn.execute(
        """INSERT INTO audit_log SELECT gen_random_uuid(), now() - n * interval '1 s', NULL, 'olga',
           'socket', 'stop', 'a', 'b', 'c' FROM generate_series(1, 2000) n"""
    )
    await conn.execute("ANALYZE audit_log")
    for query, arguments in ((audit._NEWEST_ACTS, (50,)), (audit._ACTS_BEFORE, (50, uuid4()))):
        plan = "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN {query}", *arguments))

        assert "audit_log_newest_idx" in plan
        assert "Sort" not in plan
