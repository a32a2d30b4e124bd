"""Where handlers are just now: the frames of a coroutine that waits, without stopping it."""

import linecache
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType

from veza.actors.runtime import runner as runner_module
from veza.actors.runtime.cell import Cell
from veza.actors.runtime.runner import Runner

PATH_PARTS = 3
MAX_FRAMES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyHandler:
    """A handler under way, for `seconds` so far; `stack` is its own frames, the outermost first."""

    message_type: str
    seconds: float
    stack: tuple[str, ...]


def busy_handlers(cell: Cell) -> tuple[BusyHandler, ...]:
    """Return the actor's handlers under way, the longest first.

    One that runs at this very moment can only be the caller's own: nothing else runs on the loop.
    """
    scheduler = cell.scheduler
    now = time.monotonic()
    runners = set(cell.rare.in_flight) if cell.rare else set()
    driver = scheduler.driver
    if driver is not None and driver.letter is not None and driver.letter[0] is cell:
        runners.add(driver)
    found = [busy_handler(runner, now) for runner in runners if runner.letter is not None]
    return tuple(sorted(found, key=lambda handler: handler.seconds, reverse=True))


def busy_handler(runner: Runner, now: float) -> BusyHandler:
    letter = runner.letter
    return BusyHandler(
        message_type=type(letter[1]).__name__ if letter else "",
        seconds=max(0.0, now - runner.started),
        stack=tuple(described(frame) for frame in handler_frames(runner)),
    )


def handler_frames(runner: Runner) -> Iterator[FrameType]:
    """Yield the frames from the handler inwards; the runner's own are left out."""
    awaited: object = runner.task.get_coro()
    for _ in range(MAX_FRAMES):
        frame, awaited = step(awaited)
        if frame is None:
            return
        if frame.f_code.co_filename != runner_module.__file__:
            yield frame


def step(awaited: object) -> tuple[FrameType | None, object]:
    """Return the frame of something awaited, and what that awaits in turn."""
    match awaited:
        case CoroutineType():
            return awaited.cr_frame, awaited.cr_await
        case GeneratorType():
            return awaited.gi_frame, awaited.gi_yieldfrom
        case AsyncGeneratorType():
            return awaited.ag_frame, awaited.ag_await
        case _:
            return None, None


def described(frame: FrameType) -> str:
    """Write a frame as one line: the end of its file's path, the line, the function, the code."""
    filename, line = frame.f_code.co_filename, frame.f_lineno
    path = "/".join(Path(filename).parts[-PATH_PARTS:])
    code = linecache.getline(filename, line, frame.f_globals).strip()
    return f"{path}:{line} in {frame.f_code.co_qualname}: {code}"
