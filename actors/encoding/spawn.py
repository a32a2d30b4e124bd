"""Starts worker processes: each has one socket to the node, and is told over it what to do.

A process inherits that one descriptor and a minimal environment: nothing of the node's secrets. Its
file is handed to it later over the socket (SCM_RIGHTS), so it can be started before there is one.
"""

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that waits for its file and its first frame, and the node's end of its socket."""

    process: subprocess.Popen[bytes]
    connection: socket.socket

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def dismiss(self) -> None:
        """End it before it was given anything."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


def start_worker(module: str) -> Worker:
    """Start `python -m module SOCKET_FD PARENT_PID`; raises `OSError` if no process can be started."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    try:
        with theirs:
            return Worker(_spawn(module, theirs.fileno()), ours)
    except OSError:
        ours.close()
        raise


def _spawn(module: str, socket_fd: int) -> subprocess.Popen[bytes]:
    # No pipe for its errors: it is silent from the moment it reads the file (see `child`), and
    # what it says before that (a broken installation) belongs in the node's own log.
    return subprocess.Popen(  # noqa: S603  # our own interpreter and module
        [sys.executable, "-m", module, str(socket_fd), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        pass_fds=(socket_fd,),
        env=_environment(),
        cwd="/",
        start_new_session=True,  # Ctrl-C is for the node, which stops its jobs in order
    )


def _environment() -> dict[str, str]:
    places = [str(Path(place or ".").absolute()) for place in sys.path]
    environment = {
        "PYTHONPATH": os.pathsep.join(places),
        "PYTHONSAFEPATH": "1",
        "LC_ALL": "C.UTF-8",
        # The encoders' threads are the only ones; numpy's would be counted against the limits.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # glibc reserves 64 MB of address space a thread, which RLIMIT_AS counts.
        "MALLOC_ARENA_MAX": "2",
        # What one block of sound frees, the next one takes: else glibc gives it back each time, and
        # the kernel clears it anew.
        "MALLOC_MMAP_THRESHOLD_": "16777216",
        "MALLOC_TRIM_THRESHOLD_": "33554432",
    }
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
        if name in os.environ:
            environment[name] = os.environ[name]
    return environment
