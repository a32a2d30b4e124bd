"""Where a node keeps its files: everything is under its data directory."""

import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final

MAX_SOCKET_PATH_BYTES: Final = 100
"""A unix socket's path has 108 bytes at most on Linux, 104 elsewhere."""


def keys_file(data: Path) -> Path:
    """Return the file of signing keys."""
    return data / "secrets" / "keys.json"


def media_folder(data: Path) -> Path:
    """Return the folder of uploads, sources and segments."""
    return data / "media"


def postgres_folder(data: Path) -> Path:
    """Return the folder of the private PostgreSQL."""
    return data / "postgres"


def lock_file(data: Path) -> Path:
    """Return the file whose lock says that a node runs on this data."""
    return data / "node.lock"


def ops_socket(data: Path, worker: int = 0) -> Path:
    """Return the unix socket for the command line; in the temporary folder if the path is too long.

    Each of several workers has its own, numbered from 1; 0 is a node alone.
    """
    filename = f"ops-{worker}.sock" if worker else "ops.sock"
    socket = data / filename
    if len(os.fsencode(socket)) <= MAX_SOCKET_PATH_BYTES:
        return socket
    name = sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"veza-{os.getuid()}-{name}" / filename
