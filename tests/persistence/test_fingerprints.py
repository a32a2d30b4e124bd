"""Older recordings that share words with a new one are found: one's own, and what everybody may hear."""

from collections.abc import Awaitable, Callable

import pytest

from veza.persistence.fingerprints import find_alike, save_fingerprint
from veza.persistence.pool import Connection
from veza.persistence.rows import Job, Track

MakeTrack = Callable[[], Awaitable[tuple[Track, Job]]]


async def keep(conn: Connection, track: Track, *keys: int, state: str = "published") -> None:
    await save_fingerprint(conn, track.id, frames=bytes(keys[:1]), keys=keys)
    await conn.execute("UPDATE tracks SET state = $2 WHERE id = $1", track.id, state)


@pytest.fixture
async def made(new_track: MakeTrack) -> list[Track]:
    return [(await new_track())[0] for _ in range(4)]


async def test_those_with_the_most_in_common_come_first_and_others_not_at_all(
    conn: Connection, made: list[Track]
) -> None:
    one, two, other, new = made
    await keep(conn, one, 1, 2, -3, 40)
    await keep(conn, two, 1, 2, -3, 4)
    await keep(conn, other, 50)
    await keep(conn, new, 1)

    found = await find_alike(conn, new.id, probes=(4, 1, 2, -3), limit=9)
    assert found == ((two.id, b"\x01"), (one.id, b"\x01"))
    assert await find_alike(conn, new.id, probes=(4, 1), limit=1) == ((two.id, b"\x01"),)
    assert await find_alike(conn, new.id, probes=(), limit=9) == ()


async def test_a_newer_recording_and_one_that_nobody_may_hear_are_not_told(
    conn: Connection, made: list[Track]
) -> None:
    hidden, middle, newer, _ = made
    await keep(conn, hidden, 1, state="failed")
    await keep(conn, middle, 1)
    await keep(conn, newer, 1)

    assert await find_alike(conn, middle.id, probes=(1,), limit=9) == ()
    await conn.execute("UPDATE tracks SET owner_id = $2 WHERE id = $1", hidden.id, middle.owner.id)
    assert await find_alike(conn, middle.id, probes=(1,), limit=9) == ((hidden.id, b"\x01"),)


async def test_a_recording_fingerprinted_again_is_known_by_the_new_words_only(
    conn: Connection, made: list[Track]
) -> None:
    old, new, *_ = made
    await keep(conn, old, 1)
    await keep(conn, old, 2)

    assert await find_alike(conn, new.id, probes=(1,), limit=9) == ()
    assert await find_alike(conn, new.id, probes=(2,), limit=9) == ((old.id, b"\x02"),)
