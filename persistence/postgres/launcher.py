"""A private PostgreSQL: one call from an empty folder to a DSN, and nothing left running afterwards.

Reached through a Unix socket only, in a folder that nobody else may enter. The rules this keeps, each of
them hit in practice, stand in docs/adr/0002-embedded-postgresql.md.
"""

import fcntl
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from veza.persistence.errors import PostgresStartError
from veza.persistence.postgres.account import Account
from veza.persistence.postgres.binaries import Binaries, find_binaries
from veza.persistence.postgres.cluster import ROLE, check_major, environment, initialise, reachable
from veza.persistence.postgres.home import prepare_home, socket_folder
from veza.persistence.postgres.postmaster import (
    end_orphans,
    is_postmaster,
    read_pid_file,
    spawn,
    stop_process,
    wait_for,
)

DATABASE: Final = "postgres"
START_TIMEOUT_SECONDS: Final = 120.0  # recovery after a crash reads up to a gigabyte of log
STOP_TIMEOUT_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 0.1
LOG_BYTES: Final = 4 * 1024 * 1024
# Said of memory that processes of a killed server hold until they notice.
_STILL_IN_USE: Final = "pre-existing shared memory block"


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

    def start(self, *, is_thread_lasting: bool = False) -> str:
        """Start the server, or find the one another process runs on the folder, and return its DSN.

        Harmless if it runs, and brings back one that died. Raises `PostgresStartError` with a message
        for the operator. `is_thread_lasting`: this is not the main thread, but one that the caller keeps
        for as long as the server is to run.
        """
        if not is_thread_lasting and threading.current_thread() is not threading.main_thread():
            # The kernel ends the server with the thread that started it, not with the process.
            raise RuntimeError("start the server from the main thread")
        account, home = prepare_home(self._data_dir)
        run_dir = socket_folder(home, account)
        if self._own(home, account) and not self.is_running:
            try:
                self._start_owned(home, run_dir, account)
            except BaseException:
                self.stop()
                raise
        return socket_dsn(run_dir)

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

    def _own(self, home: Path, account: Account) -> bool:
        """Become the folder's one owner; False: it has another, whose server is ready.

        The lock ends with the process that holds it, however that dies: unlike a process id it never lies.
        """
        if self._lock_fd is None:
            self._lock_fd = _lock(home, account)
        return self._lock_fd is not None

    def _start_owned(self, home: Path, run_dir: Path, account: Account) -> None:
        cluster, binaries = home / "cluster", find_binaries()
        end_orphans(cluster, timeout_seconds=STOP_TIMEOUT_SECONDS)
        check_major(cluster, binaries)
        binaries = reachable(binaries, home, account)
        if cluster.exists():
            account.adopt(cluster)
        else:
            initialise(cluster, binaries, account, durable=self._durable)
        self._launch(
            home, _server_command(binaries, cluster, run_dir, durable=self._durable), account
        )

    def _launch(self, home: Path, command: list[str], account: Account) -> None:
        log = home / "server.log"
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(home / "server.log.1")
        log.touch()
        account.own(log)
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            log_start = log.stat().st_size
            self._process = spawn(command, account=account, log=log, environment=environment())
            if _wait_ready(self._process, home / "cluster", deadline):
                return
            told = log.read_bytes()[log_start:].decode(errors="replace").strip()
            if _STILL_IN_USE not in told or time.monotonic() > deadline:
                raise PostgresStartError(f"PostgreSQL did not start; {log} ends:\n{told[-2000:]}")
            time.sleep(RETRY_SECONDS)


def socket_dsn(run_dir: Path) -> str:
    """Return the DSN of the server whose socket is in a folder."""
    return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(run_dir), safe='')}"


def _lock(home: Path, account: Account) -> int | None:
    """Take the lock, or return None once the process that has it has a server ready."""
    path, cluster = home / "owner.lock", home / "cluster"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    account.own(path)

    def take_or_find() -> bool | None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = read_pid_file(cluster)
            is_ready = found is not None and found.is_ready and is_postmaster(found.pid, cluster)
            return False if is_ready else None
        return True

    is_taken = wait_for(take_or_find, timeout_seconds=START_TIMEOUT_SECONDS)
    if is_taken:
        return fd
    os.close(fd)
    if is_taken is None:
        raise PostgresStartError(f"another process holds {path} but starts no server")
    return None


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
    def is_ready() -> bool | None:
        if process.poll() is not None:
            return False
        found = read_pid_file(cluster)
        return (found is not None and found.pid == process.pid and found.is_ready) or None

    return bool(wait_for(is_ready, timeout_seconds=max(0.0, deadline - time.monotonic())))
