"""What jobs about pictures share: a process that makes one small, and what is said of those it cannot."""

from typing import ClassVar, Final

from veza.actors.encoding.frames import StartThumbnailFrame
from veza.actors.fanout import FanOut
from veza.actors.messages.tracks import Failure
from veza.actors.process_job import ProcessJobActor
from veza.actors.runtime.address import Address
from veza.codecs.thumbnail import PictureFault

SENTENCES: Final[dict[str, str]] = {
    PictureFault.NOT_A_PICTURE: "This is no picture that can be shown here",
    PictureFault.TOO_MANY_PIXELS: "The picture is too large to be made small here",
    PictureFault.DAMAGED: "The picture is damaged",
}


class PictureJobActor(ProcessJobActor):
    """One job, one process, one picture. `start`: how small, and within which limits."""

    process_seconds: ClassVar[float] = 120.0
    lost: ClassVar[Failure] = Failure(
        code="decoder_lost",
        detail="The picture could not be decoded: the decoder stopped each time.",
    )

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
        self._load()

    def _load(self) -> None:
        """Ask what the job is about."""
        raise NotImplementedError

    def _start(self) -> StartThumbnailFrame:
        return self.start

    def _failure(self, fault: str, detail: str) -> Failure:
        sentence = SENTENCES.get(fault, "The picture cannot be shown")
        return Failure(code=fault, detail=f"{sentence} ({detail}).")
