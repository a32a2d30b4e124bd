"""Search in messages: brings the index up to the log, and finds what holds a query's words.

Texts and words come folded (`actors/chat/search_text.py`): PostgreSQL only finds their stems, in French
and in English. docs/adr/0019-message-search.md says why the index follows the log at a distance.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from veza.persistence.errors import TooSlowError
from veza.persistence.pool import Connection
from veza.persistence.room_events import EVENT_COLUMNS, EVENT_TABLES
from veza.persistence.room_log import LAST_SEQ, with_reactions
from veza.persistence.room_rows import RoomEvent

MARK: Final = ("\x01", "\x02")
"""What stands around a word that was found; a folded text has neither."""
_MARKS: Final = f"HighlightAll=true, StartSel={MARK[0]}, StopSel={MARK[1]}"

# A space between the two languages, which no word is: else a text's last word and its first were a phrase.
_WORDS = """
    to_tsvector('veza_fr', n.text) || $$' ':1$$::tsvector || to_tsvector('veza_en', n.text)
"""

_BEHIND = """
    SELECT h.room_id FROM room_heads h LEFT JOIN search_positions p ON p.room_id = h.room_id
    WHERE h.seq > coalesce(p.seq, 0) LIMIT $1
"""

_BEGIN = """
    INSERT INTO search_positions (room_id)
    SELECT h.room_id FROM room_heads h WHERE h.room_id = ANY($1::uuid[])
        AND NOT EXISTS (SELECT FROM search_positions p WHERE p.room_id = h.room_id)
    ON CONFLICT DO NOTHING
"""

# Locked in order: who else has one of these rooms in hand is waited for.
_TAKE = """
    SELECT p.room_id, p.seq, h.seq AS head_seq
    FROM search_positions p JOIN room_heads h ON h.room_id = p.room_id
    WHERE p.room_id = ANY($1::uuid[]) AND h.seq > p.seq
    ORDER BY p.room_id FOR UPDATE OF p
"""

_READ_NEWS = """
    SELECT e.room_id, e.seq, e.at, e.kind, e.message_id
    FROM unnest($1::uuid[], $2::bigint[]) AS w (room_id, seq)
    CROSS JOIN LATERAL (
        SELECT * FROM room_events e WHERE e.room_id = w.room_id AND e.seq > w.seq
        ORDER BY e.seq LIMIT $3
    ) e
"""

# One by one, as in `room_loading.py`: a new server's planner would read all there are.
_READ_CURRENT = """
    SELECT e.room_id, e.seq, e.at, s.deleted_at IS NOT NULL AS is_deleted,
        CASE WHEN s.edited_at IS NULL THEN e.text ELSE s.text END AS text
    FROM unnest($1::uuid[], $2::uuid[]) AS w (room_id, message_id)
    CROSS JOIN LATERAL (
        SELECT * FROM room_events e
        WHERE e.room_id = w.room_id AND e.message_id = w.message_id AND e.kind = 'message.posted'
        LIMIT 1
    ) e
    LEFT JOIN message_states s ON s.room_id = w.room_id AND s.message_id = w.message_id
"""

_LAZY_COMMIT = "SET LOCAL synchronous_commit = off"

_STORE = f"""
    INSERT INTO message_words (room_id, seq, at, words)
    SELECT n.room_id, n.seq, n.at, {_WORDS}
    FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::text[])
        AS n (room_id, seq, at, text)
    ON CONFLICT (room_id, seq) DO UPDATE SET words = excluded.words
"""

_FORGET = """
    DELETE FROM message_words m USING unnest($1::uuid[], $2::bigint[]) AS w (room_id, seq)
    WHERE m.room_id = w.room_id AND m.seq = w.seq
"""

_MOVE = """
    UPDATE search_positions p SET seq = w.seq
    FROM unnest($1::uuid[], $2::bigint[]) AS w (room_id, seq) WHERE p.room_id = w.room_id
"""

_STEMS = """
    SELECT (phraseto_tsquery('veza_fr', t.text) || phraseto_tsquery('veza_en', t.text))::text
        AS query
    FROM unnest($1::text[]) WITH ORDINALITY AS t (text, number) ORDER BY t.number
"""

# A plan is made for the very words: how rare they are is what decides which index to go by.
_PREPARE = """
    SELECT set_config('plan_cache_mode', 'force_custom_plan', true),
        set_config('statement_timeout', $1, true)
"""

_FIND_IN_ROOM = """
    SELECT w.room_id, w.seq, w.at FROM message_words w
    WHERE w.words @@ $1::text::tsquery AND w.room_id = $2 AND w.seq < $3
    ORDER BY w.seq DESC LIMIT $4
"""

# Rights are those of this moment: members only, and nobody who is kept out.
_FIND_IN_ALL = """
    SELECT w.room_id, w.seq, w.at FROM message_words w
    WHERE w.words @@ $1::text::tsquery
        AND ($3::timestamptz IS NULL OR (w.at, w.room_id, w.seq) < ($3, $4::uuid, $5::bigint))
        AND EXISTS (
            SELECT FROM room_members m WHERE m.room_id = w.room_id AND m.user_id = $2
        )
        AND NOT EXISTS (
            SELECT FROM room_bans b WHERE b.room_id = w.room_id AND b.user_id = $2
                AND (b.until IS NULL OR b.until > now())
        )
    ORDER BY w.at DESC, w.room_id DESC, w.seq DESC LIMIT $6
"""

_READ_FOUND = f"""
    SELECT {EVENT_COLUMNS} FROM {EVENT_TABLES}
    WHERE e.room_id = $1 AND e.seq = ANY($2::bigint[]) AND s.deleted_at IS NULL
"""

_MARK_WORDS = f"""
    SELECT ts_headline('veza_fr', t.text, $2::text::tsquery, E'{_MARKS}') AS french,
        ts_headline('veza_en', t.text, $2::text::tsquery, E'{_MARKS}') AS english
    FROM unnest($1::text[]) WITH ORDINALITY AS t (text, number) ORDER BY t.number
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a message stands: in its room by `seq`, among all by the time."""

    room_id: UUID
    seq: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentText:
    """A message as it is now; `text` is None if it was deleted."""

    place: Place
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNews:
    """What the index lacks of some rooms: up to which `seq` it was read, and the messages it is about.

    `behind` are the rooms of which there is more; `newest_at` is the time of the last event read.
    """

    positions: tuple[tuple[UUID, int], ...]
    texts: tuple[CurrentText, ...]
    behind: frozenset[UUID]
    newest_at: datetime | None


async def rooms_behind(conn: Connection, limit: int) -> frozenset[UUID]:
    """Return rooms whose log goes on past what is indexed of it."""
    rows = await conn.fetch(_BEHIND, limit)
    return frozenset(row["room_id"] for row in rows)


async def take_news(conn: Connection, room_ids: Collection[UUID], limit: int) -> LogNews:
    """Read about `limit` events that the index lacks, and hold the rooms' positions until the commit."""
    await conn.execute(_BEGIN, list(room_ids))
    taken = await conn.fetch(_TAKE, list(room_ids))
    if not taken:
        return LogNews(positions=(), texts=(), behind=frozenset(), newest_at=None)
    per_room = max(1, limit // len(taken))
    starts = [row["room_id"] for row in taken], [row["seq"] for row in taken]
    news = await conn.fetch(_READ_NEWS, *starts, per_room)
    ends = dict(zip(*starts, strict=True))
    for row in news:
        ends[row["room_id"]] = max(ends[row["room_id"]], row["seq"])
    return LogNews(
        positions=tuple(ends.items()),
        texts=await _current_texts(conn, news),
        behind=frozenset(row["room_id"] for row in taken if ends[row["room_id"]] < row["head_seq"]),
        newest_at=max((row["at"] for row in news), default=None),
    )


async def _current_texts(
    conn: Connection, news: Sequence[asyncpg.Record]
) -> tuple[CurrentText, ...]:
    kinds = {"message.posted", "message.edited", "message.deleted"}
    keys = {(row["room_id"], row["message_id"]) for row in news if row["kind"] in kinds}
    if not keys:
        return ()
    rows = await conn.fetch(_READ_CURRENT, [key[0] for key in keys], [key[1] for key in keys])
    return tuple(
        CurrentText(place=_place(row), text=None if row["is_deleted"] else row["text"])
        for row in rows
    )


async def store_words(conn: Connection, news: LogNews, folded: Sequence[str | None]) -> None:
    """Index the texts of the news, folded by now, and move the positions.

    Nobody waits for it, so neither for the disk: what a crash loses is indexed again.
    """
    await conn.execute(_LAZY_COMMIT)
    there = [
        (each.place, text)
        for each, text in zip(news.texts, folded, strict=True)
        if text is not None
    ]
    gone = [each.place for each in news.texts if each.text is None]
    if there:
        await conn.execute(
            _STORE,
            [place.room_id for place, _ in there],
            [place.seq for place, _ in there],
            [place.at for place, _ in there],
            [text for _, text in there],
        )
    if gone:
        await conn.execute(_FORGET, [each.room_id for each in gone], [each.seq for each in gone])
    if news.positions:
        rooms, seqs = zip(*news.positions, strict=True)
        await conn.execute(_MOVE, rooms, seqs)


async def stems(conn: Connection, terms: Sequence[str]) -> list[str]:
    """Return a query for the words of each term, one after the other; empty if it has none."""
    return [row["query"] for row in await conn.fetch(_STEMS, terms)]


async def find_in_room(
    conn: Connection, query: str, room_id: UUID, *, before_seq: int | None, limit: int
) -> tuple[Place, ...]:
    """Return the newest messages of a room that fit a query; no right is asked for."""
    end = LAST_SEQ if before_seq is None else before_seq
    rows = await conn.fetch(_FIND_IN_ROOM, query, room_id, end, limit)
    return tuple(_place(row) for row in rows)


async def find_in_all(
    conn: Connection, query: str, user_id: UUID, *, before: Place | None, limit: int
) -> tuple[Place, ...]:
    """Return the newest messages that fit a query in the rooms somebody is a member of."""
    start = (before.at, before.room_id, before.seq) if before else (None, None, None)
    rows = await conn.fetch(_FIND_IN_ALL, query, user_id, *start, limit)
    return tuple(_place(row) for row in rows)


@asynccontextmanager
async def bounded(conn: Connection, seconds: float) -> AsyncIterator[None]:
    """Give each statement of this transaction so much time, and a plan of its own.

    Raises `TooSlowError`.
    """
    await conn.execute(_PREPARE, str(int(seconds * 1000)))
    try:
        yield
    except asyncpg.QueryCanceledError as error:
        raise TooSlowError(str(error)) from error


async def read_found(
    conn: Connection, places: Sequence[Place], viewer: UUID
) -> dict[tuple[UUID, int], RoomEvent]:
    """Return the messages at some places as they are now, without those that were deleted."""
    seqs: dict[UUID, list[int]] = {}
    for place in places:
        seqs.setdefault(place.room_id, []).append(place.seq)
    found: dict[tuple[UUID, int], RoomEvent] = {}
    for room_id, wanted in seqs.items():
        rows = await conn.fetch(_READ_FOUND, room_id, wanted)
        for event in await with_reactions(conn, room_id, rows, viewer):
            found[event.room_id, event.seq] = event
    return found


async def mark_words(conn: Connection, folded: Sequence[str], query: str) -> list[tuple[str, str]]:
    """Return each text twice, with `MARK` around what fits the query in French, and in English."""
    rows = await conn.fetch(_MARK_WORDS, folded, query)
    return [(row["french"], row["english"]) for row in rows]


def _place(row: asyncpg.Record) -> Place:
    return Place(room_id=row["room_id"], seq=row["seq"], at=row["at"])
