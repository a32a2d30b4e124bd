"""The protocol inside a node between jobs, the actors that carry them out, and their store.

Keys: `("dispatcher", "")` starts jobs, `("stream_job", <job id>)` carries out one for a track,
`("pipeline", <job id>)` encodes for it, `("segments", "")` publishes what was encoded.
`("thumbnail_job", <job id>)` carries out one for an attachment, `("copy_job", <job id>)` one for a copy,
`("artwork_job", <job id>)` one for a picture.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.codecs.analysis import Analysis
from veza.codecs.peaks import Peaks
from veza.codecs.tags import Tags
from veza.persistence.media_store import SourceFile
from veza.persistence.rows import Failure, Job, JobState, JobType, QueuedJob, Track

DISPATCHER: Final = ("dispatcher", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQueued:
    """There may be work: look now rather than at the next poll."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRunning:
    """Stop this job if it runs on this node."""

    job_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class StartJob:
    """Nothing more than a reason to start the actor of the job that it is delivered to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRunning:
    """The actor of a job lives on this node and takes one of its slots."""

    job_id: UUID
    type: JobType


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainJobs:
    """Claim nothing more and give running jobs back to the queue. Reply, when none is left: `JobsDrained`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsDrained:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveJob:
    """The node stops: end the encoder and give the job back, due at once. No reply."""


# --- the jobs service ---


@dataclass(frozen=True, slots=True, kw_only=True)
class ListJobs:
    """Show operators everybody's jobs of a state, or of all, newest first: those before one.

    Reply: `JobsListed`.
    """

    state: JobState | None
    before: UUID | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsListed:
    jobs: tuple[QueuedJob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSegment:
    """What the log of segments says of one rendition: its newest number."""

    rendition: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A job this node holds the lease of, with all that a pipeline needs to go on where it ended.

    `generation` and `recipe`: which encoding of the track it makes, and by what.
    """

    job: Job
    track: Track
    source_key: str
    stored: tuple[StoredSegment, ...]
    generation: int
    recipe: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimJob:
    """Lease the most urgent job of these types that is due. Reply: `JobClaimed`."""

    types: tuple[JobType, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClaimed:
    """`job` is None when nothing is due."""

    job: Job | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAssignment:
    """Reply: `AssignmentLoaded`; or `Rejected` (`invalid_state`) if the lease is not this node's."""

    job_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentLoaded:
    assignment: Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceJob:
    """Write state and progress, and renew the lease.

    Reply: `JobAdvanced`; or `Rejected` (`invalid_state`) if the lease is not this node's any more.
    """

    job_id: UUID
    state: JobState
    progress: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAdvanced:
    """`track` is None if the job is not about one."""

    job: Job
    track: Track | None
    is_cancel_requested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FailJob:
    """The job cannot succeed: end it with a reason. Reply: `JobAdvanced` or `Rejected`."""

    job_id: UUID
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseJob:
    """Give the job back to the queue for a later try; after the last one it failed for this reason.

    Reply: `JobAdvanced` or `Rejected`.
    """

    job_id: UUID
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class HandBackJob:
    """Give the job back because the node stops: it is due at once and the attempt does not count.

    Reply: `JobAdvanced` or `Rejected`.
    """

    job_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmCancel:
    """The job's process is stopped: end it as cancelled. Reply: `JobAdvanced` or `Rejected`."""

    job_id: UUID


# --- the segments service ---


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreProbe:
    """What the source is. Reply: `PartStored` or `Rejected`."""

    job_id: UUID
    track_id: UUID
    sample_rate_hz: int
    channels: int
    tags: Tags
    progress: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreArtwork:
    """The picture in the source, unless the track has been published: then it has what its owner chose.

    Reply: `PartStored` or `Rejected`.
    """

    job_id: UUID
    track_id: UUID
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInit:
    """A rendition and its init segment. Reply: `PartStored` or `Rejected`."""

    job_id: UUID
    track_id: UUID
    generation: int
    rendition: str
    codecs: str
    sample_rate_hz: int
    channels: int
    bitrate_bps: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSegment:
    """The next segment of a rendition: first the whole file, then its row.

    The track is playable once each of `renditions` has its first one. Reply: `PartStored` or `Rejected`.
    """

    job_id: UUID
    track_id: UUID
    generation: int
    rendition: str
    number: int
    first_sample: int
    duration_samples: int
    renditions: tuple[str, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStored:
    """Committed. `job` and `track` tell how they stand now."""

    job: Job
    track: Track


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishTrack:
    """Everything is stored: complete the renditions, publish the track by them, end the job.

    `fingerprint` is what the recording is known by again.
    Reply: `JobAdvanced` or `Rejected`.
    """

    job_id: UUID
    track_id: UUID
    generation: int
    recipe: str
    duration_samples: int
    sample_rate_hz: int
    peaks: Peaks
    fingerprint: bytes
    analysis: Analysis


# --- the pipeline; `run` tells one pipeline of a job from its replacement ---


@dataclass(frozen=True, slots=True, kw_only=True)
class StartEncoding:
    """Encode a source; what follows goes to the sender, in order.

    `SourceProbed`, then `RenditionOpened`, `SegmentEncoded` and `EncodingProgressed` as they come,
    then `EncodingFinished` or `EncodingFailed`. A pipeline that ends without either was lost.
    """

    run: UUID
    source: SourceFile
    stored: tuple[StoredSegment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopEncoding:
    """End the worker process and the pipeline. No reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTaken:
    """The receiver has stored one segment: the encoder may go one further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceProbed:
    run: UUID
    sample_rate_hz: int
    channels: int
    tags: Tags
    renditions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtworkFound:
    """The picture in the source, made small, as WebP."""

    run: UUID
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionOpened:
    run: UUID
    rendition: str
    codecs: str
    sample_rate_hz: int
    channels: int
    bitrate_bps: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEncoded:
    run: UUID
    rendition: str
    number: int
    first_sample: int
    duration_samples: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingProgressed:
    run: UUID
    progress: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingFinished:
    run: UUID
    duration_samples: int
    sample_rate_hz: int
    peaks: Peaks
    fingerprint: bytes
    analysis: Analysis


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingFailed:
    """The source is at fault; another try would end the same."""

    run: UUID
    failure: Failure
