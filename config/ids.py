"""New ids: UUIDv7, which sort by the time they were made and index well."""

import os
import time
from uuid import UUID

_NANOSECONDS = 1_000_000
_VERSION_7 = 0x7 << 76
_VARIANT_RFC = 0b10 << 62
_RANDOM_62 = (1 << 62) - 1


def uuid7(unix_ns: int | None = None) -> UUID:
    """Make an id of this moment: 48 bits of Unix milliseconds, 12 of their fraction, 62 random ones.

    The fraction (RFC 9562, section 6.2, method 3) keeps ids in order that one process makes in one
    millisecond.
    """
    moment = time.time_ns() if unix_ns is None else unix_ns
    milliseconds, rest = divmod(moment, _NANOSECONDS)
    fraction = (rest << 12) // _NANOSECONDS
    random = int.from_bytes(os.urandom(8)) & _RANDOM_62
    return UUID(int=(milliseconds << 80) | _VERSION_7 | (fraction << 64) | _VARIANT_RFC | random)
