"""The folders of a private server: where its cluster and its socket are, and who may enter them."""

import hashlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

from veza.persistence.errors import PostgresStartError
from veza.persistence.postgres.account import Account, choose_account

SOCKET_NAME: Final = ".s.PGSQL.5432"
SOCKET_PATH_BYTES: Final = 107
# Where root keeps a cluster whose own folder the service account cannot reach, below /root for one.
SYSTEM_STATE: Final = Path("/var/lib/veza")


def prepare_home(data_dir: Path) -> tuple[Account, Path]:
    """Return who runs the server and the folder that holds its cluster, made where missing.

    The folder is `data_dir`, unless root lends an account that cannot reach it: then `data_dir` holds a
    link, `moved-to`, to a folder in `/var/lib/veza`.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    home = data_dir.resolve()
    account = choose_account(home / "cluster")
    if account.is_other and not account.may_enter(home.parent):
        home = _system_home(home, account)
        account = choose_account(home / "cluster")
    account.make_private(home)
    return account, home


def _system_home(data_dir: Path, account: Account) -> Path:
    """Follow the link, or make it. Its target is a new name each time: no data folder finds another's."""
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


def socket_folder(home: Path, account: Account) -> Path:
    """Return a private folder whose name leaves room for the socket's: the kernel takes 107 bytes."""
    name = f"veza-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"
    runtime = None if account.is_other else os.environ.get("XDG_RUNTIME_DIR")
    candidates = (
        home / "run",
        Path(runtime or tempfile.gettempdir()) / name,
        Path("/tmp") / name,  # noqa: S108  # `make_private` refuses a folder of somebody else
    )
    for folder in candidates:
        if len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_BYTES:
            account.make_private(folder)
            return folder
    raise PostgresStartError("no folder has a name short enough for a socket")
