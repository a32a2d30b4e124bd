"""The copy job actor: one track on its way into another codec, under this node's lease."""

from collections import deque
from typing import ClassVar, Final

from veza.actors.encoding.frames import (
    CopiedFrame,
    Frame,
    PieceFrame,
    ProgressFrame,
    StartCopyFrame,
)
from veza.actors.fanout import FanOut
from veza.actors.leased_job import STORING_SECONDS, Loading
from veza.actors.messages.common import Answer, Key, RejectCode, Rejected
from veza.actors.messages.downloads import (
    DOWNLOADS,
    CopyFinished,
    CopyLoaded,
    FinishCopy,
    LoadCopy,
    PieceStored,
    StorePiece,
)
from veza.actors.messages.jobs import FailJob, ReleaseJob
from veza.actors.messages.tracks import Failure, JobType
from veza.actors.pipeline import EncoderLimits, failure_of
from veza.actors.process_job import EndingJob, ProcessJobActor
from veza.actors.runtime.address import Address

GONE: Final = Failure(
    code="copy_lost", detail="What was copied so far was gone each time before it was whole."
)
ENDLESS: Final = Failure(code="copy_too_large", detail="The copy grew beyond what it may have.")


class CopyJobActor(ProcessJobActor):
    """One job, one process, one file that grows piece by piece."""

    job_type: ClassVar[JobType] = JobType.COPY
    keeper: ClassVar[Key] = DOWNLOADS
    process_seconds: ClassVar[float] = 4 * 3600.0
    lost: ClassVar[Failure] = Failure(
        code="encoder_lost", detail="The encoder stopped unexpectedly each time it tried."
    )

    def __init__(
        self,
        *,
        actor_id: str,
        directory: Address,
        fan_out: FanOut,
        limits: EncoderLimits,
        lease_seconds: float,
    ) -> None:
        super().__init__(
            actor_id=actor_id, directory=directory, fan_out=fan_out, lease_seconds=lease_seconds
        )
        self.limits = limits
        self.wanted: CopyLoaded | None = None
        self.pieces: deque[StorePiece] = deque()
        self._ask(DOWNLOADS, LoadCopy(job_id=self.job_id), Loading())

    def _start(self) -> StartCopyFrame:
        if self.wanted is None:
            raise RuntimeError("a source came before the job was loaded")
        return StartCopyFrame(
            format=self.wanted.format,
            title=self.wanted.label.title,
            artist=self.wanted.label.artist,
            max_duration_seconds=self.limits.max_track_seconds,
            max_cpu_seconds=self.limits.max_cpu_seconds,
            max_memory_bytes=self.limits.max_memory_bytes,
        )

    def _failure(self, fault: str, detail: str) -> Failure:
        return failure_of(fault, detail)

    def _on_frame(self, frame: Frame) -> None:
        match frame:
            case PieceFrame(offset=offset, data=data):
                self.pieces.append(StorePiece(job_id=self.job_id, offset=offset, data=data))
                if len(self.pieces) == 1:
                    self._store_next()
            case ProgressFrame(share=share):
                self.progress = share or self.progress
            case CopiedFrame(size_bytes=size_bytes):
                self._decide(FinishCopy(job_id=self.job_id, size_bytes=size_bytes))

    def _on_answer(self, answer: Answer) -> None:
        match answer:
            case Answer(tag=Loading(), message=CopyLoaded() as wanted):
                self.wanted = wanted
                self._begin(wanted.source_key)
            case Answer(tag=Loading() as tag):
                self._retry(DOWNLOADS, LoadCopy(job_id=self.job_id), tag)
            case Answer(tag=StorePiece(), message=PieceStored()):
                self._on_stored()
            case Answer(tag=StorePiece() as piece, message=message):
                self._on_not_stored(piece, message)
            case Answer(tag=EndingJob(), message=CopyFinished()):
                self._leave()
            case Answer(tag=EndingJob(), message=Rejected(code=RejectCode.NOT_FOUND)):
                self._carry_out(self._beginning_anew())
            case Answer(tag=EndingJob() as tag):
                self._on_ending_answered(tag, answer)

    def _store_next(self) -> None:
        self._ask(DOWNLOADS, self.pieces[0], self.pieces[0], STORING_SECONDS)

    def _on_stored(self) -> None:
        self.refused_since = None
        self.pieces.popleft()
        if self.process is not None:
            self.process.acknowledge()
        if self.pieces and (self.ending is None or isinstance(self.ending, FinishCopy)):
            self._store_next()
        elif self.process is None:
            self._end()

    def _on_not_stored(self, piece: StorePiece, message: object) -> None:
        fault = self._store_fault(message)
        code = message.code if isinstance(message, Rejected) else None
        if code is RejectCode.PAYLOAD_TOO_LARGE:
            self._give_up(FailJob(job_id=self.job_id, failure=ENDLESS))
        elif code is RejectCode.NOT_FOUND:
            self._give_up(self._beginning_anew())
        elif fault is not None:
            self._give_up(ReleaseJob(job_id=self.job_id, failure=fault))
        else:
            self._retry(DOWNLOADS, piece, piece, STORING_SECONDS)

    def _beginning_anew(self) -> ReleaseJob:
        return ReleaseJob(job_id=self.job_id, failure=GONE)

    def _give_up(self, ending: FailJob | ReleaseJob) -> None:
        self.pieces.clear()
        self.ending = ending
        if self.process is None:
            self._end()
        else:
            self.process.kill()  # `WorkerExited` follows, and then the end

    def _end(self) -> None:
        """End once what the process gave is stored, unless nobody wants it."""
        if not self.pieces or not isinstance(self.ending, FinishCopy):
            super()._end()
