"""The server's process: how it is started, found again, stopped, and kept from outliving its owner."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from veza.persistence.postgres.account import Account

FAST_SHUTDOWN: Final = signal.SIGINT
IMMEDIATE_SHUTDOWN: Final = signal.SIGQUIT
POLL_SECONDS: Final = 0.005
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
    if not Path("/proc/self").exists():
        return _answers_signals(pid)
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
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


def wait_until(condition: Callable[[], bool], *, timeout_seconds: float) -> bool:
    """Poll a condition; return whether it came true in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


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
        if wait_until(is_gone, timeout_seconds=timeout_seconds):
            return
