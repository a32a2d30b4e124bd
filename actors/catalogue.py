"""The catalogue service: tracks, their waveforms and their playlists."""

from pathlib import PurePath
from typing import Final
from uuid import UUID

import orjson

from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.directory import Deliver
from veza.actors.messages.jobs import DISPATCHER, JobQueued
from veza.actors.messages.tracks import (
    AudiowaveformRead,
    ChangeTrack,
    DescribeTrack,
    EndPlayback,
    ListTracks,
    PlaybackVersionRead,
    PlaylistRead,
    PublishUpload,
    ReadAudiowaveform,
    ReadManifest,
    ReadMaster,
    ReadPlaybackVersion,
    ReadPlaylist,
    ReadWaveform,
    Track,
    TrackAccepted,
    TrackDescribed,
    TracksListed,
    WaveformFormat,
    WaveformRead,
)
from veza.actors.runtime.address import Address
from veza.actors.storing import StoringActor
from veza.codecs import dash, playlist
from veza.codecs.ladder import FLAC
from veza.codecs.peaks import Peaks
from veza.config.ids import uuid7
from veza.persistence import tracks
from veza.persistence.errors import UploadUnknownError
from veza.persistence.media_store import MediaStore
from veza.persistence.pool import Connection, Pool
from veza.persistence.renditions import load_playing, load_rendition
from veza.persistence.rows import Rendition, Segment
from veza.persistence.track_changes import change_track

MAX_TITLE_CHARS: Final = 200


class CatalogueActor(StoringActor):
    """Tracks as a table, and playlists made from the rows of their segments."""

    def __init__(
        self, *, pool: Pool, store: MediaStore, directory: Address, segment_seconds: int
    ) -> None:
        super().__init__(pool=pool, store=store)
        self.directory = directory
        self.segment_seconds = segment_seconds

    async def receiveMsg_PublishUpload(
        self, command: PublishUpload, _sender: Address
    ) -> TrackAccepted:
        source_key = f"sources/{command.track_id}"
        try:
            size_bytes, sha256 = await self.stored(
                self.store.finish, command.upload_id, source_key, filename=command.filename
            )
        except UploadUnknownError as error:
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such upload.") from error
        async with self.transaction() as conn:
            track, job = await tracks.insert_track(
                conn,
                track_id=command.track_id,
                job_id=uuid7(),
                owner_id=command.owner.id,
                title=title_of(command.title, command.filename),
                filename=command.filename,
                source_key=source_key,
                source_sha256=sha256,
                source_bytes=size_bytes,
                visibility=command.visibility,
            )
            duplicate_of = await tracks.find_duplicate(conn, track.id)
        self.send(self.directory, Deliver(key=DISPATCHER, message=JobQueued()))
        return TrackAccepted(track=track, job=job, duplicate_of=duplicate_of)

    async def receiveMsg_DescribeTrack(
        self, command: DescribeTrack, _sender: Address
    ) -> TrackDescribed:
        async with self.connection() as conn:
            track = await tracks.get_audible_track(conn, command.track_id, command.viewer_id)
        return TrackDescribed(track=found(track))

    async def receiveMsg_ChangeTrack(
        self, command: ChangeTrack, _sender: Address
    ) -> TrackDescribed:
        async with self.transaction() as conn:
            is_changed = await change_track(
                conn,
                command.track_id,
                command.edit,
                owner_id=command.owner_id,
                if_version=command.if_version,
            )
            track = await owned(conn, command.track_id, command.owner_id)
        if not is_changed:
            raise RefusedError(RejectCode.VERSION_CONFLICT, "It was changed meanwhile.")
        return TrackDescribed(track=track)

    async def receiveMsg_EndPlayback(
        self, command: EndPlayback, _sender: Address
    ) -> PlaybackVersionRead:
        async with self.connection() as conn:
            version = await tracks.end_playback(conn, command.track_id, command.owner_id)
            if version is None:
                await owned(conn, command.track_id, command.owner_id)
                raise RefusedError(RejectCode.NOT_FOUND, "There is no such track.")
        return PlaybackVersionRead(version=version)

    async def receiveMsg_ReadPlaybackVersion(
        self, command: ReadPlaybackVersion, _sender: Address
    ) -> PlaybackVersionRead:
        async with self.connection() as conn:
            version = await tracks.playback_version(conn, command.track_id)
        if version is None:
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such track.")
        return PlaybackVersionRead(version=version)

    async def receiveMsg_ListTracks(self, command: ListTracks, _sender: Address) -> TracksListed:
        async with self.connection() as conn:
            listed = await tracks.list_tracks(
                conn, viewer_id=command.viewer_id, before=command.before, limit=command.limit
            )
        return TracksListed(tracks=tuple(listed))

    async def receiveMsg_ReadWaveform(
        self, command: ReadWaveform, _sender: Address
    ) -> WaveformRead:
        async with self.connection() as conn:
            track = found(await tracks.get_track(conn, command.track_id))
            peaks = await tracks.read_waveform(conn, command.track_id)
        if not track.has_waveform or peaks is None:
            raise RefusedError(RejectCode.NOT_READY, "The track is still being worked on.")
        values = memoryview(peaks).cast("b").tolist()
        return WaveformRead(buckets=tuple(zip(values[::2], values[1::2], strict=True)))

    async def receiveMsg_ReadAudiowaveform(
        self, command: ReadAudiowaveform, _sender: Address
    ) -> AudiowaveformRead:
        async with self.connection() as conn:
            kept = await tracks.read_fine_waveform(conn, command.track_id)
        if kept is None:
            raise RefusedError(RejectCode.NOT_READY, "There is no waveform as fine as that yet.")
        rate, samples, pairs = kept
        peaks = Peaks(sample_rate_hz=rate, samples_per_bucket=samples, pairs=pairs)
        peaks = peaks.at_least(command.samples_per_pixel)
        if command.format is WaveformFormat.BINARY:
            return AudiowaveformRead(data=peaks.as_dat())
        return AudiowaveformRead(data=orjson.dumps(peaks.as_json()))

    async def receiveMsg_ReadMaster(self, command: ReadMaster, _sender: Address) -> PlaylistRead:
        ladder = await self._playing(command.track_id)
        if not command.is_lossless:
            ladder = tuple(rendition for rendition in ladder if rendition.codecs != FLAC)
        refuse_unless_playable(ladder)
        text = playlist.master_playlist(
            [variant_of(rendition) for rendition in ladder],
            segment_seconds=self.segment_seconds,
            query=command.query,
        )
        return PlaylistRead(text=text, is_complete=all(r.is_complete for r in ladder))

    async def receiveMsg_ReadManifest(
        self, command: ReadManifest, _sender: Address
    ) -> PlaylistRead:
        ladder = await self._playing(command.track_id)
        refuse_unless_playable(ladder)
        if not all(rendition.is_complete for rendition in ladder):
            raise RefusedError(RejectCode.NOT_READY, "The track is still being encoded.")
        text = dash.manifest(
            [representation_of(rendition) for rendition in ladder],
            segment_seconds=self.segment_seconds,
            query=command.query,
        )
        return PlaylistRead(text=text, is_complete=True)

    async def receiveMsg_ReadPlaylist(
        self, command: ReadPlaylist, _sender: Address
    ) -> PlaylistRead:
        async with self.connection() as conn:
            found(await tracks.get_track(conn, command.track_id))
            rendition = await load_rendition(conn, command.track_id, command.rendition)
        if rendition is None:
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such rendition.")
        refuse_unless_playable((rendition,))
        text = playlist.media_playlist(
            [segment_of(segment) for segment in rendition.segments],
            sample_rate_hz=rendition.sample_rate_hz,
            init_address="init.mp4",
            segment_seconds=self.segment_seconds,
            ended=rendition.is_complete,
            query=command.query,
        )
        return PlaylistRead(text=text, is_complete=rendition.is_complete)

    async def _playing(self, track_id: UUID) -> tuple[Rendition, ...]:
        async with self.connection() as conn:
            found(await tracks.get_track(conn, track_id))
            return await load_playing(conn, track_id)


def refuse_unless_playable(renditions: tuple[Rendition, ...]) -> None:
    """Refuse while no segment is there."""
    if not any(rendition.segments for rendition in renditions):
        raise RefusedError(RejectCode.NOT_READY, "The track is still being worked on.")


def variant_of(rendition: Rendition) -> playlist.Variant:
    """Say what the master playlist tells of a rendition."""
    return playlist.Variant(
        address=f"{rendition.name}/index.m3u8",
        sample_rate_hz=rendition.sample_rate_hz,
        nominal_bit_rate_bps=rendition.bitrate_bps,
        segments=[segment_of(segment) for segment in rendition.segments],
        ended=rendition.is_complete,
        codecs=rendition.codecs,
    )


def representation_of(rendition: Rendition) -> dash.Representation:
    """Say what the DASH manifest tells of a rendition."""
    return dash.Representation(
        name=rendition.name,
        codecs=rendition.codecs,
        sample_rate_hz=rendition.sample_rate_hz,
        channels=rendition.channels,
        segments=[segment_of(segment) for segment in rendition.segments],
    )


def segment_of(row: Segment) -> playlist.Segment:
    """Say what a playlist tells of a segment."""
    return playlist.Segment(
        address=f"{row.number}.m4s",
        duration_samples=row.duration_samples,
        size_bytes=row.size_bytes,
    )


async def owned(conn: Connection, track_id: UUID, owner_id: UUID) -> Track:
    """Return one's own track; refuse as if it were not there if one may not even hear it."""
    track = found(await tracks.get_audible_track(conn, track_id, owner_id))
    if track.owner.id != owner_id:
        raise RefusedError(RejectCode.FORBIDDEN, "It is somebody else's track.")
    return track


def found(track: Track | None) -> Track:
    """Return the track; refuse if there is none."""
    if track is None:
        raise RefusedError(RejectCode.NOT_FOUND, "There is no such track.")
    return track


def title_of(title: str, filename: str) -> str:
    """Choose the title a track starts with: the given one, else the file's name without its ending."""
    chosen = " ".join((title or PurePath(filename).stem.replace("_", " ")).split())
    return chosen[:MAX_TITLE_CHARS] or "Untitled"
