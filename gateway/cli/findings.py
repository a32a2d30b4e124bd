"""What a check of `veza doctor` says: a grade, what was found, what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How good it is. FAIL: a node cannot start, does not work, or is open to others."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`advice` is empty where there is nothing to do."""

    grade: Grade
    found: str
    advice: str = ""


def ok(found: str) -> Finding:
    """Find something in order."""
    return Finding(grade=Grade.OK, found=found)


def warn(found: str, advice: str) -> Finding:
    """Find something that works, and should be looked at."""
    return Finding(grade=Grade.WARN, found=found, advice=advice)


def fail(found: str, advice: str) -> Finding:
    """Find something that has to be mended."""
    return Finding(grade=Grade.FAIL, found=found, advice=advice)
