"""The server's process: how it is started, found again, stopped, and kept from outliving its owner."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from veza.persistence.errors import PostgresStartError
from veza.persistence.postgres.account import Account

FAST_SHUTDOWN: Final = signal.SIGINT
IMMEDIATE_SHUTDOWN: Final = signal.SIGQUIT
POLL_SECONDS: Final = 0.005
PROC: Final = Path("/proc")
_PR_SET_PDEATHSIG: Final = 1
_ZOMBIE: Final = "Z"
_STATUS_LINE: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class PidFile:
    """What `postmaster.pid` says."""

    pid: int
    is_ready: bool


def read_pid_file(cluster: Path) -> PidFile | None:
    """Read `postmaster.pid`; None if there is none or it is still being written."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    status = lines[_STATUS_LINE].strip() if len(lines) > _STATUS_LINE else ""
    return PidFile(pid=pid, is_ready=status == "ready")


def is_postmaster(pid: int, cluster: Path) -> bool:
    """Whether the process lives, is a PostgreSQL server and has this cluster.

    A process that ended but was not reaped is none, though the server would take its id for a living
    one; in a container without an init it stays for ever.
    """
    if not PROC.exists():
        return _answers_signals(pid)
    try:
        state = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
        command = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return False
    is_server = Path(os.fsdecode(command[0])).name.startswith("postgres")
    return state != _ZOMBIE and is_server and os.fsencode(cluster) in command


def _answers_signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def wait_for(answer: Callable[[], bool | None], *, timeout_seconds: float) -> bool | None:
    """Ask until the answer is not None; None if it still is when the time is up."""
    deadline = time.monotonic() + timeout_seconds
    while (found := answer()) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return found


def spawn(
    command: Sequence[str], *, account: Account, log: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Start the server as a direct child that shuts down fast when this process dies in whatever way."""
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  # the command is ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal is the node's to handle
            preexec_fn=_die_with_parent(os.getpid()),  # noqa: PLW1509  # no other thread matters at start-up
            user=account.user,
            group=account.group,
            extra_groups=account.extra_groups,
        )


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """Linux only; elsewhere the next start finds the orphan and stops it."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up here: after the fork is too late

    def ask_for_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, FAST_SHUTDOWN, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask_for_signal


def stop_process(pid: int, is_gone: Callable[[], bool], *, timeout_seconds: float) -> None:
    """Shut down fast; what hangs is shut down at once (it recovers at the next start), then killed."""
    for signal_number in (FAST_SHUTDOWN, IMMEDIATE_SHUTDOWN, signal.SIGKILL):
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            return
        if wait_for(lambda: is_gone() or None, timeout_seconds=timeout_seconds):
            return


def end_orphans(cluster: Path, *, timeout_seconds: float) -> None:
    """Stop a server that outlived its owner, and forget one that is only a number in a file.

    Only for the folder's owner. The server takes whatever process has the number for its predecessor,
    a dead one that was not reaped too, and then refuses to start; so the file has to go. But it is also
    what keeps a new server from the files while processes of the old one still write to them: it goes
    after the last of them.
    """
    found = read_pid_file(cluster)
    if found is None:
        return
    if is_postmaster(found.pid, cluster):
        stop_process(
            found.pid,
            lambda: not is_postmaster(found.pid, cluster),
            timeout_seconds=timeout_seconds,
        )
    if not PROC.exists():
        return  # elsewhere the server judges by itself
    for pid in processes_of(cluster):
        with suppress(ProcessLookupError):
            os.kill(pid, IMMEDIATE_SHUTDOWN)
    if wait_for(lambda: not processes_of(cluster) or None, timeout_seconds=timeout_seconds) is None:
        raise PostgresStartError(f"processes {processes_of(cluster)} still work in {cluster}")
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def processes_of(cluster: Path) -> list[int]:
    """Return the PostgreSQL processes that work in a cluster: each of them has it as its folder."""
    found = []
    for process in PROC.iterdir():
        try:
            is_server = (
                process.name.isdigit() and (process / "comm").read_text().strip() == "postgres"
            )
            if is_server and (process / "cwd").readlink() == cluster:
                found.append(int(process.name))
        except OSError:
            continue  # ended meanwhile, or somebody else's
    return found
