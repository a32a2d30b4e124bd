"""What the actors of jobs share: a job runs under this node's lease, and may be broken off.

Such an actor never waits: it asks services by key and acts on their answers. If its lease is lost it
leaves everything as it is, since the job is another node's by then.
"""

from dataclasses import dataclass
from time import monotonic
from typing import ClassVar, Final
from uuid import UUID

from veza.actors.base import DEFAULT_TIMEOUT_SECONDS, SupervisedActor
from veza.actors.fanout import FanOut
from veza.actors.messages.common import Answer, Key, RejectCode, Rejected
from veza.actors.messages.directory import Deliver
from veza.actors.messages.jobs import (
    DISPATCHER,
    AdvanceJob,
    CancelRunning,
    ConfirmCancel,
    FailJob,
    HandBackJob,
    JobAdvanced,
    JobRunning,
    LeaveJob,
    ReleaseJob,
    StartJob,
)
from veza.actors.messages.tracks import (
    JOBS,
    MEDIA,
    Failure,
    JobState,
    JobType,
    OpenSource,
    SourceOpened,
)
from veza.actors.runtime.address import Address
from veza.persistence.media_store import SourceFile

RETRY_SECONDS: Final = 2.0
OPENING_SECONDS: Final = 3600.0
"""How long to wait for a source: from a bucket it is fetched first."""
STORING_SECONDS: Final = 60.0
"""How long to wait for one part: longer than a store tries before it counts as away."""

MISSING: Final = Failure(
    code="source_missing", detail="The uploaded file is no longer in the media store."
)
STORE_FAULTS: Final = frozenset({RejectCode.STORAGE_FULL, RejectCode.STORAGE_UNAVAILABLE})

BreakingOff = HandBackJob | ConfirmCancel


@dataclass(frozen=True, slots=True)
class Loading:
    """Tag: what the job is about."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Tag: the file that the job works on."""

    key: str


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
    timeout_seconds: float


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
        self.refused_since: float | None = None

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

    def _on_source(self, source: SourceFile) -> None:
        """Begin with what `_open_source` was to open; if nobody wants it any more, forget it."""
        raise NotImplementedError

    def _on_no_source(self, ending: FailJob | ReleaseJob) -> None:
        """End in this way: there is no such file, or the store was away for too long."""
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
        self._ask(again.key, again.message, again.tag, again.timeout_seconds)

    def receiveMsg_Answer(self, answer: Answer, _sender: Address) -> None:
        match answer:
            case Answer(tag=Renewing(), message=Rejected()) if self.is_ending_sent:
                pass  # the ending was committed first and took the lease along
            case Answer(message=Rejected(code=RejectCode.INVALID_STATE)):
                # The lease is another node's, or the job is over: leave everything as it is.
                self._leave()
            case Answer(tag=Renewing(), message=JobAdvanced(is_cancel_requested=True)):
                self._break_off(ConfirmCancel(job_id=self.job_id))
            case Answer(tag=Opening(), message=SourceOpened(file=source)):
                self._on_source(source)
            case Answer(tag=Opening() as tag, message=message):
                self._on_not_opened(tag, message)
            case _:
                self._on_answer(answer)

    def _open_source(self, key: str) -> None:
        self._ask(MEDIA, OpenSource(key=key), Opening(key), OPENING_SECONDS)

    def _on_not_opened(self, tag: Opening, message: object) -> None:
        fault = self._store_fault(message)
        if isinstance(message, Rejected) and message.code is RejectCode.NOT_FOUND:
            self._on_no_source(FailJob(job_id=self.job_id, failure=MISSING))
        elif fault is not None:
            self._on_no_source(ReleaseJob(job_id=self.job_id, failure=fault))
        else:
            self._retry(MEDIA, OpenSource(key=tag.key), tag, OPENING_SECONDS)

    def _retry(
        self,
        key: Key,
        message: object,
        tag: object,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        again = AskAgain(key=key, message=message, tag=tag, timeout_seconds=timeout_seconds)
        self.wakeup_after(RETRY_SECONDS, again)

    def _store_fault(self, message: object) -> Failure | None:
        """Say why not to go on, once the media store has refused for as long as a lease."""
        if not isinstance(message, Rejected) or message.code not in STORE_FAULTS:
            return None
        self.refused_since = self.refused_since or monotonic()
        if monotonic() - self.refused_since < self.lease_seconds:
            return None
        return Failure(code=message.code, detail=message.detail)

    def _ask(
        self,
        key: Key,
        message: object,
        tag: object,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        self.ask_later(self.directory, Deliver(key=key, message=message), tag, timeout_seconds)

    def _deliver(self, key: Key, message: object) -> None:
        self.send(self.directory, Deliver(key=key, message=message))
