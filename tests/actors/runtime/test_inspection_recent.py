"""The last messages of an actor are kept as classes and times, within bounds."""

import asyncio
import time

import pytest

from veza.actors.base import ServiceActor
from veza.actors.runtime import ActorEndedError, AsyncioSystemBase
from veza.actors.runtime.observation import FOLDED_AT, KEPT_MESSAGES
from veza.actors.runtime.observer import LOOKED_AT_LIMIT
from veza.actors.runtime.thespian_api import Actor


class Batcher(ServiceActor):
    batch_limit = 8

    async def receive_batch(self, batch):
        await asyncio.sleep(0)


class Plain(Actor):
    def receiveMessage(self, message, sender):
        """Take anything."""


class PlainAsync(Actor):
    async def receiveMessage(self, message, sender):
        await asyncio.sleep(0)


class Mixed(ServiceActor):
    """Handles strings at once and waits on numbers."""

    def receiveMsg_str(self, message, sender):
        return None

    async def receiveMsg_int(self, message, sender):
        await asyncio.sleep(0)


def classes(observation):
    return [handled.class_name for handled in observation.messages()]


def counts(observation):
    return {counted.class_name: counted.count for counted in observation.counts()}


@pytest.mark.parametrize("actor_class", [Batcher, Plain, PlainAsync, Mixed])
async def test_every_kind_of_actor_is_seen_newest_first(base, settle, actor_class):
    cell = base.spawn(actor_class)
    seen = base.look(cell)
    before = time.time()
    for message in ("a", 1, 2, "b"):
        base.post(cell, message, base.address)
        await settle()
    assert classes(seen) == ["str", "int", "int", "str"]
    assert counts(seen) == {"str": 2, "int": 2}
    newest, *_, oldest = seen.messages()
    assert before <= oldest.sent_at <= oldest.at <= newest.at <= time.time()
    assert all(0 <= handled.wait_seconds < 1 for handled in seen.messages())
    assert sum(counted.run_seconds for counted in seen.counts()) == pytest.approx(
        sum(handled.run_seconds for handled in seen.messages())
    )


@pytest.mark.parametrize("kind", ["Machine", "Waiter"])
async def test_the_newest_fifty_are_kept_and_all_are_counted(base, kit, settle, kind):
    cell = base.spawn(getattr(kit, kind))
    seen = base.look(cell)
    total = 5 * FOLDED_AT + 7
    for number in range(total):
        base.post(cell, kit.Echo(value=number), cell.scheduler.system.address)
        if number % 30 == 0:
            await settle()
    await settle()
    assert len(seen.messages()) == KEPT_MESSAGES
    assert counts(seen) == {"Echo": total}
    assert len(seen.notes) < FOLDED_AT + 16


async def test_failures_count_and_a_look_lasts_over_restarts(base, kit, settle):
    root = base.spawn(kit.Supervisor, {"seen": []})
    child = base.spawn(kit.Machine, parent=root)
    seen = base.look(child)
    since = seen.since
    base.post(child, kit.Fail(error=ValueError("x")), base.address)
    await settle()
    base.restart(child)
    base.post(child, kit.Refuse(), base.address)
    await settle()
    assert base.look(child) is seen
    assert (classes(seen), seen.since) == (["Refuse", "Fail"], since)


async def test_what_waits_or_finds_no_handler_was_not_handled(base, kit, settle):
    cell = base.spawn(kit.Machine)
    seen = base.look(cell)
    base.post(cell, "no handler", base.address)
    base.suspend(cell)
    base.post(cell, kit.Refuse(), base.address)
    await settle()
    assert seen.messages() == []


async def test_time_in_the_mailbox_and_in_the_handler_are_told_apart(base, kit, settle):
    def work(actor):
        deadline = time.monotonic() + 0.004
        while time.monotonic() < deadline:
            pass

    cell = base.spawn(kit.Machine)
    seen = base.look(cell)
    quickest = waited_least = 1.0
    for _ in range(10):  # others use this machine too: once of ten times nobody comes between
        base.post(cell, kit.Do(call=work), base.address)
        base.post(cell, kit.Refuse(), base.address)
        await settle()
        second, first = seen.messages()[:2]
        assert first.run_seconds >= 0.004
        assert second.wait_seconds >= 0.004
        quickest = min(quickest, second.run_seconds)
        waited_least = min(waited_least, first.wait_seconds)
    assert quickest < 0.004
    assert waited_least < 0.004


async def test_only_the_first_actors_are_kept_without_being_looked_at(kit):
    base = AsyncioSystemBase(recent_budget=2)
    first, second, third = (base.spawn(kit.Machine) for _ in range(3))
    assert [cell.observed is not None for cell in (first, second, third)] == [True, True, False]
    base.kill(first)
    assert first.observed is None
    fourth, fifth = base.spawn(kit.Machine), base.spawn(kit.Machine)
    assert (fourth.observed is not None, fifth.observed) == (True, None)
    await base.shutdown_async(5)


async def test_a_look_takes_no_place_of_the_budget(kit):
    base = AsyncioSystemBase(recent_budget=1)
    first, second = base.spawn(kit.Machine), base.spawn(kit.Machine)
    base.look(first)
    base.look(second)
    base.kill(second)
    assert base.spawn(kit.Machine).observed is None
    await base.shutdown_async(5)


async def test_actors_not_looked_at_for_long_are_forgotten(base, kit):
    cells = [base.spawn(kit.Machine) for _ in range(LOOKED_AT_LIMIT + 2)]
    traced = base.trace(cells[0], limit=1, seconds=60)
    for cell in cells[:-2]:
        base.look(cell)
    base.look(cells[1])
    for cell in cells[-2:]:
        base.look(cell)
    forgotten = [number for number, cell in enumerate(cells) if cell.observed is None]
    assert forgotten == [2, 3]
    assert traced.why_ended == ""


async def test_there_is_nothing_to_see_of_an_actor_that_has_ended(base, kit):
    cell = base.spawn(kit.Machine)
    base.look(cell)
    base.kill(cell)
    assert cell.observed is None
    with pytest.raises(ActorEndedError):
        base.look(cell)
