"""The segments service: publishes what was encoded, first the whole file, then its row."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import sha256
from typing import Final
from uuid import UUID

import orjson

from veza.actors.jobs import advanced, holding, job_and_track
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.jobs import (
    JobAdvanced,
    PartStored,
    PublishTrack,
    StoreArtwork,
    StoreInit,
    StoreProbe,
    StoreSegment,
)
from veza.actors.messages.tracks import JobState
from veza.actors.runtime.address import Address
from veza.actors.storing import StoringActor
from veza.codecs import fingerprint
from veza.persistence import artworks, jobs, renditions, tracks
from veza.persistence.artworks import artwork_key
from veza.persistence.errors import AlreadyExistsError, SegmentOrderError
from veza.persistence.fingerprints import find_alike, save_fingerprint
from veza.persistence.media_store import MediaStore
from veza.persistence.pool import Connection, Pool
from veza.persistence.renditions import media_folder, rendition_name
from veza.persistence.rows import Segment

COARSE_BUCKETS: Final = 2_048
"""Of the waveform that a page draws: more than it has pixels."""
MOST_COMPARED: Final = 8
"""Recordings that share the most words with a new one: the same recording was among the first two of 56."""


class SegmentsActor(StoringActor):
    """Stores parts of tracks for jobs whose lease this node holds; storing one twice is harmless."""

    def __init__(self, *, pool: Pool, store: MediaStore, node_id: UUID) -> None:
        super().__init__(pool=pool, store=store)
        self.node_id = node_id

    async def receiveMsg_StoreProbe(self, command: StoreProbe, _sender: Address) -> PartStored:
        async with self.transaction() as conn, self._holding(conn, command.job_id):
            await tracks.set_probed(
                conn,
                command.track_id,
                sample_rate_hz=command.sample_rate_hz,
                channels=command.channels,
                artist=command.tags.artist,
                album=command.tags.album,
                genre=command.tags.genre,
                track_number=command.tags.track_number,
            )
            await jobs.set_state(
                conn,
                command.job_id,
                node_id=self.node_id,
                state=JobState.ENCODING,
                progress=command.progress,
            )
            return await part_stored(conn, command.job_id)

    async def receiveMsg_StoreArtwork(self, command: StoreArtwork, _sender: Address) -> PartStored:
        digest = sha256(command.data).digest()
        key = artwork_key(command.track_id, digest)
        await self._put(key, command.data)
        async with self.transaction() as conn, self._holding(conn, command.job_id):
            await artworks.set_found(
                conn, command.track_id, key=key, sha256=digest, size_bytes=len(command.data)
            )
            return await part_stored(conn, command.job_id)

    async def receiveMsg_StoreInit(self, command: StoreInit, _sender: Address) -> PartStored:
        digest = sha256(command.data).digest()
        rendition = rendition_name(command.rendition, command.generation)
        key = media_key(command.track_id, rendition, "init", digest)
        await self._put(key, command.data)
        async with self._growing(command.job_id) as conn:
            await renditions.save_init(
                conn,
                command.track_id,
                rendition=rendition,
                generation=command.generation,
                codecs=command.codecs,
                sample_rate_hz=command.sample_rate_hz,
                channels=command.channels,
                bitrate_bps=command.bitrate_bps,
                init_key=key,
                init_sha256=digest,
            )
            return await part_stored(conn, command.job_id)

    async def receiveMsg_StoreSegment(self, command: StoreSegment, _sender: Address) -> PartStored:
        digest = sha256(command.data).digest()
        rendition = rendition_name(command.rendition, command.generation)
        key = media_key(command.track_id, rendition, str(command.number), digest)
        await self._put(key, command.data)
        segment = Segment(
            number=command.number,
            key=key,
            sha256=digest,
            size_bytes=len(command.data),
            first_sample=command.first_sample,
            duration_samples=command.duration_samples,
        )
        async with self._growing(command.job_id) as conn:
            await renditions.append_segment(
                conn, command.track_id, rendition=rendition, segment=segment
            )
            if command.number == 0:
                names = [rendition_name(rung, command.generation) for rung in command.renditions]
                await tracks.mark_playable(
                    conn, command.track_id, names, generation=command.generation
                )
            return await part_stored(conn, command.job_id)

    async def receiveMsg_PublishTrack(self, command: PublishTrack, _sender: Address) -> JobAdvanced:
        frames = fingerprint.unpack(command.fingerprint)
        sounds_like = await self._sounds_like(command.track_id, frames)
        async with self.transaction() as conn, self._holding(conn, command.job_id):
            await tracks.finish_track(
                conn,
                command.track_id,
                duration_samples=command.duration_samples,
                sample_rate_hz=command.sample_rate_hz,
                peaks=command.peaks.at_most(COARSE_BUCKETS).pairs,
                analysis=orjson.dumps(command.analysis).decode(),
                generation=command.generation,
                recipe=command.recipe,
            )
            await renditions.supersede(conn, command.track_id, command.generation)
            await tracks.save_waveform(
                conn,
                command.track_id,
                sample_rate_hz=command.peaks.sample_rate_hz,
                samples_per_pixel=command.peaks.samples_per_bucket,
                peaks=command.peaks.pairs,
            )
            await save_fingerprint(
                conn,
                command.track_id,
                frames=command.fingerprint,
                keys=fingerprint.keys(frames),
            )
            await jobs.finish_job(
                conn, command.job_id, node_id=self.node_id, sounds_like=sounds_like
            )
            return await advanced(conn, command.job_id)

    async def _sounds_like(self, track_id: UUID, frames: fingerprint.Frames) -> UUID | None:
        """Return an older track with the same recording. Of two that end at once neither knows the other."""
        probes = fingerprint.probes(frames)
        async with self.connection() as conn:
            alike = await find_alike(conn, track_id, probes=probes, limit=MOST_COMPARED)
        for other_id, packed in alike:
            other = fingerprint.unpack(packed)
            if await asyncio.to_thread(fingerprint.compare, frames, other) is not None:
                return other_id
        return None

    @asynccontextmanager
    async def _growing(self, job_id: UUID) -> AsyncIterator[Connection]:
        """Add to a rendition under the lease; refuse what does not continue what is stored."""
        try:
            async with self.transaction() as conn, self._holding(conn, job_id):
                yield conn
        except (AlreadyExistsError, SegmentOrderError) as error:
            raise RefusedError(RejectCode.ALREADY_EXISTS, str(error)) from error

    def _holding(self, conn: Connection, job_id: UUID) -> AbstractAsyncContextManager[None]:
        return holding(conn, job_id, self.node_id)

    async def _put(self, key: str, data: bytes) -> None:
        await self.stored(self.store.put, key, data)


def media_key(track_id: UUID, rendition: str, name: str, digest: bytes) -> str:
    """Name an object by what it holds: a node that lost its lease cannot write over what is played."""
    return f"{media_folder(track_id, rendition)}/{name}.{digest[:8].hex()}.mp4"


async def part_stored(conn: Connection, job_id: UUID) -> PartStored:
    """Say how job and track stand within the transaction that stored the part."""
    job, track = await job_and_track(conn, job_id)
    return PartStored(job=job, track=track)
