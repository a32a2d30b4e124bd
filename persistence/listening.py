"""Listenings in SQL: a play counts once a listener and window, days always equal what they are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from veza.persistence.pool import Connection, fetch_one
from veza.persistence.rows import Track
from veza.persistence.tracks import FROM_TRACKS, IS_AUDIBLE, TRACK, track_of

STOP_SLOTS: Final = 100
"""Into so many equal parts a track is cut to tell where listeners stop."""

LATENESS_MS: Final = 5_000
"""By so much may a report tell more than the time since the first one: they take their time to arrive."""

LISTENING_LIFETIME: Final = timedelta(days=1)
"""What goes on for longer is another listening; so a day that was purged is never told of again."""

KEPT: Final = timedelta(days=90)
"""How long single listenings are kept; their days stay."""

POSITIONS_KEPT: Final = timedelta(days=365)
UNFINISHED_FROM_MS: Final = 10_000
UNFINISHED_SHOWN: Final = 50
_STILL_LISTENING: Final = timedelta(minutes=1)
_ROWS_A_PASS: Final = 5_000
# Any number but that of other locks: "roll" in ASCII.
_LOCK_ID: Final = 0x726F6C6C

_DURATION_MS = "(t.duration_samples * 1000 / t.sample_rate_hz)"

_REPORT = """
    INSERT INTO listenings (id, track_id, listener, user_id, heard_ms, position_ms)
    SELECT $1::uuid, t.id, $3::bytea, $4::uuid, least($5::integer, $7::integer), $6::integer
    FROM tracks t WHERE t.id = $2
    ON CONFLICT (id) DO UPDATE SET
        heard_ms = greatest(listenings.heard_ms, least(
            $5, extract(epoch FROM now() - listenings.started_at) * 1000 + $7)::integer),
        -- Reports may overtake each other: who heard less stopped earlier.
        position_ms = CASE WHEN $5 >= listenings.heard_ms THEN $6 ELSE listenings.position_ms END,
        reported_at = now(),
        is_rolled_up = false
    WHERE listenings.track_id = $2 AND listenings.listener = $3
        AND listenings.started_at > now() - $8::interval
    RETURNING is_counted
"""

_COUNT = f"""
    WITH due AS (
        SELECT l.id, l.track_id, l.listener FROM listenings l JOIN tracks t ON t.id = l.track_id
        WHERE l.id = $1 AND l.user_id IS DISTINCT FROM t.owner_id
            AND l.heard_ms >= least($2, coalesce({_DURATION_MS} / 2, $2))
    ), counted AS (
        INSERT INTO counted_plays (track_id, listener, counted_at)
        SELECT track_id, listener, now() FROM due
        ON CONFLICT (track_id, listener) DO UPDATE SET counted_at = now()
            WHERE counted_plays.counted_at <= now() - $3::interval
        RETURNING track_id
    ), marked AS (
        UPDATE listenings SET is_counted = true FROM counted WHERE id = $1
    )
    UPDATE tracks SET plays = plays + 1 FROM counted WHERE id = counted.track_id
    RETURNING true
"""

# To the last seconds is to the end: few hear the last sample.
_KEEP_POSITION = f"""
    INSERT INTO listening_positions (user_id, track_id, position_ms, updated_at)
    SELECT $1, t.id, $3, now() FROM tracks t
    WHERE t.id = $2 AND $3 >= {UNFINISHED_FROM_MS}
        AND $3 < coalesce({_DURATION_MS}, 2147483647) - {UNFINISHED_FROM_MS}
    ON CONFLICT (user_id, track_id) DO UPDATE SET position_ms = $3, updated_at = now()
    RETURNING true
"""

_FORGET_POSITION = "DELETE FROM listening_positions WHERE user_id = $1 AND track_id = $2"

_UNFINISHED = f"""
    SELECT {TRACK}, p.position_ms, p.updated_at
    {FROM_TRACKS} JOIN listening_positions p ON p.track_id = t.id
    WHERE p.user_id = $1 AND {IS_AUDIBLE}
    ORDER BY p.updated_at DESC LIMIT {UNFINISHED_SHOWN}
"""

_DAYS = """
    SELECT day, plays, listeners, heard_ms FROM track_days
    WHERE track_id = $1 AND day > (now() AT TIME ZONE 'UTC')::date - $2::integer ORDER BY day
"""

_STOPS = f"""
    SELECT least(l.position_ms::bigint * {STOP_SLOTS} / greatest({_DURATION_MS}, 1), {STOP_SLOTS - 1})
        AS slot, count(*) AS stops
    FROM listenings l JOIN tracks t ON t.id = l.track_id
    WHERE l.track_id = $1 AND l.heard_ms > 0 AND l.reported_at < now() - $2::interval
        AND t.duration_samples IS NOT NULL
    GROUP BY slot
"""

# One node at a time: two that count the same day might leave the older count.
_TAKE_TURN = "SELECT pg_try_advisory_xact_lock($1)"

_ROLL_UP = f"""
    WITH fresh AS (
        UPDATE listenings SET is_rolled_up = true WHERE id IN (
            SELECT id FROM listenings WHERE NOT is_rolled_up
            ORDER BY reported_at LIMIT {_ROWS_A_PASS} FOR UPDATE SKIP LOCKED
        ) RETURNING track_id, (started_at AT TIME ZONE 'UTC')::date AS day
    ), days AS (
        INSERT INTO track_days (track_id, day, plays, listeners, heard_ms)
        SELECT d.track_id, d.day, count(*) FILTER (WHERE l.is_counted),
            count(DISTINCT l.listener), sum(l.heard_ms)
        FROM (SELECT DISTINCT track_id, day FROM fresh) d JOIN listenings l
            ON l.track_id = d.track_id AND l.started_at >= d.day::timestamp AT TIME ZONE 'UTC'
                AND l.started_at < (d.day + 1)::timestamp AT TIME ZONE 'UTC'
        GROUP BY d.track_id, d.day
        ON CONFLICT (track_id, day) DO UPDATE SET
            plays = excluded.plays, listeners = excluded.listeners, heard_ms = excluded.heard_ms
    )
    SELECT count(*) FROM fresh
"""

_PURGE = (
    f"""
    DELETE FROM listenings WHERE id IN (
        SELECT id FROM listenings WHERE is_rolled_up AND reported_at < now() - $1::interval
        LIMIT {_ROWS_A_PASS})
    """,
    f"""
    DELETE FROM counted_plays WHERE (track_id, listener) IN (
        SELECT track_id, listener FROM counted_plays WHERE counted_at < now() - $1::interval
        LIMIT {_ROWS_A_PASS})
    """,
    "DELETE FROM listening_positions WHERE updated_at < now() - $1::interval",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayRule:
    """What counts as a play: so much heard, or half of a track; once a listener in `window`."""

    heard_ms: int = 30_000
    window: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a client tells of one listening. `heard_ms` is sound that came out, not where it came from."""

    play_id: UUID
    track_id: UUID
    listener: bytes
    user_id: UUID | None
    heard_ms: int
    position_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A track and where its listener stopped."""

    track: Track
    position_ms: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackDay:
    """What was heard of a track on a day of UTC."""

    day: date
    plays: int
    listeners: int
    heard_ms: int


async def report(conn: Connection, heard: Heard, rule: PlayRule) -> bool | None:
    """Take a report; return whether the listening counts as a play, or None if it is not to be told of.

    In a transaction. None: the id is that of another listening, or of one that began too long ago, or there
    is no such track.
    """
    counted: bool | None = await conn.fetchval(
        _REPORT,
        heard.play_id,
        heard.track_id,
        heard.listener,
        heard.user_id,
        heard.heard_ms,
        heard.position_ms,
        LATENESS_MS,
        LISTENING_LIFETIME,
    )
    if counted is None:
        return None
    if heard.user_id is not None:
        await _keep_position(conn, heard.user_id, heard)
    if counted:
        return True
    return bool(await conn.fetchval(_COUNT, heard.play_id, rule.heard_ms, rule.window))


async def _keep_position(conn: Connection, user_id: UUID, heard: Heard) -> None:
    if not await conn.fetchval(_KEEP_POSITION, user_id, heard.track_id, heard.position_ms):
        await conn.execute(_FORGET_POSITION, user_id, heard.track_id)


async def unfinished(conn: Connection, user_id: UUID) -> tuple[Unfinished, ...]:
    """Return what somebody may go on with, what they heard last first."""
    return tuple(
        Unfinished(track=track_of(row), position_ms=row["position_ms"], at=row["updated_at"])
        for row in await conn.fetch(_UNFINISHED, user_id)
    )


async def read_days(conn: Connection, track_id: UUID, days: int) -> tuple[TrackDay, ...]:
    """Return a track's newest days, the oldest first; days without a listening are left out."""
    rows = await conn.fetch(_DAYS, track_id, days)
    return tuple(TrackDay(**row) for row in rows)


async def read_stops(conn: Connection, track_id: UUID) -> Sequence[int]:
    """Return how many of the last 90 days' listeners stopped in each slot of a track."""
    stops = [0] * STOP_SLOTS
    for row in await conn.fetch(_STOPS, track_id, _STILL_LISTENING):
        stops[row["slot"]] = row["stops"]
    return stops


async def roll_up(conn: Connection, rule: PlayRule) -> int:
    """Bring days up to date and forget what is old; return how many listenings were told of.

    In a transaction. None are, if another node is at it.
    """
    if not (await fetch_one(conn, _TAKE_TURN, _LOCK_ID))[0]:
        return 0
    told: int = (await fetch_one(conn, _ROLL_UP))[0]
    for statement, kept in zip(_PURGE, (KEPT, rule.window, POSITIONS_KEPT), strict=True):
        await conn.execute(statement, kept)
    return told
