"""Passwords that others have lost: a file of their hashes, searched where it lies.

The format is that of the downloads of Have I Been Pwned: a line each with the SHA-1 in upper-case
hexadecimal, in order, and whatever follows behind a colon. 40 GB of it cost some 36 reads and no memory.
"""

from hashlib import sha1
from pathlib import Path
from typing import BinaryIO, Final

_LONGEST_LINE: Final = 128


def is_breached(path: Path, password: str) -> bool:
    """Tell whether a password is in the file. Raises `OSError`."""
    wanted = sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
    with path.open("rb") as file:
        low, high = 0, file.seek(0, 2)
        while high - low > _LONGEST_LINE:
            middle = (low + high) // 2
            start, line = _line_behind(file, middle)
            if line and line < wanted:
                low = start
            else:
                high = middle
        file.seek(low)
        return any(line.startswith(wanted) for line in file.read(3 * _LONGEST_LINE).splitlines())


def _line_behind(file: BinaryIO, offset: int) -> tuple[int, bytes]:
    """Return where the first whole line at or behind an offset begins, and what it says."""
    file.seek(max(0, offset - 1))
    if offset:
        file.readline(_LONGEST_LINE)
    return file.tell(), file.readline(_LONGEST_LINE).strip()
