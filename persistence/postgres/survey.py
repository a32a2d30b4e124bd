"""Tells of a private server without touching it: its programs, its cluster, whether it runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from veza.persistence.postgres.binaries import find_binaries
from veza.persistence.postgres.cluster import check_major
from veza.persistence.postgres.launcher import socket_dsn
from veza.persistence.postgres.postmaster import is_postmaster, read_pid_file

_SOCKET_FOLDER_LINE: Final = 4
"""Of `postmaster.pid`, from 0 (PostgreSQL's pidfile.h: LOCK_FILE_LINE_SOCKET_DIR is 5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateServer:
    """What there is in a folder. `dsn` is that of the server which runs on it, None if none does."""

    version: str
    has_cluster: bool
    dsn: str | None


def survey_server(data_dir: Path) -> PrivateServer:
    """Look at the server of a data folder. Raises `PostgresStartError` if none could be started there."""
    link = data_dir / "moved-to"
    cluster = (link.readlink() if link.is_symlink() else data_dir.resolve()) / "cluster"
    binaries = find_binaries()
    check_major(cluster, binaries)
    return PrivateServer(
        version=binaries.version, has_cluster=cluster.exists(), dsn=_running_dsn(cluster)
    )


def _running_dsn(cluster: Path) -> str | None:
    found = read_pid_file(cluster)
    if found is None or not found.is_ready or not is_postmaster(found.pid, cluster):
        return None
    lines = (cluster / "postmaster.pid").read_text().splitlines()
    return socket_dsn(Path(lines[_SOCKET_FOLDER_LINE]))
