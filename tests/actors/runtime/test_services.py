import asyncio

import pytest

from veza.actors.base import ServiceActor
from veza.actors.messages.common import Crashed, Gone, RefusedError, RejectCode, Rejected
from veza.actors.runtime import AsyncioSystemBase


class Ledger(ServiceActor):
    """Commits what waits as one batch, when its gate is open."""

    batch_limit = 8

    def __init__(self, *, gate, batches):
        self.gate = gate
        self.batches = batches

    async def receive_batch(self, batch):
        messages = [message for message, _ in batch]
        self.batches.append(messages)
        await self.gate.wait()
        if "bug" in messages:
            raise ValueError("bug")
        if "refuse" in messages:
            raise RefusedError(RejectCode.NOT_FOUND, "no")
        for message, sender in batch:
            self.send(sender, f"stored {message}")


async def test_up_to_the_bound_handlers_run_at_once_and_no_more(base, kit, settle):
    gate = asyncio.Event()
    service = base.spawn(kit.Waiter)
    asked = [
        asyncio.ensure_future(base.request(service, kit.Echo(value=gate), 5)) for _ in range(10)
    ]
    await settle()
    stats = service.stats()
    assert (stats.handlers_in_flight, stats.mailbox_depth, stats.state) == (4, 6, "running")
    assert stats.current_handler == "Echo"
    gate.set()
    assert await asyncio.gather(*asked) == [kit.Echo(value="waited")] * 10
    assert service.stats().handlers_in_flight == 0


async def test_a_waiting_handler_does_not_hold_up_others(base, kit):
    gate = asyncio.Event()
    service = base.spawn(kit.Waiter)
    slow = asyncio.ensure_future(base.request(service, kit.Echo(value=gate), 5))
    quick = [await base.request(service, kit.Echo(value=number), 5) for number in range(50)]
    assert quick == [kit.Echo(value=number) for number in range(50)]
    assert not slow.done()
    gate.set()
    await slow


async def test_a_failed_request_dies_without_its_neighbours(base, kit, caplog):
    gate = asyncio.Event()
    service = base.spawn(kit.Waiter)
    neighbour = asyncio.ensure_future(base.request(service, kit.Echo(value=gate), 5))
    failing = kit.Fail(error=ValueError("bug"))
    assert await base.request(service, failing, 5) == Crashed(command="Fail")
    gate.set()
    assert await neighbour == kit.Echo(value="waited")
    assert (service.alive, service.stats().errors, len(caplog.records)) == (True, 1, 1)


async def test_killing_a_stuck_service_cancels_its_handlers_and_answers_gone(base, kit, settle):
    cancelled = []

    async def stuck(actor):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(actor)
            raise

    service = base.spawn(kit.Waiter)
    asked = [asyncio.ensure_future(base.request(service, kit.Do(call=stuck), 5)) for _ in range(6)]
    await settle()
    base.kill(service)
    assert await asyncio.gather(*asked) == [Gone(command="Do")] * 6
    await settle()
    assert len(cancelled) == 4
    other = base.spawn(kit.Waiter)
    assert await base.request(other, kit.Echo(value=1), 5) == kit.Echo(value=1)


async def test_a_handler_has_a_task_of_its_own_to_time_out_in(base, kit):
    async def impatient(actor):
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            return "timed out"

    service = base.spawn(kit.Waiter)
    for _ in range(3):
        assert await base.request(service, kit.Do(call=impatient), 5) == "timed out"


async def test_a_service_asks_another_and_waits(base, kit):
    other = base.spawn(kit.Waiter)
    service = base.spawn(kit.Waiter)
    question = kit.Do(call=lambda actor: actor.ask(other, kit.Echo(value=5)))
    assert await base.request(service, question, 5) == kit.Echo(value=5)


async def test_an_exit_waits_for_the_handlers_at_work(base, kit, settle):
    gate = asyncio.Event()
    service = base.spawn(kit.Waiter)
    asked = asyncio.ensure_future(base.request(service, kit.Echo(value=gate), 5))
    await settle()
    base.stop(service)
    late = asyncio.ensure_future(base.request(service, kit.Echo(), 5))
    await settle()
    assert (service.stats().state, await late) == ("exiting", Gone(command="Echo"))
    gate.set()
    assert await asked == kit.Echo(value="waited")
    await settle()
    assert not service.alive


async def test_a_restart_cancels_what_is_in_flight_and_serves_what_waits(base, kit, settle):
    class One(kit.Waiter):
        concurrency = 1

    service = base.spawn(One)
    stuck = asyncio.ensure_future(base.request(service, kit.Echo(value=asyncio.Event()), 5))
    await settle()
    waiting = [
        asyncio.ensure_future(base.request(service, kit.Echo(value=number), 5))
        for number in range(3)
    ]
    await settle()
    base.restart(service)
    assert await stuck == Crashed(command="Echo")
    assert await asyncio.gather(*waiting) == [kit.Echo(value=number) for number in range(3)]


async def test_a_handler_whose_wait_was_cancelled_from_elsewhere_only_fails(base, kit):
    async def await_cancelled(actor):
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    service = base.spawn(kit.Waiter)
    assert await base.request(service, kit.Do(call=await_cancelled), 5) == Crashed(command="Do")
    assert await base.request(service, kit.Echo(), 5) == kit.Echo()


async def test_what_waits_is_stored_as_one_batch(base, settle):
    gate, batches = asyncio.Event(), []
    ledger = base.spawn(Ledger, {"gate": gate, "batches": batches})
    asked = []
    for number in range(12):
        asked.append(asyncio.ensure_future(base.request(ledger, number, 5)))
        await settle()
    assert batches == [[0]]
    gate.set()
    assert await asyncio.gather(*asked) == [f"stored {number}" for number in range(12)]
    assert batches == [[0], [1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11]]
    assert ledger.stats().messages_in == 12


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("bug", Crashed(command="str")),
        ("refuse", Rejected(command="str", code=RejectCode.NOT_FOUND, detail="no")),
    ],
)
async def test_a_batch_that_fails_fails_for_all_its_askers(base, settle, message, answer):
    gate, batches = asyncio.Event(), []
    ledger = base.spawn(Ledger, {"gate": gate, "batches": batches})
    first = asyncio.ensure_future(base.request(ledger, "first", 5))
    await settle()
    others = [asyncio.ensure_future(base.request(ledger, each, 5)) for each in ("other", message)]
    await settle()
    gate.set()
    assert await first == "stored first"
    assert await asyncio.gather(*others) == [answer, answer]
    assert ledger.alive


async def test_a_stop_is_not_swallowed_by_a_batch(base, settle):
    gate, batches = asyncio.Event(), []
    ledger = base.spawn(Ledger, {"gate": gate, "batches": batches})
    for message in ("a", "b"):
        base.post(ledger, message, base.address)
        await settle()
    base.stop(ledger)
    base.post(ledger, "c", base.address)
    gate.set()
    await settle()
    assert batches == [["a"], ["b"]]
    assert not ledger.alive


async def test_a_thousand_suspended_handlers_all_finish(base, kit):
    services = [base.spawn(kit.Waiter) for _ in range(250)]
    gate = asyncio.Event()
    asked = [
        asyncio.ensure_future(base.request(service, kit.Echo(value=gate), 5))
        for service in services
        for _ in range(4)
    ]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*asked) == [kit.Echo(value="waited")] * 1000


async def test_a_handler_that_fails_after_the_kill_is_logged_and_harms_nobody(
    base, kit, caplog, settle
):
    async def clumsy(actor):
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("while cleaning up")

    service = base.spawn(kit.Waiter)
    base.post(service, kit.Do(call=clumsy), base.address)
    await settle()
    base.kill(service)
    await settle()
    assert "while cleaning up" in caplog.text
    other = base.spawn(kit.Waiter)
    assert await base.request(other, kit.Echo(value=1), 5) == kit.Echo(value=1)


def test_a_loop_that_ends_without_a_shutdown_does_not_hang(kit):
    async def leave_it_running():
        base = AsyncioSystemBase()
        service = base.spawn(kit.Waiter)
        assert await base.request(service, kit.Echo(value=1), 5) == kit.Echo(value=1)
        base.post(service, kit.Echo(value=asyncio.Event()), base.address)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(leave_it_running(), 5))


async def test_a_service_that_stashes_takes_up_what_waited_in_order(base, settle):
    class Loading(ServiceActor):
        stash_until_ready = frozenset({str})
        concurrency = 1

        def __init__(self, *, gate, seen):
            self.gate, self.seen = gate, seen

        async def receiveMsg_str(self, message, sender):
            await self.gate.wait()
            self.become_ready()

        async def receiveMsg_int(self, message, sender):
            self.seen.append(message)

    gate, seen = asyncio.Event(), []
    loading = base.spawn(Loading, {"gate": gate, "seen": seen})
    base.post(loading, 0, base.address)
    base.post(loading, "load", base.address)
    base.post(loading, 1, base.address)
    await settle()
    base.post(loading, 2, base.address)
    await settle()
    assert seen == []
    gate.set()
    base.post(loading, 3, base.address)
    await settle()
    assert seen == [0, 1, 2, 3]
