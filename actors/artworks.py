"""The artworks service: pictures of tracks, as listeners see them and as their owners choose them."""

from hashlib import sha256
from uuid import UUID

from veza.actors.catalogue import owned
from veza.actors.jobs import advanced, holding
from veza.actors.messages.artworks import (
    ArtworkAccepted,
    ArtworkFinished,
    ArtworkLoaded,
    ArtworkRead,
    ArtworkRemoved,
    ChooseArtwork,
    FinishArtwork,
    LoadArtwork,
    ReadArtwork,
    RemoveArtwork,
)
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.directory import Deliver
from veza.actors.messages.jobs import DISPATCHER, JobQueued
from veza.actors.messages.tracks import JobType
from veza.actors.runtime.address import Address
from veza.actors.storing import StoringActor
from veza.persistence import artworks, jobs
from veza.persistence.artworks import artwork_key
from veza.persistence.errors import MediaNotFoundError, UploadUnknownError
from veza.persistence.media_store import MediaStore
from veza.persistence.pool import Connection, Pool


class ArtworksActor(StoringActor):
    """A picture is an object first, and then the track's; the one before it goes after that."""

    def __init__(self, *, pool: Pool, store: MediaStore, directory: Address, node_id: UUID) -> None:
        super().__init__(pool=pool, store=store)
        self.directory = directory
        self.node_id = node_id

    async def receiveMsg_ReadArtwork(self, command: ReadArtwork, _sender: Address) -> ArtworkRead:
        async with self.connection() as conn:
            found = await artworks.find_artwork(conn, command.track_id, command.viewer_id)
        if found is None:
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such picture.")
        try:
            return ArtworkRead(data=await self.stored(self.store.read, found.key), tag=found.tag)
        except MediaNotFoundError as error:  # its owner has just chosen another
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such picture.") from error

    async def receiveMsg_ChooseArtwork(
        self, command: ChooseArtwork, _sender: Address
    ) -> ArtworkAccepted:
        async with self.connection() as conn:
            await owned(conn, command.track_id, command.owner_id)
        key = original_key(command.track_id, command.job_id)
        try:
            await self.stored(self.store.finish, command.upload_id, key)
        except UploadUnknownError as error:
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such upload.") from error
        async with self.transaction() as conn:
            await jobs.insert_side_job(
                conn,
                job_id=command.job_id,
                job_type=JobType.ARTWORK,
                owner_id=command.owner_id,
                track_id=command.track_id,
            )
            job = await jobs.get_job(conn, command.job_id)
        if job is None:
            await self.stored(self.store.delete, key)
            raise RefusedError(RejectCode.INVALID_STATE, "Another picture is being made small.")
        self.send(self.directory, Deliver(key=DISPATCHER, message=JobQueued()))
        return ArtworkAccepted(job=job)

    async def receiveMsg_RemoveArtwork(
        self, command: RemoveArtwork, _sender: Address
    ) -> ArtworkRemoved:
        async with self.transaction() as conn:
            await owned(conn, command.track_id, command.owner_id)
            before = await artworks.remove_artwork(conn, command.track_id)
        if before is not None:
            await self.stored(self.store.delete, before)
        return ArtworkRemoved()

    # --- for the node's own actors ---

    async def receiveMsg_LoadArtwork(self, command: LoadArtwork, _sender: Address) -> ArtworkLoaded:
        async with self.transaction() as conn, holding(conn, command.job_id, self.node_id):
            track_id = await track_of_job(conn, command.job_id)
        return ArtworkLoaded(source_key=original_key(track_id, command.job_id))

    async def receiveMsg_FinishArtwork(
        self, command: FinishArtwork, _sender: Address
    ) -> ArtworkFinished:
        digest = sha256(command.data).digest()
        async with self.transaction() as conn, holding(conn, command.job_id, self.node_id):
            track_id = await track_of_job(conn, command.job_id)
        key = artwork_key(track_id, digest)
        await self.stored(self.store.put, key, command.data)
        async with self.transaction() as conn, holding(conn, command.job_id, self.node_id):
            before = await artworks.set_chosen(
                conn, track_id, key=key, sha256=digest, size_bytes=len(command.data)
            )
            await jobs.finish_job(conn, command.job_id, node_id=self.node_id)
        # What is left of these by a crash here, no table names: `veza media gc` takes it away.
        for gone in {before, original_key(track_id, command.job_id)} - {None, key}:
            await self.stored(self.store.delete, str(gone))
        return ArtworkFinished()


def original_key(track_id: UUID, job_id: UUID) -> str:
    """Return the media key of what an owner chose, until it is made small."""
    return f"media/{track_id}/artwork/{job_id}"


async def track_of_job(conn: Connection, job_id: UUID) -> UUID:
    """Return the track that a job is about."""
    track_id = (await advanced(conn, job_id)).job.track_id
    if track_id is None:
        raise LookupError(f"job {job_id} is not about a track")
    return track_id
