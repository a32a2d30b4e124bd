"""The encoding pipeline actor: owns one sandboxed worker process and speaks for it."""

from dataclasses import dataclass
from time import monotonic
from typing import Final
from uuid import UUID

from veza.actors.base import SupervisedActor
from veza.actors.encoding.frames import (
    ArtworkFrame,
    BrokenFrame,
    FailedFrame,
    FingerprintFrame,
    FinishedFrame,
    Frame,
    InitFrame,
    PeaksFrame,
    ProbedFrame,
    ProgressFrame,
    ReadyFrame,
    RenditionField,
    SegmentFrame,
    StartFrame,
)
from veza.actors.encoding.process import EncoderProcess, Start
from veza.actors.encoding.reserve import EncoderReserve
from veza.actors.encoding.spawn import Worker
from veza.actors.messages.jobs import (
    ArtworkFound,
    EncodingFailed,
    EncodingFinished,
    EncodingProgressed,
    RenditionOpened,
    SegmentEncoded,
    SegmentTaken,
    SourceProbed,
    StartEncoding,
    StopEncoding,
)
from veza.actors.messages.tracks import Failure
from veza.actors.runtime import ActorStopped
from veza.actors.runtime.address import Address
from veza.codecs.peaks import Peaks
from veza.codecs.source import Fault
from veza.codecs.tags import Tags
from veza.persistence.media_store import SourceFile

STALL_SECONDS: Final = 300.0
"""Longer than storing a window of segments takes on a slow disk or through a database restart."""
NO_RUN: Final = UUID(int=0)
RECIPE: Final = "1"
"""Another one whenever the same settings give other sound: a resampler, a down-mix, an encoder's option."""


SENTENCES: Final[dict[str, str]] = {
    Fault.NOT_AUDIO: "This is no audio file that can be read here",
    Fault.NO_AUDIO_STREAM: "There is no sound in this file",
    Fault.EMPTY: "There is nothing to hear in this file",
    Fault.TRUNCATED: "The file is not complete; upload it again",
    Fault.DAMAGED: "The file is damaged",
    Fault.TOO_LONG: "The track is too long",
    Fault.UNSUPPORTED: "This kind of audio cannot be published here",
}


class WorkerBrokenError(Exception):
    """The worker process met a bug of ours; its traceback is the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderLimits:
    """What a worker is told to make, and what it may use."""

    ladder_kbps: tuple[int, ...]
    lossless: bool
    segment_seconds: int
    max_track_seconds: float
    max_cpu_seconds: int
    max_memory_bytes: int

    @property
    def recipe(self) -> str:
        """Say by what a track is encoded: whoever changes one of these encodes anew."""
        ladder = ",".join(str(kbps) for kbps in self.ladder_kbps)
        flac = " flac" if self.lossless else ""
        return f"{RECIPE} aac={ladder}{flac} segments={self.segment_seconds}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpoke:
    """A frame came from the process."""

    frame: Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerExited:
    """The process is gone and reaped. `nonsense`: what it said that was no frame, for which it was killed."""

    code: int
    nonsense: str

    def raise_nonsense(self) -> None:
        """Raise `WorkerBrokenError` if it did not speak the protocol: then its end is a bug of ours."""
        if self.nonsense:
            raise WorkerBrokenError(f"what it said made no sense: {self.nonsense}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LookStalled:
    """Time to see whether the process still says something."""


def start_process(
    owner: SupervisedActor, source: SourceFile, start: Start, worker: Worker | None = None
) -> EncoderProcess:
    """Start a worker on an open file; its owner gets `WorkerSpoke` for each frame, then `WorkerExited`."""

    def tell_exit(code: int, _signal: int | None) -> None:
        nonsense = str(process.protocol_error or "")
        owner.send(owner.cell, WorkerExited(code=code, nonsense=nonsense))

    try:
        process = EncoderProcess(
            source.fd,
            start,
            on_frame=lambda frame: owner.send(owner.cell, WorkerSpoke(frame=frame)),
            on_exit=tell_exit,
            worker=worker,
        )
    finally:
        source.close()
    return process


class EncodingPipelineActor(SupervisedActor):
    """One process for one run of one job. When either ends, both do.

    The process reads the source through an inherited descriptor and writes to a socketpair: it needs
    no file and no network. It is a few segments ahead of what is stored at most.
    """

    def __init__(self, *, actor_id: str, limits: EncoderLimits, reserve: EncoderReserve) -> None:
        super().__init__()
        self.actor_id = actor_id
        self.limits = limits
        self.reserve = reserve
        self.process: EncoderProcess | None = None
        self.job: Address | None = None
        self.run = NO_RUN
        self.renditions: dict[str, RenditionField] = {}
        self.peaks = Peaks(sample_rate_hz=1, samples_per_bucket=1, pairs=b"")
        self.fingerprint = b""
        self.progress = 0.0
        self.last_heard = 0.0
        self.sandbox_notes: tuple[str, ...] = ()

    def on_stop(self) -> None:
        if self.process is not None:
            self.process.kill()

    def process_id(self) -> int | None:
        return self.process.pid if self.process else None

    def inspect(self) -> dict[str, object]:
        return {
            "pid": self.process_id(),
            "progress": self.progress,
            "sandbox_notes": list(self.sandbox_notes),
        }

    def receiveMsg_StartEncoding(self, command: StartEncoding, sender: Address) -> None:
        if self.process is not None:
            return
        self.job, self.run = sender, command.run
        self.watch(sender)
        self.last_heard = monotonic()
        self.wakeup_after(STALL_SECONDS, LookStalled())
        start = StartFrame(
            ladder_kbps=self.limits.ladder_kbps,
            lossless=self.limits.lossless,
            segment_seconds=self.limits.segment_seconds,
            stored={part.rendition: part.number for part in command.stored},
            max_duration_seconds=self.limits.max_track_seconds,
            max_cpu_seconds=self.limits.max_cpu_seconds,
            max_memory_bytes=self.limits.max_memory_bytes,
        )
        self.process = start_process(self, command.source, start, self.reserve.take())

    def receiveMsg_StopEncoding(self, _command: StopEncoding, _sender: Address) -> None:
        if self.process is None:
            self.stop_self("as asked")
        else:
            self.process.kill()  # `WorkerExited` follows when it is gone and reaped

    def receiveMsg_ActorStopped(self, _message: ActorStopped, _sender: Address) -> None:
        """Whoever wanted this encoded is gone for good."""
        self.receiveMsg_StopEncoding(StopEncoding(), self.cell)

    def receiveMsg_SegmentTaken(self, _message: SegmentTaken, _sender: Address) -> None:
        self.last_heard = monotonic()
        if self.process is not None:
            self.process.acknowledge()

    def receiveMsg_LookStalled(self, message: LookStalled, _sender: Address) -> None:
        """End a worker that is silent though it may go on: its CPU limit does not see a sleeper."""
        silent_seconds = monotonic() - self.last_heard
        if silent_seconds >= STALL_SECONDS and self.process is not None:
            self.process.kill()
        else:
            self.wakeup_after(STALL_SECONDS - silent_seconds, message)

    def receiveMsg_WorkerExited(self, message: WorkerExited, _sender: Address) -> None:
        message.raise_nonsense()
        self.stop_self(f"worker process ended with {message.code}")

    def receiveMsg_WorkerSpoke(self, message: WorkerSpoke, _sender: Address) -> None:
        self.last_heard = monotonic()
        match message.frame:
            case ReadyFrame(sandbox_notes=notes):
                self.sandbox_notes = notes
            case PeaksFrame() as peaks:
                self.peaks = Peaks(
                    sample_rate_hz=peaks.sample_rate_hz,
                    samples_per_bucket=peaks.samples_per_bucket,
                    pairs=peaks.data,
                )
            case FingerprintFrame(data=data):
                self.fingerprint = data
            case BrokenFrame(traceback=traceback):
                raise WorkerBrokenError(traceback)
            case frame:
                self._tell_job(frame)

    def _tell_job(self, frame: Frame) -> None:
        if isinstance(frame, ProbedFrame):
            self.renditions = {rendition.name: rendition for rendition in frame.renditions}
        elif isinstance(frame, ProgressFrame):
            self.progress = frame.share or self.progress
        news = self._news(frame)
        if news is not None and self.job is not None:
            self.send(self.job, news)

    def _news(self, frame: Frame) -> object | None:
        """Say in the job's words what a frame tells. One case a frame."""
        match frame:
            case ProbedFrame():
                return SourceProbed(
                    run=self.run,
                    sample_rate_hz=frame.sample_rate_hz,
                    channels=frame.channels,
                    tags=Tags(
                        artist=frame.artist,
                        album=frame.album,
                        genre=frame.genre,
                        track_number=frame.track_number,
                    ),
                    renditions=tuple(self.renditions),
                )
            case ArtworkFrame(data=data):
                return ArtworkFound(run=self.run, data=data)
            case InitFrame(rendition=name, data=data):
                rendition = self.renditions[name]
                return RenditionOpened(
                    run=self.run,
                    rendition=name,
                    codecs=rendition.codecs,
                    sample_rate_hz=rendition.sample_rate_hz,
                    channels=rendition.channels,
                    bitrate_bps=rendition.bit_rate_bps,
                    data=data,
                )
            case SegmentFrame():
                return SegmentEncoded(
                    run=self.run,
                    rendition=frame.rendition,
                    number=frame.number,
                    first_sample=frame.first_sample,
                    duration_samples=frame.duration_samples,
                    data=frame.data,
                )
            case ProgressFrame():
                return EncodingProgressed(run=self.run, progress=self.progress)
            case FinishedFrame():
                return EncodingFinished(
                    run=self.run,
                    duration_samples=frame.duration_samples,
                    sample_rate_hz=frame.sample_rate_hz,
                    peaks=self.peaks,
                    fingerprint=self.fingerprint,
                    analysis=frame.analysis,
                )
            case FailedFrame(fault=fault, detail=detail):
                return EncodingFailed(run=self.run, failure=failure_of(fault, detail))
            case _:
                return None


def failure_of(fault: str, detail: str) -> Failure:
    """Turn a fault of the file into a reason that a person understands."""
    sentence = SENTENCES.get(fault, "The file cannot be published")
    return Failure(code=fault, detail=f"{sentence} ({detail}).")
