"""The account the server runs as: PostgreSQL refuses root, so root lends it another one."""

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from veza.persistence.errors import PostgresStartError

ROOT: Final = 0
# The one Debian and others keep for the purpose; else the one that owns nothing.
SERVICE_ACCOUNTS: Final = ("postgres", "nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who runs the server. `is_other`: not the account of this process."""

    uid: int
    gid: int
    is_other: bool

    @property
    def user(self) -> int | None:
        """What `subprocess` takes as `user`."""
        return self.uid if self.is_other else None

    @property
    def group(self) -> int | None:
        """What `subprocess` takes as `group`."""
        return self.gid if self.is_other else None

    @property
    def extra_groups(self) -> tuple[int, ...] | None:
        """What `subprocess` takes as `extra_groups`: none of root's."""
        return () if self.is_other else None

    def may_enter(self, folder: Path) -> bool:
        """Whether the account may pass through a folder and all those above it, by their mode bits."""
        return all(self._may_pass(path) for path in (folder, *folder.parents))

    def _may_pass(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)

    def make_private(self, folder: Path) -> None:
        """Make a folder that only the account may enter; refuse one that belongs to somebody else.

        In a temporary folder anybody may have put one there, or a link, to lure connections.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise PostgresStartError(f"{folder} is not a folder")
        if status.st_uid not in {self.uid, os.geteuid()}:
            owner = _name(status.st_uid)
            raise PostgresStartError(
                f"{folder} belongs to {owner}, and Veza runs as {_name(os.geteuid())}:"
                f" run it as {owner}, or choose another data folder"
            )
        self.own(folder)
        folder.chmod(0o700)

    def own(self, path: Path) -> None:
        """Give a file or folder to the account."""
        if self.is_other:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def adopt(self, cluster: Path) -> None:
        """Take over a cluster that belongs to root, restored from a backup by it for one."""
        if self.is_other and cluster.stat().st_uid == ROOT:
            self.own_tree(cluster)

    def own_tree(self, folder: Path) -> None:
        """Give a folder and everything in it to the account."""
        self.own(folder)
        for path in folder.rglob("*"):
            self.own(path)


def choose_account(cluster: Path) -> Account:
    """Return this process's own account, or for root the cluster's owner or a service account."""
    if os.geteuid() != ROOT:
        return Account(uid=os.geteuid(), gid=os.getegid(), is_other=False)
    if cluster.exists() and cluster.stat().st_uid != ROOT:
        status = cluster.stat()
        return Account(uid=status.st_uid, gid=status.st_gid, is_other=True)
    for name in SERVICE_ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid, is_other=True)
    raise PostgresStartError(
        "PostgreSQL refuses to run as root, and this machine has neither an account `postgres` nor `nobody`:"
        " run Veza as an ordinary user"
    )


def copy_tree(source: Path, target: Path, account: Account) -> None:
    """Copy a folder for the account; complete or absent, whenever it is interrupted."""
    if target.exists():
        return
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial, symlinks=True)
    account.own_tree(partial)
    partial.rename(target)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
