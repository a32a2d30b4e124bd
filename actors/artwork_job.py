"""The artwork job actor: one picture on its way to a track, under this node's lease."""

from typing import ClassVar

from veza.actors.encoding.frames import Frame, StartThumbnailFrame, ThumbnailFrame
from veza.actors.fanout import FanOut
from veza.actors.leased_job import Loading
from veza.actors.messages.artworks import (
    ARTWORKS,
    ArtworkFinished,
    ArtworkLoaded,
    FinishArtwork,
    LoadArtwork,
)
from veza.actors.messages.common import Answer, Key
from veza.actors.messages.tracks import Failure, JobType
from veza.actors.process_job import EndingJob, ProcessJobActor
from veza.actors.runtime.address import Address
from veza.actors.thumbnail_job import PICTURE_LOST, picture_failure


class ArtworkJobActor(ProcessJobActor):
    """One job, one process, one picture."""

    job_type: ClassVar[JobType] = JobType.ARTWORK
    keeper: ClassVar[Key] = ARTWORKS
    process_seconds: ClassVar[float] = 120.0
    lost: ClassVar[Failure] = PICTURE_LOST

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
        self.start = start
        self._ask(ARTWORKS, LoadArtwork(job_id=self.job_id), Loading())

    def _start(self) -> StartThumbnailFrame:
        return self.start

    def _on_frame(self, frame: Frame) -> None:
        if isinstance(frame, ThumbnailFrame):
            self._decide(FinishArtwork(job_id=self.job_id, data=frame.data))

    def _failure(self, fault: str, detail: str) -> Failure:
        return picture_failure(fault, detail)

    def _on_answer(self, answer: Answer) -> None:
        match answer:
            case Answer(tag=Loading(), message=ArtworkLoaded(source_key=source_key)):
                self._begin(source_key)
            case Answer(tag=Loading() as tag):
                self._retry(ARTWORKS, LoadArtwork(job_id=self.job_id), tag)
            case Answer(tag=EndingJob(), message=ArtworkFinished()):
                self._leave()
            case Answer(tag=EndingJob() as tag):
                self._on_ending_answered(tag, answer)
