import asyncio
import gc
import inspect
import sys
import time
import weakref

import pytest

from veza.actors.runtime import garbage
from veza.actors.runtime.garbage import GarbageKeeper
from veza.actors.runtime.longest import RecentLongest

ACTORS = 100_000
SEVERAL = 300
PAUSE_BOUND_SECONDS = 0.05
"""Of CPU time; five times the goal, for slower machines. scripts/bench has the exact figures."""


class Population:
    """As many actors as a test says there are."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        return self.count


class Link:
    """One half of a cycle."""

    alive = 0

    def __init__(self):
        self.other = None
        Link.alive += 1

    def __del__(self):
        Link.alive -= 1


class Passes:
    """How long the collector has worked in each pass."""

    def __init__(self):
        self.worked = []

    def __call__(self, phase, info):
        if phase == "start":
            self.began = time.thread_time()
        else:
            self.worked.append(time.thread_time() - self.began)


def make_cycle():
    one, two = Link(), Link()
    one.other, two.other = two, one
    return one


def is_walked(thing):
    return any(each is thing for each in gc.get_objects())


def grow():
    """Make the heap more than twice as large, by what no cycle runs through."""
    return [str(number) for number in range(1_000_000, 1_000_000 + 3 * sys.getallocatedblocks())]


@pytest.fixture
def passes():
    passes = Passes()
    gc.callbacks.append(passes)
    yield passes
    gc.callbacks.remove(passes)


@pytest.fixture
def population():
    return Population()


@pytest.fixture
async def keeper(population, monkeypatch):
    # It counts no actors here: on a slow machine it would take their growth for garbage.
    monkeypatch.setattr(garbage, "CHECK_SECONDS", 3600.0)
    keeper = GarbageKeeper(population)
    keeper.start(asyncio.get_running_loop())
    yield keeper
    keeper.stop()


async def test_a_cycle_made_after_the_start_is_collected(keeper):
    one = make_cycle()
    gone = weakref.ref(one)
    del one
    kept = [[] for _ in range(100_000)]
    assert gone() is None
    assert keeper.objects_collected >= 2
    assert keeper.full_passes == 1
    del kept


async def test_what_lives_long_is_not_walked_again(keeper, passes):
    kept = [[] for _ in range(500_000)]
    assert keeper.freezes
    assert not is_walked(kept[0])
    assert max(passes.worked) < PAUSE_BOUND_SECONDS


async def test_a_node_in_a_steady_state_hides_no_cycle(keeper):
    before = Link.alive
    for _ in range(200):
        at_work = [make_cycle() for _ in range(200)]
    del at_work
    gc.collect()
    # All of 40,000 pairs, but what was set aside because a busy machine made a pass look long.
    assert Link.alive - before < 8_000


async def test_a_frozen_cycle_that_was_dropped_is_found_by_a_full_pass(keeper):
    one = make_cycle()
    gone = weakref.ref(one)
    gc.freeze()
    del one
    gc.collect()
    assert gone() is not None
    assert keeper.full_pass() >= 2
    assert gone() is None


async def test_a_heap_that_has_doubled_gets_a_full_pass_without_being_asked(
    population, monkeypatch, until
):
    monkeypatch.setattr(garbage, "CHECK_SECONDS", 0.001)
    keeper = GarbageKeeper(population)
    keeper.start(asyncio.get_running_loop())
    one = make_cycle()
    gone = weakref.ref(one)
    gc.freeze()
    del one
    kept = grow()
    await until(lambda: gone() is None)
    keeper.stop()
    assert keeper.full_passes == 2
    del kept


async def test_growth_that_actors_account_for_is_no_reason_for_a_full_pass(keeper, population):
    kept = grow()
    assert keeper.is_overgrown
    population.count = len(kept) // garbage.BLOCKS_AN_ACTOR
    assert not keeper.is_overgrown


async def test_a_full_pass_learns_how_much_an_actor_takes(keeper, population):
    population.count = 10_000
    kept = [str(number) for number in range(1_000_000, 1_000_000 + 100 * population.count)]
    keeper.full_pass()
    population.count += 10_000
    kept += [str(number) for number in range(1_000_000, 1_000_000 + 100 * 10_000)]
    population.count += 20_000
    kept += [str(number) for number in range(1_000_000, 1_000_000 + 100 * 20_000)]
    assert not keeper.is_overgrown


async def test_no_pass_over_a_hundred_thousand_actors_stops_the_loop_for_long(
    base, kit, keeper, passes, settle
):
    top = base.spawn(kit.Supervisor, {"seen": []})
    for _ in range(ACTORS // 1000):
        for _ in range(1000):
            base.spawn(kit.Machine, parent=top)
        await settle()
    for _ in range(50):
        for cell in [base.spawn(kit.Machine, parent=top) for _ in range(1000)]:
            base.post(cell, kit.Echo(value=[]), base.address)
            base.stop(cell)
        await settle()
    assert keeper.pauses > 100
    assert max(passes.worked) < PAUSE_BOUND_SECONDS
    assert keeper.longest_recent_seconds == keeper.longest_seconds
    assert keeper.full_passes == 1
    base.kill(top)


async def test_the_collector_is_left_as_it_was_found(population):
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    callbacks = list(gc.callbacks)
    keeper = GarbageKeeper(population)
    keeper.start(asyncio.get_running_loop())
    assert gc.get_threshold() == garbage.THRESHOLDS
    keeper.stop()
    keeper.stop()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == frozen == 0
    assert gc.callbacks == callbacks


def test_the_longest_pause_of_the_last_minute_is_forgotten_after_it():
    recent = RecentLongest(60)
    assert recent.at(0) == 0
    recent.add(0, 3)
    recent.add(10, 1)
    recent.add(20, 2)
    assert recent.at(59) == 3
    assert recent.at(60) == 2
    assert recent.at(80) == 0


class Lives:
    """What actors do between birth and end, for the test that none of it leaves a cycle."""

    def __init__(self, base, kit):
        self.base = base
        self.kit = kit
        self.top = base.spawn(kit.Supervisor, {"seen": []})
        self.other = base.spawn(kit.Machine)
        self.waiter = base.spawn(kit.Waiter)

    def machine(self):
        return self.base.spawn(self.kit.Machine, parent=self.top)

    def tell(self, cell, call):
        self.base.post(cell, self.kit.Do(call=call), self.base.address)

    async def stopped(self):
        self.base.stop(self.machine())

    async def killed(self):
        self.base.kill(self.machine())

    async def stopped_with_children_and_letters(self):
        cell = self.machine()
        self.base.spawn(self.kit.Machine, parent=cell)
        self.base.post(cell, self.kit.Echo(), self.other)
        self.base.stop(cell)

    async def watched(self):
        cell = self.machine()
        self.base.watch(cell, self.machine())
        self.base.stop(cell)

    async def timed(self):
        cell = self.machine()
        self.tell(cell, lambda actor: actor.wakeup_after(0.0, self.kit.Echo()))
        self.base.stop(cell)

    async def asked(self):
        await self.base.request(self.other, self.kit.Echo(), 5)

    async def asked_an_async_handler(self):
        await self.base.request(self.waiter, self.kit.Echo(), 5)

    async def asked_an_actor_that_refuses(self):
        await self.base.request(self.other, self.kit.Refuse(), 5)

    async def asked_an_actor_that_is_gone(self):
        cell = self.machine()
        self.base.kill(cell)
        await self.base.request(cell, self.kit.Echo(), 5)

    async def asked_by_an_actor(self):
        cell = self.machine()
        self.tell(cell, lambda actor: actor.ask_later(self.other, self.kit.Echo(), "tag"))
        self.base.stop(cell)


LIVES = [name for name, life in vars(Lives).items() if inspect.iscoroutinefunction(life)]


@pytest.mark.parametrize("life", LIVES)
async def test_what_ends_leaves_no_cycle_behind(base, kit, settle, life):
    """Else what is frozen would outlive its end, until a full pass."""
    lives = Lives(base, kit)
    live = getattr(lives, life)
    for _ in range(2):  # the first round fills caches, such as those of message classes
        gc.collect()
        gc.disable()
        for _ in range(SEVERAL):
            await live()
        await settle()
        found = gc.collect()
        gc.enable()
    assert found == 0
