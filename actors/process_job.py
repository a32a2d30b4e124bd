"""What jobs share that are one process's work: how they end is decided once, and done when it is gone.

Such an actor owns its process. It never waits: it asks services and acts on their answers. How the job
ends is decided by whatever comes first (`ending`). If the actor crashes it is not restarted: its lease ends,
and the queue decides.
"""

from dataclasses import dataclass
from typing import ClassVar

from veza.actors.encoding.frames import BrokenFrame, FailedFrame, Frame, ReadyFrame
from veza.actors.encoding.process import EncoderProcess, Start
from veza.actors.fanout import FanOut
from veza.actors.leased_job import STORING_SECONDS, BreakingOff, LeasedJobActor, RenewLease
from veza.actors.messages.common import Answer, Key
from veza.actors.messages.jobs import FailJob, JobAdvanced, ReleaseJob
from veza.actors.messages.tracks import JOBS, Failure, Job, JobState
from veza.actors.pipeline import (
    LookStalled,
    WorkerBrokenError,
    WorkerExited,
    WorkerSpoke,
    start_process,
)
from veza.actors.runtime.address import Address
from veza.persistence.media_store import SourceFile


@dataclass(frozen=True, slots=True)
class EndingJob:
    """Tag: how the job ends."""

    ending: object


class ProcessJobActor(LeasedJobActor):
    """One job, one process.

    `keeper` carries out what ends the job well; the queue does the rest. `process_seconds`: how long a
    process may be there, since its CPU limit does not see one that sleeps. `lost`: why the job ends whose
    process always stops.
    """

    keeper: ClassVar[Key]
    process_seconds: ClassVar[float]
    lost: ClassVar[Failure]

    def __init__(
        self, *, actor_id: str, directory: Address, fan_out: FanOut, lease_seconds: float
    ) -> None:
        super().__init__(
            actor_id=actor_id, directory=directory, fan_out=fan_out, lease_seconds=lease_seconds
        )
        self.state = JobState.ENCODING
        self.process: EncoderProcess | None = None
        self.is_loaded = False
        self.ending: object | None = None
        self.breaking_off: BreakingOff | None = None
        self.sandbox_notes: tuple[str, ...] = ()

    # --- what a job of one type does ---

    def _start(self) -> Start:
        """Say what the process is to do."""
        raise NotImplementedError

    def _on_frame(self, frame: Frame) -> None:
        """Act on what the process says that is not the same for all."""
        raise NotImplementedError

    def _failure(self, fault: str, detail: str) -> Failure:
        """Turn a fault of the file into a reason that a person understands."""
        raise NotImplementedError

    def _on_over(self, job: Job) -> None:
        """Tell whoever waits that the job has ended otherwise than well."""

    # --- what is the same for all ---

    def on_stop(self) -> None:
        if self.process is not None:
            self.process.kill()

    def process_id(self) -> int | None:
        return self.process.pid if self.process else None

    def inspect(self) -> dict[str, object]:
        return {
            "pid": self.process_id(),
            "ending": type(self.ending).__name__ if self.ending else None,
            "sandbox_notes": list(self.sandbox_notes),
        }

    def receiveMsg_WorkerSpoke(self, message: WorkerSpoke, _sender: Address) -> None:
        match message.frame:
            case ReadyFrame(sandbox_notes=notes):
                self.sandbox_notes = notes
            case FailedFrame(fault=fault, detail=detail):
                failure = self._failure(fault, detail)
                self._decide(FailJob(job_id=self.job_id, failure=failure))
            case BrokenFrame(traceback=traceback):
                raise WorkerBrokenError(traceback)
            case frame:
                self._on_frame(frame)

    def receiveMsg_WorkerExited(self, message: WorkerExited, _sender: Address) -> None:
        self.process = None
        message.raise_nonsense()
        if self.is_leaving:
            self.stop_self()
        else:
            self._decide(ReleaseJob(job_id=self.job_id, failure=self.lost))
            self._end()

    def receiveMsg_LookStalled(self, _message: LookStalled, _sender: Address) -> None:
        """End a process that is still there: its end is told apart."""
        if self.process is not None:
            self.process.kill()

    def _on_ending_answered(self, tag: EndingJob, answer: Answer) -> None:
        """Leave once the ending is carried out; until then say it again."""
        match answer.message:
            case JobAdvanced(job=job):
                self._on_over(job)
                self._leave()
            case message:
                fault = self._store_fault(message)
                released = fault and ReleaseJob(job_id=self.job_id, failure=fault)
                ending = self.breaking_off or released or tag.ending
                self._retry(self._keeper_of(ending), ending, EndingJob(ending), STORING_SECONDS)

    def _begin(self, source_key: str) -> None:
        """Take the job up, which has been loaded."""
        self.is_loaded = True
        self.receiveMsg_RenewLease(RenewLease(), self.cell)
        if self.ending is None:
            self._open_source(source_key)
        else:
            self._end()

    def _on_source(self, source: SourceFile) -> None:
        if self.ending is None:
            self.process = start_process(self, source, self._start())
            self.wakeup_after(self.process_seconds, LookStalled())

    def _on_no_source(self, ending: FailJob | ReleaseJob) -> None:
        self._decide(ending)
        self._end()

    def _decide(self, ending: object) -> None:
        self.ending = self.ending or ending

    def _break_off(self, ending: BreakingOff) -> None:
        """End before it is done, unless it is done just now and can be stored."""
        self.breaking_off = self.breaking_off or ending
        self._decide(ending)
        if self.process is not None:
            self.process.kill()  # `WorkerExited` follows when it is gone and reaped
        elif self.is_loaded:
            self._end()

    def _end(self) -> None:
        if self.ending is not None and not self.is_ending_sent:
            self.is_ending_sent = True
            self._carry_out(self.ending)

    def _carry_out(self, ending: object) -> None:
        self._ask(self._keeper_of(ending), ending, EndingJob(ending), STORING_SECONDS)

    def _keeper_of(self, ending: object) -> Key:
        return JOBS if isinstance(ending, FailJob | ReleaseJob | BreakingOff) else self.keeper

    def _leave(self) -> None:
        """End once the process is gone: until then it takes a slot of the node."""
        self.is_leaving = True
        if self.process is not None:
            self.process.kill()
        else:
            self.stop_self()
