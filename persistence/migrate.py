"""Brings the schema up to date: numbered files, forward only, each in a transaction."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from veza.persistence.errors import MigrationError
from veza.persistence.pool import Connection

OLDEST_MAJOR: Final = 15
MIGRATIONS: Final = Path(__file__).parent / "migrations"
_FILENAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
# Any number, the same for all versions of Veza: "veza" in ASCII.
_LOCK_ID: Final = 0x76657A61

_LOCK = "SELECT pg_advisory_xact_lock($1)"

_CREATE_LEDGER = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        number integer PRIMARY KEY,
        filename text NOT NULL,
        sha256 bytea NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""

_HAS_LEDGER = "SELECT to_regclass('schema_migrations') IS NOT NULL"

_SELECT_APPLIED = "SELECT number, filename, sha256 FROM schema_migrations ORDER BY number"

_INSERT_APPLIED = "INSERT INTO schema_migrations (number, filename, sha256) VALUES ($1, $2, $3)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file of `migrations/`."""

    number: int
    filename: str
    sql: str
    sha256: bytes


def read_migrations(folder: Path = MIGRATIONS) -> tuple[Migration, ...]:
    """Read the files in order; their numbers must be 1, 2, 3 and so on."""
    migrations = tuple(_read(path) for path in sorted(folder.glob("*.sql")))
    for number, migration in enumerate(migrations, start=1):
        if migration.number != number:
            raise MigrationError(f"{migration.filename} should be number {number:04}")
    return migrations


def _read(path: Path) -> Migration:
    match = _FILENAME.fullmatch(path.name)
    if match is None:
        raise MigrationError(f"{path.name} is not named like 0001_what_it_does.sql")
    content = path.read_bytes()
    return Migration(
        number=int(match[1]),
        filename=path.name,
        sql=content.decode(),
        sha256=hashlib.sha256(content).digest(),
    )


async def migrate(conn: Connection, folder: Path = MIGRATIONS) -> int:
    """Apply what is missing and return how many migrations that was.

    Raises `MigrationError`, having changed nothing, if the database has a migration that this version
    does not know, or one whose file is not what it was when applied.
    """
    version = conn.get_server_version()
    if version.major < OLDEST_MAJOR:
        raise MigrationError(
            f"PostgreSQL {version.major} is too old: {OLDEST_MAJOR} or newer is needed"
        )
    migrations = read_migrations(folder)
    applied = 0
    while await _apply_next(conn, migrations):
        applied += 1
    return applied


async def _apply_next(conn: Connection, migrations: Sequence[Migration]) -> bool:
    # The lock is the transaction's, not the session's: PgBouncer may change the session in between.
    async with conn.transaction():
        await conn.execute(_LOCK, _LOCK_ID)
        await conn.execute(_CREATE_LEDGER)
        missing = _missing(await conn.fetch(_SELECT_APPLIED), migrations)
        if not missing:
            return False
        await conn.execute(missing[0].sql)
        await conn.execute(
            _INSERT_APPLIED, missing[0].number, missing[0].filename, missing[0].sha256
        )
        return True


async def missing_migrations(conn: Connection, folder: Path = MIGRATIONS) -> tuple[str, ...]:
    """Name the migrations that the database lacks, changing nothing.

    Raises `MigrationError` where `migrate` would, but for the server's version.
    """
    has_ledger = await conn.fetchval(_HAS_LEDGER)
    applied = await conn.fetch(_SELECT_APPLIED) if has_ledger else []
    return tuple(each.filename for each in _missing(applied, read_migrations(folder)))


def _missing(applied: Sequence[asyncpg.Record], migrations: Sequence[Migration]) -> list[Migration]:
    known = {migration.number: migration for migration in migrations}
    for number, filename, sha256 in applied:
        migration = known.pop(number, None)
        if migration is None:
            raise MigrationError(
                f"the database has migration {filename}, which this version does not know:"
                " it was last used by a newer Veza; start that one, or restore a backup"
            )
        if migration.sha256 != sha256:
            raise MigrationError(
                f"{filename} is not the file that was applied to the database:"
                " a migration is never edited, write a new one"
            )
    return [known[number] for number in sorted(known)]
