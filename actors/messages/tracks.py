"""The protocol of tracks: uploads, the catalogue, playback and the jobs that publish them.

Keys: `("media", "")` stores bytes; `("catalogue", "")` knows tracks; `("jobs", "")` knows jobs.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from veza.persistence.media_store import SourceFile
from veza.persistence.rows import (
    Author,
    Credit,
    Downloads,
    Failure,
    Job,
    JobState,
    JobType,
    Licence,
    Track,
    TrackState,
    Visibility,
)
from veza.persistence.track_changes import CLEARABLE, TrackEdit

JOBS: Final = ("jobs", "")
CATALOGUE: Final = ("catalogue", "")
MEDIA: Final = ("media", "")

# --- media: bytes in and out of the store ---


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteChunk:
    """Put `data` at `offset` of an upload (made at its first chunk). Reply: `ChunkWritten` or `Rejected`.

    Codes: `payload_too_large`, `storage_full`.
    """

    upload_id: UUID
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkWritten:
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DropUpload:
    """Forget an upload that will not be finished. No reply."""

    upload_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSource:
    """An uploaded file, for a process of this node to read. Only for jobs, which say which.

    Reply: `SourceOpened` or `Rejected` (`not_found`, `storage_unavailable`, `storage_full`).
    """

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOpened:
    file: SourceFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMedia:
    """Bytes of a published object. `name` is `init.mp4` or `<n>.m4s`, as in the playlist.

    Reply: `MediaRead` or `Rejected` (`not_found`).
    """

    track_id: UUID
    rendition: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRead:
    """`etag` is a strong validator without quotes."""

    data: bytes
    etag: str


# --- the catalogue ---

PUBLISH_SECONDS: Final = 300.0
"""How long to wait for it: what was uploaded is read once more, for its hash, and moved to its place.

In a bucket that place is at the end of a line: a gigabyte takes 300 s at 28 Mbit/s.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishUpload:
    """Make a track of a finished upload and queue its transcode job. Reply: `TrackAccepted` or `Rejected`.

    `track_id` is chosen by the sender: the same command again is harmless. Codes: `not_found`,
    `storage_full`.
    """

    track_id: UUID
    upload_id: UUID
    owner: Author
    title: str
    filename: str
    visibility: Visibility = Visibility.PUBLIC


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackAccepted:
    """`duplicate_of` is the owner's eldest other track that was made of the same bytes."""

    track: Track
    job: Job
    duplicate_of: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeTrack:
    """A track that the viewer may hear, or anybody if that is None.

    Reply: `TrackDescribed` or `Rejected` (`not_found`: also for one that they may not hear).
    """

    track_id: UUID
    viewer_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackDescribed:
    track: Track


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTrack:
    """Change one's own track. Reply: `TrackDescribed` or `Rejected`.

    Codes: `not_found`, `forbidden` (somebody else's), `version_conflict` (it has another version than
    `if_version`).
    """

    track_id: UUID
    owner_id: UUID
    edit: TrackEdit
    if_version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndPlayback:
    """End all playback addresses of one's own track. Reply: `PlaybackVersionRead` or `Rejected`.

    Codes: `not_found`, `forbidden`.
    """

    track_id: UUID
    owner_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPlaybackVersion:
    """What playback addresses must be signed with.

    Reply: `PlaybackVersionRead` or `Rejected` (`not_found`).
    """

    track_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackVersionRead:
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTracks:
    """Tracks that the viewer may find, newest first, those older than `before`. Reply: `TracksListed`.

    Others' tracks appear once playable, if they are not unlisted; one's own always.
    """

    viewer_id: UUID | None
    before: UUID | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TracksListed:
    tracks: tuple[Track, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadWaveform:
    """Reply: `WaveformRead` or `Rejected` (`not_found`, `not_ready`)."""

    track_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveformRead:
    """Minimum and maximum of each bucket, -128 to 127, in time order."""

    buckets: tuple[tuple[int, int], ...]


class WaveformFormat(StrEnum):
    """Those of audiowaveform, version 2."""

    BINARY = "dat"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAudiowaveform:
    """A waveform as fine as it is kept, but of at least so many samples a pixel.

    Reply: `AudiowaveformRead` or `Rejected` (`not_ready`: also for a track encoded before they were kept).
    """

    track_id: UUID
    samples_per_pixel: int
    format: WaveformFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class AudiowaveformRead:
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMaster:
    """The HLS master playlist, each URI with `query` appended. Reply: `PlaylistRead` or `Rejected`.

    With `is_lossless` it names a lossless rendition too: for players that can change codec midway.
    Codes: `not_found`, `not_ready` (no rendition has a segment yet).
    """

    track_id: UUID
    is_lossless: bool
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadManifest:
    """The DASH manifest of a published track, as `ReadMaster`; `not_ready` while segments are being added."""

    track_id: UUID
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPlaylist:
    """One rendition's media playlist, as `ReadMaster`."""

    track_id: UUID
    rendition: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistRead:
    """`is_complete` is True once nothing will be added to it."""

    text: str
    is_complete: bool


# --- jobs ---


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeJob:
    """Reply: `JobDescribed` or `Rejected` (`not_found`: also for somebody else's job)."""

    job_id: UUID
    viewer_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeTrackJob:
    """The newest job of a track, as `DescribeJob`."""

    track_id: UUID
    viewer_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelJob:
    """Stop a job that is not finished. Reply: `JobDescribed` or `Rejected` (`invalid_state`)."""

    job_id: UUID
    viewer_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryJob:
    """Queue a failed or cancelled job anew. Reply: `JobDescribed` or `Rejected` (`invalid_state`)."""

    job_id: UUID
    viewer_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDescribed:
    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChanged:
    """Volatile news for the owner of a track's job, by way of the fan-out hub."""

    job: Job
    track: Track
