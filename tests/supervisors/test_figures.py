"""A node's figures are right, and quick to read however big the node is."""

import os
import resource
import time

import psutil
import pytest

from veza.actors.runtime import AsyncioSystemBase, Watchdog
from veza.actors.runtime.garbage import GarbageKeeper
from veza.actors.runtime.watchdog import Blockage
from veza.supervisors.figures import OPEN_FILES, DatabaseUse, Figures, open_files


def test_open_files_are_counted_without_listing_them() -> None:
    if not OPEN_FILES.stat().st_size:
        pytest.skip("this kernel does not count them (before Linux 6.2)")
    wanted = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    before = open_files()
    assert abs(before - psutil.Process().num_fds()) <= 2
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(wanted)]
    try:
        started = time.thread_time()
        assert open_files() == before + wanted
        assert time.thread_time() - started < 0.005
    finally:
        for number in opened:
            os.close(number)


class Interrupted:
    """A blockage at whose reading the watchdog's thread has its turn, and adds one."""

    def __init__(self, watchdog: Watchdog) -> None:
        self.watchdog = watchdog
        self.at = self.seconds = 1.0
        self.stack = ""

    @property
    def at_work(self) -> str:
        self.watchdog.blockages.append(Blockage(at=2.0, seconds=1.0, at_work="", stack=""))
        return "somebody"


async def test_figures_are_read_while_the_watchdog_adds_a_blockage() -> None:
    runtime = AsyncioSystemBase()
    watchdog = Watchdog(runtime)
    figures = Figures(runtime, watchdog, GarbageKeeper(lambda: 0), "n", DatabaseUse)
    watchdog.blockages.extend([Interrupted(watchdog)] * 2)  # type: ignore[list-item]  # looks like one

    read = figures.read((), {}, is_draining=False)

    assert [block.at_work for block in read.blocks] == ["somebody"] * 2
    await runtime.shutdown_async(1)
