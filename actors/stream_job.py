"""The stream job actor: one upload on its way to a published stream, as a state machine.

`NEXT` is the whole machine. Every transition is stored, with the segments it belongs to, before
anybody is told. The actor never waits: it asks services and acts on their answers. If it crashes it is
restarted and goes on from what is stored; if its encoder dies it starts another that goes on after the
last stored segment; if its lease is lost it stops without touching anything, since the job is another
node's by then.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.fanout import FanOut
from veza.actors.leased_job import (
    STORING_SECONDS,
    BreakingOff,
    LeasedJobActor,
    Loading,
    RenewLease,
)
from veza.actors.messages.common import Answer, Gone, Key, RejectCode, Rejected
from veza.actors.messages.directory import AwaitEnd
from veza.actors.messages.jobs import (
    ArtworkFound,
    Assignment,
    AssignmentLoaded,
    ConfirmCancel,
    EncodingFailed,
    EncodingFinished,
    EncodingProgressed,
    FailJob,
    HandBackJob,
    JobAdvanced,
    LoadAssignment,
    PartStored,
    PublishTrack,
    ReleaseJob,
    RenditionOpened,
    SegmentEncoded,
    SegmentTaken,
    SourceProbed,
    StartEncoding,
    StopEncoding,
    StoreArtwork,
    StoredSegment,
    StoreInit,
    StoreProbe,
    StoreSegment,
)
from veza.actors.messages.tracks import JOBS, Failure, Job, JobChanged, JobState, JobType, Track
from veza.actors.runtime.address import Address
from veza.actors.topics import user_topic
from veza.config.ids import uuid7
from veza.persistence.media_store import SourceFile

SEGMENTS: Final = ("segments", "")

ACTIVE: Final = (JobState.PROBING, JobState.ENCODING, JobState.PACKAGING)
NEXT: Final[dict[tuple[JobState, type], JobState]] = {
    (JobState.QUEUED, AssignmentLoaded): JobState.PROBING,
    (JobState.PROBING, SourceProbed): JobState.ENCODING,
    (JobState.ENCODING, EncodingFinished): JobState.PACKAGING,
    (JobState.PACKAGING, PublishTrack): JobState.PUBLISHED,
    **{(state, FailJob): JobState.FAILED for state in ACTIVE},
    **{(state, ConfirmCancel): JobState.CANCELLED for state in ACTIVE},
    **{(state, ReleaseJob): JobState.QUEUED for state in ACTIVE},
    **{(state, HandBackJob): JobState.QUEUED for state in ACTIVE},
}
"""(state, what happened) -> next state. What is not here changes no state."""

NO_RUN: Final = UUID(int=0)
MAX_PIPELINES: Final = 4
"""How many encoders one claim of a job may use up before the queue decides when to go on."""
PIPELINE_TIMEOUT_SECONDS: Final = 7 * 24 * 3600.0
NEWS_STEP: Final = 0.01

LOST: Final = Failure(
    code="encoder_lost", detail="The encoder stopped unexpectedly each time it tried."
)
DIFFERS: Final = Failure(
    code="encoding_differs",
    detail="What was encoded before does not fit what is encoded now. Retry to start over.",
)

Part = StoreProbe | StoreArtwork | StoreInit | StoreSegment
Ending = FailJob | ReleaseJob | PublishTrack | BreakingOff


@dataclass(frozen=True, slots=True)
class _Encoding:
    """Tag: told when this run's pipeline is gone, whatever ended it."""

    run: UUID


@dataclass(frozen=True, slots=True)
class _Storing:
    part: Part


@dataclass(frozen=True, slots=True)
class _EndingJob:
    ending: Ending


class StreamJobActor(LeasedJobActor):
    """One transcode job under this node's lease."""

    job_type: ClassVar[JobType] = JobType.TRANSCODE

    def __init__(
        self, *, actor_id: str, directory: Address, fan_out: FanOut, lease_seconds: float
    ) -> None:
        super().__init__(
            actor_id=actor_id, directory=directory, fan_out=fan_out, lease_seconds=lease_seconds
        )
        self.job: Job | None = None
        self.track: Track | None = None
        self.source_key = ""
        self.generation = 0
        self.recipe = ""
        self.stored: dict[str, int] = {}
        self.renditions: tuple[str, ...] = ()
        self.told_progress = -1.0
        self.parts: deque[Part] = deque()
        self.is_storing = False
        self.is_opening = False
        self.run = NO_RUN
        self.pipelines = 0
        self.is_encoding = False
        self.has_pipeline = False
        self.ending: Ending | None = None
        self._ask(JOBS, LoadAssignment(job_id=self.job_id), Loading())

    def inspect(self) -> dict[str, object]:
        return {
            "state": self.state,
            "progress": self.progress,
            "pipelines": self.pipelines,
            "waiting_parts": len(self.parts),
            "stored": dict(self.stored),
            "generation": self.generation,
        }

    # --- what the pipeline says ---

    def receiveMsg_SourceProbed(self, message: SourceProbed, sender: Address) -> None:
        if self._accepts(message.run, sender):
            self._move(SourceProbed)
            self.renditions = message.renditions
            self._store(
                StoreProbe(
                    job_id=self.job_id,
                    track_id=self._owned().id,
                    sample_rate_hz=message.sample_rate_hz,
                    channels=message.channels,
                    tags=message.tags,
                    progress=self.progress,
                )
            )

    def receiveMsg_ArtworkFound(self, message: ArtworkFound, sender: Address) -> None:
        if self._accepts(message.run, sender):
            self._store(
                StoreArtwork(job_id=self.job_id, track_id=self._owned().id, data=message.data)
            )

    def receiveMsg_RenditionOpened(self, message: RenditionOpened, sender: Address) -> None:
        if self._accepts(message.run, sender):
            self._store(
                StoreInit(
                    job_id=self.job_id,
                    track_id=self._owned().id,
                    generation=self.generation,
                    rendition=message.rendition,
                    codecs=message.codecs,
                    sample_rate_hz=message.sample_rate_hz,
                    channels=message.channels,
                    bitrate_bps=message.bitrate_bps,
                    data=message.data,
                )
            )

    def receiveMsg_SegmentEncoded(self, message: SegmentEncoded, sender: Address) -> None:
        if self._accepts(message.run, sender):
            self._store(
                StoreSegment(
                    job_id=self.job_id,
                    track_id=self._owned().id,
                    generation=self.generation,
                    rendition=message.rendition,
                    number=message.number,
                    first_sample=message.first_sample,
                    duration_samples=message.duration_samples,
                    renditions=self.renditions,
                    data=message.data,
                )
            )

    def receiveMsg_EncodingProgressed(self, message: EncodingProgressed, sender: Address) -> None:
        if self._accepts(message.run, sender):
            self.progress = max(self.progress, message.progress)
            self._tell_owner()

    def receiveMsg_EncodingFinished(self, message: EncodingFinished, sender: Address) -> None:
        if self._accepts(message.run, sender):
            self.is_encoding = False
            self._move(EncodingFinished)
            self._end(
                PublishTrack(
                    job_id=self.job_id,
                    track_id=self._owned().id,
                    generation=self.generation,
                    recipe=self.recipe,
                    duration_samples=message.duration_samples,
                    sample_rate_hz=message.sample_rate_hz,
                    peaks=message.peaks,
                    fingerprint=message.fingerprint,
                    analysis=message.analysis,
                )
            )

    def receiveMsg_EncodingFailed(self, message: EncodingFailed, sender: Address) -> None:
        if self._accepts(message.run, sender):
            self.is_encoding = False
            self._end(FailJob(job_id=self.job_id, failure=message.failure))

    # --- what services answer ---

    def _on_answer(self, answer: Answer) -> None:
        match answer:
            case Answer(tag=_Storing(), message=Rejected(code=RejectCode.ALREADY_EXISTS)):
                self.parts.clear()
                self.is_storing = False
                self._end(FailJob(job_id=self.job_id, failure=DIFFERS))
            case Answer(tag=Loading(), message=AssignmentLoaded(assignment=assignment)):
                self._begin(assignment)
            case Answer(tag=_Encoding(run=run)):
                self._on_pipeline_gone(run)
            case Answer(tag=_Storing(part=part), message=PartStored() as stored):
                self._on_stored(part, stored)
            case Answer(tag=_EndingJob(ending=ending), message=JobAdvanced(job=job, track=track)):
                self._on_ended(ending, job, track)
            case Answer(tag=Loading() as tag):
                self._retry(JOBS, LoadAssignment(job_id=self.job_id), tag)
            case Answer(tag=_Storing() as tag, message=message):
                self._on_not_stored(tag, message)
            case Answer(tag=_EndingJob(ending=ending) as tag):
                self._retry(keeper_of(ending), ending, tag)

    # --- how it is done ---

    def _begin(self, assignment: Assignment) -> None:
        self.job, self.track = assignment.job, assignment.track
        self.source_key = assignment.source_key
        self.generation, self.recipe = assignment.generation, assignment.recipe
        self.stored = {part.rendition: part.number for part in assignment.stored}
        self.progress = assignment.job.progress
        self.state = assignment.job.state
        self._move(AssignmentLoaded)
        self.receiveMsg_RenewLease(RenewLease(), self.cell)
        self._go_on()

    def _on_no_source(self, ending: FailJob | ReleaseJob) -> None:
        if self.ending is None:
            self._end(ending)

    def _on_source(self, source: SourceFile) -> None:
        self.is_opening = False
        if self.ending is not None:
            return
        self.run = uuid7()
        self.pipelines += 1
        self.is_encoding = self.has_pipeline = True
        stored = tuple(StoredSegment(rendition=r, number=n) for r, n in self.stored.items())
        start = StartEncoding(run=self.run, source=source, stored=stored)
        self._deliver(self._pipeline(), start)
        self.ask_later(
            self.directory,
            AwaitEnd(key=self._pipeline()),
            _Encoding(self.run),
            PIPELINE_TIMEOUT_SECONDS,
        )

    def _pipeline(self) -> Key:
        """Name this run's pipeline. A replacement has another name, so no mail goes astray."""
        return ("pipeline", f"{self.job_id}.{self.run}")

    def _accepts(self, run: UUID, sender: Address) -> bool:
        """Tell whether a pipeline is this run's; one that an earlier life of this job left is ended."""
        if run != self.run:
            self.send(sender, StopEncoding())
            return False
        return self.is_encoding and self.ending is None

    def receiveMsg_Gone(self, _message: Gone, _sender: Address) -> None:
        """Something was told to a pipeline that had just ended: its end itself is told apart."""

    def _on_pipeline_gone(self, run: UUID) -> None:
        if run != self.run:
            return
        self.has_pipeline = False
        if self.is_leaving:
            self.stop_self()
        elif self.is_encoding:
            self.is_encoding = False
            if self.ending is None and self.pipelines >= MAX_PIPELINES:
                self.ending = ReleaseJob(job_id=self.job_id, failure=LOST)
            self._go_on()

    def _store(self, part: Part) -> None:
        self.parts.append(part)
        self._go_on()

    def _on_stored(self, part: Part, stored: PartStored) -> None:
        self.is_storing, self.refused_since = False, None
        self.job, self.track = stored.job, stored.track
        if isinstance(part, StoreSegment):
            self.stored[part.rendition] = part.number
            self._deliver(self._pipeline(), SegmentTaken())
        self._tell_owner()
        self._go_on()

    def _on_not_stored(self, tag: _Storing, message: object) -> None:
        """Try again, unless nobody wants it any more or the store has been away for long."""
        fault = self._store_fault(message)
        if isinstance(self.ending, BreakingOff):
            self.is_storing = False
            self._go_on()
        elif fault is None:
            self._retry(SEGMENTS, tag.part, tag, STORING_SECONDS)
        else:
            self.is_storing = False
            self.parts.clear()
            self._end(ReleaseJob(job_id=self.job_id, failure=fault))

    def _break_off(self, ending: BreakingOff) -> None:
        """End before the encoder has: what it gave last is not worth waiting for."""
        if self.ending is None:
            self.parts.clear()
            self._end(ending)

    def _end(self, ending: Ending) -> None:
        """Decide how the job ends. What waits is stored first, and the encoder is gone first."""
        self.ending = ending
        if self.is_encoding:
            self._deliver(self._pipeline(), StopEncoding())
        self._go_on()

    def _go_on(self) -> None:
        if self.job is None or self.is_storing:
            return
        if self.parts:
            self.is_storing = True
            part = self.parts.popleft()
            self._ask(SEGMENTS, part, _Storing(part), STORING_SECONDS)
        elif self.is_encoding or (self.is_opening and self.ending is None):
            return
        elif self.ending is None:
            self.is_opening = True
            self._open_source(self.source_key)
        elif not self.is_ending_sent:
            self.is_ending_sent = True
            self._ask(keeper_of(self.ending), self.ending, _EndingJob(self.ending))

    def _on_ended(self, ending: Ending, job: Job, track: Track | None) -> None:
        self._move(type(ending))
        self.job, self.track, self.progress = job, track, job.progress
        self.told_progress = -1.0
        self._tell_owner()
        self._leave()

    def _leave(self) -> None:
        """End once the encoder is gone: until then its process takes a slot of the node."""
        self.is_leaving = True
        if self.has_pipeline:
            self._deliver(self._pipeline(), StopEncoding())
        else:
            self.stop_self()

    def _move(self, event: type) -> None:
        state = NEXT.get((self.state, event), self.state)
        if state is not self.state:
            self.state = state
            self.told_progress = -1.0

    def _tell_owner(self) -> None:
        """Tell the owner's connections, unless they know already to within a percent."""
        if self.job is None or self.track is None:
            return
        if self.progress - self.told_progress < NEWS_STEP:
            return
        self.told_progress = self.progress
        job = replace(self.job, state=self.state, progress=self.progress)
        self.fan_out.publish_everywhere(
            user_topic(job.owner_id), JobChanged(job=job, track=self.track)
        )

    def _owned(self) -> Track:
        if self.track is None:
            raise RuntimeError("a pipeline spoke before the job was loaded")
        return self.track


def keeper_of(ending: Ending) -> Key:
    """Name the service that carries out an ending: publishing is with the segments, else the queue."""
    return SEGMENTS if isinstance(ending, PublishTrack) else JOBS
