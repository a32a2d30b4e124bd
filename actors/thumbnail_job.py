"""The thumbnail job actor: one picture on its way to a small one, under this node's lease.

It owns the one process that decodes the picture. It never waits: it asks services and acts on their
answers. How the job ends is decided once, by whatever comes first (`ending`), and carried out when the
process is gone. If the actor crashes it is not restarted: its lease ends, and the queue decides.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Final

from veza.actors.encoding.frames import (
    BrokenFrame,
    FailedFrame,
    ReadyFrame,
    StartThumbnailFrame,
    ThumbnailFrame,
)
from veza.actors.encoding.process import EncoderProcess
from veza.actors.fanout import FanOut
from veza.actors.leased_job import (
    STORING_SECONDS,
    BreakingOff,
    LeasedJobActor,
    Loading,
    RenewLease,
)
from veza.actors.messages.attachments import (
    ATTACHMENTS,
    Attachment,
    AttachmentReady,
    AttachmentState,
    LoadThumbnail,
    StoreThumbnail,
    ThumbnailLoaded,
    ThumbnailStored,
)
from veza.actors.messages.common import Answer, Key, RejectCode, Rejected
from veza.actors.messages.jobs import (
    ConfirmCancel,
    FailJob,
    JobAdvanced,
    ReleaseJob,
)
from veza.actors.messages.tracks import JOBS, Failure, JobState, JobType
from veza.actors.pipeline import (
    LookStalled,
    WorkerBrokenError,
    WorkerExited,
    WorkerSpoke,
    start_process,
)
from veza.actors.runtime.address import Address
from veza.actors.topics import room_topic, user_topic
from veza.codecs.thumbnail import PictureFault
from veza.persistence.media_store import SourceFile

PROCESS_SECONDS: Final = 120.0
"""How long a process may be there: its CPU limit does not see one that sleeps."""

LOST: Final = Failure(
    code="decoder_lost", detail="The picture could not be decoded: the decoder stopped each time."
)
SENTENCES: Final[dict[str, str]] = {
    PictureFault.NOT_A_PICTURE: "This is no picture that can be shown here",
    PictureFault.TOO_MANY_PIXELS: "The picture is too large to be made small here",
    PictureFault.DAMAGED: "The picture is damaged",
}

Ending = StoreThumbnail | FailJob | ReleaseJob | BreakingOff


@dataclass(frozen=True, slots=True)
class _EndingJob:
    ending: Ending


class ThumbnailJobActor(LeasedJobActor):
    """One job, one process, one picture."""

    job_type: ClassVar[JobType] = JobType.THUMBNAIL

    def __init__(
        self,
        *,
        actor_id: str,
        directory: Address,
        fan_out: FanOut,
        start: StartThumbnailFrame,
        lease_seconds: float,
    ) -> None:
        super().__init__(
            actor_id=actor_id, directory=directory, fan_out=fan_out, lease_seconds=lease_seconds
        )
        self.state = JobState.ENCODING
        self.start = start
        self.attachment: Attachment | None = None
        self.process: EncoderProcess | None = None
        self.ending: Ending | None = None
        self.breaking_off: BreakingOff | None = None
        self.sandbox_notes: tuple[str, ...] = ()
        self._ask(ATTACHMENTS, LoadThumbnail(job_id=self.job_id), Loading())

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

    # --- what the process says ---

    def receiveMsg_WorkerSpoke(self, message: WorkerSpoke, _sender: Address) -> None:
        match message.frame:
            case ReadyFrame(sandbox_notes=notes):
                self.sandbox_notes = notes
            case ThumbnailFrame() as frame:
                self._decide(self._storing(frame))
            case FailedFrame(fault=fault, detail=detail):
                self._decide(FailJob(job_id=self.job_id, failure=failure_of(fault, detail)))
            case BrokenFrame(traceback=traceback):
                raise WorkerBrokenError(traceback)

    def receiveMsg_WorkerExited(self, _message: WorkerExited, _sender: Address) -> None:
        self.process = None
        if self.is_leaving:
            self.stop_self()
        else:
            self._decide(ReleaseJob(job_id=self.job_id, failure=LOST))
            self._end()

    def receiveMsg_LookStalled(self, _message: LookStalled, _sender: Address) -> None:
        """End a process that is still there: its end is told apart."""
        if self.process is not None:
            self.process.kill()

    # --- what services answer ---

    def _on_answer(self, answer: Answer) -> None:
        match answer:
            case Answer(message=Rejected(code=RejectCode.NOT_FOUND)):
                # The message was deleted meanwhile: nobody is going to look at it.
                self.is_ending_sent = True
                self._carry_out(ConfirmCancel(job_id=self.job_id))
            case Answer(tag=Loading(), message=ThumbnailLoaded(attachment=attachment)):
                self._begin(attachment)
            case Answer(tag=_EndingJob(), message=ThumbnailStored(attachment=attachment)):
                self._tell(attachment)
                self._leave()
            case Answer(tag=_EndingJob(), message=JobAdvanced(job=job)):
                if job.state in {JobState.FAILED, JobState.CANCELLED} and self.attachment:
                    self._tell(replace(self.attachment, state=AttachmentState.FAILED))
                self._leave()
            case Answer(tag=Loading() as tag):
                self._retry(ATTACHMENTS, LoadThumbnail(job_id=self.job_id), tag)
            case Answer(tag=_EndingJob(ending=ending), message=message):
                fault = self._store_fault(message)
                released = fault and ReleaseJob(job_id=self.job_id, failure=fault)
                ending = self.breaking_off or released or ending
                self._retry(keeper_of(ending), ending, _EndingJob(ending), STORING_SECONDS)

    # --- how it is done ---

    def _begin(self, attachment: Attachment) -> None:
        self.attachment = attachment
        self.receiveMsg_RenewLease(RenewLease(), self.cell)
        if self.ending is None:
            self._open_source(attachment.key)
        else:
            self._end()

    def _on_source(self, source: SourceFile) -> None:
        if self.ending is None:
            self.process = start_process(self, source, self.start)
            self.wakeup_after(PROCESS_SECONDS, LookStalled())

    def _on_no_source(self, ending: FailJob | ReleaseJob) -> None:
        self._decide(ending)
        self._end()

    def _storing(self, frame: ThumbnailFrame) -> StoreThumbnail:
        if self.attachment is None:
            raise RuntimeError("a process spoke before the job was loaded")
        return StoreThumbnail(
            job_id=self.job_id,
            attachment_id=self.attachment.id,
            picture_width_px=frame.picture_width_px,
            picture_height_px=frame.picture_height_px,
            width_px=frame.width_px,
            height_px=frame.height_px,
            data=frame.data,
        )

    def _decide(self, ending: Ending) -> None:
        self.ending = self.ending or ending

    def _break_off(self, ending: BreakingOff) -> None:
        """End before there is a thumbnail, unless there is one just now that can be stored."""
        self.breaking_off = self.breaking_off or ending
        self._decide(ending)
        if self.process is not None:
            self.process.kill()  # `WorkerExited` follows when it is gone and reaped
        elif self.attachment is not None:
            self._end()

    def _end(self) -> None:
        if self.ending is not None and not self.is_ending_sent:
            self.is_ending_sent = True
            self._carry_out(self.ending)

    def _carry_out(self, ending: Ending) -> None:
        self._ask(keeper_of(ending), ending, _EndingJob(ending), STORING_SECONDS)

    def _leave(self) -> None:
        """End once the process is gone: until then it takes a slot of the node."""
        self.is_leaving = True
        if self.process is not None:
            self.process.kill()
        else:
            self.stop_self()

    def _tell(self, attachment: Attachment) -> None:
        """Tell the owner's connections, and the room's."""
        news = AttachmentReady(
            room_id=attachment.room_id,
            attachment_id=attachment.id,
            state=attachment.state,
            width_px=attachment.width_px,
            height_px=attachment.height_px,
            thumbnail_width_px=attachment.thumbnail_width_px,
            thumbnail_height_px=attachment.thumbnail_height_px,
        )
        self.fan_out.publish_everywhere(user_topic(attachment.owner_id), news)
        self.fan_out.publish_everywhere(room_topic(attachment.room_id), news)


def keeper_of(ending: Ending) -> Key:
    """Name the service that carries out an ending: storing is with the attachments, else the queue."""
    return ATTACHMENTS if isinstance(ending, StoreThumbnail) else JOBS


def failure_of(fault: str, detail: str) -> Failure:
    """Turn a fault of the file into a reason that a person understands."""
    sentence = SENTENCES.get(fault, "The picture cannot be shown")
    return Failure(code=fault, detail=f"{sentence} ({detail}).")
