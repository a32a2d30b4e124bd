"""What a database says of itself: its version, what its schema lacks, its clock. Nothing is changed."""

from dataclasses import dataclass
from datetime import datetime

from veza.persistence.errors import MigrationError
from veza.persistence.migrate import OLDEST_MAJOR, missing_migrations
from veza.persistence.pool import Connection, fetch_one

_SELECT_CLOCK = "SELECT clock_timestamp() AS now"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSurvey:
    """`missing` are the migrations that the next start applies."""

    version: str
    missing: tuple[str, ...]
    now: datetime


async def survey_database(conn: Connection) -> DatabaseSurvey:
    """Look at a database. Raises `MigrationError` if no node of this version could start on it."""
    version = conn.get_server_version()
    if version.major < OLDEST_MAJOR:
        raise MigrationError(
            f"PostgreSQL {version.major} is too old: {OLDEST_MAJOR} or newer is needed"
        )
    missing = await missing_migrations(conn)
    clock = await fetch_one(conn, _SELECT_CLOCK)
    return DatabaseSurvey(
        version=f"{version.major}.{version.minor}", missing=missing, now=clock["now"]
    )
