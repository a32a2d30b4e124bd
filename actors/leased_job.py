"""What the actors of jobs share: a job runs under this node's lease, and may be broken off.

Such an actor never waits: it asks services by key and acts on their answers. If its lease is lost it
leaves everything as it is, since the job is another node's by then.
"""

from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.base import SupervisedActor
from veza.actors.fanout import FanOut
from veza.actors.messages.common import Answer, Key, RejectCode, Rejected
from veza.actors.messages.directory import Deliver
from veza.actors.messages.jobs import (
    DISPATCHER,
    AdvanceJob,
    CancelRunning,
    ConfirmCancel,
    HandBackJob,
    JobAdvanced,
    JobRunning,
    LeaveJob,
    StartJob,
)
from veza.actors.messages.tracks import JOBS, JobState, JobType
from veza.actors.runtime.address import Address

RETRY_SECONDS: Final = 2.0

BreakingOff = HandBackJob | ConfirmCancel


@dataclass(frozen=True, slots=True)
class Loading:
    """Tag: what the job is about."""


@dataclass(frozen=True, slots=True)
class Renewing:
    """Tag: the lease. One that was not renewed is asked for with the next tick; it outlasts two lost ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewLease:
    """The lease is a third through: renew it and write the progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAgain:
    """A service could not answer: put the same question again."""

    key: Key
    message: object
    tag: object


class LeasedJobActor(SupervisedActor):
    """One job under this node's lease, which `receiveMsg_RenewLease` takes up and keeps."""

    job_type: ClassVar[JobType]

    def __init__(
        self, *, actor_id: str, directory: Address, fan_out: FanOut, lease_seconds: float
    ) -> None:
        super().__init__()
        self.job_id = UUID(actor_id)
        self.directory = directory
        self.fan_out = fan_out
        self.lease_seconds = lease_seconds
        self.state = JobState.QUEUED
        self.progress = 0.0
        self.is_ending_sent = False
        self.is_leaving = False

    # --- what a job of one type does ---

    def _on_answer(self, answer: Answer) -> None:
        """Act on what a service says, unless it is about the lease."""
        raise NotImplementedError

    def _break_off(self, ending: BreakingOff) -> None:
        """End in this way as soon as nothing is being done for the job any more."""
        raise NotImplementedError

    def _leave(self) -> None:
        """End once no process works for the job: until then it takes a slot of the node."""
        raise NotImplementedError

    # --- what is the same for all ---

    def receiveMsg_StartJob(self, _message: StartJob, _sender: Address) -> None:
        """Start; `__init__` did."""

    def receiveMsg_CancelRunning(self, _message: CancelRunning, _sender: Address) -> None:
        self._break_off(ConfirmCancel(job_id=self.job_id))

    def receiveMsg_LeaveJob(self, _message: LeaveJob, _sender: Address) -> None:
        self._break_off(HandBackJob(job_id=self.job_id))

    def receiveMsg_RenewLease(self, message: RenewLease, _sender: Address) -> None:
        self._deliver(DISPATCHER, JobRunning(job_id=self.job_id, type=self.job_type))
        advance = AdvanceJob(job_id=self.job_id, state=self.state, progress=self.progress)
        self._ask(JOBS, advance, Renewing())
        self.wakeup_after(self.lease_seconds / 3, message)

    def receiveMsg_AskAgain(self, again: AskAgain, _sender: Address) -> None:
        self._ask(again.key, again.message, again.tag)

    def receiveMsg_Answer(self, answer: Answer, _sender: Address) -> None:
        match answer:
            case Answer(tag=Renewing(), message=Rejected()) if self.is_ending_sent:
                pass  # the ending was committed first and took the lease along
            case Answer(message=Rejected(code=RejectCode.INVALID_STATE)):
                # The lease is another node's, or the job is over: leave everything as it is.
                self._leave()
            case Answer(tag=Renewing(), message=JobAdvanced(is_cancel_requested=True)):
                self._break_off(ConfirmCancel(job_id=self.job_id))
            case _:
                self._on_answer(answer)

    def _retry(self, key: Key, message: object, tag: object) -> None:
        self.wakeup_after(RETRY_SECONDS, AskAgain(key=key, message=message, tag=tag))

    def _ask(self, key: Key, message: object, tag: object) -> None:
        self.ask_later(self.directory, Deliver(key=key, message=message), tag)

    def _deliver(self, key: Key, message: object) -> None:
        self.send(self.directory, Deliver(key=key, message=message))
