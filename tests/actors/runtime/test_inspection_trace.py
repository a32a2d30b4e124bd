"""A trace sees each message its actor handles, how it ended, and ends by itself."""

import asyncio
import gc
import time
import weakref

import pytest

from veza.actors.base import ServiceActor
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.runtime import (
    ActorEndedError,
    RequestContext,
    TooManyTracesError,
    request_context,
)
from veza.actors.runtime.cell import NO_HANDLERS
from veza.actors.runtime.thespian_api import Actor


class Sync(ServiceActor):
    def receiveMsg_str(self, message, sender):
        act(message)


class Async(ServiceActor):
    async def receiveMsg_str(self, message, sender):
        await asyncio.sleep(0)
        act(message)


class Batched(ServiceActor):
    batch_limit = 4

    async def receive_batch(self, batch):
        await asyncio.sleep(0)
        act(batch[0][0])


class Plain(Actor):
    crash_on_error = True

    def receiveMessage(self, message, sender):
        act(message)


class PlainAsync(Actor):
    crash_on_error = False

    async def receiveMessage(self, message, sender):
        await asyncio.sleep(0)
        act(message)


def act(message):
    if message == "refuse":
        raise RefusedError(RejectCode.FORBIDDEN, "no")
    if message == "fail":
        raise ValueError("x")


@pytest.mark.parametrize("actor_class", [Sync, Async, Batched])
async def test_each_message_is_there_with_sender_request_and_outcome(
    base, recorder, settle, actor_class
):
    probe, _ = recorder
    cell = base.spawn(actor_class)
    trace = base.trace(cell, limit=10, seconds=60)
    started = time.time()
    for message in ("fine", "refuse", "fail"):
        request_context.set(RequestContext(request_id=f"r-{message}"))
        base.post(cell, message, probe)
        await settle()
    assert [
        (each.number, each.class_name, each.sender, each.request_id, each.outcome)
        for each in trace.entries
    ] == [
        (1, "str", "/probe", "r-fine", "ok"),
        (2, "str", "/probe", "r-refuse", "refused"),
        (3, "str", "/probe", "r-fail", "failed"),
    ]
    assert all(started - 0.1 <= each.at <= time.time() for each in trace.entries)
    assert all(0 <= each.wait_seconds < 1 for each in trace.entries)
    assert all(0 <= each.run_seconds < 1 for each in trace.entries)
    assert {each.body for each in trace.entries} == {""}


async def test_each_message_of_a_batch_is_there(base, settle):
    cell = base.spawn(Batched)
    for _ in range(4):
        base.post(cell, "fine", base.address)
    trace = base.trace(cell, limit=10, seconds=60)
    await settle()
    assert [each.number for each in trace.entries] == [1, 2, 3, 4]


@pytest.mark.parametrize("actor_class", [Plain, PlainAsync])
async def test_classic_actors_are_traced_each_attempt_counting(base, settle, actor_class):
    cell = base.spawn(actor_class)
    trace = base.trace(cell, limit=10, seconds=60)
    base.post(cell, "fine", base.address)
    base.post(cell, "fail", base.address)
    await settle()
    attempts = 1 if actor_class.crash_on_error else 2
    assert [each.outcome for each in trace.entries] == ["ok", *["failed"] * attempts]


async def test_messages_are_described_only_if_asked_for_and_never_kept(base, kit, settle):
    cell = base.spawn(kit.Machine)
    silent = base.trace(cell, limit=10, seconds=60)
    telling = base.trace(cell, limit=10, seconds=60, describe=lambda message: repr(message)[:7])
    gone = weakref.WeakSet()
    big = type("Big", (), {})()
    gone.add(big)
    base.post(cell, kit.Do(call=lambda actor, held=big: None), base.address)
    del big
    await settle()
    assert ([e.body for e in silent.entries], [e.body for e in telling.entries]) == (
        [""],
        ["Do(call"],
    )
    gc.collect()
    assert not gone


async def test_a_trace_may_ask_for_one_class_and_counts_them_all(base, kit, settle):
    cell = base.spawn(kit.Machine)
    trace = base.trace(cell, limit=1, seconds=60, message_type="Refuse")
    for message in (kit.Do(call=lambda actor: None), kit.Refuse(), kit.Refuse()):
        base.post(cell, message, base.address)
    await settle()
    assert ([each.class_name for each in trace.entries], trace.seen) == (["Refuse"], 2)
    assert trace.why_ended == "limit"


async def test_a_trace_ends_at_its_limit_and_the_quick_way_is_back(base, kit, settle):
    cell = base.spawn(kit.Machine)
    quick = cell.table
    trace = base.trace(cell, limit=2, seconds=60)
    assert cell.table is NO_HANDLERS
    for _ in range(5):
        base.post(cell, kit.Refuse(), base.address)
    await settle()
    assert (trace.seen, len(trace.entries), trace.why_ended) == (2, 2, "limit")
    assert cell.table is quick
    assert base.look(cell).traces == ()


async def test_a_trace_ends_in_time(base, kit, until):
    cell = base.spawn(kit.Machine)
    trace = base.trace(cell, limit=2, seconds=0.002)
    assert trace.ends_at - trace.started_at == pytest.approx(0.002, rel=0.01)
    await until(lambda: trace.why_ended)
    assert (trace.why_ended, trace.entries) == ("time", [])


async def test_a_trace_can_be_stopped(base, kit, settle):
    cell = base.spawn(kit.Machine)
    trace = base.trace(cell, limit=2, seconds=60)
    trace.stop()
    trace.stop()
    base.post(cell, kit.Refuse(), base.address)
    await settle()
    assert (trace.why_ended, trace.seen) == ("stopped", 0)
    assert sum(1 for _ in base.timers) == 0


@pytest.mark.parametrize("kind", ["Machine", "Waiter"])
async def test_a_trace_shows_the_message_its_actor_ended_on(base, kit, settle, kind):
    cell = base.spawn(getattr(kit, kind))
    trace = base.trace(cell, limit=5, seconds=60)
    base.post(cell, kit.Fail(error=SystemExit()), base.address)
    await settle()
    assert (trace.why_ended, cell.alive) == ("the actor ended", False)
    assert [each.outcome for each in trace.entries] == ["failed"]
    with pytest.raises(ActorEndedError):
        base.trace(cell, limit=5, seconds=60)


async def test_a_trace_lasts_over_restarts_and_suspension(base, kit, settle):
    root = base.spawn(kit.Supervisor, {"seen": []})
    child = base.spawn(kit.Machine, parent=root)
    trace = base.trace(child, limit=50, seconds=60)
    base.post(child, kit.Fail(error=ValueError("x")), base.address)
    await settle()
    base.restart(child)
    await settle()
    base.post(child, kit.Refuse(), base.address)
    await settle()
    base.suspend(child)
    base.post(child, kit.Refuse(), base.address)
    await settle()
    assert [each.outcome for each in trace.entries] == ["failed", "refused"]
    base.resume(child)
    await settle()
    assert [each.outcome for each in trace.entries] == ["failed", "refused", "refused"]


async def test_several_traces_see_the_same_and_end_each_for_itself(base, kit, settle):
    cell = base.spawn(kit.Machine)
    short, long = (base.trace(cell, limit=limit, seconds=60) for limit in (1, 3))
    for _ in range(2):
        base.post(cell, kit.Refuse(), base.address)
    await settle()
    assert (short.why_ended, short.seen, long.why_ended, long.seen) == ("limit", 1, "", 2)
    assert base.look(cell).traces == (long,)


async def test_traces_are_bounded_by_actor_and_by_system(base, kit):
    cells = [base.spawn(kit.Machine) for _ in range(5)]
    traces = [base.trace(cells[0], limit=1, seconds=60) for _ in range(4)]
    with pytest.raises(TooManyTracesError):
        base.trace(cells[0], limit=1, seconds=60)
    traces += [base.trace(cell, limit=1, seconds=60) for cell in cells[1:4] for _ in range(4)]
    with pytest.raises(TooManyTracesError):
        base.trace(cells[4], limit=1, seconds=60)
    base.kill(cells[0])
    base.trace(cells[4], limit=1, seconds=60)
    assert traces[0].why_ended == "the actor ended"


async def test_a_trace_of_nothing_is_refused(base, kit):
    for limit, seconds in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="sees nothing"):
            base.trace(base.spawn(kit.Machine), limit=limit, seconds=seconds)
