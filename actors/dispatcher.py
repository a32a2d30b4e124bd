"""The dispatcher: starts due jobs on this node, as many at once of each type as it has processes for."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.actors.base import SupervisedActor
from veza.actors.messages.common import Answer, Key
from veza.actors.messages.directory import AwaitEnd, Deliver
from veza.actors.messages.jobs import (
    CancelRunning,
    ClaimJob,
    DrainJobs,
    JobClaimed,
    JobQueued,
    JobRunning,
    JobsDrained,
    JobType,
    LeaveJob,
    StartJob,
)
from veza.actors.messages.operator import Drain, Undrain
from veza.actors.messages.tracks import JOBS, Job
from veza.actors.runtime.address import Address

FAMILIES: Final = {
    JobType.TRANSCODE: "stream_job",
    JobType.THUMBNAIL: "thumbnail_job",
    JobType.COPY: "copy_job",
    JobType.ARTWORK: "artwork_job",
}
"""Who carries out a job."""
POLL_SECONDS: Final = 5.0
JOB_TIMEOUT_SECONDS: Final = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class _Claiming:
    """Tag: a job was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollJobs:
    """Look for work that nobody announced: another node's, or one whose lease ended."""


@dataclass(frozen=True, slots=True)
class _Running:
    """Tag: told when the actor of a job has ended."""

    job_id: UUID


class DispatcherActor(SupervisedActor):
    """Slots for jobs. A slot is taken when a job is claimed and free when its actor has ended.

    Each type of job has slots of its own: a thumbnail takes a moment and does not wait for an hour of music.
    """

    def __init__(self, *, directory: Address, slots: Mapping[JobType, int]) -> None:
        super().__init__()
        self.directory = directory
        self.slots = slots
        self.jobs: dict[UUID, JobType] = {}
        self.is_claiming = False
        self.is_news_waiting = False
        self.is_draining = False
        self.drained_to: Address | None = None
        self.wakeup_after(0.0, PollJobs())

    def inspect(self) -> dict[str, object]:
        return {"slots": dict(self.slots), "jobs": sorted(str(job) for job in self.jobs)}

    def receiveMsg_PollJobs(self, _message: PollJobs, _sender: Address) -> None:
        self._claim()
        self.wakeup_after(POLL_SECONDS, PollJobs())

    def receiveMsg_JobQueued(self, _message: JobQueued, _sender: Address) -> None:
        # A claim under way may have looked too early to see it.
        self.is_news_waiting = self.is_claiming
        self._claim()

    def receiveMsg_JobRunning(self, message: JobRunning, _sender: Address) -> None:
        """Learn of a job that an earlier dispatcher of this node started."""
        self._occupy(message.job_id, message.type)

    def receiveMsg_DrainJobs(self, _message: DrainJobs, sender: Address) -> None:
        self.drained_to = sender
        self._drain()

    def receiveMsg_Drain(self, _message: Drain, _sender: Address) -> None:
        self._drain()

    def receiveMsg_Undrain(self, _message: Undrain, _sender: Address) -> None:
        self.is_draining = self.drained_to is not None
        self._claim()

    def receiveMsg_CancelRunning(self, message: CancelRunning, _sender: Address) -> None:
        if message.job_id in self.jobs:
            self._deliver(self._actor_of(message.job_id), message)

    def receiveMsg_Answer(self, answer: Answer, _sender: Address) -> None:
        match answer:
            case Answer(tag=_Running(job_id=job_id)):
                self.jobs.pop(job_id, None)
                self._claim()
            case Answer(tag=_Claiming(), message=JobClaimed(job=Job(id=job_id, type=kind))):
                self.is_claiming = False
                self._start(job_id, kind)
                self._claim()
            case Answer(tag=_Claiming()):
                self.is_claiming = False
                if self.is_draining or self.is_news_waiting:
                    self.is_news_waiting = False
                    self._claim()

    def _start(self, job_id: UUID, kind: JobType) -> None:
        actor: Key = (FAMILIES[kind], str(job_id))
        self._deliver(actor, StartJob())
        self._occupy(job_id, kind)
        if self.is_draining:
            self._deliver(actor, LeaveJob())

    def _occupy(self, job_id: UUID, kind: JobType) -> None:
        if job_id not in self.jobs:
            self.jobs[job_id] = kind
            end = AwaitEnd(key=self._actor_of(job_id))
            self.ask_later(self.directory, end, _Running(job_id), JOB_TIMEOUT_SECONDS)

    def _actor_of(self, job_id: UUID) -> Key:
        return (FAMILIES[self.jobs[job_id]], str(job_id))

    def _drain(self) -> None:
        """Claim nothing any more, and give back what runs."""
        self.is_draining = True
        for job_id in self.jobs:
            self._deliver(self._actor_of(job_id), LeaveJob())
        self._claim()

    def _claim(self) -> None:
        """Take up a job if there is room for one; when draining, say so once none is left."""
        types = self._types_with_room()
        if self.is_draining:
            if self.drained_to is not None and not self.jobs and not self.is_claiming:
                self.send(self.drained_to, JobsDrained())
        elif types and not self.is_claiming:
            self.is_claiming = True
            message = Deliver(key=JOBS, message=ClaimJob(types=types))
            self.ask_later(self.directory, message, _Claiming())

    def _types_with_room(self) -> tuple[JobType, ...]:
        taken = Counter(self.jobs.values())
        return tuple(kind for kind, slots in self.slots.items() if taken[kind] < slots)

    def _deliver(self, key: Key, message: object) -> None:
        self.send(self.directory, Deliver(key=key, message=message))
