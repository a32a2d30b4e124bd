"""A play counts once a listener and window, for time that passed; days equal what they are made of."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from veza.persistence import listening, tracks
from veza.persistence.listening import Heard, PlayRule
from veza.persistence.pool import Connection, Pool
from veza.persistence.rows import Author, Job, Track

RULE = PlayRule(heard_ms=30_000, window=timedelta(hours=1))
SECOND = 1000
MINUTE = 60 * SECOND


@pytest.fixture
async def track(conn: Connection, new_track: Callable[[], Awaitable[tuple[Track, Job]]]) -> Track:
    """A published track of four minutes."""
    made, _ = await new_track()
    await conn.execute(
        "UPDATE tracks SET state = 'published', duration_samples = $2, sample_rate_hz = 48000"
        " WHERE id = $1",
        made.id,
        4 * 60 * 48_000,
    )
    return made


class Listener:
    """Somebody's player: reports, as time goes by."""

    def __init__(self, conn: Connection, track: Track, user: Author | None = None) -> None:
        self.conn = conn
        self.track = track
        self.user = user
        self.name = user.id.bytes if user else uuid4().bytes
        self.play_id = uuid4()

    def begin_anew(self) -> None:
        self.play_id = uuid4()

    async def report(
        self, heard_ms: int, position_ms: int | None = None, *, conn: "Connection | None" = None
    ) -> bool | None:
        heard = Heard(
            play_id=self.play_id,
            track_id=self.track.id,
            listener=self.name,
            user_id=self.user and self.user.id,
            heard_ms=heard_ms,
            position_ms=heard_ms if position_ms is None else position_ms,
        )
        conn = conn or self.conn
        async with conn.transaction():
            return await listening.report(conn, heard, RULE)

    async def after(
        self, passed: timedelta, heard_ms: int, position_ms: int | None = None
    ) -> bool | None:
        """Report when so much time has passed since the beginning."""
        await self.conn.execute(
            "UPDATE listenings SET started_at = now() - $2::interval WHERE id = $1",
            self.play_id,
            passed,
        )
        return await self.report(heard_ms, position_ms)

    async def heard(self, passed: timedelta = timedelta(seconds=40)) -> bool | None:
        """Listen from the beginning for so long."""
        await self.report(0)
        return await self.after(passed, round(passed.total_seconds() * 1000))


@pytest.fixture
def anybody(conn: Connection, track: Track) -> Listener:
    return Listener(conn, track)


async def plays(conn: Connection, track: Track) -> int:
    found = await tracks.get_track(conn, track.id)
    assert found is not None
    return found.plays


async def test_half_a_minute_makes_a_play_once(conn, track, anybody) -> None:
    assert await anybody.report(0) is False
    assert await anybody.after(timedelta(seconds=29), 29 * SECOND) is False
    assert await anybody.after(timedelta(seconds=31), 31 * SECOND) is True
    assert await anybody.after(timedelta(seconds=45), 45 * SECOND) is True
    assert await plays(conn, track) == 1


async def test_of_a_short_track_half_is_enough(conn, track, anybody) -> None:
    await conn.execute(
        "UPDATE tracks SET duration_samples = 480000 WHERE id = $1", track.id
    )  # ten seconds
    await anybody.report(0)

    assert await anybody.after(timedelta(seconds=4), 4_900) is False
    assert await anybody.after(timedelta(seconds=6), 5_000) is True


async def test_no_more_is_heard_than_time_has_passed(conn, track, anybody) -> None:
    assert await anybody.report(10 * MINUTE) is False
    assert await anybody.after(timedelta(seconds=20), 10 * MINUTE) is False
    assert await plays(conn, track) == 0


async def test_the_same_listener_counts_again_after_the_window_only(conn, track, anybody) -> None:
    assert await anybody.heard() is True
    anybody.begin_anew()
    assert await anybody.heard() is False
    await conn.execute("UPDATE counted_plays SET counted_at = counted_at - interval '1 hour'")
    anybody.begin_anew()
    assert await anybody.heard() is True
    assert await Listener(conn, track).heard() is True
    assert await plays(conn, track) == 3


async def test_who_published_a_track_does_not_raise_its_plays(conn, track) -> None:
    assert await Listener(conn, track, track.owner).heard() is False
    assert await plays(conn, track) == 0


async def test_one_listener_on_many_players_at_once_is_one_play(
    pool: Pool, conn, track, new_author
) -> None:
    user = await new_author()
    players = [Listener(conn, track, user) for _ in range(20)]
    for player in players:
        await player.report(0)
    await conn.execute("UPDATE listenings SET started_at = now() - interval '40 seconds'")

    async def report(player: Listener) -> bool | None:
        async with pool.acquire() as own:
            return await player.report(40 * SECOND, conn=own)

    assert sorted(await asyncio.gather(*map(report, players))) == [False] * 19 + [True]
    assert await plays(conn, track) == 1


async def test_a_listening_is_told_of_by_who_began_it_and_for_a_day_only(
    conn, track, anybody
) -> None:
    await anybody.report(0)
    other = Listener(conn, track)
    other.play_id = anybody.play_id

    assert await other.report(SECOND) is None
    assert await anybody.after(timedelta(hours=25), SECOND) is None
    elsewhere = Listener(conn, track)
    elsewhere.track = replace(track, id=uuid4())
    assert await elsewhere.report(0) is None


async def test_a_report_that_was_overtaken_takes_nothing_back(conn, track, anybody) -> None:
    await anybody.report(0)
    await anybody.after(timedelta(seconds=60), 50 * SECOND, 90 * SECOND)
    await anybody.report(20 * SECOND, 20 * SECOND)

    row = await conn.fetchrow("SELECT heard_ms, position_ms FROM listenings")
    assert tuple(row) == (50 * SECOND, 90 * SECOND)


async def test_one_goes_on_where_one_stopped_unless_it_was_the_end(conn, track, new_author) -> None:
    listener = Listener(conn, track, await new_author())
    user_id: UUID = listener.user.id

    async def left() -> list[int]:
        return [each.position_ms for each in await listening.unfinished(conn, user_id)]

    await listener.report(0, 3 * SECOND)
    assert await left() == []
    await listener.report(0, 70 * SECOND)
    assert await left() == [70 * SECOND]
    (unfinished,) = await listening.unfinished(conn, user_id)
    assert unfinished.track.id == track.id
    await listener.report(0, 4 * MINUTE - 5 * SECOND)
    assert await left() == []


async def test_days_equal_the_listenings_they_are_made_of(conn, track) -> None:
    first, second = Listener(conn, track), Listener(conn, track)
    await first.heard(timedelta(seconds=40))
    await second.heard(timedelta(seconds=10))
    await roll_up(conn)
    first.begin_anew()
    await first.heard(timedelta(seconds=20))
    await roll_up(conn)

    told = await listening.read_days(conn, track.id, 2)

    assert sum(day.plays for day in told) == 1
    assert sum(day.heard_ms for day in told) == 70 * SECOND
    if len(told) == 1:  # else midnight passed meanwhile
        assert told[0].listeners == 2


async def roll_up(conn: Connection) -> int:
    async with conn.transaction():
        return await listening.roll_up(conn, RULE)


async def test_nodes_take_turns_to_roll_up(pool: Pool, conn, track, anybody) -> None:
    await anybody.report(0)
    async with pool.acquire() as other, other.transaction():
        assert await listening.roll_up(other, RULE) == 1
        await Listener(conn, track).report(0)
        assert await roll_up(conn) == 0
    assert await roll_up(conn) == 1


async def test_single_listenings_are_forgotten_and_their_days_stay(conn, track, anybody) -> None:
    await anybody.heard()
    await roll_up(conn)
    before = await listening.read_days(conn, track.id, 366)
    await conn.execute("UPDATE listenings SET reported_at = now() - interval '91 days'")
    await conn.execute("UPDATE counted_plays SET counted_at = now() - interval '2 hours'")
    await roll_up(conn)

    for table in ("listenings", "counted_plays"):
        assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 0
    assert await listening.read_days(conn, track.id, 366) == before
    assert await plays(conn, track) == 1


async def test_it_is_told_where_listeners_stopped(conn, track) -> None:
    for position_ms in (0, 2 * MINUTE, 2 * MINUTE + SECOND, 4 * MINUTE, 9 * MINUTE):
        await Listener(conn, track).report(SECOND, position_ms)
    still_there = Listener(conn, track)
    await conn.execute("UPDATE listenings SET reported_at = now() - interval '2 minutes'")
    await still_there.report(SECOND, MINUTE)

    stops = await listening.read_stops(conn, track.id)

    assert {slot: n for slot, n in enumerate(stops) if n} == {0: 1, 50: 2, 99: 2}


async def test_days_are_those_of_utc(conn, track, anybody) -> None:
    await anybody.report(SECOND)
    await conn.execute("SET TIME ZONE 'Pacific/Auckland'")
    await conn.execute(
        "UPDATE listenings SET started_at = $1",
        datetime.now(UTC).replace(hour=23, minute=59) - timedelta(days=1),
    )
    await roll_up(conn)
    (day,) = await listening.read_days(conn, track.id, 3)
    await conn.execute("RESET TIME ZONE")

    assert day.day == (datetime.now(UTC) - timedelta(days=1)).date()
