"""A suspended actor handles nothing and loses nothing."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest

from veza.actors.base import ServiceActor, SupervisedActor
from veza.actors.messages.common import Answer, Busy, Crashed, Gone
from veza.actors.runtime import ChildExit
from veza.actors.runtime.thespian_api import Actor, Thespian_ActorStatus, Thespian_StatusReq


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    pass


class Keeper(ServiceActor):
    """Keeps numbers, one at a time."""

    concurrency = 1

    def __init__(self, *, seen):
        self.seen = seen

    async def receiveMsg_int(self, message, sender):
        self.seen.append((message, sender))
        await asyncio.sleep(0)


class Batcher(ServiceActor):
    batch_limit = 4

    def __init__(self, *, seen):
        self.seen = seen

    async def receive_batch(self, batch):
        self.seen.extend(batch)
        await asyncio.sleep(0)


class Plain(Actor):
    def __init__(self):
        self.seen = []

    def receiveMessage(self, message, sender):
        self.seen.append((message, sender))


def numbers(seen):
    return [message for message, _ in seen if isinstance(message, int)]


def spawn_keeper(base, kit, kind):
    if kind == "classic":
        cell = base.spawn(Plain)
        return cell, cell.instance.seen
    seen = []
    classes = {"sync": kit.Recorder, "async": Keeper, "batch": Batcher}
    return base.spawn(classes[kind], {"seen": seen}), seen


@pytest.mark.parametrize("kind", ["sync", "async", "batch", "classic"])
async def test_what_waits_is_taken_up_in_order_before_what_is_newer(base, kit, settle, kind):
    cell, seen = spawn_keeper(base, kit, kind)
    base.post(cell, 0, base.address)
    assert base.suspend(cell)
    base.post(cell, 1, base.address)
    await settle()
    for number in range(2, 40):
        base.post(cell, number, base.address)
        if number % 10 == 0:
            await settle()
    assert (numbers(seen), cell.stats().state, cell.stats().mailbox_depth) == ([], "suspended", 40)
    base.post(cell, 40, base.address)
    assert base.resume(cell)
    assert cell.stats().state == "resuming"
    base.post(cell, 41, base.address)
    await settle()
    assert numbers(seen) == list(range(42))
    assert cell.stats().state == "idle"


async def test_only_live_actors_can_be_suspended_and_only_suspended_ones_resumed(base, kit, settle):
    cell = base.spawn(kit.Machine)
    assert not base.resume(cell)
    assert base.suspend(cell)
    assert not base.suspend(cell)
    base.kill(cell)
    assert not base.suspend(cell)
    assert not base.resume(cell)


async def test_a_resumption_can_be_taken_back_at_once(base, kit, settle):
    cell, seen = spawn_keeper(base, kit, "sync")
    base.suspend(cell)
    base.post(cell, 1, base.address)
    await settle()
    assert base.resume(cell)
    assert base.suspend(cell)
    base.post(cell, 2, base.address)
    await settle()
    assert (numbers(seen), cell.stats().state) == ([], "suspended")
    base.resume(cell)
    base.suspend(cell)
    base.resume(cell)
    base.post(cell, 3, base.address)
    await settle()
    assert numbers(seen) == [1, 2, 3]


async def test_a_full_suspended_actor_answers_busy(base, kit, recorder, settle):
    class Small(kit.Recorder):
        mailbox_limit = 3

    seen = []
    probe, answers = recorder
    small = base.spawn(Small, {"seen": seen})
    base.suspend(small)
    for number in range(5):
        small.post(number, probe)
        await settle()
    assert [message for message, _ in answers] == [Busy(command="int")] * 2
    base.resume(small)
    await settle()
    assert numbers(seen) == [0, 1, 2]


async def test_answers_and_timers_wait_beyond_the_bound(base, kit, settle, until):
    class Small(kit.Recorder):
        mailbox_limit = 1

    seen = []
    small = base.spawn(Small, {"seen": seen})
    helper = base.spawn(kit.Machine)

    def ask_and_wait(actor):
        for tag in range(3):
            actor.ask_later(helper, kit.Echo(), tag)
        base.suspend(actor.cell)
        actor.wakeupAfter(timedelta(0))

    base.post(small, kit.Do(call=ask_and_wait), base.address)
    await until(lambda: small.stats().mailbox_depth == 4)
    assert seen == []
    base.resume(small)
    await settle()
    assert [message.tag for message, _ in seen if isinstance(message, Answer)] == [0, 1, 2]
    assert len(seen) == 4


class Ticking(SupervisedActor):
    """Counts its ticks; each of them sets the next."""

    mailbox_limit = 2
    stash_until_ready = frozenset()

    def __init__(self, *, seen):
        self.seen = seen
        self.wakeup_after(0, Tick())

    def receiveMsg_Tick(self, message, sender):
        self.seen.append(message)
        self.wakeup_after(0, Tick())

    def receiveMsg_int(self, message, sender):
        self.seen.append(message)


async def test_a_timer_that_sets_itself_again_outlives_a_full_suspended_mailbox(base, until):
    seen = []
    ticking = base.spawn(Ticking, {"seen": seen})
    ticking.instance.become_ready()
    await until(lambda: len(seen) > 1)
    base.suspend(ticking)
    seen.clear()
    for number in (1, 2):
        base.post(ticking, number, base.address)
    await until(lambda: ticking.stats().mailbox_depth == 3)
    base.resume(ticking)
    await until(lambda: seen.count(Tick()) > 2)
    assert [each for each in seen if isinstance(each, int)] == [1, 2]


async def test_a_timer_that_sets_itself_again_outlives_a_full_stash(base, settle, until):
    seen = []
    ticking = base.spawn(Ticking, {"seen": seen})
    for number in (1, 2):
        base.post(ticking, number, base.address)
    await until(lambda: ticking.stats().mailbox_depth == 3)
    assert seen == []
    ticking.instance.become_ready()
    await until(lambda: seen.count(Tick()) > 2)
    assert [each for each in seen if isinstance(each, int)] == [1, 2]


async def test_handlers_at_work_finish_while_their_actor_is_suspended(base, kit, settle):
    gate = asyncio.Event()
    service = base.spawn(kit.Waiter)
    asked = [
        asyncio.ensure_future(base.request(service, kit.Echo(value=gate), 5)) for _ in range(6)
    ]
    await settle()
    base.suspend(service)
    gate.set()
    await settle()
    assert [future.done() for future in asked] == [True] * 4 + [False] * 2
    base.resume(service)
    assert await asyncio.gather(*asked) == [kit.Echo(value="waited")] * 6


async def test_status_and_ends_of_children_reach_a_suspended_actor(base, kit, recorder, settle):
    probe, news = recorder
    child = base.spawn(kit.Machine, parent=probe)
    await settle()
    news.clear()
    base.suspend(probe)
    base.post(probe, "later", base.address)
    base.kill(child)
    await settle()
    assert [type(message) for message, _ in news] == [ChildExit]
    assert isinstance(await base.request(probe, Thespian_StatusReq(), 5), Thespian_ActorStatus)


@pytest.mark.parametrize("kind", ["sync", "async", "batch", "classic"])
async def test_a_suspended_actor_ends_when_asked_and_what_waited_is_kept(base, kit, settle, kind):
    cell, seen = spawn_keeper(base, kit, kind)
    base.suspend(cell)
    base.post(cell, 1, base.address)
    asked = asyncio.ensure_future(base.request(cell, 2, 5))
    await settle()
    base.stop(cell)
    await settle()
    assert (cell.alive, numbers(seen), await asked) == (False, [], Gone(command="int"))
    assert [letter.message for letter in base.dead_letters] == [1, 2]


async def test_killing_a_suspended_actor_ends_it_at_once(base, kit, settle):
    cell, _ = spawn_keeper(base, kit, "sync")
    base.suspend(cell)
    base.post(cell, 1, base.address)
    await settle()
    base.kill(cell)
    assert not cell.alive
    assert [letter.message for letter in base.dead_letters] == [1]


@pytest.mark.parametrize("kind", ["sync", "async", "batch"])
async def test_a_restarted_actor_is_live_again_with_what_waited(base, kit, settle, kind):
    cell, seen = spawn_keeper(base, kit, kind)
    base.suspend(cell)
    base.post(cell, 1, base.address)
    await settle()
    assert base.restart(cell)
    base.post(cell, 2, base.address)
    await settle()
    assert (numbers(seen), cell.stats().state) == ([1, 2], "idle")


async def test_what_the_lost_instance_sent_itself_does_not_outlive_a_suspension(
    base, kit, settle, until
):
    cell, seen = spawn_keeper(base, kit, "sync")
    base.post(cell, kit.Do(call=lambda actor: actor.wakeup_after(0, "mine")), base.address)
    await settle()
    base.suspend(cell)
    base.post(cell, 1, base.address)
    await until(lambda: cell.stats().mailbox_depth == 2)
    base.restart(cell)
    await settle()
    assert [message for message, _ in seen] == [1]


async def test_a_suspended_actor_that_crashes_waits_for_its_supervisor(base, kit, settle):
    class Touchy(kit.Recorder):
        def receiveMsg_ChildExit(self, message, sender):
            raise ValueError("my child!")

    root = base.spawn(kit.Supervisor, {"seen": []})
    seen = []
    touchy = base.spawn(Touchy, {"seen": seen}, parent=root)
    child = base.spawn(kit.Machine, parent=touchy)
    await settle()
    seen.clear()
    base.suspend(touchy)
    base.post(touchy, 1, base.address)
    base.kill(child)
    await settle()
    assert touchy.stats().state == "crashed"
    assert not base.suspend(touchy)
    base.restart(touchy)
    await settle()
    assert numbers(seen) == [1]


async def test_a_resumed_actor_does_not_say_again_that_it_is_ready(base, kit, recorder, settle):
    probe, news = recorder
    child = base.spawn(kit.Machine, parent=probe)
    await settle()
    base.suspend(child)
    base.resume(child)
    await settle()
    assert [type(message).__name__ for message, _ in news] == ["Ready"]


async def test_a_handler_that_fails_while_its_actor_is_suspended_fails_alone(base, kit, settle):
    async def fail_later(actor):
        await gate.wait()
        raise ValueError("late")

    gate = asyncio.Event()
    service = base.spawn(kit.Waiter)
    asked = asyncio.ensure_future(base.request(service, kit.Do(call=fail_later), 5))
    await settle()
    base.suspend(service)
    gate.set()
    assert await asked == Crashed(command="Do")
    assert service.stats().state == "suspended"
