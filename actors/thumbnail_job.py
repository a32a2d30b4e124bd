"""The thumbnail job actor: one picture on its way to a small one, under this node's lease."""

from dataclasses import replace
from typing import ClassVar

from veza.actors.encoding.frames import Frame, ThumbnailFrame
from veza.actors.leased_job import Loading
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
from veza.actors.messages.jobs import ConfirmCancel
from veza.actors.messages.tracks import Job, JobState, JobType
from veza.actors.picture_job import PictureJobActor
from veza.actors.process_job import EndingJob
from veza.actors.topics import room_topic, user_topic


class ThumbnailJobActor(PictureJobActor):
    """One job, one picture of a message."""

    job_type: ClassVar[JobType] = JobType.THUMBNAIL
    keeper: ClassVar[Key] = ATTACHMENTS
    attachment: Attachment | None = None

    def _load(self) -> None:
        self._ask(ATTACHMENTS, LoadThumbnail(job_id=self.job_id), Loading())

    def _on_frame(self, frame: Frame) -> None:
        if isinstance(frame, ThumbnailFrame):
            self._decide(self._storing(frame))

    def _on_answer(self, answer: Answer) -> None:
        match answer:
            case Answer(message=Rejected(code=RejectCode.NOT_FOUND)):
                # The message was deleted meanwhile: nobody is going to look at it.
                self.is_ending_sent = True
                self._carry_out(ConfirmCancel(job_id=self.job_id))
            case Answer(tag=Loading(), message=ThumbnailLoaded(attachment=attachment)):
                self.attachment = attachment
                self._begin(attachment.key)
            case Answer(tag=EndingJob(), message=ThumbnailStored(attachment=attachment)):
                self._tell(attachment)
                self._leave()
            case Answer(tag=EndingJob() as tag):
                self._on_ending_answered(tag, answer)
            case Answer(tag=Loading() as tag):
                self._retry(ATTACHMENTS, LoadThumbnail(job_id=self.job_id), tag)

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

    def _on_over(self, job: Job) -> None:
        if job.state in {JobState.FAILED, JobState.CANCELLED} and self.attachment:
            self._tell(replace(self.attachment, state=AttachmentState.FAILED))

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
