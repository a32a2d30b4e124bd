"""The doctor sees how the database stands without changing it, and an encoder at work in its sandbox."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from veza.actors.encoding.frames import BrokenFrame, FailedFrame, FinishedFrame, ReadyFrame
from veza.codecs.analysis import AnalysisMeter
from veza.config.paths import postgres_folder
from veza.config.settings import Settings
from veza.persistence.migrate import read_migrations
from veza.persistence.postgres import EmbeddedPostgres
from veza.supervisors.doctor import judge_frames, look_at_database, try_encoder

DRIFT_SECONDS = 5
NOTHING = AnalysisMeter(44_100, 2).finish()


@pytest.fixture
def data() -> Iterator[Path]:
    """Not in pytest's own folder: that is closed to the account that root lends a server."""
    with TemporaryDirectory(prefix="veza-doctor-") as folder:
        yield Path(folder)


def settings(data: Path, **changes: object) -> Settings:
    return Settings(data=data, **changes)


async def test_a_private_server_that_never_ran_is_no_problem(data) -> None:
    seen = await look_at_database(settings(data))

    assert seen.problem == ""
    assert seen.is_private
    assert not seen.is_running
    assert not seen.has_cluster
    assert not postgres_folder(data).exists()


async def test_a_private_server_that_runs_is_asked(data) -> None:
    server = EmbeddedPostgres(postgres_folder(data), durable=False)
    server.start()
    try:
        seen = await look_at_database(settings(data))
    finally:
        server.stop()
    stopped = await look_at_database(settings(data))

    assert (seen.problem, seen.is_running) == ("", True)
    assert seen.missing_migrations == tuple(each.filename for each in read_migrations())
    assert abs(seen.ahead_seconds) < DRIFT_SECONDS
    assert (stopped.problem, stopped.is_running, stopped.has_cluster) == ("", False, True)


async def test_a_cluster_of_another_version_is_a_problem(data) -> None:
    cluster = postgres_folder(data) / "cluster"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("9\n")

    seen = await look_at_database(settings(data))

    assert "was written by PostgreSQL 9" in seen.problem


async def test_missing_programs_are_a_problem(data, monkeypatch) -> None:
    monkeypatch.setenv("VEZA_PG_BIN", str(data))

    assert "VEZA_PG_BIN" in (await look_at_database(settings(data))).problem


async def test_ones_own_database_is_asked_and_not_changed(data, database_url) -> None:
    conn = await asyncpg.connect(database_url)
    try:
        seen = await look_at_database(settings(data, database_url=database_url))
        await conn.execute("ALTER TABLE schema_migrations RENAME TO kept_away")
        try:
            bare = await look_at_database(settings(data, database_url=database_url))
            is_made = await conn.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL")
        finally:
            await conn.execute("ALTER TABLE kept_away RENAME TO schema_migrations")
    finally:
        await conn.close()

    assert (seen.is_private, seen.is_running, seen.missing_migrations) == (False, True, ())
    assert len(bare.missing_migrations) == len(read_migrations())
    assert not is_made


async def test_a_database_of_a_newer_version_is_a_problem(data, database_url) -> None:
    conn = await asyncpg.connect(database_url)
    try:
        await conn.execute(
            "INSERT INTO schema_migrations (number, filename, sha256) VALUES (9999, '9999_new.sql', '')"
        )
        seen = await look_at_database(settings(data, database_url=database_url))
        await conn.execute("DELETE FROM schema_migrations WHERE number = 9999")
    finally:
        await conn.close()

    assert "9999_new.sql" in seen.problem


async def test_a_database_that_is_away_is_a_problem_without_its_password(data) -> None:
    url = "postgresql://veza:hunter2@127.0.0.1:1/veza"

    seen = await look_at_database(settings(data, database_url=url))

    assert seen.problem
    assert "hunter2" not in seen.problem


async def test_an_encoder_encodes_silence_in_its_sandbox(data) -> None:
    seen = await try_encoder(settings(data))

    assert seen.problem == ""
    assert seen.seconds > 0


async def test_an_encoder_with_too_little_memory_is_a_problem(data) -> None:
    seen = await try_encoder(settings(data, encoder_memory_bytes=128 * 1024 * 1024))

    assert seen.problem


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        ([FailedFrame(fault="not_audio", detail="it is no audio")], "it is no audio"),
        ([BrokenFrame(traceback="Traceback:\n  x\nKeyError: 'a'\n")], "KeyError: 'a'"),
        ([], "it ended with -9 before it was done"),
        (
            [
                FinishedFrame(
                    duration_samples=0, sample_rate_hz=44_100, segments=0, analysis=NOTHING
                )
            ],
            "it ended with -9 before it was done",
        ),
    ],
)
def test_what_an_encoder_says_last_is_what_is_told(frames, problem) -> None:
    ready = ReadyFrame(sandbox_notes=("system call filter: refused",))

    seen = judge_frames([ready, *frames], -9, 0.5)

    assert seen.problem == problem
    assert seen.sandbox_notes == ready.sandbox_notes
