"""The uploads service of a whole node, asked as the gateway asks it."""

import asyncio
from typing import Any

import pytest

from veza.actors.messages.common import RejectCode, Rejected
from veza.actors.messages.uploads import (
    AppendUpload,
    DescribeUpload,
    OpenUpload,
    Upload,
    UploadDescribed,
)
from veza.actors.uploads import SweepUnfinished
from veza.config.ids import uuid7

SERVICE = ("uploads", "")


class Service:
    def __init__(self, world: Any) -> None:
        self.world = world

    async def ask(self, command: object) -> Any:
        return await self.world.node.ask(SERVICE, command, 60.0)

    async def opened(self, owner: Any, length: int | None = 4) -> Upload:
        reply = await self.ask(self.open_upload(owner, length))
        assert isinstance(reply, UploadDescribed), reply
        return reply.upload

    def open_upload(self, owner: Any, length: int | None) -> OpenUpload:
        return OpenUpload(
            upload_id=uuid7(),
            track_id=uuid7(),
            owner=owner,
            length_bytes=length,
            title="",
            filename="song.wav",
            metadata="",
        )

    async def append(self, upload: Upload, offset: int, data: bytes) -> Any:
        command = AppendUpload(
            upload_id=upload.id, owner_id=upload.owner.id, offset_bytes=offset, data=data
        )
        return await self.ask(command)

    async def described(self, upload: Upload) -> Any:
        return await self.ask(DescribeUpload(upload_id=upload.id, owner_id=upload.owner.id))

    def sweep(self) -> None:
        """Forget what expired, and make the tracks of what is whole."""
        self.world.node.tell(SERVICE, SweepUnfinished(older_than_seconds=0.0))

    async def changed(self, query: str, *arguments: object) -> None:
        async with self.world.pool.acquire() as conn:
            await conn.execute(query, *arguments)

    async def received(self, upload: Upload) -> None:
        """As a node leaves an upload that dies with its last byte."""
        await self.changed(
            "UPDATE uploads SET state = 'received', offset_bytes = length_bytes, sha256 = NULL"
            " WHERE id = $1",
            upload.id,
        )

    def source(self, track_id: object) -> bytes:
        data: bytes = (self.world.store._root / "sources" / str(track_id)).read_bytes()
        return data

    def files(self) -> list[str]:
        return sorted(path.name for path in (self.world.store._root / "uploads").iterdir())

    async def has_files(self, *ids: object) -> None:
        """Wait until these uploads have a file and no other."""
        async with asyncio.timeout(30):
            while self.files() != sorted(map(str, ids)):
                await asyncio.sleep(0.01)

    @staticmethod
    def code(reply: object) -> RejectCode:
        assert isinstance(reply, Rejected), reply
        return reply.code


@pytest.fixture
def service(world: Any) -> Service:
    return Service(world)


@pytest.fixture
async def alice(world: Any) -> Any:
    return await world.person("alice")
