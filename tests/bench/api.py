"""What reads of the catalogue cost at scale: 100,000 tracks, 5,000 people, 1,000 of them followed.

    scripts/bench api [--tracks N]

Makes the rows in a scratch PostgreSQL (about a minute), then times the queries by themselves, and a
track over HTTP beside a bare aiohttp handler that asks asyncpg for the same row, in turns.
"""

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
from media_serving import Player, Served, free_port, process
from node import Server

from veza.persistence import catalogue_search, marks, tracks
from veza.persistence.migrate import migrate
from veza.persistence.pool import Connection, open_pool
from veza.persistence.postgres.launcher import EmbeddedPostgres

PEOPLE, FOLLOWED, REPOSTS_EACH = 5_000, 1_000, 10
REPEATS, ROUNDS = 15, 6
WORDS = [
    "love",
    "night",
    "deep",
    "blue",
    "river",
    "stone",
    "dance",
    "summer",
    "winter",
    "rain",
    "moon",
    "electric",
    "dream",
    "city",
    "train",
    "ghost",
    "golden",
    "silver",
    "fire",
    "ocean",
    "mountain",
    "forest",
    "étude",
    "nocturne",
    "café",
    "ombre",
    "lumière",
    "chanson",
    "soleil",
    "jardin",
    "voyage",
    "fenêtre",
    "maison",
]
QUERIES = (
    *("love", "nocturne", "noctrune", "deep blue river", "etude 12", "summr wintr", "person77"),
    *("zzzz", "the café", "moonlight"),
)
BARE = """
import sys, uuid, asyncpg, uvloop
from aiohttp import web
SQL = "SELECT t.*, u.username FROM tracks t JOIN users u ON u.id = t.owner_id WHERE t.id = $1"
async def show(request):
    row = await request.app["pool"].fetchrow(SQL, uuid.UUID(request.match_info["id"]))
    return web.json_response({"id": str(row["id"]), "title": row["title"], "by": row["username"],
        "artist": row["artist"], "plays": row["plays"], "created_at": row["created_at"].isoformat()})
async def opened(app):
    app["pool"] = await asyncpg.create_pool(sys.argv[2], min_size=4, max_size=8)
uvloop.install()
app = web.Application()
app.on_startup.append(opened)
app.router.add_get("/api/v1/tracks/{id}", show)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
"""


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def fill(conn: Connection, count: int) -> tuple[UUID, list[UUID]]:
    """Make people, tracks, tags, follows and reposts; return somebody who follows many, and tracks."""
    await conn.execute(
        "INSERT INTO users (id, username, email, password_hash)"
        " SELECT gen_random_uuid(), 'person' || n, 'person' || n || '@example.org', ''"
        " FROM generate_series(1, $1) n",
        PEOPLE,
    )
    people = [row["id"] for row in await conn.fetch("SELECT id FROM users")]
    dice = random.Random(1)
    rows = [a_track(dice, number, people) for number in range(count)]
    columns = "id owner_id title artist genre plays state source_key source_sha256 source_bytes"
    columns += " filename duration_samples sample_rate_hz"
    await conn.copy_records_to_table("tracks", records=rows, columns=columns.split())
    await conn.execute(
        "UPDATE tracks SET created_at = now() - (random() * 525600) * interval '1 minute'"
    )
    await conn.execute(
        "INSERT INTO track_tags SELECT id,"
        " (ARRAY['lofi', 'ambient', 'deep house', 'techno', 'live'])[1 + floor(random() * 5)]"
        " FROM tracks"
    )
    me, *others = people
    await conn.executemany(
        "INSERT INTO follows (follower_id, followed_id) VALUES ($1, $2)",
        [(me, other) for other in others[:FOLLOWED]],
    )
    await conn.execute(
        "INSERT INTO track_marks (user_id, kind, track_id, at)"
        " SELECT u.id, 'repost', t.id, t.created_at + interval '1 day' FROM users u"
        " JOIN LATERAL (SELECT id, created_at FROM tracks TABLESAMPLE BERNOULLI (0.02)"
        " WHERE u.id IS NOT NULL LIMIT $1) t ON true ON CONFLICT DO NOTHING",
        REPOSTS_EACH,
    )
    await conn.execute("VACUUM ANALYZE")
    return me, [row[0] for row in rows[:500]]


def a_track(dice: random.Random, number: int, people: list[UUID]) -> tuple[object, ...]:
    title = " ".join(dice.choices(WORDS, k=dice.randint(1, 4))).title()
    artist = " ".join(dice.choices(WORDS, k=2)).title()
    track_id = UUID(int=dice.getrandbits(128))
    return (
        *(track_id, dice.choice(people), f"{title} {number % 977}", artist),
        *(dice.choice(("House", "Jazz", "Techno")), int(dice.paretovariate(1.1)), "published"),
        *(f"sources/{track_id}", bytes(32), 1, "a.flac", 48_000 * 200, 48_000),
    )


async def timed(name: str, goal_ms: float, ask: Callable[[], Awaitable[object]]) -> list[float]:
    """Ask several times; say the median and the worst."""
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - started) * 1000)
    taken.sort()
    say(f"{name:34} {statistics.median(taken):8.1f} ms {taken[-1]:8.1f} ms   goal {goal_ms:g} ms")
    return taken


async def queries(conn: Connection, me: UUID, some: list[UUID]) -> None:
    say(f"{'':34} {'median':>11} {'worst':>11}")
    dice = random.Random(2)
    await timed("a track", 2, lambda: tracks.get_audible_track(conn, dice.choice(some), me))
    await timed("feed, 1,000 follows", 5, lambda: marks.read_feed(conn, me, before=None, limit=51))
    found, suggested = [], []
    for query in QUERIES:

        async def find(query: str = query) -> None:
            options = {"only": catalogue_search.TrackFilter(), "behind": None, "limit": 21}
            if not await catalogue_search.find_tracks(conn, query, me, is_near=False, **options):  # type: ignore[arg-type]  # names are checked by the call
                await catalogue_search.find_tracks(conn, query, me, is_near=True, **options)  # type: ignore[arg-type]  # as above

        async def suggest(query: str = query) -> None:
            await catalogue_search.suggest(conn, query, me, 5)

        found += await timed(f"search {query!r}", 50, find)
        suggested += await timed(f"suggest {query!r}", 50, suggest)
    for name, taken in (("search", found), ("suggest", suggested)):
        say(f"{name}, all: p95 {statistics.quantiles(taken, n=20)[-1]:.1f} ms")


def reads(node: Server, dsn: str, place: Path, some: list[UUID], stack: AsyncExitStack) -> None:
    """Ask both servers for a track in turns; say requests a second of each and what they cost."""
    port, target = free_port(), f"/api/v1/tracks/{some[0]}"
    script = place / "bare.py"
    script.write_text(BARE)
    pid = stack.enter_context(process([sys.executable, str(script), str(port), dsn], port))
    ours = urlsplit(node.address).port or 0
    servers = [
        Served(name="veza", pid=node.process.pid, port=ours, target=target),
        Served(name="bare aiohttp + asyncpg", pid=pid, port=port, target=target),
    ]
    players = [Player(served) for served in servers]
    for _ in range(ROUNDS):
        for player in players:
            player.round()
    for served in servers:
        cpu, rate = statistics.median(served.cpu_us), statistics.median(served.rates)
        say(
            f"GET a track, {served.name:24} {cpu:6.0f} us CPU {1e6 / cpu:7.0f}/s a core {rate:7.0f}/s"
        )


async def measure(place: Path, dsn: str, count: int) -> None:
    conn = await asyncpg.connect(dsn)
    await migrate(conn)
    started = time.perf_counter()
    me, some = await fill(conn, count)
    say(f"{count} tracks made in {time.perf_counter() - started:.0f} s")
    await conn.close()
    pool = await open_pool(dsn, min_size=1, max_size=2)
    async with pool.acquire() as lent:
        await queries(lent, me, some)
    await pool.close()
    os.environ["VEZA_DATABASE_URL"] = dsn
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(Server(place / "node"))
        await asyncio.to_thread(reads, node, dsn, place, some, stack)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="veza-bench-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        postgres = EmbeddedPostgres(place / "postgres", durable=False)
        dsn = postgres.start()
        try:
            asyncio.run(measure(place, dsn, options.tracks))
        except subprocess.SubprocessError:
            say("a server did not start")
            raise
        finally:
            postgres.stop()


if __name__ == "__main__":
    main()
