"""The private server starts anywhere, loses nothing that was acknowledged, and never stays behind."""

import asyncio
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from veza.persistence.errors import PostgresStartError
from veza.persistence.postgres import EmbeddedPostgres
from veza.persistence.postgres.account import Account
from veza.persistence.postgres.binaries import find_binaries
from veza.persistence.postgres.home import SYSTEM_STATE
from veza.persistence.postgres.postmaster import processes_of

IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="what root lends another account")
OWNER = """
import sys, time
from pathlib import Path
from veza.persistence.postgres import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1]), durable=False).start(), flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="session")
def used_folder() -> Iterator[Path]:
    """A data folder whose cluster was made, run and stopped."""
    with TemporaryDirectory(prefix="veza-postgres-") as folder:
        server = EmbeddedPostgres(Path(folder), durable=False)
        server.start()
        server.stop()
        yield Path(folder)


@pytest.fixture
def new_server(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """On an empty folder."""
    server = EmbeddedPostgres(data_dir, durable=False)
    yield server
    server.stop()


@pytest.fixture
def server(new_server: EmbeddedPostgres, data_dir: Path, used_folder: Path) -> EmbeddedPostgres:
    """On a copy of a used folder, half a second sooner."""
    shutil.copytree(used_folder, data_dir, dirs_exist_ok=True)
    owner = (used_folder / "cluster").stat()
    for path in (data_dir, *data_dir.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    return new_server


@pytest.fixture
def durable_server(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(data_dir)
    yield server
    server.stop()


@pytest.fixture
def start_owner(data_dir: Path) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Starts another process that runs a server on the data folder."""
    started: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(data_dir)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": ".links"},
            cwd=Path(__file__).parents[2],
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def dsn_of(owner: "subprocess.Popen[str]") -> str:
    assert owner.stdout is not None
    return owner.stdout.readline().strip()


def ask(dsn: str, sql: str) -> Any:
    async def run() -> Any:
        conn = await asyncpg.connect(dsn)
        try:
            return await conn.fetchval(sql)
        finally:
            await conn.close()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(run())


def socket_folder(dsn: str) -> Path:
    return Path(parse_qs(urlsplit(dsn).query)["host"][0])


def pid_of(data_dir: Path) -> int:
    return int((data_dir / "cluster/postmaster.pid").read_text().split()[0])


def wait_until_dead(server: EmbeddedPostgres) -> None:
    deadline = time.monotonic() + 30
    while server.is_running:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def wait_until_gone(data_dir: Path) -> None:
    deadline = time.monotonic() + 30
    while processes_of(data_dir / "cluster"):
        assert time.monotonic() < deadline, "the server outlived its owner"
        time.sleep(0.01)


def test_an_empty_folder_becomes_a_server_and_stopping_leaves_no_process(
    new_server: EmbeddedPostgres, data_dir: Path
) -> None:
    server = new_server
    assert not server.is_running
    dsn = server.start()
    assert server.is_running
    assert ask(dsn, "SELECT current_user::text") == "veza"
    assert ask(dsn, "SELECT 'a' < 'B' COLLATE \"default\"") is False
    assert server.start() == dsn
    server.stop()
    server.stop()
    assert not server.is_running
    assert processes_of(data_dir / "cluster") == []


def test_data_outlives_a_restart(server: EmbeddedPostgres) -> None:
    ask(server.start(), "CREATE TABLE kept AS SELECT 7 AS value")
    server.stop()
    assert ask(server.start(), "SELECT value FROM kept") == 7


def test_what_survives_a_power_cut_is_given_up_only_when_asked(
    durable_server: EmbeddedPostgres, postgres: str
) -> None:
    dsn = durable_server.start()
    for setting in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
        assert ask(dsn, f"SHOW {setting}") == "on"
    assert ask(postgres, "SHOW fsync") == "off"


def test_only_its_own_account_reaches_the_server(server: EmbeddedPostgres, data_dir: Path) -> None:
    dsn = server.start()
    assert ask(dsn, "SHOW listen_addresses") == ""
    for folder in (data_dir, data_dir / "cluster", socket_folder(dsn)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert Path(f"/proc/{pid_of(data_dir)}").stat().st_uid != 0


def test_settings_for_another_server_in_the_environment_do_not_lead_astray(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGDATA": "/nowhere",
        "PGPORT": "1",
        "LC_ALL": "xx_YY",
        "TZ": "Mars",
    }.items():
        monkeypatch.setenv(name, value)
    dsn = server.start()
    monkeypatch.undo()
    assert ask(dsn, "SHOW port") == "5432"


def test_a_folder_with_a_long_name_gets_its_socket_elsewhere(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir / ("a" * 90) / ("b c%?é" * 9), durable=False)
    if IS_ROOT:
        data_dir.chmod(0o711)
        (data_dir / ("a" * 90)).mkdir(mode=0o711)
    try:
        dsn = server.start()
        assert len(os.fsencode(socket_folder(dsn))) < 90
        assert ask(dsn, "SELECT 1") == 1
    finally:
        server.stop()
        shutil.rmtree(socket_folder(dsn), ignore_errors=True)


def test_a_server_ends_with_its_killed_owner_and_keeps_what_was_committed(
    server: EmbeddedPostgres, data_dir: Path, start_owner: Callable[[], "subprocess.Popen[str]"]
) -> None:
    owner = start_owner()
    ask(dsn_of(owner), "CREATE TABLE kept AS SELECT 7 AS value")
    assert processes_of(data_dir / "cluster")
    owner.kill()
    wait_until_gone(data_dir)
    assert ask(server.start(), "SELECT value FROM kept") == 7


def test_a_killed_server_comes_back_with_every_row_that_was_acknowledged(
    durable_server: EmbeddedPostgres, data_dir: Path
) -> None:
    server = durable_server
    acknowledged = 0

    async def insert(dsn: str) -> None:
        nonlocal acknowledged
        conn = await asyncpg.connect(dsn)
        try:
            while True:
                await conn.execute("INSERT INTO kept DEFAULT VALUES")
                acknowledged += 1
                if acknowledged == 300:
                    os.kill(pid_of(data_dir), signal.SIGKILL)
                    for pid in processes_of(data_dir / "cluster"):
                        os.kill(pid, signal.SIGKILL)
        except (
            OSError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ):
            conn.terminate()

    async def insert_from_four(dsn: str) -> None:
        await asyncio.gather(*[insert(dsn) for _ in range(4)])

    dsn = server.start()
    ask(dsn, "CREATE TABLE kept ()")
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(insert_from_four(dsn))
    wait_until_dead(server)
    kept = ask(server.start(), "SELECT count(*) FROM kept")
    assert acknowledged <= kept <= acknowledged + 4


def test_a_new_server_waits_for_the_last_process_of_a_killed_one(
    server: EmbeddedPostgres, data_dir: Path
) -> None:
    dsn = server.start()

    async def kill_while_busy() -> None:
        conn = await asyncpg.connect(dsn)
        # Busy in a way that does not notice the death of the postmaster.
        busy = asyncio.create_task(conn.execute("SELECT count(*) FROM generate_series(1, 1e12)"))
        watcher = await asyncpg.connect(dsn)
        is_busy = False
        while not is_busy:
            is_busy = await watcher.fetchval(
                "SELECT count(*) > 0 FROM pg_stat_activity"
                " WHERE query LIKE '%series%' AND pid <> pg_backend_pid()"
            )
        os.kill(pid_of(data_dir), signal.SIGKILL)
        watcher.terminate()
        conn.terminate()
        await asyncio.gather(busy, return_exceptions=True)

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(kill_while_busy())
    wait_until_dead(server)
    before = set(processes_of(data_dir / "cluster"))
    assert before
    assert ask(server.start(), "SELECT 1") == 1
    assert before.isdisjoint(processes_of(data_dir / "cluster"))


def test_a_number_in_a_stale_file_is_not_taken_for_a_server(
    server: EmbeddedPostgres, data_dir: Path
) -> None:
    server.start()
    stale = (data_dir / "cluster/postmaster.pid").read_text().splitlines()
    server.stop()
    for pid in (os.getpid(), 2**22 - 1):
        text = "\n".join([str(pid), *stale[1:]])
        (data_dir / "cluster/postmaster.pid").write_text(text)
        assert ask(server.start(), "SELECT 1") == 1
        server.stop()


def test_an_orphan_is_stopped_and_replaced(server: EmbeddedPostgres, data_dir: Path) -> None:
    server.start()
    command = Path(f"/proc/{pid_of(data_dir)}/cmdline").read_bytes().split(b"\0")[:-1]
    uid = Path(f"/proc/{pid_of(data_dir)}").stat().st_uid
    server.stop()
    orphan = subprocess.Popen(
        command, user=uid if IS_ROOT else None, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 20
    while "ready" not in _read(data_dir / "cluster/postmaster.pid"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert ask(server.start(), "SELECT 1") == 1
    assert orphan.wait(10) == 0
    assert pid_of(data_dir) != orphan.pid


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_the_server_of_a_living_owner_is_shared_and_left_running(
    server: EmbeddedPostgres, start_owner: Callable[[], "subprocess.Popen[str]"]
) -> None:
    dsn = dsn_of(start_owner())
    assert server.start() == dsn
    assert not server.is_running
    server.stop()
    assert ask(dsn, "SELECT 1") == 1


def test_of_two_that_start_at_once_on_an_empty_folder_one_makes_the_server(
    data_dir: Path, start_owner: Callable[[], "subprocess.Popen[str]"]
) -> None:
    owners = [start_owner() for _ in range(3)]
    dsns = {dsn_of(owner) for owner in owners}
    assert len(dsns) == 1
    assert ask(dsns.pop(), "SELECT 1") == 1


def test_a_folder_of_another_major_version_is_refused_and_left_alone(
    server: EmbeddedPostgres, data_dir: Path
) -> None:
    server.start()
    server.stop()
    version = data_dir / "cluster/PG_VERSION"
    version.write_text("12\n")
    with pytest.raises(PostgresStartError, match=r"written by PostgreSQL 12[\s\S]*pg_dump"):
        server.start()
    assert version.read_text() == "12\n"


def test_an_interrupted_first_start_is_begun_again(
    new_server: EmbeddedPostgres, data_dir: Path
) -> None:
    server = new_server
    (data_dir / "cluster.partial").mkdir()
    (data_dir / "cluster.partial/PG_VERSION").write_text("17\n")
    assert ask(server.start(), "SELECT 1") == 1


def test_a_server_that_does_not_start_tells_what_it_said(
    server: EmbeddedPostgres, data_dir: Path
) -> None:
    server.start()
    server.stop()
    (data_dir / "cluster/global/pg_control").unlink()
    with pytest.raises(PostgresStartError, match="could not find the database system"):
        server.start()
    assert not server.is_running


def test_a_long_log_is_put_aside(server: EmbeddedPostgres, data_dir: Path) -> None:
    server.start()
    server.stop()
    with (data_dir / "server.log").open("ab") as log:
        log.truncate(5 * 1024 * 1024)
    server.start()
    assert (data_dir / "server.log").stat().st_size < 10_000
    assert (data_dir / "server.log.1").exists()


def test_a_server_is_started_from_the_main_thread_only(server: EmbeddedPostgres) -> None:
    errors: list[Exception] = []

    def start() -> None:
        try:
            server.start()
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert len(errors) == 1


def test_other_programs_may_be_named(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_dir = find_binaries().bin_dir
    monkeypatch.setenv("VEZA_PG_BIN", str(bin_dir))
    assert find_binaries().bin_dir == bin_dir
    assert ask(server.start(), "SELECT 1") == 1


def test_a_folder_without_programs_is_told_by_name(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VEZA_PG_BIN", str(tmp_path))
    with pytest.raises(PostgresStartError, match=str(tmp_path)):
        server.start()
    (tmp_path / "postgres").write_text("not a program")
    with pytest.raises(PostgresStartError, match="does not run"):
        server.start()


def test_without_any_programs_all_ways_out_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VEZA_PG_BIN", raising=False)
    monkeypatch.setattr("veza.persistence.postgres.binaries.PACKAGES", ("no_such_package",))
    with pytest.raises(PostgresStartError, match="VEZA_DATABASE_URL"):
        find_binaries()


def test_a_link_or_file_in_the_place_of_a_private_folder_is_refused(tmp_path: Path) -> None:
    me = Account(uid=os.geteuid(), gid=os.getegid(), is_other=False)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(PostgresStartError, match="not a folder"):
        me.make_private(tmp_path / "link")


@needs_root
def test_a_private_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    me = Account(uid=0, gid=0, is_other=False)
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 54321, 54321)
    with pytest.raises(PostgresStartError, match="uid 54321"):
        me.make_private(tmp_path / "theirs")


def test_a_way_is_closed_by_any_folder_above(tmp_path: Path) -> None:
    stranger = Account(uid=54321, gid=54321, is_other=True)
    folder = tmp_path / "a/b"
    folder.mkdir(parents=True)
    assert not stranger.may_enter(folder)
    assert stranger.may_enter(Path("/usr/bin"))


@needs_root
def test_programs_below_a_closed_folder_are_copied_for_the_account(
    server: EmbeddedPostgres, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = find_binaries().bin_dir.parent
    shutil.copytree(original, tmp_path / "pg", symlinks=True)
    monkeypatch.setenv("VEZA_PG_BIN", str(tmp_path / "pg/bin"))
    (data_dir / "programs-1.0").mkdir()
    assert ask(server.start(), "SELECT 1") == 1
    (copied,) = data_dir.glob("programs-*")
    assert (copied / "pg/bin/postgres").exists()


@needs_root
def test_roots_data_below_a_closed_folder_is_moved_to_where_the_account_can_go(
    tmp_path: Path,
) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", durable=False)
    try:
        ask(server.start(), "CREATE TABLE kept AS SELECT 7 AS value")
        moved_to = (tmp_path / "postgres/moved-to").readlink()
        assert moved_to.parent == SYSTEM_STATE
        assert (moved_to / "cluster").is_dir()
        server.stop()
        (tmp_path / "postgres").rename(tmp_path / "renamed")
        server = EmbeddedPostgres(tmp_path / "renamed", durable=False)
        assert ask(server.start(), "SELECT value FROM kept") == 7
    finally:
        server.stop()
        shutil.rmtree((tmp_path / "renamed/moved-to").readlink())


@needs_root
@pytest.mark.parametrize("account", ["nobody"])
def test_an_ordinary_user_needs_no_other_account(account: str, data_dir: Path) -> None:
    entry = pwd.getpwnam(account)
    os.chown(data_dir, entry.pw_uid, entry.pw_gid)
    read_fd, write_fd = os.pipe()
    child = os.fork()
    if child == 0:  # Python itself may lie where the account cannot start it: so no new program
        _report_as(entry, data_dir, write_fd)
    os.close(write_fd)
    with os.fdopen(read_fd) as pipe:
        report = json.loads(pipe.read())
    os.waitpid(child, 0)
    assert report == {"owner": entry.pw_uid, "answer": 1, "left": []}


def _report_as(entry: pwd.struct_passwd, data_dir: Path, fd: int) -> None:
    try:
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        server = EmbeddedPostgres(data_dir, durable=False)
        dsn = server.start()
        report = {
            "owner": Path(f"/proc/{pid_of(data_dir)}").stat().st_uid,
            "answer": ask(dsn, "SELECT 1"),
        }
        server.stop()
        report["left"] = processes_of(data_dir / "cluster")
    except BaseException as error:  # noqa: BLE001  # told to the parent, which fails
        report = {"error": repr(error)}
    os.write(fd, json.dumps(report).encode())
    os._exit(0)


@needs_root
def test_root_serves_a_users_data_as_that_user(server: EmbeddedPostgres, data_dir: Path) -> None:
    server.start()
    server.stop()
    entry = pwd.getpwnam("nobody")
    for path in (data_dir, *data_dir.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
    assert ask(server.start(), "SELECT 1") == 1
    assert Path(f"/proc/{pid_of(data_dir)}").stat().st_uid == entry.pw_uid
    server.stop()
    assert {path.stat().st_uid for path in data_dir.iterdir()} == {entry.pw_uid}


@needs_root
def test_a_cluster_that_root_restored_is_handed_to_the_account(
    server: EmbeddedPostgres, data_dir: Path
) -> None:
    for path in (data_dir, *data_dir.rglob("*")):
        os.chown(path, 0, 0, follow_symlinks=False)
    assert ask(server.start(), "SELECT 1") == 1
