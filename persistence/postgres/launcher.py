"""A private PostgreSQL: one call from an empty folder to a DSN, and nothing left running afterwards.

Reached through a Unix socket only, in a folder that nobody else may enter. The rules this keeps, each of
them hit in practice, stand in docs/adr/0002-embedded-postgresql.md.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

from veza.persistence.errors import PostgresStartError
from veza.persistence.postgres.account import Account, choose_account, copy_tree
from veza.persistence.postgres.binaries import Binaries, find_binaries
from veza.persistence.postgres.postmaster import (
    is_postmaster,
    read_pid_file,
    spawn,
    stop_process,
    wait_until,
)

ROLE: Final = "veza"
DATABASE: Final = "postgres"
START_TIMEOUT_SECONDS: Final = 120.0  # recovery after a crash reads up to a gigabyte of log
STOP_TIMEOUT_SECONDS: Final = 30.0
HANDOVER_SECONDS: Final = 10.0
SOCKET_NAME: Final = ".s.PGSQL.5432"
SOCKET_PATH_BYTES: Final = 107
LOG_BYTES: Final = 4 * 1024 * 1024
# Where root keeps a cluster whose own folder the service account cannot reach, below /root for one.
SYSTEM_STATE: Final = Path("/var/lib/veza")
FIRST_BUILTIN_LOCALE_MAJOR: Final = 17

_OUTLIVED: Final = ("pre-existing shared memory block", "already exists")


class EmbeddedPostgres:
    """The server of one data folder. Call `start` and `stop` from the main thread.

    Args:
        data_dir: a folder for the server alone; made if missing, then 0700.
        durable: False gives up what makes a commit survive a power cut, for tests.

    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self._data_dir = data_dir.expanduser().absolute()
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._lock_fd: int | None = None

    @property
    def is_running(self) -> bool:
        """Whether the server this object started is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> str:
        """Start the server, or find the one another process runs on the folder, and return its DSN.

        Raises `PostgresStartError` with a message for the operator. Also restarts a server that died.
        """
        if threading.current_thread() is not threading.main_thread():
            # The kernel ends the server with the thread that started it, not with the process.
            raise RuntimeError("start the server from the main thread")
        binaries = find_binaries()
        account, home = _prepare_home(self._data_dir)
        run_dir = _socket_folder(home, account)
        dsn = f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(run_dir), safe='')}"
        cluster = home / "cluster"
        if not self._own(home, cluster):
            return dsn
        try:
            _check_major(cluster, binaries)
            binaries = _reachable(binaries, home, account)
            if not cluster.exists():
                _initialise(cluster, binaries, account, durable=self._durable)
            self._launch(home, run_dir, binaries, account)
        except BaseException:
            self.stop()
            raise
        return dsn

    def stop(self) -> None:
        """Shut the server down, if this object started it. Harmless the second time."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            stop_process(
                process.pid,
                lambda: process.poll() is not None,
                timeout_seconds=STOP_TIMEOUT_SECONDS,
            )
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _own(self, home: Path, cluster: Path) -> bool:
        """Become the folder's one owner, and stop what an earlier owner left; False: it has a living owner.

        The lock ends with the process that holds it, however that dies: unlike a process id it never lies.
        """
        if self._lock_fd is None:
            self._lock_fd = _lock(home / "owner.lock", cluster)
        if self._lock_fd is None:
            return False
        _end_orphan(cluster)
        return True

    def _launch(self, home: Path, run_dir: Path, binaries: Binaries, account: Account) -> None:
        cluster, log = home / "cluster", home / "server.log"
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(home / "server.log.1")
        command = _server_command(binaries, cluster, run_dir, durable=self._durable)
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            log_start = log.stat().st_size if log.exists() else 0
            process = spawn(command, account=account, log=log, environment=_environment())
            self._process = process
            if _wait_ready(process, cluster, deadline):
                return
            told = log.read_bytes()[log_start:].decode(errors="replace").strip()
            # Processes of a killed server may take a moment to notice, and hold its memory until then.
            if process.poll() is None or time.monotonic() > deadline or not _is_outlived(told):
                raise PostgresStartError(
                    f"PostgreSQL did not start; {log} ends with:\n{told[-2000:]}"
                )
            time.sleep(0.1)


def _prepare_home(data_dir: Path) -> tuple[Account, Path]:
    """Return who runs the server and the folder that holds its cluster, made where missing."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    home = data_dir.resolve()
    account = choose_account(home / "cluster")
    if account.is_other and not account.may_enter(home.parent):
        home = _system_home(data_dir, account)
        account = choose_account(home / "cluster")
    account.make_private(home)
    return account, home


def _system_home(data_dir: Path, account: Account) -> Path:
    """Follow, or make, the link from the data folder to a place the account can reach."""
    link = data_dir / "moved-to"
    if not link.is_symlink():
        SYSTEM_STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not account.may_enter(SYSTEM_STATE):
            raise PostgresStartError(
                f"PostgreSQL must not run as root, and its account can enter neither {data_dir} nor"
                f" {SYSTEM_STATE}: choose a data folder that others may pass through"
            )
        link.symlink_to(SYSTEM_STATE / f"postgres-{secrets.token_hex(4)}")
    return link.readlink()


def _socket_folder(home: Path, account: Account) -> Path:
    """Return a private folder whose name leaves room for the socket's: the kernel takes 107 bytes."""
    folder = home / "run"
    if len(os.fsencode(folder / SOCKET_NAME)) > SOCKET_PATH_BYTES:
        name = f"veza-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"
        runtime = None if account.is_other else os.environ.get("XDG_RUNTIME_DIR")
        folder = Path(runtime or tempfile.gettempdir()) / name
        if len(os.fsencode(folder / SOCKET_NAME)) > SOCKET_PATH_BYTES:
            folder = Path("/tmp") / name  # noqa: S108  # checked to be ours
    account.make_private(folder)
    return folder


def _lock(path: Path, cluster: Path) -> int | None:
    """Take the lock, or return None once the process that has it has a server ready."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    taken = False

    def is_settled() -> bool:
        nonlocal taken
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = read_pid_file(cluster)
            return found is not None and found.is_ready and is_postmaster(found.pid, cluster)
        taken = True
        return True

    if not wait_until(is_settled, timeout_seconds=START_TIMEOUT_SECONDS):
        os.close(fd)
        raise PostgresStartError(f"another process holds {path} but starts no server")
    if taken:
        return fd
    os.close(fd)
    return None


def _end_orphan(cluster: Path) -> None:
    """Stop a server that outlived its owner; forget one that is only a name in a file."""
    found = read_pid_file(cluster)
    if found is None:
        return
    if is_postmaster(found.pid, cluster):
        stop_process(
            found.pid,
            lambda: not is_postmaster(found.pid, cluster),
            timeout_seconds=STOP_TIMEOUT_SECONDS,
        )
    # What is left belongs to nobody: the lock says that no owner lives.
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def _check_major(cluster: Path, binaries: Binaries) -> None:
    version_file = cluster / "PG_VERSION"
    if not version_file.exists():
        return
    major = version_file.read_text().strip()
    if major != str(binaries.major):
        raise PostgresStartError(
            f"{cluster} was written by PostgreSQL {major}, and the programs in {binaries.bin_dir} are"
            f" {binaries.version}, which cannot read it. Either set VEZA_PG_BIN to the bin folder of a"
            f" PostgreSQL {major}, or move the data: start that version once more, run pg_dump, move the"
            f" folder away, start this version and load the dump with psql."
        )


def _reachable(binaries: Binaries, home: Path, account: Account) -> Binaries:
    """Return programs the account can run: copies if they lie below a folder closed to it."""
    if not account.is_other or account.may_enter(binaries.bin_dir):
        return binaries
    programs = home / f"programs-{binaries.version}"
    account.make_private(programs)
    for root in binaries.roots:
        copy_tree(root, programs / root.name, account)
    for other in home.glob("programs-*"):
        if other != programs:
            shutil.rmtree(other)
    inside = binaries.bin_dir.relative_to(binaries.roots[0].parent)
    return replace(binaries, bin_dir=programs / inside)


def _initialise(cluster: Path, binaries: Binaries, account: Account, *, durable: bool) -> None:
    """Make the cluster under another name first, so that an interrupted attempt leaves none."""
    partial = cluster.with_name("cluster.partial")
    shutil.rmtree(partial, ignore_errors=True)
    locale = ["--locale=C.UTF-8"]
    if binaries.major >= FIRST_BUILTIN_LOCALE_MAJOR:
        # Sorts the same on every C library; the packages are built without ICU.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    command = [
        binaries.program("initdb"),
        f"--pgdata={partial}",
        f"--username={ROLE}",
        "--auth=trust",  # safe because the socket's folder is closed and there is no TCP
        "--encoding=UTF8",
        "--data-checksums",
        "--no-instructions",
        *locale,
        *([] if durable else ["--no-sync"]),
    ]
    done = subprocess.run(  # noqa: S603  # the command is ours
        command,
        cwd="/",
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        user=account.user,
        group=account.group,
        extra_groups=account.extra_groups,
    )
    if done.returncode != 0:
        raise PostgresStartError(f"initdb failed:\n{done.stdout}{done.stderr}")
    partial.rename(cluster)


def _environment() -> dict[str, str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))
    }
    return inherited | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _server_command(
    binaries: Binaries, cluster: Path, run_dir: Path, *, durable: bool
) -> list[str]:
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(run_dir),
        "unix_socket_permissions": "0700",
        "log_timezone": "UTC",
    }
    if not durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    command = [binaries.program("postgres"), "-D", str(cluster)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    return command


def _wait_ready(process: subprocess.Popen[bytes], cluster: Path, deadline: float) -> bool:
    def is_settled() -> bool:
        found = read_pid_file(cluster)
        is_ready = found is not None and found.pid == process.pid and found.is_ready
        return is_ready or process.poll() is not None

    wait_until(is_settled, timeout_seconds=max(0.0, deadline - time.monotonic()))
    found = read_pid_file(cluster)
    return process.poll() is None and found is not None and found.is_ready


def _is_outlived(told: str) -> bool:
    return any(sign in told for sign in _OUTLIVED)
