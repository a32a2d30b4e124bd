"""What is kept of people: the newest choice and the latest sight, whoever writes last."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from veza.persistence.memberships import set_block
from veza.persistence.pool import Pool
from veza.persistence.presence import (
    StoredPresence,
    load_presences,
    share_a_room,
    store_presences,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


@pytest.fixture
async def people(pool: Pool) -> tuple[UUID, UUID]:
    ids = (uuid4(), uuid4())
    async with pool.acquire() as conn:
        await conn.executemany(
            "INSERT INTO users (id, username, email, password_hash) VALUES ($1, $2, $2, '')",
            [(each, str(each)) for each in ids],
        )
    return ids


async def test_an_older_choice_or_sight_changes_nothing(pool, people) -> None:
    ada, ben = people
    async with pool.acquire() as conn:
        for choice, at in (("dnd", LATER), ("invisible", NOON)):
            await store_presences(
                conn,
                [StoredPresence(user_id=ada, choice=choice, chosen_at=at, last_seen_at=at)],
            )
        await store_presences(conn, [StoredPresence(user_id=ada, last_seen_at=LATER)])
        await store_presences(conn, [StoredPresence(user_id=ben, last_seen_at=NOON)])
        stored = await load_presences(conn, people)

    assert (stored[ada].choice, stored[ada].chosen_at) == ("dnd", LATER)
    assert (stored[ada].last_seen_at, stored[ben].last_seen_at) == (LATER, NOON)
    assert stored[ben].choice == "online"


async def test_nothing_is_kept_of_who_has_no_account(pool, people) -> None:
    async with pool.acquire() as conn:
        await store_presences(conn, [StoredPresence(user_id=uuid4(), last_seen_at=NOON)])
        await store_presences(conn, [])

        assert await load_presences(conn, people) == {}


async def test_two_share_a_room_unless_one_blocks_the_other(pool, people) -> None:
    ada, ben = people
    room_id = uuid4()
    async with pool.acquire() as conn:
        assert not await share_a_room(conn, ada, ben)
        await conn.execute(
            "INSERT INTO rooms (id, kind, name, epoch) VALUES ($1, 'public', 'Kitchen', $1)",
            room_id,
        )
        await conn.executemany(
            "INSERT INTO room_members (room_id, user_id) VALUES ($1, $2)",
            [(room_id, each) for each in people],
        )
        assert await share_a_room(conn, ada, ben)
        await set_block(conn, ben, ada)
        assert not await share_a_room(conn, ada, ben)
        assert not await share_a_room(conn, ben, ada)
