"""What `veza doctor` cannot look at from the gateway: database, bucket, and an encoder at work."""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from veza.actors.encoding.frames import (
    BrokenFrame,
    FailedFrame,
    FinishedFrame,
    Frame,
    ReadyFrame,
    StartFrame,
)
from veza.actors.encoding.process import EncoderProcess
from veza.codecs.wav import wav_bytes
from veza.config.logging import redact_text
from veza.config.paths import postgres_folder
from veza.config.settings import Settings
from veza.persistence.errors import (
    DatabaseUnavailableError,
    MediaUnavailableError,
    MigrationError,
    PostgresStartError,
)
from veza.persistence.pool import open_pool
from veza.persistence.postgres.survey import survey_server
from veza.persistence.s3_store import S3MediaStore
from veza.persistence.survey import survey_database
from veza.supervisors.boot import bucket_of

SAMPLE_RATE_HZ: Final = 44_100
SILENCE_SECONDS: Final = 0.1
ENCODER_TIMEOUT_SECONDS: Final = 60.0
RENDITIONS_AT_ONCE: Final = 2
"""Segments each rung may have under way: all of so short a sound, so none has to be acknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSeen:
    """How a node's database stands. `problem` says why a node could not use it, empty if it could.

    Of a private server that does not run, only the programs and the cluster's files are known.
    """

    is_private: bool
    problem: str = ""
    version: str = ""
    is_running: bool = False
    has_cluster: bool = True
    missing_migrations: tuple[str, ...] = ()
    ahead_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSeen:
    """How a node's media store stands: `bucket` is empty if it is the data folder."""

    bucket: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSeen:
    """How an encoder did. `sandbox_notes` name the parts of its sandbox that this system refuses."""

    problem: str = ""
    seconds: float = 0.0
    sandbox_notes: tuple[str, ...] = ()


async def look_at_database(settings: Settings) -> DatabaseSeen:
    """Look at the database a node with these settings uses; nothing is started and nothing changed."""
    if settings.database_url is not None:
        return await _ask(settings.database_url.get_secret_value(), is_private=False)
    try:
        server = survey_server(postgres_folder(settings.data))
    except PostgresStartError as error:
        return DatabaseSeen(is_private=True, problem=str(error))
    if server.dsn is not None:
        return await _ask(server.dsn, is_private=True)
    return DatabaseSeen(is_private=True, version=server.version, has_cluster=server.has_cluster)


async def _ask(dsn: str, *, is_private: bool) -> DatabaseSeen:
    try:
        pool = await open_pool(dsn, min_size=1, max_size=1)
        try:
            async with pool.acquire() as conn:
                found = await survey_database(conn)
                here = datetime.now(UTC)
        finally:
            await pool.close()
    except (DatabaseUnavailableError, MigrationError) as error:
        return DatabaseSeen(is_private=is_private, problem=redact_text(str(error)))
    return DatabaseSeen(
        is_private=is_private,
        version=found.version,
        is_running=True,
        missing_migrations=found.missing,
        ahead_seconds=(found.now - here).total_seconds(),
    )


async def look_at_media(settings: Settings) -> MediaSeen:
    """Ask the bucket for one name, if there is a bucket; what may be written is not tried."""
    bucket = bucket_of(settings)
    if bucket is None:
        return MediaSeen()
    try:
        await asyncio.to_thread(S3MediaStore.reachable, bucket)
    except MediaUnavailableError as error:
        return MediaSeen(bucket=bucket.name, problem=str(error))
    return MediaSeen(bucket=bucket.name)


async def try_encoder(settings: Settings) -> EncoderSeen:
    """Encode a tenth of a second of silence as a node would, in the same sandbox."""
    silence = np.zeros((round(SILENCE_SECONDS * SAMPLE_RATE_HZ), 2), np.float32)
    started = time.monotonic()
    frames: list[Frame] = []
    with tempfile.TemporaryFile() as source:
        source.write(wav_bytes(silence, sample_rate_hz=SAMPLE_RATE_HZ))
        source.flush()
        try:
            code = await _encode(source.fileno(), start_frame(settings), frames)
        except OSError as error:
            return EncoderSeen(problem=f"no process can be started: {error}")
        except TimeoutError:
            return EncoderSeen(problem=f"it was not done in {ENCODER_TIMEOUT_SECONDS:.0f} s")
    return judge_frames(frames, code, time.monotonic() - started)


async def _encode(source_fd: int, start: StartFrame, frames: list[Frame]) -> int:
    codes: list[int] = []
    process = EncoderProcess(
        source_fd, start, on_frame=frames.append, on_exit=lambda code, _signal: codes.append(code)
    )
    try:
        async with asyncio.timeout(ENCODER_TIMEOUT_SECONDS):
            await process.wait_closed()
    finally:
        process.kill()
        await process.wait_closed()
    return codes[0]


def start_frame(settings: Settings) -> StartFrame:
    """Say what to encode and within which limits, as for a track."""
    return StartFrame(
        ladder_kbps=settings.ladder_kbps,
        lossless=settings.ladder_lossless,
        segment_seconds=settings.segment_seconds,
        stored={},
        window=RENDITIONS_AT_ONCE * (len(settings.ladder_kbps) + settings.ladder_lossless),
        max_duration_seconds=settings.max_track_seconds,
        max_cpu_seconds=settings.encoder_cpu_seconds,
        max_memory_bytes=settings.encoder_memory_bytes,
    )


def judge_frames(frames: list[Frame], code: int, seconds: float) -> EncoderSeen:
    """Say how the encoder did from what it sent and how it ended."""
    notes: tuple[str, ...] = ()
    for frame in frames:
        match frame:
            case ReadyFrame():
                notes = frame.sandbox_notes
            case FailedFrame():
                return EncoderSeen(problem=frame.detail, sandbox_notes=notes)
            case BrokenFrame():
                last_line = frame.traceback.strip().splitlines()[-1]
                return EncoderSeen(problem=last_line, sandbox_notes=notes)
            case FinishedFrame() if frame.segments:
                return EncoderSeen(seconds=seconds, sandbox_notes=notes)
    return EncoderSeen(problem=f"it ended with {code} before it was done", sandbox_notes=notes)
