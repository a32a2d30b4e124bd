"""What is kept of an exception in words: never more than fits, whatever its message holds."""

import traceback
from types import FrameType
from typing import Final

ERROR_CHARS: Final = 2 * 1024
"""An exit's reason is told with every look at the tree."""
TRACE_CHARS: Final = 16 * 1024


def error_text(error: BaseException) -> str:
    """Return an exception as `repr` has it, within `ERROR_CHARS`."""
    try:
        text = repr(error)
    except Exception as failure:  # noqa: BLE001  # any class may write its own, and fail in it
        text = f"<{type(error).__name__}, whose repr raised {type(failure).__name__}>"
    return cut(text, ERROR_CHARS)


def trace_text(error: BaseException) -> str:
    """Return an exception's traceback, within `TRACE_CHARS`."""
    return cut("".join(traceback.format_exception(error)), TRACE_CHARS)


def stack_text(frame: FrameType) -> str:
    """Return where a thread is, within `TRACE_CHARS`."""
    return cut("".join(traceback.format_stack(frame)), TRACE_CHARS)


def cut(text: str, limit: int) -> str:
    """Take the middle out of a long text: a traceback begins with where, and ends with what."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return (
        f"{text[:half]}\n… {len(text) - 2 * half:,} characters are cut out here …\n{text[-half:]}"
    )
