import asyncio
import time
from itertools import groupby

from veza.actors.base import SupervisedActor
from veza.actors.runtime.scheduler import LETTERS_A_LOOK, TURN_SECONDS
from veza.actors.runtime.thespian_api import Thespian_ActorStatus, Thespian_StatusReq
from veza.actors.runtime.timers import COMPACT_ABOVE


class Busy(SupervisedActor):
    """Works for about 20 microseconds a message."""

    mailbox_limit = 100_000

    def receiveMsg_int(self, message, sender):
        sum(range(1000))


async def test_a_quiet_actor_is_answered_beside_a_flooded_one(base, kit):
    flooded, quiet = base.spawn(Busy), base.spawn(kit.Machine)
    for number in range(20_000):
        base.post(flooded, number, base.address)
    assert await base.request(quiet, kit.Echo(), 5) == kit.Echo()
    left = flooded.stats()
    assert left.mailbox_depth > 15_000
    assert left.head_age_seconds > 0
    base.kill(flooded)


async def test_the_loop_gets_its_turn_while_actors_are_busy(base):
    flooded = base.spawn(Busy)
    for number in range(20_000):
        base.post(flooded, number, base.address)
    turns = 0
    while flooded.stats().mailbox_depth:
        await asyncio.sleep(0)
        turns += 1
    assert turns > 20_000 * 2e-6 / TURN_SECONDS


async def test_status_is_answered_while_the_actor_is_stuck(base, kit, settle):
    class One(kit.Waiter):
        concurrency = 1

    service = base.spawn(One)
    for _ in range(3):
        base.post(service, kit.Echo(value=asyncio.Event()), base.address)
    await settle()
    assert isinstance(await base.request(service, Thespian_StatusReq(), 5), Thespian_ActorStatus)
    base.kill(service)


async def test_timers_fire_in_order_and_never_early(base, kit):
    seen, fired = [], asyncio.Event()

    class Timed(kit.Machine):
        def receiveMsg_int(self, message, sender):
            seen.append((message, time.monotonic()))
            if len(seen) == 4:
                fired.set()

    def start(actor):
        for milliseconds in (9, 3, 6, 0):
            actor.wakeup_after(milliseconds / 1000, milliseconds)

    started = time.monotonic()
    timed = base.spawn(Timed)
    base.post(timed, kit.Do(call=start), base.address)
    async with asyncio.timeout(30):
        await fired.wait()
    assert [message for message, _ in seen] == [0, 3, 6, 9]
    assert all(at - started >= milliseconds / 1000 for milliseconds, at in seen)


async def test_timers_of_the_dead_are_dropped(base, kit, settle, until):
    timed, other = base.spawn(kit.Machine), base.spawn(kit.Recorder, {"seen": (seen := [])})
    base.post(timed, kit.Do(call=lambda actor: actor.wakeup_after(0.001, "x")), base.address)
    base.post(other, kit.Do(call=lambda actor: actor.wakeup_after(0.002, "y")), base.address)
    await settle()
    base.kill(timed)
    await until(lambda: seen)
    assert not base.dead_letters


async def test_timers_of_answered_questions_do_not_pile_up(base, kit):
    machine = base.spawn(kit.Machine)
    for number in range(3000):
        await base.request(machine, kit.Echo(value=number), 60 + number % 7)
    assert base.timers.size < 200


async def test_timers_swept_out_while_others_fire_leave_no_fired_ones_behind(base, until):
    fired, others = [], [base.timers.after(60, list) for _ in range(3 * COMPACT_ABOVE)]

    def sweep():
        for other in others:
            other.cancel()
        base.timers.after(60, list)  # finds more forgotten than living ones
        fired.append("sweep")

    base.timers.after(0.001, sweep)
    base.timers.after(0.001, lambda: fired.append("next"))
    await until(lambda: len(fired) == 2)

    assert base.timers.size == 1
    assert base.timers.forgotten == 0


async def test_a_slow_actor_leaves_its_slot_to_others_early(base, kit, settle):
    order = []

    def work(actor):
        order.append(actor.cell)
        until = time.thread_time() + 0.0002
        while time.thread_time() < until:
            pass

    slow, quick = base.spawn(kit.Machine), base.spawn(kit.Machine)

    def go_on(actor):
        order.append(actor.cell)
        if order.count(slow) < 50:
            actor.send(actor.cell, kit.Do(call=go_on))

    for _ in range(100):
        base.post(slow, kit.Do(call=work), base.address)
    base.post(quick, kit.Do(call=go_on), base.address)
    await settle()
    runs = [len(list(run)) for cell, run in groupby(order) if cell is slow]
    # How slow it is shows after its first slot; after the last one nobody else wants any.
    assert len(runs) >= 30
    assert set(runs[1:-1]) == {1}


async def test_an_actor_that_becomes_slow_holds_the_loop_for_a_part_of_its_slot_only(base):
    class Turns(SupervisedActor):
        """Quick, and suddenly slow: a millisecond of work a message."""

        mailbox_limit = 100_000

        def receiveMsg_int(self, message, sender):
            pass

        def receiveMsg_float(self, message, sender):
            until = time.thread_time() + message
            while time.thread_time() < until:
                pass

    cell, handled = base.spawn(Turns), []
    for _ in range(20_000):
        base.post(cell, 0, base.address)
    for _ in range(100):
        base.post(cell, 0.001, base.address)
    while cell.stats().mailbox_depth:
        before = cell.messages_in
        await asyncio.sleep(0)
        if before >= 20_000:
            handled.append(cell.messages_in - before)
    assert max(handled) <= 1 + LETTERS_A_LOOK


async def test_an_actor_has_as_many_messages_in_a_slot_as_its_class_says(base, settle):
    order = []

    class Crowded(SupervisedActor):
        slot_messages = 64

        def receiveMsg_int(self, message, sender):
            order.append(self.slot_messages)

    class Ordinary(Crowded):
        slot_messages = 16

    for actor_class in (Crowded, Ordinary):
        cell = base.spawn(actor_class)
        cell.messages_in = 1_000_000  # so quick on the whole that one slow handler is none
        for number in range(192):
            base.post(cell, number, base.address)
    await settle()

    # The last run is of who has nobody beside it any more.
    runs = [(slot, len(list(run))) for slot, run in groupby(order)][:-1]
    longest = {slot: max(length for each, length in runs if each == slot) for slot in (64, 16)}
    assert 64 <= longest[64] < 64 + LETTERS_A_LOOK
    assert longest[16] == 16


async def test_counters_add_up(base, kit, recorder, settle):
    probe, _ = recorder
    machine = base.spawn(kit.Machine, name="counted")
    for number in range(40):
        base.post(machine, kit.Send(target=probe, message=number), base.address)
    assert (machine.stats().mailbox_depth, machine.stats().state) == (40, "ready")
    await settle()
    stats = machine.stats()
    assert (stats.messages_in, stats.messages_out, stats.mailbox_high_water) == (40, 40, 40)
    assert (stats.mailbox_depth, stats.state, stats.class_name) == (0, "idle", "Machine")
    assert 0 < stats.handler_seconds < 1
    assert time.time() - 5 < stats.started_at <= time.time()


async def test_the_tree_lists_parents_before_children_in_order(base, kit):
    top = base.spawn(kit.Machine, name="a")
    for name in ("b", "c"):
        child = base.spawn(kit.Machine, parent=top, name=name)
        base.spawn(kit.Machine, parent=child, name="d")
    base.spawn(kit.Machine, name="e")
    assert [cell.path for cell in base.tree()] == ["/a", "/a/b", "/a/b/d", "/a/c", "/a/c/d", "/e"]


async def test_an_idle_actor_is_small(base, kit):
    import tracemalloc

    await asyncio.sleep(0)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    cells = [base.spawn(kit.Machine) for _ in range(5000)]
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / len(cells) < 700
