"""The dispatcher: starts due jobs on this node, as many at once as it has encoders."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from veza.actors.base import SupervisedActor
from veza.actors.messages.common import Answer
from veza.actors.messages.directory import AwaitEnd, Deliver
from veza.actors.messages.jobs import (
    CancelRunning,
    ClaimJob,
    DrainJobs,
    JobClaimed,
    JobQueued,
    JobRunning,
    JobsDrained,
    LeaveJob,
    StartJob,
)
from veza.actors.messages.operator import Drain, Undrain
from veza.actors.runtime.address import Address

JOBS: Final = ("jobs", "")
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
    """Slots for jobs. A slot is taken when a job is claimed and free when its actor has ended."""

    def __init__(self, *, directory: Address, slots: int) -> None:
        super().__init__()
        self.directory = directory
        self.slots = slots
        self.jobs: set[UUID] = set()
        self.is_claiming = False
        self.is_news_waiting = False
        self.is_draining = False
        self.drained_to: Address | None = None
        self.wakeup_after(0.0, PollJobs())

    def inspect(self) -> dict[str, object]:
        return {"slots": self.slots, "jobs": sorted(str(job) for job in self.jobs)}

    def receiveMsg_PollJobs(self, _message: PollJobs, _sender: Address) -> None:
        self._claim()
        self.wakeup_after(POLL_SECONDS, PollJobs())

    def receiveMsg_JobQueued(self, _message: JobQueued, _sender: Address) -> None:
        # A claim under way may have looked too early to see it.
        self.is_news_waiting = self.is_claiming
        self._claim()

    def receiveMsg_JobRunning(self, message: JobRunning, _sender: Address) -> None:
        """Learn of a job that an earlier dispatcher of this node started."""
        self._occupy(message.job_id)

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
            self._deliver(("stream_job", str(message.job_id)), message)

    def receiveMsg_Answer(self, answer: Answer, _sender: Address) -> None:
        match answer:
            case Answer(tag=_Running(job_id=job_id)):
                self.jobs.discard(job_id)
                self._claim()
            case Answer(tag=_Claiming(), message=JobClaimed(job_id=UUID() as job_id)):
                self.is_claiming = False
                self._deliver(("stream_job", str(job_id)), StartJob())
                self._occupy(job_id)
                if self.is_draining:
                    self._deliver(("stream_job", str(job_id)), LeaveJob())
                self._claim()
            case Answer(tag=_Claiming()):
                self.is_claiming = False
                if self.is_draining or self.is_news_waiting:
                    self.is_news_waiting = False
                    self._claim()

    def _occupy(self, job_id: UUID) -> None:
        if job_id not in self.jobs:
            self.jobs.add(job_id)
            end = AwaitEnd(key=("stream_job", str(job_id)))
            self.ask_later(self.directory, end, _Running(job_id), JOB_TIMEOUT_SECONDS)

    def _drain(self) -> None:
        """Claim nothing any more, and give back what runs."""
        self.is_draining = True
        for job_id in self.jobs:
            self._deliver(("stream_job", str(job_id)), LeaveJob())
        self._claim()

    def _claim(self) -> None:
        """Take up a job if there is room for one; when draining, say so once none is left."""
        if self.is_draining:
            if self.drained_to is not None and not self.jobs and not self.is_claiming:
                self.send(self.drained_to, JobsDrained())
        elif not self.is_claiming and len(self.jobs) < self.slots:
            self.is_claiming = True
            message = Deliver(key=JOBS, message=ClaimJob())
            self.ask_later(self.directory, message, _Claiming())

    def _deliver(self, key: tuple[str, str], message: object) -> None:
        self.send(self.directory, Deliver(key=key, message=message))
