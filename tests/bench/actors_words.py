"""What every contender of the actor benchmark is told, and how its work is timed."""

import gc
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

SENDERS = 100
PAIRS = 1_000
UNLIMITED = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve:
    """Start: play so many rounds with `other`, then tell the asker."""

    other: object
    count: int


PING = Ping()


def say(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def rate(contender, work, seconds, most=UNLIMITED):
    """Work per CPU second of the process; the amount grows until it takes long enough to tell."""
    count = min(1_000, most)
    while True:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        started = time.process_time()
        done = await work(count)
        spent = time.process_time() - started
        await contender.forget()
        if spent >= seconds or count >= most:
            return done / spent
        count = min(most, int(count * max(2.0, min(20.0, 1.2 * seconds / max(spent, 1e-6)))))
