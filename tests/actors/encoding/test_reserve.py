"""A process started ahead does what one started for its job does, and none outlives its use."""

import asyncio
import os

import pytest

from veza.actors.encoding.frames import FinishedFrame, SegmentFrame
from veza.actors.encoding.reserve import EncoderReserve


@pytest.fixture
def reserve():
    reserve = EncoderReserve()
    yield reserve
    reserve.close()


async def until_ended(pid):
    ended, descriptor = asyncio.Event(), os.pidfd_open(pid)
    asyncio.get_running_loop().add_reader(descriptor, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), 10)
    finally:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


async def test_a_process_started_ahead_gives_the_same_bytes(reserve, run, song):
    reserve.expect()
    ahead = reserve.take()
    early, late = await run(song, worker=ahead).end(), await run(song).end()
    assert early.process.pid == ahead.process.pid != late.process.pid
    assert early.exits == [(0, None)]
    assert early.of(SegmentFrame) == late.of(SegmentFrame) != []
    assert early.of(FinishedFrame) == late.of(FinishedFrame)


async def test_however_many_files_come_in_one_process_waits_for_them(reserve):
    reserve.expect()
    reserve.expect()
    first, second = reserve.take(), reserve.take()
    third = None
    try:
        reserve.expect()
        third = reserve.take()
        assert len({first.process.pid, second.process.pid, third.process.pid}) == 3
    finally:
        for worker in (first, second, third):
            worker.dismiss()


async def test_a_process_that_nobody_needs_is_ended():
    reserve = EncoderReserve(idle_seconds=0.05)
    reserve.expect()
    worker = reserve._waiting
    await until_ended(worker.process.pid)
    fresh = reserve.take()
    fresh.dismiss()
    assert fresh.process.pid != worker.process.pid


async def test_a_process_that_died_while_it_waited_is_not_given_away(reserve, run, song):
    reserve.expect()
    died = reserve._waiting
    died.process.kill()
    died.process.wait()
    worker = reserve.take()
    assert worker.process.pid != died.process.pid
    assert (await run(song, worker=worker).end()).exits == [(0, None)]


async def test_a_process_whose_node_is_gone_ends_by_itself(reserve):
    reserve.expect()
    worker = reserve.take()
    worker.connection.close()
    assert await asyncio.to_thread(worker.process.wait, 10) == os.EX_TEMPFAIL
