"""Places in a list as short texts: between any two there is always another, so a move changes one row.

Base 62 fractions without their trailing zeros, compared as bytes (PostgreSQL: COLLATE "C"). After
D. Greenspan, "Implementing Fractional Indexing" (2020). Ends grow by counting, not by halving, so that
a list that is only added to has short ranks.
"""

from collections.abc import Iterator
from typing import Final

DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE: Final = len(DIGITS)
_STEP_DIGITS: Final = 4
"""What is added at an end counts up by one in this many digits: room for 14 million."""


def between(before: str | None, after: str | None) -> str:
    """Return a rank behind `before` and in front of `after`; None is the end of the list there.

    Raises `ValueError` if there is no room, because they are not in order.
    """
    if before is not None and after is not None and before >= after:
        raise ValueError(f"{before!r} is not in front of {after!r}")
    if after is None:
        return _counted(before)
    return _halved(before or "", after)


def evenly(count: int) -> Iterator[str]:
    """Give ranks for a whole list, in order, with room between all of them."""
    step = _BASE**_STEP_DIGITS // (count + 1)
    if not step:
        raise ValueError(f"a list of {count} has no room")
    for place in range(1, count + 1):
        yield _text(place * step)


def _counted(before: str | None) -> str:
    """Return the next whole step behind a rank, or one digit more where the steps are used up."""
    whole = _number((before or "")[:_STEP_DIGITS].ljust(_STEP_DIGITS, DIGITS[0])) + 1
    if whole < _BASE**_STEP_DIGITS:
        return _text(whole)
    return _halved(before or "", None)


def _halved(before: str, after: str | None) -> str:
    """Return the middle of two fractions, in as few digits as there are."""
    shared = 0
    while after is not None and _digit(before, shared) == _digit(after, shared):
        shared += 1
    low = _digit(before, shared)
    high = _BASE if after is None else _digit(after, shared)
    head = (before[:shared]).ljust(shared, DIGITS[0])
    if high - low > 1:
        return head + DIGITS[(low + high) // 2]
    # Next to each other: behind `before`, by any digit that follows.
    return head + DIGITS[low] + _halved(before[shared + 1 :], None)


def _digit(fraction: str, place: int) -> int:
    return DIGITS.index(fraction[place]) if place < len(fraction) else 0


def _number(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * _BASE + DIGITS.index(digit)
    return number


def _text(number: int) -> str:
    digits = ""
    for _ in range(_STEP_DIGITS):
        number, digit = divmod(number, _BASE)
        digits = DIGITS[digit] + digits
    return digits.rstrip(DIGITS[0])
