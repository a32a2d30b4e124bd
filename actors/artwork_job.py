"""The artwork job actor: one picture on its way to a track, under this node's lease."""

from typing import ClassVar

from veza.actors.encoding.frames import Frame, ThumbnailFrame
from veza.actors.leased_job import Loading
from veza.actors.messages.artworks import (
    ARTWORKS,
    ArtworkFinished,
    ArtworkLoaded,
    FinishArtwork,
    LoadArtwork,
)
from veza.actors.messages.common import Answer, Key
from veza.actors.messages.tracks import JobType
from veza.actors.picture_job import PictureJobActor
from veza.actors.process_job import EndingJob


class ArtworkJobActor(PictureJobActor):
    """One job, one picture that an owner chose."""

    job_type: ClassVar[JobType] = JobType.ARTWORK
    keeper: ClassVar[Key] = ARTWORKS

    def _load(self) -> None:
        self._ask(ARTWORKS, LoadArtwork(job_id=self.job_id), Loading())

    def _on_frame(self, frame: Frame) -> None:
        if isinstance(frame, ThumbnailFrame):
            self._decide(FinishArtwork(job_id=self.job_id, data=frame.data))

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
