"""A private PostgreSQL from programs that pip installed: `EmbeddedPostgres`."""

from veza.persistence.postgres.launcher import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
