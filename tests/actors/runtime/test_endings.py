"""However many end, the loop goes on, and nothing starts again before all of it is over."""

import asyncio
import gc
import time

import pytest

from veza.actors.base import SupervisedActor
from veza.actors.messages.common import Busy, Crashed, Gone
from veza.actors.runtime.slices import STEPS_AT_ONCE

MANY = 12_000
LONGEST_PAUSE_SECONDS = 0.010


class Beats:
    """The work that each turn of the loop took, as CPU time of its thread: the machine is shared."""

    def __init__(self):
        self.longest = 0.0
        self._at = time.thread_time()
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_soon(self._beat)

    def _beat(self):
        now = time.thread_time()
        self.longest = max(self.longest, now - self._at)
        self._at = now
        self._handle = self._loop.call_soon(self._beat)

    async def until(self, condition):
        """Return the longest pause until the condition holds."""
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0)
        self._handle.cancel()
        return self.longest


@pytest.fixture
def no_collector():
    """The node keeps the collector's passes short; here they would be counted as the runtime's."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def family(base, kit):
    """Make an actor with many children, under a supervisor that only keeps the news."""

    class Member(SupervisedActor):
        def on_stop(self):
            ended.append(self.cell)

        def receiveMsg_Echo(self, message, sender):
            return message

    class Family(kit.Handlers, SupervisedActor):
        supervises = True
        stops_in_order = False
        mailbox_limit = 100_000

        def __init__(self, *, count):
            counts.append(len(ended))
            for _ in range(count):
                self.spawn(Member, shutdown_seconds=5)

        def receiveMsg_ChildExit(self, message, sender):
            pass

    ended, counts = [], []

    def make(count):
        top = base.spawn(kit.Supervisor, {"seen": []}, name="top")
        return base.spawn(Family, {"count": count}, parent=top, name="family"), ended, counts

    return make


WAYS = {
    "stopped": lambda base, cell: base.stop(cell),
    "killed": lambda base, cell: base.kill(cell),
    "restarted": lambda base, cell: base.restart(cell),
}


@pytest.mark.parametrize("way", WAYS)
async def test_many_end_and_the_loop_never_stands_still(base, family, no_collector, way):
    cell, ended, _ = family(MANY)
    await asyncio.sleep(0.01)
    cell.kwargs = {"count": 0}

    beats = Beats()
    WAYS[way](base, cell)
    longest = await beats.until(lambda: len(ended) == MANY)

    assert longest < LONGEST_PAUSE_SECONDS


async def test_a_crash_of_a_parent_of_many_never_stops_the_loop_either(
    base, kit, family, no_collector
):
    cell, ended, _ = family(MANY)
    await asyncio.sleep(0.01)

    beats = Beats()
    base.post(cell, kit.Fail(error=ValueError()), base.address)
    longest = await beats.until(lambda: cell.stats().state == "crashed")

    assert len(ended) == MANY
    assert longest < LONGEST_PAUSE_SECONDS


async def test_the_end_of_a_whole_system_never_stops_the_loop_either(base, family, no_collector):
    cell, ended, _ = family(MANY)
    await asyncio.sleep(0.01)

    beats = Beats()
    assert await base.shutdown_async(30) == []
    longest = await beats.until(lambda: not cell.alive)

    assert len(ended) == MANY
    assert longest < LONGEST_PAUSE_SECONDS


async def test_who_linger_together_are_killed_together_without_a_pause(base, kit, no_collector):
    class Stays(SupervisedActor):
        def __init__(self):
            self.spawn(Stuck)

    class Stuck(kit.Waiter):
        pass

    top = base.spawn(kit.Machine)
    cells = [base.spawn(Stays, parent=top, shutdown_seconds=0.5) for _ in range(MANY // 4)]
    for cell in cells:
        (child,) = cell.children
        base.post(child, kit.Echo(value=asyncio.Event()), base.address)
    await asyncio.sleep(0.2)

    beats = Beats()
    base.stop(top)
    longest = await beats.until(lambda: not top.alive)

    assert longest < LONGEST_PAUSE_SECONDS
    assert len(base.lifecycle.overdue) == base.lifecycle.overdue.maxlen


async def test_a_parent_of_many_starts_again_only_after_they_have_all_ended(
    base, kit, family, settle
):
    count = 20 * STEPS_AT_ONCE
    cell, ended, counts = family(count)
    await settle()

    assert base.restart(cell)
    waiting = asyncio.ensure_future(base.request(cell, kit.Echo(value=1), 5))
    assert cell.stats().state == "restarting"
    assert base.restart(cell)

    assert await waiting == kit.Echo(value=1)
    assert counts == [0, count]
    assert len(ended) == count
    assert len(cell.children) == count
    assert cell.stats().restarts == 1


async def test_a_parent_that_is_killed_while_it_is_cleared_for_a_restart_stays_dead(
    base, kit, family, settle
):
    cell, ended, counts = family(20 * STEPS_AT_ONCE)
    await settle()
    top = cell.parent

    base.restart(cell)
    waiting = asyncio.ensure_future(base.request(cell, kit.Echo(), 5))
    await asyncio.sleep(0)
    base.kill(cell, "enough")
    assert not base.restart(cell)
    assert cell.stats().state == "exiting"

    assert await waiting == Gone(command="Echo")
    while cell.alive:
        await asyncio.sleep(0)
    await settle()
    assert counts == [0]
    assert len(ended) == 20 * STEPS_AT_ONCE
    [exit_news] = [m for m, _ in top.instance.seen if getattr(m, "child", None) is cell]
    assert exit_news.reason.detail == "enough"


async def test_nothing_is_started_below_who_is_about_to_end(base, kit, family, settle):
    cell, _, _ = family(20 * STEPS_AT_ONCE)
    await settle()

    base.kill(cell)

    assert cell.alive
    assert not base.spawn(kit.Machine, parent=cell).alive


async def test_few_end_at_once(base, family, settle):
    cell, ended, _ = family(STEPS_AT_ONCE)
    children = tuple(cell.children)
    await settle()

    base.kill(cell)

    assert not cell.alive
    assert ended == list(reversed(children))


# What must not keep anybody waiting.


async def test_who_crashes_while_its_supervisor_ends_keeps_nobody_waiting(base, kit, family):
    cell, _, _ = family(0)
    child = base.spawn(kit.Machine, parent=cell, shutdown_seconds=60)
    top = cell.parent
    await asyncio.sleep(0)

    base.post(child, kit.Fail(error=ValueError()), base.address)
    base.stop(cell)
    waiting = asyncio.ensure_future(base.request(child, kit.Echo(), 5))
    async with asyncio.timeout(20):
        while cell.alive:
            await asyncio.sleep(0)

    assert not child.alive
    assert top.alive
    assert isinstance(await waiting, (Crashed, Gone))


async def test_a_request_to_end_that_outlives_a_crash_has_its_time_too(base, kit, until):
    class Clings(kit.Machine):
        def __init__(self):
            self.spawn(kit.Waiter)

        def receiveMsg_Echo(self, message, sender):
            (child,) = self.cell.children
            self.send(child, message)

    top = base.spawn(kit.Supervisor, {"seen": []})
    cell = base.spawn(Clings, parent=top, shutdown_seconds=0.01)
    await asyncio.sleep(0)
    base.post(cell, kit.Fail(error=ValueError()), base.address)
    base.post(cell, kit.Echo(value=asyncio.Event()), base.address)
    base.stop(cell)
    await until(lambda: cell.stats().state == "crashed")

    base.restart(cell)
    await until(lambda: not cell.alive)

    assert cell.stats().last_exit.detail == "did not stop in time"


async def test_who_has_no_time_but_stops_itself_handles_what_waits_first(
    base, kit, recorder, settle
):
    probe, seen = recorder

    class Leaves(kit.Machine):
        def receiveMsg_int(self, message, sender):
            self.spawn(kit.Waiter, name="child")
            self.stop_self("done")

    cell = base.spawn(Leaves, shutdown_seconds=0)
    base.post(cell, 1, base.address)
    base.post(cell, kit.Send(target=probe, message="last"), base.address)
    await asyncio.sleep(0)
    for child in cell.children or ():
        base.post(child, kit.Echo(value=asyncio.Event()), base.address)
    await settle()

    assert [message for message, _ in seen] == ["last"]
    assert not cell.alive
    assert cell.stats().last_exit.detail == "done"
    assert not base.lifecycle.overdue


async def test_children_without_time_are_killed_in_order_however_many(base, kit, settle):
    order = []

    class Child(SupervisedActor):
        def on_stop(self):
            order.append(self.cell)

    top = base.spawn(kit.Supervisor, {"seen": []})
    children = [base.spawn(Child, parent=top, shutdown_seconds=0) for _ in range(2_000)]
    await settle()

    base.stop(top)
    await settle()

    assert not top.alive
    assert order == list(reversed(children))


# What a new instance's constructor does is its own.


async def test_what_a_constructor_asks_is_answered_after_a_restart_too(base, kit, settle):
    class Full(kit.Machine):
        mailbox_limit = 0

    class Asks(kit.Recorder):
        def __init__(self, *, seen):
            super().__init__(seen=seen)
            self.ask_later(full, kit.Echo(), "first")

    full = base.spawn(Full)
    for _ in range(2):  # one in the run queue, then full
        base.post(full, kit.Echo(), base.address)
    top = base.spawn(kit.Supervisor, {"seen": []})
    cell = base.spawn(Asks, {"seen": []}, parent=top)
    base.suspend(full)
    await settle()
    cell.kwargs = {"seen": (seen := [])}
    base.post(full, kit.Echo(), base.address)

    base.restart(cell)
    await settle()

    assert [(each.tag, each.message) for each, _ in seen] == [("first", Busy(command="Echo"))]


async def test_what_a_constructor_that_failed_sent_itself_is_lost_with_it(base, kit, settle):
    class Flaky(kit.Recorder):
        failures = 0

        def __init__(self, *, seen):
            super().__init__(seen=seen)
            self.send(self.cell, Flaky.failures)
            if Flaky.failures == 1:
                Flaky.failures = 2
                raise ValueError

    top = base.spawn(kit.Supervisor, {"seen": []})
    cell = base.spawn(Flaky, {"seen": (seen := [])}, parent=top)
    await settle()
    Flaky.failures = 1

    base.restart(cell)
    assert cell.stats().state == "crashed"
    base.post(cell, "between", base.address)
    base.restart(cell)
    await settle()

    assert [message for message, _ in seen] == [0, "between", 2]
