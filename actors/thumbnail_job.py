"""The thumbnail job actor: one picture on its way to a small one, under this node's lease.

It owns the one process that decodes the picture. It never waits: it asks services and acts on their
answers. How the job ends is decided once, by whatever comes first (`ending`), and carried out when the
process is gone. If the actor crashes it is not restarted: its lease ends, and the queue decides.
"""

import os
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from veza.actors.base import SupervisedActor
from veza.actors.encoding.frames import (
    BrokenFrame,
    FailedFrame,
    ReadyFrame,
    StartThumbnailFrame,
    ThumbnailFrame,
)
from veza.actors.encoding.process import EncoderProcess
from veza.actors.fanout import FanOut
from veza.actors.messages.attachments import (
    Attachment,
    AttachmentReady,
    AttachmentState,
    LoadThumbnail,
    StoreThumbnail,
    ThumbnailLoaded,
    ThumbnailStored,
)
from veza.actors.messages.common import Answer, Key, RejectCode, Rejected
from veza.actors.messages.directory import Deliver
from veza.actors.messages.jobs import (
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
from veza.actors.messages.tracks import Failure, JobState, JobType
from veza.actors.pipeline import LookStalled, WorkerBrokenError, WorkerExited, WorkerSpoke
from veza.actors.runtime.address import Address
from veza.actors.stream_job import RETRY_SECONDS, AskAgain, RenewLease
from veza.actors.topics import room_topic, user_topic
from veza.codecs.thumbnail import PictureFault
from veza.persistence.media_store import MediaStore

ATTACHMENTS: Final = ("attachments", "")
DISPATCHER: Final = ("dispatcher", "")
JOBS: Final = ("jobs", "")

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

Ending = StoreThumbnail | FailJob | ReleaseJob | HandBackJob | ConfirmCancel


@dataclass(frozen=True, slots=True)
class _Loading:
    pass


@dataclass(frozen=True, slots=True)
class _Renewing:
    pass


@dataclass(frozen=True, slots=True)
class _EndingJob:
    ending: Ending


class ThumbnailJobActor(SupervisedActor):
    """One job, one process, one picture."""

    def __init__(
        self,
        *,
        actor_id: str,
        directory: Address,
        fan_out: FanOut,
        store: MediaStore,
        start: StartThumbnailFrame,
        lease_seconds: float,
    ) -> None:
        super().__init__()
        self.job_id = UUID(actor_id)
        self.directory = directory
        self.fan_out = fan_out
        self.store = store
        self.start = start
        self.lease_seconds = lease_seconds
        self.attachment: Attachment | None = None
        self.process: EncoderProcess | None = None
        self.ending: Ending | None = None
        self.breaking_off: HandBackJob | ConfirmCancel | None = None
        self.is_ending_sent = False
        self.is_leaving = False
        self.sandbox_notes: tuple[str, ...] = ()
        self._ask(ATTACHMENTS, LoadThumbnail(job_id=self.job_id), _Loading())

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

    # --- what others say ---

    def receiveMsg_CancelRunning(self, _message: CancelRunning, _sender: Address) -> None:
        self._break_off(ConfirmCancel(job_id=self.job_id))

    def receiveMsg_LeaveJob(self, _message: LeaveJob, _sender: Address) -> None:
        self._break_off(HandBackJob(job_id=self.job_id))

    def receiveMsg_StartJob(self, _message: StartJob, _sender: Address) -> None:
        """Start; `__init__` did."""

    def receiveMsg_RenewLease(self, _message: RenewLease, _sender: Address) -> None:
        self._deliver(DISPATCHER, JobRunning(job_id=self.job_id, type=JobType.THUMBNAIL))
        advance = AdvanceJob(job_id=self.job_id, state=JobState.ENCODING, progress=0.0)
        self._ask(JOBS, advance, _Renewing())
        self.wakeup_after(self.lease_seconds / 3, RenewLease())

    def receiveMsg_AskAgain(self, again: AskAgain, _sender: Address) -> None:
        self._ask(again.key, again.message, again.tag)

    def receiveMsg_Answer(self, answer: Answer, _sender: Address) -> None:
        match answer:
            case Answer(tag=_Renewing(), message=Rejected()) if self.is_ending_sent:
                pass  # the ending was committed first and took the lease along
            case Answer(message=Rejected(code=RejectCode.NOT_FOUND)):
                # The message was deleted meanwhile: nobody is going to look at it.
                self.is_ending_sent = True
                self._carry_out(ConfirmCancel(job_id=self.job_id))
            case Answer(message=Rejected(code=RejectCode.INVALID_STATE)):
                # The lease is another node's, or the job is over: leave everything as it is.
                self._leave()
            case Answer(tag=_Loading(), message=ThumbnailLoaded(attachment=attachment)):
                self._begin(attachment)
            case Answer(tag=_Renewing(), message=JobAdvanced(is_cancel_requested=True)):
                self.receiveMsg_CancelRunning(CancelRunning(job_id=self.job_id), self.cell)
            case Answer(tag=_Renewing()):
                pass  # put again with the next tick; the lease outlasts two lost ones
            case Answer(tag=_EndingJob(), message=ThumbnailStored(attachment=attachment)):
                self._tell(attachment)
                self._leave()
            case Answer(tag=_EndingJob(), message=JobAdvanced(job=job)):
                if job.state in {JobState.FAILED, JobState.CANCELLED} and self.attachment:
                    self._tell(replace(self.attachment, state=AttachmentState.FAILED))
                self._leave()
            case Answer(tag=_Loading() as tag):
                self._retry(ATTACHMENTS, LoadThumbnail(job_id=self.job_id), tag)
            case Answer(tag=_EndingJob(ending=ending)):
                ending = self.breaking_off or ending
                self._retry(keeper_of(ending), ending, _EndingJob(ending))

    # --- how it is done ---

    def _begin(self, attachment: Attachment) -> None:
        self.attachment = attachment
        self.receiveMsg_RenewLease(RenewLease(), self.cell)
        if self.ending is None:
            self._start_process(attachment)
        else:
            self._end()

    def _start_process(self, attachment: Attachment) -> None:
        source_fd = self.store.open_source(attachment.key)
        try:
            self.process = EncoderProcess(
                source_fd,
                self.start,
                on_frame=lambda frame: self.send(self.cell, WorkerSpoke(frame=frame)),
                on_exit=lambda code, _signal: self.send(self.cell, WorkerExited(code=code)),
            )
        finally:
            os.close(source_fd)
        self.wakeup_after(PROCESS_SECONDS, LookStalled())

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

    def _break_off(self, ending: HandBackJob | ConfirmCancel) -> None:
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
        self._ask(keeper_of(ending), ending, _EndingJob(ending))

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

    def _retry(self, key: Key, message: object, tag: object) -> None:
        self.wakeup_after(RETRY_SECONDS, AskAgain(key=key, message=message, tag=tag))

    def _ask(self, key: Key, message: object, tag: object) -> None:
        self.ask_later(self.directory, Deliver(key=key, message=message), tag)

    def _deliver(self, key: Key, message: object) -> None:
        self.send(self.directory, Deliver(key=key, message=message))


def keeper_of(ending: Ending) -> Key:
    """Name the service that carries out an ending: storing is with the attachments, else the queue."""
    return ATTACHMENTS if isinstance(ending, StoreThumbnail) else JOBS


def failure_of(fault: str, detail: str) -> Failure:
    """Turn a fault of the file into a reason that a person understands."""
    sentence = SENTENCES.get(fault, "The picture cannot be shown")
    return Failure(code=fault, detail=f"{sentence} ({detail}).")
