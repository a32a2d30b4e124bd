"""A thread that stands still is told from one that others keep waiting."""

import sys
import threading
import time
from dataclasses import replace

import pytest

from veza.actors.runtime.thread_use import ThreadUse

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


def during(work, figure: str) -> tuple[ThreadUse, ThreadUse]:
    """What a thread was given early in some work, and when a figure has grown."""
    begun, enough = threading.Event(), threading.Event()
    thread = threading.Thread(target=work, args=(begun, enough))
    thread.start()
    begun.wait()
    before = ThreadUse.now(thread.ident)
    deadline = time.monotonic() + 30
    after = ThreadUse.now(thread.ident)
    while getattr(after, figure) <= getattr(before, figure):
        assert time.monotonic() < deadline
        after = ThreadUse.now(thread.ident)
    enough.set()
    thread.join()
    return before, after


def test_a_thread_at_work_uses_the_processor_and_is_not_starved():
    def work(begun, enough):
        begun.set()
        while not enough.is_set():
            sum(range(1000))

    before, after = during(work, "cpu_seconds")
    its_own = replace(after, at_seconds=before.at_seconds + after.cpu_seconds - before.cpu_seconds)
    assert not its_own.was_starved(before)


def test_a_thread_that_waits_for_something_is_not_starved():
    def work(begun, enough):
        begun.set()
        while not enough.wait(0.001):
            pass

    before, after = during(work, "pauses")
    assert not replace(after, is_runnable=True).was_starved(before)


def test_a_thread_that_would_run_and_gets_less_than_its_share_is_starved():
    before = ThreadUse(at_seconds=10.0, cpu_seconds=3.0, pauses=7, is_runnable=False)
    kept_waiting = ThreadUse(at_seconds=11.0, cpu_seconds=3.4, pauses=7, is_runnable=True)

    assert kept_waiting.was_starved(before)
    assert not replace(kept_waiting, cpu_seconds=3.6).was_starved(before)
    assert not replace(kept_waiting, pauses=8).was_starved(before)
    assert not replace(kept_waiting, is_runnable=False).was_starved(before)


def test_of_a_thread_that_is_not_there_nothing_is_told():
    assert ThreadUse.now(-1) is None
