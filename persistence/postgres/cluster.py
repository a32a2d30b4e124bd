"""The cluster, the files of a server: made once and whole, and only used by the version that wrote it."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Final

from veza.persistence.errors import PostgresStartError
from veza.persistence.postgres.account import Account, copy_tree
from veza.persistence.postgres.binaries import Binaries

ROLE: Final = "veza"
FIRST_BUILTIN_LOCALE_MAJOR: Final = 17


def check_major(cluster: Path, binaries: Binaries) -> None:
    """Refuse a cluster that another major version wrote."""
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


def reachable(binaries: Binaries, home: Path, account: Account) -> Binaries:
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


def initialise(cluster: Path, binaries: Binaries, account: Account, *, durable: bool) -> None:
    """Make the cluster under another name first, so that an interrupted attempt leaves none."""
    partial = cluster.with_name("cluster.partial")
    shutil.rmtree(partial, ignore_errors=True)
    done = subprocess.run(  # noqa: S603  # the command is ours
        _initdb_command(partial, binaries, durable=durable),
        cwd="/",
        env=environment(),
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


def _initdb_command(cluster: Path, binaries: Binaries, *, durable: bool) -> list[str]:
    locale = ["--locale=C.UTF-8"]
    if binaries.major >= FIRST_BUILTIN_LOCALE_MAJOR:
        # Sorts the same on every C library; the packages are built without ICU.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return [
        binaries.program("initdb"),
        f"--pgdata={cluster}",
        f"--username={ROLE}",
        "--auth=trust",  # safe because the socket's folder is closed and there is no TCP
        "--encoding=UTF8",
        "--data-checksums",
        "--no-instructions",
        *locale,
        *([] if durable else ["--no-sync"]),
    ]


def environment() -> dict[str, str]:
    """Return this process's environment without what would steer PostgreSQL elsewhere."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))
    }
    return inherited | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
