"""How scenarios write times, rates and shares: `250ms`, `400/s`, `0.1%`; and how figures are shown."""

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|m|h)")
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/\s*(s|m|min|h))?")


def parse_duration(text: Any) -> float:
    """Return seconds; a bare number is seconds. Raises `ValueError`."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    found = _DURATION.fullmatch(str(text).strip())
    if found is None:
        raise ValueError(f"{text!r} is no time: write it as 250ms, 30s, 2m or 1h")
    return float(found[1]) * SECONDS[found[2]]


def parse_rate(text: Any) -> float:
    """Return arrivals per second; a bare number is per second. Raises `ValueError`."""
    found = _RATE.fullmatch(str(text).strip())
    if found is None:
        raise ValueError(f"{text!r} is no rate: write it as 400, 400/s or 30/m")
    return float(found[1]) / SECONDS[found[2] or "s"]


Duration = Annotated[float, BeforeValidator(parse_duration), Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, BeforeValidator(parse_rate), Field(ge=0, allow_inf_nan=False)]


def duration_text(seconds: float) -> str:
    """Show a time in the unit that suits its size."""
    if seconds >= 1:
        return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:.0f} s"  # noqa: PLR2004
    if seconds >= 1e-3:  # noqa: PLR2004
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds * 1e6:.0f} µs"
