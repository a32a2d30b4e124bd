"""Single keys of a terminal, as they are pressed; the terminal is put back however this ends."""

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

KEY_BYTES: Final = 64
CONTROL_CHARACTERS: Final = 6
"""Where `tcgetattr` has them."""
DISABLED: Final = b"\0"


@contextmanager
def single_keys(on_key: Callable[[str], None]) -> Iterator[None]:
    """Call `on_key` for each key, on the running loop; an escape sequence is no key.

    Ctrl+C stays a signal. Ctrl+Z does nothing: it would leave a full screen behind.
    """
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    loop = asyncio.get_running_loop()
    try:
        tty.setcbreak(keyboard)
        changed = termios.tcgetattr(keyboard)
        changed[CONTROL_CHARACTERS][termios.VSUSP] = DISABLED
        termios.tcsetattr(keyboard, termios.TCSANOW, changed)
        loop.add_reader(keyboard, _read, keyboard, on_key)
        yield
    finally:
        loop.remove_reader(keyboard)
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _read(keyboard: int, on_key: Callable[[str], None]) -> None:
    try:
        pressed = os.read(keyboard, KEY_BYTES)
    except OSError:
        pressed = b""  # the terminal is gone: as good as its end
    if not pressed:
        asyncio.get_running_loop().remove_reader(keyboard)
        on_key("q")
    elif not pressed.startswith(b"\x1b"):
        for key in pressed.decode(errors="replace"):
            on_key(key)
