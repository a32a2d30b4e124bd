"""Thespian's own way in: threads that block, and a loop in a thread of its own."""

import asyncio
import threading
import time

import pytest

from veza.actors.messages.common import Crashed
from veza.actors.runtime import AsyncioSystemBase, endpoints, inbox
from veza.actors.runtime.thespian_api import (
    Actor,
    ActorExitRequest,
    ActorSystem,
    ActorTypeDispatcher,
    DeadEnvelope,
    PoisonMessage,
)


class Doubler(ActorTypeDispatcher):
    def receiveMsg_int(self, message, sender):
        self.send(sender, message * 2)

    def receiveMsg_str(self, message, sender):
        raise ValueError(message)


class Counter(ActorTypeDispatcher):
    def __init__(self):
        self.seen = []

    def receiveMsg_int(self, message, sender):
        self.seen.append(message)

    def receiveMsg_str(self, message, sender):
        self.send(sender, (len(self.seen), self.seen == sorted(self.seen)))


class AsyncDoubler(Actor):
    async def receiveMessage(self, message, sender):
        if message == "fail":
            raise ValueError(message)
        if isinstance(message, int):
            self.send(sender, message * 2)


class Undertaker(Actor):
    def __init__(self):
        self.letters = []

    def receiveMessage(self, message, sender):
        if message == "start":
            self.handleDeadLetters()
            self.send(sender, "started")
        elif message == "list":
            self.send(sender, self.letters)
        elif isinstance(message, DeadEnvelope):
            self.letters.append(message.deadMessage)


@pytest.fixture
def system():
    system = ActorSystem(systemBase=AsyncioSystemBase(), transientUnique=True)
    yield system
    system.shutdown()


def test_a_thread_asks_an_actor_and_blocks_for_the_answer(system):
    assert system.ask(system.createActor(Doubler), 21, 5) == 42


def test_async_thespian_actors_work_too(system):
    actor = system.createActor(AsyncDoubler)
    assert system.ask(actor, 21, 5) == 42
    assert isinstance(system.ask(actor, "fail", 5), PoisonMessage)
    assert system.ask(actor, 1, 5) == 2


def test_a_plain_actor_is_tried_twice_then_poisoned_and_lives(system):
    actor = system.createActor(Doubler)
    answer = system.ask(actor, "bad", 5)
    assert isinstance(answer, PoisonMessage)
    assert answer.poisonMessage == "bad"
    assert "ValueError" in answer.details
    assert system.ask(actor, 1, 5) == 2


def test_a_plain_actor_may_choose_the_crash_rule(system):
    class Fragile(Doubler):
        crash_on_error = True

    assert system.ask(system.createActor(Fragile), "bad", 5) == Crashed(command="str")


def test_messages_of_one_thread_keep_their_order_and_many_threads_get_their_own(system):
    actor = system.createActor(Doubler)
    results = {}

    def ask_many(number):
        with system.private() as mine:
            results[number] = [mine.ask(actor, number * 100 + each, 5) for each in range(50)]

    threads = [threading.Thread(target=ask_many, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert results == {
        number: [(number * 100 + each) * 2 for each in range(50)] for number in range(8)
    }


def test_named_actors_are_one_and_the_name_is_free_after_the_end(system):
    one = system.createActor(Doubler, globalName="the one")
    assert system.createActor("no.such.Class", globalName="the one") is one
    system.tell(one, ActorExitRequest())
    deadline = time.monotonic() + 30
    while system.createActor(Doubler, globalName="the one") is one:
        assert time.monotonic() < deadline
    assert one != system.createActor(Doubler, globalName="the one")


def test_dead_letters_go_to_thespians_handler(system):
    undertaker = system.createActor(Undertaker)
    assert system.ask(undertaker, "start", 5) == "started"
    gone = system.createActor(Doubler)
    system.tell(gone, ActorExitRequest())
    system.tell(gone, "lost")
    assert system.ask(undertaker, "list", 5) == ["lost"]


def test_a_timeout_returns_none(system):
    assert system.listen(0.001) is None


def test_after_shutdown_nothing_starts_and_nothing_hangs():
    base = AsyncioSystemBase()
    system = ActorSystem(systemBase=base, transientUnique=True)
    actor = system.createActor(Doubler)
    system.shutdown()
    base.tell(actor, 1)
    with pytest.raises(RuntimeError, match="shut down"):
        base.newPrimaryActor(Doubler, None, None)


async def test_blocking_calls_on_the_loops_own_thread_are_refused(base):
    cell = base.spawn(Doubler)
    for call in (lambda: base.ask(cell, 1, 1), lambda: base.listen(1)):
        with pytest.raises(RuntimeError, match="request"):
            call()


async def test_thespians_own_front_works_on_a_running_loop(base, until):
    system = ActorSystem(systemBase=base, transientUnique=True)
    undertaker = system.createActor(Undertaker)
    system.tell(undertaker, "start")
    gone = system.createActor(Doubler)
    system.tell(gone, ActorExitRequest())
    system.tell(gone, "lost")
    await until(lambda: undertaker.instance.letters)
    assert undertaker.instance.letters == ["lost"]


async def test_another_thread_may_tell_and_ask_while_the_loop_runs(base):
    import asyncio

    cell = base.spawn(Doubler)
    assert await asyncio.to_thread(base.ask, cell, 4, 5) == 8


# What happens when one side is faster than the other.


def test_an_outside_listener_is_kept_the_newest_messages_and_older_ones_are_dead_letters(
    monkeypatch,
):
    monkeypatch.setattr(endpoints, "UNHEARD_LIMIT", 3)
    base = AsyncioSystemBase()
    system = ActorSystem(systemBase=base, transientUnique=True)
    with system.private() as private:
        doubler = private.createActor(Doubler)
        for number in range(5):
            private.tell(doubler, number)
        assert system.ask(doubler, 21, 5) == 42  # behind the others

        assert [private.listen(0) for _ in range(4)] == [4, 6, 8, None]
    assert [letter.message for letter in base.dead_letters] == [0, 2]
    system.shutdown()


def test_a_thread_waits_while_too_many_calls_do(monkeypatch):
    monkeypatch.setattr(inbox, "CALLS_LIMIT", 10)
    base = AsyncioSystemBase()
    system = ActorSystem(systemBase=base, transientUnique=True)
    actor = system.createActor(Counter)
    hold, held = threading.Event(), threading.Event()
    base.loop.call_soon_threadsafe(lambda: (held.set(), hold.wait(10)))
    assert held.wait(5)

    def tell_all():
        for number in range(100):
            system.tell(actor, number)

    teller = threading.Thread(target=tell_all)
    teller.start()
    while len(base._inbox._calls) < 10 or not base._inbox._waiting:
        time.sleep(0.001)
    assert len(base._inbox._calls) == 10
    hold.set()
    teller.join(5)

    assert not teller.is_alive()
    assert system.ask(actor, "count", 5) == (100, True)
    system.shutdown()


def test_the_end_of_a_system_lets_go_the_threads_that_wait(monkeypatch):
    monkeypatch.setattr(inbox, "CALLS_LIMIT", 10)
    base = AsyncioSystemBase()
    system = ActorSystem(systemBase=base, transientUnique=True)
    actor = system.createActor(Counter)
    base._inbox._calls.extend([lambda: None] * 10)  # as if the loop never came to them
    teller = threading.Thread(target=lambda: system.tell(actor, 1))
    teller.start()
    while not base._inbox._waiting:
        time.sleep(0.001)

    system.shutdown()
    teller.join(5)

    assert not teller.is_alive()


async def test_an_actor_of_another_system_never_waits_and_what_is_too_much_is_counted(
    monkeypatch, caplog
):
    monkeypatch.setattr(inbox, "CALLS_LIMIT", 10)
    other = AsyncioSystemBase(loop=asyncio.new_event_loop())  # runs only when told to
    other.thread_id = -1
    mine = AsyncioSystemBase()
    target, sender = other.lifecycle.create(Doubler, {}, None, ""), mine.spawn(Doubler)

    for number in range(15):
        mine.send_for(sender, target, number)

    assert len(other._inbox._calls) == 10
    assert other._inbox.dropped == 5
    assert len(caplog.records) == 1
    await mine.shutdown_async(5)
    other.loop.close()
