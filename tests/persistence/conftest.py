"""Accounts, rooms and tracks to test repositories with."""

import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import pytest

from veza.persistence.accounts import insert_user
from veza.persistence.pool import Connection, Pool
from veza.persistence.room_rows import Room, RoomKind, RoomSettings
from veza.persistence.rooms import insert_room
from veza.persistence.rows import Author, Job, Track
from veza.persistence.tracks import insert_track

MakeAuthor = Callable[[], Awaitable[Author]]
MakeRoom = Callable[[], Awaitable[Room]]
MakeTrack = Callable[[], Awaitable[tuple[Track, Job]]]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder for a private server; not in pytest's own, which is closed to the account root lends it."""
    # A server whose owner was killed may write its last file while the folder goes.
    with TemporaryDirectory(prefix="veza-postgres-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
async def conn(pool: Pool) -> AsyncIterator[Connection]:
    """One connection, outside any transaction."""
    async with pool.acquire() as conn:
        yield conn


@pytest.fixture
def new_author(pool: Pool) -> MakeAuthor:
    numbers = count(1)

    async def make() -> Author:
        number = next(numbers)
        async with pool.acquire() as conn:
            user = await insert_user(
                conn,
                user_id=uuid4(),
                username=f"user{number}",
                email=f"user{number}@example.org",
                password_hash="hash",
            )
        return Author(id=user.id, name=user.username)

    return make


@pytest.fixture
def new_room(pool: Pool, new_author: MakeAuthor) -> MakeRoom:
    # Ids that grow, as those made by nodes do.
    numbers = count(1)

    async def make() -> Room:
        creator = await new_author()
        async with pool.acquire() as conn:
            return await insert_room(
                conn,
                room_id=UUID(int=next(numbers)),
                settings=RoomSettings(name="A room", kind=RoomKind.PUBLIC),
                epoch=uuid4(),
                creator_id=creator.id,
            )

    return make


@pytest.fixture
def new_track(pool: Pool, new_author: MakeAuthor) -> MakeTrack:
    numbers = count(1)

    async def make() -> tuple[Track, Job]:
        owner = await new_author()
        number = next(numbers)
        async with pool.acquire() as conn:
            return await insert_track(
                conn,
                track_id=UUID(int=number),
                job_id=UUID(int=1000 + number),
                owner_id=owner.id,
                title="A track",
                filename="a.flac",
                source_key=f"sources/{number}",
                source_sha256=bytes(32),
                source_bytes=10,
            )

    return make


@pytest.fixture
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """The kernel refuses to let a file grow past a size, as it does where the disk is full."""

    @contextmanager
    def limited(size_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
