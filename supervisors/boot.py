"""What a node stands on, opened and closed in mirror order: database, what nodes share, actors."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from uuid import UUID

from pydantic import AnyHttpUrl, SecretStr

from veza.actors.fanout import FanOut
from veza.config.ids import uuid7
from veza.config.paths import media_folder, postgres_folder
from veza.config.settings import Settings
from veza.persistence.errors import (
    DatabaseUnavailableError,
    MigrationError,
    PostgresStartError,
)
from veza.persistence.local_store import LocalMediaStore
from veza.persistence.media_store import MediaStore
from veza.persistence.migrate import migrate
from veza.persistence.pool import Pool, open_pool
from veza.persistence.postgres import EmbeddedPostgres
from veza.persistence.s3_store import Bucket, S3MediaStore
from veza.supervisors.database import DatabaseKeeper
from veza.supervisors.figures import DatabaseUse
from veza.supervisors.node import Node, NodeFailedError
from veza.supervisors.shared import Shared, alone, bus_figures, over_redis
from veza.supervisors.tree import Resources, build_tree

MIN_CONNECTIONS: Final = 2
MAX_CONNECTIONS: Final = 16


class StartError(Exception):
    """The node cannot start; the message is for whoever started it."""


@contextmanager
def database(settings: Settings) -> Iterator[tuple[str, DatabaseKeeper]]:
    """Lend the database's DSN: the configured one, else that of a private server run meanwhile.

    Enter from the main thread, before the event loop. Raises `StartError`.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value(), DatabaseKeeper(None)
        return
    server = EmbeddedPostgres(postgres_folder(settings.data))
    try:
        dsn = server.start()
    except PostgresStartError as error:
        raise StartError(str(error)) from error
    try:
        yield dsn, DatabaseKeeper(server)
    finally:
        server.stop()


@asynccontextmanager
async def running_node(
    settings: Settings, dsn: str, keeper: DatabaseKeeper, fan_out: FanOut
) -> AsyncIterator[Node]:
    """Lend a node whose actors are all ready. Raises `StartError`."""
    node_id = uuid7()
    async with migrated(dsn) as pool, shared(settings, node_id) as others:
        store = await asyncio.to_thread(media_store, settings)
        resources = Resources(
            node_id=node_id,
            settings=settings,
            pool=pool,
            store=store,
            fan_out=fan_out,
            shared=others,
        )
        node = Node(
            build_tree(resources),
            checks={"database": lambda: keeper.is_up},
            node_id=str(node_id),
            database_use=lambda: DatabaseUse(used=pool.lent, limit=MAX_CONNECTIONS),
            bus=lambda: bus_figures(others.bus),
            shared_rates=others.rates,
            shared_places=others.places,
        )
        watching = asyncio.create_task(keeper.watch(pool))
        try:
            await started(node)
            node.garbage.start(asyncio.get_running_loop())
            yield node
        finally:
            node.garbage.stop()
            watching.cancel()
            await node.stop(settings.drain_timeout_seconds)


def media_store(settings: Settings) -> MediaStore:
    """Return where media are kept. Blocks; a bucket is not asked whether it is there."""
    folder, bucket = media_folder(settings.data), bucket_of(settings)
    return LocalMediaStore(folder) if bucket is None else S3MediaStore(bucket, folder)


def bucket_of(settings: Settings) -> Bucket | None:
    """Return the bucket that media are kept in, if it is one."""
    if settings.media_url is None:
        return None
    name, _, prefix = settings.media_url.removeprefix("s3://").partition("/")
    return Bucket(
        name=name,
        prefix=prefix.rstrip("/"),
        endpoint=_text(settings.s3_endpoint),
        public_endpoint=_text(settings.s3_public_endpoint),
        region=settings.s3_region,
        access_key_id=_secret(settings.s3_access_key_id),
        secret_access_key=_secret(settings.s3_secret_access_key),
    )


def _text(url: AnyHttpUrl | None) -> str | None:
    return None if url is None else str(url).rstrip("/")


def _secret(given: SecretStr | None) -> str | None:
    return None if given is None else given.get_secret_value()


@asynccontextmanager
async def migrated(dsn: str) -> AsyncIterator[Pool]:
    """Lend connections to a database whose schema is up to date. Raises `StartError`."""
    pool = await migrated_pool(dsn)
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def shared(settings: Settings, node_id: UUID) -> AsyncIterator[Shared]:
    """Lend what nodes share. Raises `StartError` for an address that is none; Redis itself may be away."""
    url = settings.redis_url
    try:
        lent = over_redis(url.get_secret_value(), node_id) if url else alone(node_id)
    except ValueError as error:
        raise StartError(f"VEZA_REDIS_URL: {error}") from error
    try:
        await lent.start()
        yield lent
    finally:
        await lent.close()


async def started(node: Node) -> None:
    """Start a node's actors. Raises `StartError`."""
    try:
        await node.start()
    except NodeFailedError as error:
        raise StartError(f"The actors could not be started: {error}") from error


async def migrated_pool(dsn: str) -> Pool:
    """Connect, and bring the schema up to date. Raises `StartError`."""
    try:
        pool = await open_pool(dsn, min_size=MIN_CONNECTIONS, max_size=MAX_CONNECTIONS)
        try:
            async with pool.acquire() as conn:
                await migrate(conn)
        except BaseException:
            await pool.close()
            raise
    except (DatabaseUnavailableError, MigrationError) as error:
        raise StartError(f"The database cannot be used: {error}") from error
    return pool
